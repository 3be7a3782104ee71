//! Which crate may depend on which: the direction of the workspace, and one home for each heavy dependency.
//!
//! Development dependencies are free: a test may join what the product keeps apart.

use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata};

use super::Finding;

/// From the bottom up. A crate may depend on any crate of a lower level, and inside its level only by `WITHIN_LEVEL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// Plain data and traits.
    L0,
    /// Heavy engines behind the traits of `engine`: on L0 only, and named by L4 only.
    Heavy,
    L1,
    /// What the domain operations share: on L0 and L1.
    Context,
    L2,
    L3,
    L4,
    /// Tools and tests: on anything; nothing depends on them.
    Free,
    /// For plugin authors: on nothing of ours.
    Sdk,
}

use Level::{Context, Free, Heavy, L0, L1, L2, L3, L4, Sdk};

const LEVELS: [(&str, Level); 34] = [
    ("types", L0),
    ("engine", L0),
    ("spec", L0),
    ("config", L0),
    ("telemetry", L0),
    ("search", L0),
    ("signing", L0),
    ("query", Heavy),
    ("wasm", Heavy),
    ("model", Heavy),
    ("store", L1),
    ("blobs", L1),
    ("jobs", L1),
    ("context", Context),
    ("artifacts", L2),
    ("gc", L2),
    ("tracking", L2),
    ("traces", L2),
    ("registry", L2),
    ("pipeline", L2),
    ("training", L2),
    ("serving", L2),
    ("project", L2),
    ("migrate", L2),
    ("distribution", L2),
    ("http", L3),
    ("api", L3),
    ("inference", L3),
    ("mlflow", L3),
    ("oci", L3),
    ("server", L4),
    ("xtask", Free),
    ("tests", Free),
    ("plugin", Sdk),
];

/// The edges inside a level; L0 is free among itself.
const WITHIN_LEVEL: [(&str, &[&str]); 8] = [
    ("jobs", &["store"]),
    ("gc", &["artifacts"]),
    ("training", &["pipeline", "tracking", "registry"]),
    ("serving", &["registry"]),
    ("project", &["pipeline", "training", "serving", "registry", "tracking"]),
    ("api", &["http"]),
    ("inference", &["http"]),
    ("mlflow", &["http"]),
];

/// A name that ends in `*` stands for all that start so.
const HOMES: [(&str, &[&str]); 13] = [
    ("mimalloc", &["server"]),
    ("sqlx", &["store"]),
    ("rusqlite", &["store"]),
    ("datafusion*", &["query"]),
    ("parquet", &["query"]),
    ("wasmtime*", &["wasm"]),
    ("wit-component", &["wasm"]),
    ("candle-*", &["model"]),
    ("safetensors", &["model"]),
    ("object_store", &["blobs", "engine", "query"]),
    ("axum", &["http", "api", "inference", "mlflow", "oci", "server"]),
    ("ring", &["registry", "signing"]),
    ("reqwest", &["registry", "server", "telemetry", "migrate"]),
];

pub fn check(metadata: &Metadata, root: &Path) -> Vec<Finding> {
    let crates: Vec<Crate> = metadata.workspace_packages().into_iter().map(|p| Crate::read(p, root)).collect();
    crates.iter().flat_map(check_crate).collect()
}

/// What the rules need to know of a crate.
struct Crate {
    /// Without the prefix `tiegel-`.
    name: String,
    manifest: PathBuf,
    /// Normal and build dependencies, by package name.
    dependencies: Vec<String>,
}

impl Crate {
    fn read(package: &cargo_metadata::Package, root: &Path) -> Self {
        let in_product = package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development);
        let manifest = package.manifest_path.as_std_path();
        Self {
            name: short(package.name.as_str()).to_owned(),
            manifest: manifest.strip_prefix(root).unwrap_or(manifest).to_owned(),
            dependencies: in_product.map(|d| d.name.clone()).collect(),
        }
    }
}

fn short(package: &str) -> &str {
    package.strip_prefix("tiegel-").unwrap_or(package)
}

fn level(name: &str) -> Option<Level> {
    LEVELS.iter().find(|(known, _)| *known == name).map(|(_, level)| *level)
}

fn check_crate(krate: &Crate) -> Vec<Finding> {
    let finding = |rule, advice| Finding { path: krate.manifest.clone(), line: 1, rule, advice };
    let Some(own_level) = level(&krate.name) else {
        let advice = format!("give '{}' a level in platform/xtask/src/tidy/layers.rs", krate.name);
        return vec![finding("unknown-crate", advice)];
    };
    let mut findings = Vec::new();
    for dependency in &krate.dependencies {
        if let Some(target) = dependency.strip_prefix("tiegel-") {
            if !may_depend(&krate.name, own_level, target) {
                findings.push(finding("dependency-direction", direction_advice(&krate.name, target)));
            }
        } else if let Some(homes) = homes_without(&krate.name, own_level, dependency) {
            let advice = format!("'{dependency}' lives in {homes} only: call that crate instead");
            findings.push(finding("home-crate", advice));
        }
    }
    findings
}

fn direction_advice(from: &str, to: &str) -> String {
    match level(to) {
        Some(Heavy) => format!("'{from}' must not name '{to}': take the trait from 'engine'; the server joins them"),
        _ => format!("'{from}' must not depend on '{to}': move what both need down a level"),
    }
}

fn may_depend(from: &str, own_level: Level, to: &str) -> bool {
    let Some(target) = level(to) else { return false };
    let within_level = WITHIN_LEVEL.iter().any(|(name, targets)| *name == from && targets.contains(&to));
    let lower = match own_level {
        Sdk => false,
        L0 | Heavy => target == L0,
        L1 => target == L0,
        Context => matches!(target, L0 | L1),
        L2 => matches!(target, L0 | L1 | Context),
        L3 => matches!(target, L0 | L1 | Context | L2),
        L4 => !matches!(target, L4 | Free),
        Free => true,
    };
    lower || within_level
}

/// The homes of a heavy dependency, where this crate is not one of them.
fn homes_without(name: &str, own_level: Level, dependency: &str) -> Option<String> {
    let is_meant = |pattern: &str| match pattern.strip_suffix('*') {
        Some(front) => dependency.starts_with(front),
        None => dependency == pattern,
    };
    let (_, homes) = HOMES.iter().find(|(pattern, _)| is_meant(pattern))?;
    (own_level != Free && !homes.contains(&name)).then(|| homes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(name: &str, dependencies: &[&str]) -> Vec<String> {
        let dependencies = dependencies.iter().map(|d| (*d).to_owned()).collect();
        let krate = Crate { name: name.to_owned(), manifest: "Cargo.toml".into(), dependencies };
        check_crate(&krate).into_iter().map(|f| format!("{}: {}", f.rule, f.advice)).collect()
    }

    fn is_allowed(name: &str, dependency: &str) -> bool {
        rules(name, &[dependency]).is_empty()
    }

    #[test]
    fn dependencies_point_down() {
        assert!(is_allowed("api", "tiegel-training"));
        assert!(is_allowed("store", "tiegel-types"));
        assert!(is_allowed("spec", "tiegel-types"));
        assert!(is_allowed("context", "tiegel-jobs"));
        assert!(!is_allowed("store", "tiegel-context"));
        assert!(!is_allowed("types", "tiegel-store"));
        assert!(!is_allowed("pipeline", "tiegel-http"));
    }

    #[test]
    fn heavy_crates_are_named_by_the_server_alone() {
        assert!(is_allowed("server", "tiegel-wasm"));
        let message = rules("pipeline", &["tiegel-wasm"]);
        assert_eq!(
            message,
            [
                "dependency-direction: 'pipeline' must not name 'wasm': take the trait from 'engine'; the server joins them"
            ]
        );
        assert!(!is_allowed("query", "tiegel-wasm"));
        assert!(!is_allowed("model", "tiegel-store"));
    }

    #[test]
    fn inside_a_level_only_the_listed_edges_exist() {
        assert!(is_allowed("training", "tiegel-registry"));
        assert!(is_allowed("inference", "tiegel-http"));
        assert!(!is_allowed("registry", "tiegel-training"));
        assert!(!is_allowed("api", "tiegel-inference"));
        assert!(!is_allowed("store", "tiegel-jobs"));
    }

    #[test]
    fn nothing_depends_on_tools_and_the_sdk_on_nothing() {
        assert!(!is_allowed("server", "tiegel-xtask"));
        assert!(is_allowed("tests", "tiegel-server"));
        assert!(!is_allowed("plugin", "tiegel-types"));
    }

    #[test]
    fn a_heavy_dependency_outside_its_home_names_the_home() {
        let message = rules("tracking", &["sqlx"]);
        assert_eq!(message, ["home-crate: 'sqlx' lives in store only: call that crate instead"]);
        assert!(!is_allowed("training", "candle-nn"));
        assert!(!is_allowed("pipeline", "datafusion-expr"));
        assert!(is_allowed("query", "datafusion"));
        assert!(is_allowed("tests", "axum"));
    }

    #[test]
    fn a_crate_without_a_level_is_refused() {
        let message = rules("brandnew", &[]);
        assert!(message[0].starts_with("unknown-crate: give 'brandnew' a level"), "{message:?}");
    }
}
