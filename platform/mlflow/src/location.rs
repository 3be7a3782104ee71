//! Where clients may want an experiment's artifacts.

use std::path::Path;

use crate::{MlflowError, MlflowResult, validate};

const CHARS_MAX: usize = 2_048;
/// Schemes whose host somebody would connect to on a client's word.
const FOREIGN_HOSTS: [&str; 9] = ["ftp", "sftp", "hdfs", "viewfs", "http", "https", "r2", "b2", "abfss"];

/// A place that a client named, as it is stored: a local path is made whole.
pub(crate) fn given(location: &str) -> MlflowResult<String> {
    let place = Place::of(location);
    if !place.fragment.is_empty() || place.path.rsplit('/').next().is_some_and(|name| name.contains(';')) {
        return Err(MlflowError::invalid("'artifact_location' URL can't include fragments or params."));
    }
    if decoded(place.query).contains("..") {
        return Err(MlflowError::invalid("Invalid query string"));
    }
    let scheme = place.scheme.to_ascii_lowercase();
    let names_host = scheme == "mlflow-artifacts" && place.path.starts_with("//");
    if names_host || FOREIGN_HOSTS.contains(&scheme.as_str()) {
        return Err(MlflowError::invalid(format!(
            "'artifact_location' cannot use the '{scheme}' scheme: the '{scheme}' scheme addresses a host other than the \
             tracking server's configured artifact storage, so the server would connect to the host named in the URI."
        )));
    }
    if location.starts_with("runs:") {
        return Err(MlflowError::invalid(format!("Artifact location cannot be a runs:/ URI. Given: '{location}'")));
    }
    if location.chars().count() > CHARS_MAX {
        let why = "Invalid artifact path length. The length of the artifact path cannot be greater than";
        return Err(MlflowError::invalid(format!("{why} {CHARS_MAX} characters.")));
    }
    match scheme.as_str() {
        "" => whole(location),
        "file" if !place.path.starts_with('/') => Ok(format!("file://{}", whole(place.path)?)),
        _ => Ok(location.to_owned()),
    }
}

fn whole(path: &str) -> MlflowResult<String> {
    let why = |error| validate::unfit("artifact_location", path, &format!("it is no path: {error}"));
    Ok(std::path::absolute(Path::new(path)).map_err(why)?.display().to_string())
}

struct Place<'u> {
    scheme: &'u str,
    /// With the host.
    path: &'u str,
    query: &'u str,
    fragment: &'u str,
}

impl<'u> Place<'u> {
    fn of(uri: &'u str) -> Self {
        let (uri, fragment) = uri.split_once('#').unwrap_or((uri, ""));
        let (uri, query) = uri.split_once('?').unwrap_or((uri, ""));
        let is_scheme = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        };
        let (scheme, path) = uri.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("", uri));
        Self { scheme, path, query, fragment }
    }
}

/// Without percent signs, however often they were put on one another.
fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(next) = decoded_once(&text) {
        text = next;
    }
    text
}

fn decoded_once(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let mut changed = false;
    while let [first, after @ ..] = rest {
        let code = match (first, after) {
            (b'%', [high, low, ..]) => {
                std::str::from_utf8(&[*high, *low]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok())
            }
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        changed |= code.is_some();
        rest = if code.is_some() { &after[2..] } else { after };
    }
    changed.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_kept_as_they_are_given() {
        for good in
            ["s3://bucket/a/b", "s3://bucket/a?region=x", "file:///mnt/x", "/mnt/x", "mlflow-artifacts:/x", "gs://b"]
        {
            assert_eq!(given(good).unwrap(), good);
        }
    }

    #[test]
    fn a_relative_path_is_made_whole() {
        let here = std::path::absolute("x/y").unwrap().display().to_string();
        assert_eq!((given("x/y").unwrap(), given("file:x/y").unwrap()), (here.clone(), format!("file://{here}")));
    }

    #[test]
    fn places_that_mean_something_else_are_refused() {
        for bad in [
            "s3://bucket/a#b",
            "s3://bucket/a;b=c",
            "runs:/1234/model",
            "s3://b/a?x=..",
            "s3://b/a?x=%252e%252e",
            "http://evil/a",
            "HTTPS://evil/a",
            "mlflow-artifacts://evil/a",
            &format!("s3://{}", "x".repeat(2_048)),
        ] {
            assert!(given(bad).is_err(), "{bad}");
        }
    }
}
