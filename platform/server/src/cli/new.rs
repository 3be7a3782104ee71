//! A new plugin's folder, which builds and passes its tests as it is.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};

#[derive(Args)]
pub struct New {
    /// The plugin's name: lowercase letters, digits and hyphens.
    name: String,
    #[arg(long)]
    lang: Language,
    #[arg(long, default_value = "transform")]
    world: World,
    /// The folder to make; by default the plugin's name.
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Language {
    Rust,
    Python,
    Js,
}

#[derive(Clone, Copy, ValueEnum)]
enum World {
    /// Each row by itself, no state.
    Transform,
    /// Learns a state from the training rows first.
    Estimator,
    /// On the edge of an endpoint.
    RequestProcessor,
}

macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../../../sdk/templates/", $path))
    };
}

/// A file's path in the folder, and its text.
type File = (&'static str, &'static str);

pub fn new(args: &New) -> anyhow::Result<ExitCode> {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let starts_well = args.name.starts_with(|c: char| c.is_ascii_lowercase());
    anyhow::ensure!(
        starts_well && args.name.chars().all(is_word),
        "'{}' is no name of a plugin: it begins with a letter and is made of lowercase letters, digits and hyphens",
        args.name
    );
    let files = files(args)?;
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let is_free = fs::read_dir(&dir).map_or(true, |mut files| files.next().is_none());
    anyhow::ensure!(is_free, "{} is there and not empty: name another folder with --dir", dir.display());
    for (name, text) in files {
        let path = dir.join(name);
        let parent = path.parent().unwrap_or(&dir);
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        fs::write(&path, fill(args, text)).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn files(args: &New) -> anyhow::Result<Vec<File>> {
    let (code, case) = match args.world {
        World::Transform => (
            [template!("rust/transform.rs"), template!("python/transform.py"), template!("js/transform.js")],
            template!("transform.case.json"),
        ),
        World::Estimator => (
            [template!("rust/estimator.rs"), template!("python/estimator.py"), template!("js/estimator.js")],
            template!("estimator.case.json"),
        ),
        World::RequestProcessor => anyhow::bail!(
            "endpoints of this version run no request processors yet: make a `transform` or an `estimator`"
        ),
    };
    let mut files =
        vec![("tiegel-plugin.toml", template!("tiegel-plugin.toml")), ("README.md", template!("README.md"))];
    files.push(("cases/first.json", case));
    match args.lang {
        Language::Rust => {
            files.extend([("Cargo.toml", template!("rust/Cargo.toml.txt")), ("src/lib.rs", code[0])]);
            files.push((".gitignore", "/target\n/*.wasm\n"));
        }
        Language::Python => files.extend([("plugin.py", code[1]), (".gitignore", "/*.wasm\n__pycache__/\n")]),
        Language::Js => {
            files.extend([("plugin.js", code[2]), ("package.json", "{ \"type\": \"module\" }\n")]);
            files.push((".gitignore", "/*.wasm\n/node_modules\n"));
        }
    }
    Ok(files)
}

fn fill(args: &New, text: &str) -> String {
    let (language, entry) = match args.lang {
        Language::Rust => ("rust", ""),
        Language::Python => ("python", "entry = \"plugin.py\""),
        Language::Js => ("js", "entry = \"plugin.js\""),
    };
    let (world, summary) = match args.world {
        World::Estimator => {
            ("estimator", "Divides every float64 column by its largest absolute value in the training rows.")
        }
        World::Transform | World::RequestProcessor => ("transform", "Multiplies every float64 column."),
    };
    let pairs = [
        ("NAME", args.name.as_str()),
        ("WORLD", world),
        ("SUMMARY", summary),
        ("LANGUAGE", language),
        ("ENTRY", entry),
    ];
    let filled = pairs.iter().fold(text.to_owned(), |text, (key, value)| text.replace(key, value));
    format!("{}\n", filled.trim_end())
}
