//! Rules about the text of single files.

use super::scan::blank_literals;
use super::{Finding, TextFile};

const FILE_LINES_MAX: usize = 500;
const ARCHITECTURE_LINES_MAX: usize = 150;
const ARCHITECTURE: &str = "platform/ARCHITECTURE.md";

/// The endings of files that people write code in.
const CODE_EXTENSIONS: [&str; 11] = ["rs", "ts", "tsx", "js", "mjs", "css", "py", "sh", "sql", "wit", "yaml"];

/// Where reading the environment is right: the config, and programs that are no part of the server.
const ENV_READERS: [&str; 4] = ["platform/config/", "platform/xtask/", "tests/", "sdk/"];

/// Marks of unfinished work, as words. In two halves, so that this file does not hold them.
const UNFINISHED_WORDS: [(&str, &str); 3] = [("TO", "DO"), ("FIX", "ME"), ("XX", "X")];

/// Phrases that mean something on one machine only, in two halves likewise.
const PRIVATE_PHRASES: [(&str, &str); 5] =
    [("/wo", "rk/"), ("/ro", "ot/"), ("DESIGN", ".md"), ("shared/", "research"), ("shared/", "wit")];

pub fn check(file: &TextFile) -> Vec<Finding> {
    let mut findings = private_phrases(file);
    if file.is_generated() {
        return findings;
    }
    findings.extend(length(file));
    if CODE_EXTENSIONS.contains(&file.extension()) || file.path.ends_with("Makefile") {
        findings.extend(unfinished_words(file));
    }
    if file.extension() == "rs" {
        findings.extend(rust_marks(file));
        findings.extend(environment(file));
    }
    findings
}

/// Each crate says at the top of its root what it is for.
pub fn check_purposes(files: &[TextFile]) -> Vec<Finding> {
    let has_library = |main: &TextFile| files.iter().any(|f| f.path == main.path.with_file_name("lib.rs"));
    let is_root =
        |f: &&TextFile| f.path.ends_with("src/lib.rs") || (f.path.ends_with("src/main.rs") && !has_library(f));
    let silent = files.iter().filter(is_root).filter(|f| !f.text.starts_with("//!"));
    silent
        .map(|f| f.finding(1, "crate-purpose", "open with `//!`: what the crate is for, and its invariants"))
        .collect()
}

fn length(file: &TextFile) -> Option<Finding> {
    let lines = file.text.lines().count();
    if file.path.to_str() == Some(ARCHITECTURE) && lines > ARCHITECTURE_LINES_MAX {
        let advice = format!("{lines} lines; at most {ARCHITECTURE_LINES_MAX}: say less");
        return Some(file.finding(lines, "architecture-length", advice));
    }
    let is_code = CODE_EXTENSIONS.contains(&file.extension());
    (is_code && lines > FILE_LINES_MAX).then(|| {
        let advice = format!("{lines} lines; at most {FILE_LINES_MAX}: split it by what its parts are about");
        file.finding(lines, "file-length", advice)
    })
}

fn unfinished_words(file: &TextFile) -> Vec<Finding> {
    let mark = |line: &str| UNFINISHED_WORDS.into_iter().map(joined).find(|word| holds_word(line, word));
    let advice = |word| format!("finish it, or say in a sentence why it is as it is, without '{word}'");
    let lines = file.text.lines().enumerate();
    lines.filter_map(|(i, line)| Some(file.finding(i + 1, "unfinished", advice(mark(line)?)))).collect()
}

fn holds_word(line: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word)
        .any(|(at, _)| !is_part(line[..at].chars().next_back()) && !is_part(line[at + word.len()..].chars().next()))
}

fn private_phrases(file: &TextFile) -> Vec<Finding> {
    let phrase = |line: &str| PRIVATE_PHRASES.into_iter().map(joined).find(|phrase| line.contains(phrase));
    let advice = |phrase| format!("'{phrase}' means nothing in a clone: write what the reader needs here");
    let lines = file.text.lines().enumerate();
    lines.filter_map(|(i, line)| Some(file.finding(i + 1, "private-phrase", advice(phrase(line)?)))).collect()
}

fn joined((front, back): (&str, &str)) -> String {
    format!("{front}{back}")
}

fn rust_marks(file: &TextFile) -> Vec<Finding> {
    const MARKS: [(&str, &str); 5] = [
        ("todo!", "write it, or leave the whole function out"),
        ("unimplemented!", "write it, or answer an error that says what to use instead"),
        ("dbg!", "remove it, or log a field with tracing"),
        ("#[allow(", "write #[expect(.., reason = \"..\")], which goes away with its cause"),
        ("#![allow(", "write #![expect(.., reason = \"..\")], which goes away with its cause"),
    ];
    let code = blank_literals(&file.text);
    let in_line = |(i, line): (usize, &str)| {
        let (_, advice) = MARKS.into_iter().find(|(mark, _)| line.contains(mark))?;
        Some(file.finding(i + 1, "forbidden-mark", advice))
    };
    code.lines().enumerate().filter_map(in_line).collect()
}

/// Reading the environment outside the config, tests excepted.
fn environment(file: &TextFile) -> Vec<Finding> {
    let path = file.path.to_str().unwrap_or_default();
    let is_test = path.ends_with("/tests.rs") || path.contains("/tests/") || path.contains("/examples/");
    if is_test || ENV_READERS.iter().any(|folder| path.starts_with(folder)) {
        return Vec::new();
    }
    let code = blank_literals(&file.text);
    let lines = code.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    lines
        .filter(|(_, line)| line.contains("env::var"))
        .map(|(i, _)| {
            file.finding(i + 1, "environment", "only tiegel-config reads the environment: add a field to its Config")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::text_file;
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        check(&text_file(path, text)).into_iter().map(|f| (f.line, f.rule)).collect()
    }

    #[test]
    fn a_file_over_500_lines_is_refused_and_a_generated_one_is_not() {
        let long = "x\n".repeat(FILE_LINES_MAX + 1);
        assert_eq!(rules("web/src/a.tsx", &long), [(501, "file-length")]);
        assert_eq!(rules("web/src/api/schema.gen.ts", &long), []);
        assert_eq!(rules("web/src/a.tsx", &"x\n".repeat(FILE_LINES_MAX)), []);
    }

    #[test]
    fn the_architecture_has_its_own_limit() {
        let long = "x\n".repeat(ARCHITECTURE_LINES_MAX + 1);
        assert_eq!(rules(ARCHITECTURE, &long), [(151, "architecture-length")]);
        assert_eq!(rules("README.md", &long), []);
    }

    #[test]
    fn unfinished_marks_are_found_as_words_only() {
        let mark = joined(UNFINISHED_WORDS[0]);
        assert_eq!(rules("a.py", &format!("# {mark}: later\n{mark}S = 1\n")), [(1, "unfinished")]);
    }

    #[test]
    fn paths_of_one_machine_are_refused_in_every_file() {
        let phrase = joined(PRIVATE_PHRASES[0]);
        assert_eq!(rules("README.md", &format!("cd {phrase}x\n")), [(1, "private-phrase")]);
    }

    #[test]
    fn marks_in_strings_and_comments_of_rust_are_no_marks() {
        assert_eq!(rules("a.rs", "// about dbg!(x)\nlet a = \"#[allow(\";\n"), []);
        assert_eq!(
            rules("a.rs", "    dbg!(x);\n#[allow(dead_code)]\n"),
            [(1, "forbidden-mark"), (2, "forbidden-mark")]
        );
    }

    #[test]
    fn the_environment_is_read_by_the_config_and_by_tests_only() {
        let reads = "let a = std::env::var(\"A\");\n";
        assert_eq!(rules("platform/api/src/x.rs", reads), [(1, "environment")]);
        assert_eq!(rules("platform/config/src/x.rs", reads), []);
        assert_eq!(rules("platform/api/src/x.rs", &format!("#[cfg(test)]\nmod tests {{ {reads} }}\n")), []);
    }

    #[test]
    fn a_crate_root_without_a_purpose_is_refused() {
        let file = |name: &str, text| text_file(&format!("platform/x/src/{name}.rs"), text);
        let silent = |files: &[TextFile]| check_purposes(files).len();
        assert_eq!(silent(&[file("lib", "mod a;\n"), file("main", "fn main() {}\n"), file("a", "")]), 1);
        assert_eq!(silent(&[file("main", "fn main() {}\n")]), 1);
        assert_eq!(silent(&[file("lib", "//! Says why.\n")]), 0);
    }
}
