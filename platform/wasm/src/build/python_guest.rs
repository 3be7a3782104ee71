//! What a Python component holds beside the author's modules, and how its build's messages are read.

use std::path::Path;

use crate::manifest::{Manifest, World};

/// The module whose classes componentize-py exports.
pub const COMPONENT: &str = "tiegel_component";

/// What makes a folder a package.
pub const ENTRY: &str = "__init__.py";

pub const CONTRACT: &str = include_str!("../../../../sdk/wit/v1/plugin.wit");

macro_rules! sdk {
    ($($name:literal),+ $(,)?) => {
        /// The guest's part of the SDK: the files of `tiegel.plugin`.
        pub const SDK: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../../sdk/python/src/tiegel/plugin/", $name)))),+];
    };
}

sdk!(
    "__init__.py",
    "base.py",
    "batch.py",
    "builder.py",
    "codec.py",
    "columns.py",
    "config.py",
    "errors.py",
    "guest.py",
    "host.py",
    "schema.py",
);

/// The module that joins the author's class, the manifest and the contract.
pub fn component(module: &str, manifest: &Manifest) -> String {
    // A JSON string is a Python string.
    let text = |value: &str| serde_json::Value::from(value).to_string();
    format!(
        "import {module}\n\
         from tiegel.plugin import guest\n\
         from tiegel.plugin.guest import Fitter, Meta, Request, Transformer\n\n\
         guest.bind({module}, guest.About({}, {}, {}, {}))\n",
        text(&manifest.name),
        text(&manifest.version),
        text(&manifest.summary),
        text(world(manifest.world)),
    )
}

/// The world's name in the contract.
pub fn world(world: World) -> &'static str {
    match world {
        World::Transform => "transform",
        World::Estimator => "estimator",
        World::RequestProcessor => "request-processor",
    }
}

/// Python's own words about the author's modules, out of what componentize-py says. It sees the author's folder as `/0`
/// and the SDK's as `/1`, whose frames are of no interest to the author.
pub fn readable(said: &str, folder: &Path) -> String {
    let said = said.split_once("AssertionError: ").map_or(said, |(_, cause)| cause);
    let said = said.split("\n\nCaused by:").next().unwrap_or(said);
    let mut kept = Vec::new();
    let mut in_sdk = false;
    for line in said.trim().lines() {
        if line.starts_with("  File ") || !line.starts_with(' ') {
            in_sdk = line.starts_with("  File \"/1/");
        }
        if !in_sdk {
            kept.push(line.replace("File \"/0/", &format!("File \"{}/", folder.display())));
        }
    }
    kept.join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    #[test]
    fn a_component_holds_every_file_of_the_guests_sdk() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/python/src/tiegel/plugin");
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        // The harness is for native tests.
        let expected: BTreeSet<_> = files.filter(|name| name.ends_with(".py") && name != "testing.py").collect();
        assert_eq!(SDK.iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn a_syntax_error_is_shown_with_the_authors_own_file_and_line() {
        let said = "Traceback (most recent call last):\n  File \"<string>\", line 1, in <module>\nAssertionError: \
Traceback (most recent call last):\n  File \"/1/tiegel_component.py\", line 1, in <module>\n    import clip\n  \
File \"/0/clip.py\", line 24\n    limit = = 1\n            ^\nSyntaxError: invalid syntax\n\n\n\
Caused by:\n    SyntaxError: invalid syntax (clip.py, line 24)\n\nStack backtrace:\n   0: x";
        let expected = "Traceback (most recent call last):\n  File \"plugins/clip/clip.py\", line 24\n    limit = = 1\n            \
^\nSyntaxError: invalid syntax";
        assert_eq!(readable(said, Path::new("plugins/clip")), expected);
    }

    #[test]
    fn texts_of_the_manifest_cannot_leave_their_quotes() {
        let text = "name = \"clip\"\nversion = \"1.0.0\"\nworld = \"estimator\"\nsummary = 'Says \"\\\\n\" and more.'\n\
[build]\nlanguage = \"python\"\nentry = \"clip.py\"";
        let module = component("clip", &Manifest::parse(text).unwrap());
        let expected = r#"guest.bind(clip, guest.About("clip", "1.0.0", "Says \"\\\\n\" and more.", "estimator"))"#;
        assert!(module.contains(expected), "{module}");
    }
}
