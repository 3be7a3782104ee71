//! Names that say nothing: a module is called after its noun.

use std::path::{Path, PathBuf};

use super::scan::blank_literals;
use super::{Finding, TextFile};

const EMPTY_NAMES: [&str; 10] =
    ["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc", "service", "services"];
const CODE_EXTENSIONS: [&str; 7] = ["rs", "ts", "tsx", "js", "mjs", "py", "sh"];

/// Checks the names of code files and of the folders that hold them.
pub fn check(paths: &[PathBuf]) -> Vec<Finding> {
    paths.iter().filter(|path| is_code(path)).filter_map(|path| Some(finding(path, 1, empty_name_in(path)?))).collect()
}

/// Checks modules that are declared inside a file.
pub fn check_modules(file: &TextFile) -> Vec<Finding> {
    if file.extension() != "rs" {
        return Vec::new();
    }
    let code = blank_literals(&file.text);
    let module = |line: &str| {
        let name = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ").strip_prefix("mod ")?;
        empty_word(name.trim_end_matches([' ', '{', ';', '}']))
    };
    let lines = code.lines().enumerate();
    lines.filter_map(|(i, line)| Some(finding(&file.path, i + 1, module(line.trim())?))).collect()
}

fn finding(path: &Path, line: usize, word: &str) -> Finding {
    let advice = format!("'{word}' says nothing: name it after the one thing it holds");
    Finding { path: path.to_owned(), line, rule: "empty-name", advice }
}

fn is_code(path: &Path) -> bool {
    path.extension().and_then(|e| e.to_str()).is_some_and(|e| CODE_EXTENSIONS.contains(&e))
}

fn empty_name_in(path: &Path) -> Option<&'static str> {
    path.with_extension("").components().find_map(|part| empty_word(part.as_os_str().to_str()?))
}

/// A word of `snake_case`, `kebab-case` or `dot.case` that says nothing.
fn empty_word(name: &str) -> Option<&'static str> {
    let words = name.split(['_', '-', '.']);
    words.into_iter().find_map(|word| EMPTY_NAMES.into_iter().find(|empty| word.eq_ignore_ascii_case(empty)))
}

#[cfg(test)]
mod tests {
    use super::super::text_file;
    use super::*;

    #[test]
    fn files_and_folders_with_empty_names_are_refused() {
        for bad in ["platform/store/src/utils.rs", "web/src/helpers/date.ts", "platform/x/src/run_manager.rs"] {
            assert_eq!(check(&[bad.into()]).len(), 1, "{bad}");
        }
        for good in ["platform/store/src/runs.rs", "deploy/systemd/tiegel.service", "platform/serving/src/lib.rs"] {
            assert_eq!(check(&[good.into()]), [], "{good}");
        }
    }

    #[test]
    fn an_inline_module_with_an_empty_name_is_refused() {
        let findings = check_modules(&text_file("a.rs", "mod runs;\n\npub mod helpers {\n}\n"));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 3);
    }
}
