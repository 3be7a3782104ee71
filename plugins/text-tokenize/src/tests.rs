use tiegel_plugin::{Batch, Result, Transform, provide_artifact};

use crate::TextTokenize;

const TOKENS: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nwant\n##want\n##ed\nwa\nun\nrunn\n##ing\n,\n博\n";

const PAD: i32 = 0;
const UNK: i32 = 1;
const CLS: i32 = 2;
const SEP: i32 = 3;

fn run(config: &str, texts: &[Option<&str>]) -> Result<Vec<(Vec<i32>, Vec<i32>)>> {
    provide_artifact("vocab.txt", TOKENS);
    let input = Batch::builder().utf8("text", texts.iter().copied()).build()?;
    let mut plugin: TextTokenize = tiegel_plugin::configure(config, input.schema(), None)?;
    let output = tiegel_plugin::transform(&mut plugin, input)?;
    let (ids, mask) = (output.column(0).lists::<i32>()?, output.column(1).lists::<i32>()?);
    Ok((0..texts.len()).map(|row| (ids.get(row).unwrap().to_vec(), mask.get(row).unwrap().to_vec())).collect())
}

#[test]
fn words_are_cut_into_the_longest_pieces() {
    let rows = run(r#"{"length": 9}"#, &[Some("UNwantéd, running"), Some("unwantedX running"), None]).unwrap();
    assert_eq!(rows[0].0, [CLS, 8, 5, 6, 11, 9, 10, SEP, PAD]);
    assert_eq!(rows[0].1, [1, 1, 1, 1, 1, 1, 1, 1, 0]);
    assert_eq!(rows[1].0, [CLS, UNK, 9, 10, SEP, PAD, PAD, PAD, PAD]);
    assert_eq!(rows[2], (vec![CLS, SEP, 0, 0, 0, 0, 0, 0, 0], vec![1, 1, 0, 0, 0, 0, 0, 0, 0]));
}

#[test]
fn a_long_text_loses_its_end_and_a_long_word_is_unknown() {
    let long = "want ".repeat(50);
    let rows = run(r#"{"length": 4}"#, &[Some(&long), Some(&"want".repeat(26))]).unwrap();
    assert_eq!(rows[0].0, [CLS, 4, 4, SEP]);
    assert_eq!(rows[1].0, [CLS, UNK, SEP, PAD]);
    // The last word has more pieces than there is room for.
    let rows = run(r#"{"length": 4}"#, &[Some("want unwanted")]).unwrap();
    assert_eq!(rows[0].0, [CLS, 4, 8, SEP]);
}

#[test]
fn case_counts_where_it_is_kept() {
    let rows = run(r#"{"length": 4, "lowercase": false}"#, &[Some("Want want 博")]).unwrap();
    assert_eq!(rows[0].0, [CLS, UNK, 4, SEP]);
}

#[test]
fn the_output_names_ids_and_mask_of_each_column() {
    provide_artifact("vocab.txt", TOKENS);
    let input = Batch::builder().utf8("title", [Some("a")]).utf8("body", [Some("b")]).build().unwrap();
    let plugin: TextTokenize = tiegel_plugin::configure("{}", input.schema(), None).unwrap();
    let output = plugin.output().unwrap();
    let names: Vec<_> = output.fields.iter().map(|field| (field.name.as_str(), field.width)).collect();
    assert_eq!(names, [("title_ids", 128), ("title_mask", 128), ("body_ids", 128), ("body_mask", 128)]);
}

#[test]
fn what_is_missing_is_named() {
    let input = Batch::builder().utf8("text", [None]).build().unwrap();
    let configure = || tiegel_plugin::configure::<TextTokenize>("{}", input.schema(), None).err().unwrap();
    assert!(configure().message.starts_with("artifact 'vocab.txt': "));
    provide_artifact("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n");
    assert_eq!(configure().to_string(), "vocab.txt lacks the token [SEP]");
    provide_artifact("vocab.txt", *b"[PAD]\n\xff");
    assert_eq!(configure().to_string(), "vocab.txt is not UTF-8 from byte 6");
    let error = run(r#"{"length": 2}"#, &[]).unwrap_err();
    assert_eq!(error.to_string(), "length is 3 to 4096");
}

#[test]
fn the_vocabulary_that_lies_here_reads_every_ascii_word() {
    provide_artifact("vocab.txt", include_bytes!("../vocab.txt").as_slice());
    let input = Batch::builder().utf8("text", [Some("Zebra 42!"), Some("{~x~}")]).build().unwrap();
    let mut plugin: TextTokenize = tiegel_plugin::configure(r#"{"length": 16}"#, input.schema(), None).unwrap();
    let output = tiegel_plugin::transform(&mut plugin, input).unwrap();
    let mask = output.column(1).lists::<i32>().unwrap();
    let tokens = |row: usize| mask.get(row).unwrap().iter().sum::<i32>();
    assert_eq!((tokens(0), tokens(1)), (2 + 5 + 2 + 1, 2 + 5));
    assert!(!output.column(0).values::<i32>().unwrap().contains(&1), "no word is unknown");
}
