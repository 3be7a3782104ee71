use proptest::prelude::*;

use super::*;

fn decoded(text: &str) -> Option<String> {
    ArtifactPath::decode(text).ok().map(|path| path.as_str().to_owned())
}

#[test]
fn ordinary_names_stay_as_they_are() {
    for text in ["a", "1/r/artifacts/model/MLmodel", "a b/ü.txt", "..a/a../...", "100%", "a%zz", "a:b", "C:x", "?&=+"]
    {
        assert_eq!(decoded(text).as_deref(), Some(text));
        assert!(ArtifactPath::decode_new(text).is_ok(), "{text}");
    }
}

#[test]
fn every_spelling_of_a_way_out_is_refused() {
    for text in [
        "..",
        "../x",
        "a/..",
        "a/../b",
        "a/../../b",
        "/",
        "/etc/passwd",
        "//etc/passwd",
        "a//b",
        "a\\b",
        "..\\x",
        "\\\\host\\x",
        "C:",
        "C:/x",
        "C:\\x",
        "c:%5cx",
        "file:///etc/passwd",
        "FILE:x",
        "a#b",
        "a\0b",
        "a%00b",
        "a%2500b",
        "%2e%2e/x",
        "%2E%2E%2Fx",
        "..%2fx",
        "%252e%252e/x",
        "%25252e%25252e%25252fx",
        "%2fetc",
        "%255c..%255cx",
        "a/%2e%2e",
        ".%2e/x",
        "%2e./x",
        "a%2f%2e%2e%2fb",
        "%ff",
        "%c0%ae%c0%ae/x",
        "a/%2f/b",
        "./..",
        "../.",
        "a/./..",
    ] {
        let refused = ArtifactPath::decode(text).unwrap_err();
        assert_eq!(refused.to_string(), "Invalid path", "{text}");
    }
}

#[test]
fn what_is_read_may_be_spelled_loosely_and_what_is_made_may_not() {
    for (text, path) in [("a/", "a"), ("./a", "a"), ("a/./b", "a/b"), (".", ""), ("a%2fb/", "a/b")] {
        assert_eq!(decoded(text).as_deref(), Some(path), "{text}");
        assert!(ArtifactPath::decode_new(text).is_err(), "{text}");
    }
    assert!(ArtifactPath::decode_new("").is_err());
    assert!(ArtifactPath::decode("").unwrap().is_root());
}

#[test]
fn a_control_character_is_kept_by_its_number() {
    assert_eq!(decoded("a\nb\x7f").as_deref(), Some("a%0ab%7f"));
    assert_eq!(decoded("a%250ab%7F").as_deref(), Some("a%0ab%7f"));
}

#[test]
fn a_path_has_a_length() {
    assert!(ArtifactPath::decode(&"a".repeat(2_000)).is_ok());
    assert!(ArtifactPath::decode(&"a".repeat(2_001)).is_err());
    assert!(ArtifactPath::decode(&vec!["a"; 101].join("/")).is_err());
    let mut deep = "..".to_owned();
    for _ in 0..12 {
        deep = deep.replace('%', "%25").replace('.', "%2e");
    }
    assert!(ArtifactPath::decode(&deep).is_err());
}

#[test]
fn places_are_joined() {
    let path = |text| ArtifactPath::decode(text).unwrap();
    assert_eq!(path("1/r").join(&path("a/b")), path("1/r/a/b"));
    assert_eq!(path("").join(&path("a")), path("a"));
    assert_eq!(path("a").join(&path("")), path("a"));
    assert_eq!(path("a/b.txt").name(), "b.txt");
}

/// Text made of the pieces that traversals are made of, encoded a few times over.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("..".to_owned()),
        Just(".".to_owned()),
        Just("/".to_owned()),
        Just("\\".to_owned()),
        Just("%".to_owned()),
        Just("2e".to_owned()),
        Just("%2f".to_owned()),
        Just("%5c".to_owned()),
        Just("\0".to_owned()),
        Just("C:".to_owned()),
        Just("file:".to_owned()),
        "[a-z\u{e4}\n#?]{1,3}",
    ];
    let encode = |text: String, times: usize| {
        (0..times).fold(text, |text, round| {
            text.bytes()
                .map(|b| {
                    if (usize::from(b) + round) % 3 == 0 || !b.is_ascii_graphic() {
                        format!("%{b:02x}")
                    } else {
                        char::from(b).to_string()
                    }
                })
                .collect()
        })
    };
    (proptest::collection::vec(piece, 0..12), 0_usize..4)
        .prop_map(move |(pieces, times)| encode(pieces.concat(), times))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_text_leads_out_of_a_folder(text in prop_oneof![hostile(), any::<String>()]) {
        let Ok(path) = ArtifactPath::decode(&text) else { return Ok(()) };
        let file = std::path::Path::new("/srv/tree").join(path.as_str());
        let plain = file.components().all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::RootDir));
        prop_assert!(plain && file.starts_with("/srv/tree"), "{text:?} became {path}");
        prop_assert!(!path.as_str().contains(['\\', '\0', '#']) && !path.as_str().contains("//"));
        prop_assert!(path.as_str().split('/').all(|s| s != ".." && s != "."));
        // Whoever decodes what we answered finds the same place.
        prop_assert_eq!(ArtifactPath::decode(path.as_str()).unwrap(), path);
    }

    #[test]
    fn encoding_a_path_once_more_changes_nothing(text in "[a-z .%]{1,4}(/[a-z \u{e4}.]{1,4}){0,3}") {
        let encoded: String = text.bytes().map(|b| format!("%{b:02X}")).collect();
        let (plain, twice) = (ArtifactPath::decode(&text), ArtifactPath::decode(&encoded));
        prop_assert_eq!(plain.map_err(|e| e.to_string()), twice.map_err(|e| e.to_string()));
    }
}
