/// Numbers end below this.
const NUMBERS: u64 = 1_000;

const ADJECTIVES: [&str; 64] = [
    "agile", "alert", "amber", "azure", "brave", "breezy", "brisk", "bronze", "candid", "cheery", "clear", "clever",
    "cobalt", "copper", "cosmic", "crisp", "daring", "deft", "dusky", "eager", "earnest", "fair", "fleet", "frosty",
    "gentle", "gilded", "glad", "golden", "grand", "hardy", "hazel", "humble", "ivory", "jolly", "keen", "kind",
    "lively", "lucid", "mellow", "mild", "misty", "modest", "neat", "noble", "opal", "patient", "plucky", "prime",
    "proud", "quick", "quiet", "rapid", "ready", "rosy", "rugged", "silver", "sleek", "snug", "steady", "sunny",
    "swift", "tidy", "vivid", "warm",
];
const NOUNS: [&str; 64] = [
    "acorn", "alder", "anvil", "aspen", "badger", "basin", "beacon", "birch", "bison", "bloom", "brook", "canyon",
    "cedar", "cliff", "cloud", "comet", "coral", "cove", "creek", "delta", "dune", "elm", "ember", "fern", "fjord",
    "flint", "forge", "geyser", "glade", "grove", "harbor", "heron", "ibis", "inlet", "kelp", "lagoon", "lark",
    "lichen", "maple", "marsh", "meadow", "mesa", "moss", "oak", "orchid", "osprey", "otter", "pebble", "pine",
    "plover", "quartz", "raven", "reef", "ridge", "river", "sage", "slate", "spruce", "summit", "thicket", "tundra",
    "valley", "willow", "wren",
];

/// An adjective, a noun and a number, such as `brisk-otter-512`: the name of a run that was given none.
pub fn random_name(randomness: u64) -> String {
    let (adjectives, nouns) = (ADJECTIVES.len() as u64, NOUNS.len() as u64);
    let adjective = ADJECTIVES[(randomness % adjectives) as usize];
    let noun = NOUNS[(randomness / adjectives % nouns) as usize];
    format!("{adjective}-{noun}-{}", randomness / adjectives / nouns % NUMBERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As MLflow's names have at most.
    const NAME_CHARS_MAX: usize = 20;

    #[test]
    fn every_name_is_two_words_and_a_number_within_its_length() {
        for randomness in (0..4_096_u64).flat_map(|low| [low, low + 4_096 * 999]) {
            let name = random_name(randomness);
            let parts: Vec<_> = name.split('-').collect();
            assert!(name.len() <= NAME_CHARS_MAX && parts.len() == 3 && parts[2].parse::<u64>().is_ok(), "{name}");
        }
        assert_eq!(random_name(0), "agile-acorn-0");
    }
}
