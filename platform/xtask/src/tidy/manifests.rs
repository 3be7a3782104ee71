//! Rules about Cargo.toml files.

use toml::{Table, Value};

use super::{Finding, TextFile};

const ROOTS: [&str; 2] = ["Cargo.toml", "plugins/Cargo.toml"];
const DEPENDENCY_TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
/// The one crate whose doc comments hold code that people copy.
const WITH_DOCTESTS: &str = "sdk/rust/Cargo.toml";

pub fn check(files: &[TextFile]) -> Vec<Finding> {
    let is_member =
        |f: &&TextFile| f.path.ends_with("Cargo.toml") && !ROOTS.contains(&f.path.to_str().unwrap_or_default());
    files.iter().filter(is_member).flat_map(check_manifest).collect()
}

fn check_manifest(file: &TextFile) -> Vec<Finding> {
    let manifest: Table = match file.text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![file.finding(1, "manifest", format!("not TOML: {}", error.message()))],
    };
    let mut findings = Vec::new();
    if !inherits(&manifest, &["lints"]) {
        findings.push(file.finding(1, "workspace-lints", "add [lints] workspace = true"));
    }
    if !inherits(&manifest, &["package", "publish"]) {
        findings.push(file.finding(1, "workspace-publish", "add publish.workspace = true to [package]"));
    }
    findings.extend(package_name(file, &manifest));
    findings.extend(doctest(file, &manifest));
    for table in DEPENDENCY_TABLES {
        findings.extend(versions(file, manifest.get(table)));
    }
    for target in manifest.get("target").and_then(Value::as_table).into_iter().flatten().map(|(_, target)| target) {
        for table in DEPENDENCY_TABLES {
            findings.extend(versions(file, target.get(table)));
        }
    }
    findings
}

fn inherits(manifest: &Table, path: &[&str]) -> bool {
    let (first, rest) = path.split_first().unwrap_or((&"", &[]));
    let value = rest.iter().try_fold(manifest.get(*first), |value, key| Some(value?.get(key)));
    value.flatten().and_then(|v| v.get("workspace")).and_then(Value::as_bool) == Some(true)
}

/// `platform/store` is `tiegel-store`.
fn package_name(file: &TextFile, manifest: &Table) -> Option<Finding> {
    let folder = file.path.strip_prefix("platform").ok()?.parent()?.to_str()?;
    let name = manifest.get("package")?.get("name")?.as_str()?;
    let expected = format!("tiegel-{folder}");
    let line = line_of(&file.text, "name");
    (name != expected).then(|| file.finding(line, "package-name", format!("the folder says '{expected}'")))
}

/// Doctests link one binary each, which costs minutes.
fn doctest(file: &TextFile, manifest: &Table) -> Option<Finding> {
    let lib = file.path.with_file_name("src").join("lib.rs");
    let is_off = manifest.get("lib").and_then(|lib| lib.get("doctest")).and_then(Value::as_bool) == Some(false);
    let is_bin_only = manifest.contains_key("bin") && !manifest.contains_key("lib");
    let is_free = file.path.ends_with(WITH_DOCTESTS) || file.path.starts_with("plugins");
    (!is_off && !is_bin_only && !is_free).then(|| {
        file.finding(
            1,
            "doctest",
            format!("add [lib] doctest = false, and write a test where {} would have one", lib.display()),
        )
    })
}

/// Versions, paths and features are said once, in the root.
fn versions(file: &TextFile, table: Option<&Value>) -> Vec<Finding> {
    let inherited = |value: &Value| value.get("workspace").and_then(Value::as_bool) == Some(true);
    let entries = table.and_then(Value::as_table).into_iter().flatten();
    entries
        .filter(|(_, value)| !inherited(value))
        .map(|(name, _)| {
            let advice = format!("write {name}.workspace = true, and the version in the root Cargo.toml");
            file.finding(line_of(&file.text, name), "version-in-root", advice)
        })
        .collect()
}

/// The first line that starts with this key; 1 where none does.
fn line_of(text: &str, key: &str) -> usize {
    let sets = |line: &str| line.trim_start().strip_prefix(key).is_some_and(|rest| rest.starts_with([' ', '=', '.']));
    text.lines().position(sets).map_or(1, |i| i + 1)
}

#[cfg(test)]
mod tests {
    use super::super::text_file;
    use super::*;

    const GOOD: &str = "[package]\nname = \"tiegel-store\"\npublish.workspace = true\n\n[lib]\ndoctest = false\n\n[dependencies]\nserde.workspace = true\n\n[lints]\nworkspace = true\n";

    fn rules(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        check(&[text_file(path, text)]).into_iter().map(|f| (f.line, f.rule)).collect()
    }

    #[test]
    fn a_manifest_in_the_house_style_passes() {
        assert_eq!(rules("platform/store/Cargo.toml", GOOD), []);
        assert_eq!(rules("Cargo.toml", "[workspace]\n"), []);
    }

    #[test]
    fn versions_outside_the_root_are_refused_with_their_line() {
        let text =
            GOOD.replace("serde.workspace = true", "serde = \"1\"\n\n[dev-dependencies]\nfoo = { path = \"../foo\" }");
        assert_eq!(rules("platform/store/Cargo.toml", &text), [(9, "version-in-root"), (12, "version-in-root")]);
    }

    #[test]
    fn lints_and_publish_come_from_the_workspace() {
        let text = GOOD.replace("publish.workspace = true\n", "").replace("[lints]\nworkspace = true\n", "");
        let mut found = rules("platform/store/Cargo.toml", &text);
        found.sort();
        assert_eq!(found, [(1, "workspace-lints"), (1, "workspace-publish")]);
    }

    #[test]
    fn the_package_is_named_after_its_folder() {
        assert_eq!(rules("platform/blobs/Cargo.toml", GOOD), [(2, "package-name")]);
    }

    #[test]
    fn doctests_are_off_outside_the_sdk() {
        let text = GOOD.replace("doctest = false", "path = \"src/lib.rs\"");
        assert_eq!(rules("platform/store/Cargo.toml", &text), [(1, "doctest")]);
        assert_eq!(rules(WITH_DOCTESTS, &text), []);
    }
}
