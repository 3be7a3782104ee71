//! What a file's name says to a browser.

use std::fmt::Write as _;

/// Shown as text, whatever else they are: what people look at beside a run.
const TEXT: [&str; 27] = [
    "txt",
    "log",
    "err",
    "cfg",
    "conf",
    "cnf",
    "cf",
    "ini",
    "properties",
    "prop",
    "hocon",
    "toml",
    "yaml",
    "yml",
    "xml",
    "json",
    "js",
    "py",
    "py3",
    "csv",
    "tsv",
    "md",
    "rst",
    "ipynb",
    "MLmodel",
    "mlproject",
    "MLproject",
];

pub(super) fn content_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map_or(name, |(_, extension)| extension);
    if TEXT.contains(&extension) {
        return "text/plain";
    }
    mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream")
}

/// The header that makes a browser store the file instead of showing it, by RFC 6266 and RFC 5987.
pub(super) fn attachment(name: &str) -> String {
    let plain: String = name.chars().filter(char::is_ascii).collect();
    if plain.len() == name.len() {
        return format!("attachment; filename={}", quoted(name));
    }
    let fallback = if plain.is_empty() { "download" } else { &plain };
    let mut header = format!("attachment; filename={}; filename*=UTF-8''", quoted(fallback));
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            header.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            _ = write!(header, "%{byte:02X}");
        }
    }
    header
}

/// A token as it is, anything else in quotes.
fn quoted(text: &str) -> String {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_token) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_type() {
        for (name, expected) in [
            ("a.txt", "text/plain"),
            ("MLmodel", "text/plain"),
            ("conda.yaml", "text/plain"),
            ("report.json", "text/plain"),
            ("model.pkl", "application/octet-stream"),
            ("plot.png", "image/png"),
            ("page.html", "text/html"),
            ("noextension", "application/octet-stream"),
        ] {
            assert_eq!(content_type(name), expected, "{name}");
        }
    }

    #[test]
    fn a_name_reaches_the_browser_whole() {
        for (name, expected) in [
            ("model.pkl", "attachment; filename=model.pkl"),
            ("b c.pkl", "attachment; filename=\"b c.pkl\""),
            ("a\"b\\.txt", "attachment; filename=\"a\\\"b\\\\.txt\""),
            ("日.txt", "attachment; filename=.txt; filename*=UTF-8''%E6%97%A5.txt"),
            ("日本", "attachment; filename=download; filename*=UTF-8''%E6%97%A5%E6%9C%AC"),
            ("Zoë 1.csv", "attachment; filename=\"Zo 1.csv\"; filename*=UTF-8''Zo%C3%AB%201.csv"),
        ] {
            assert_eq!(attachment(name), expected, "{name}");
        }
    }
}
