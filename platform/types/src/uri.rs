//! Places of artifacts, as MLflow's clients read them.

/// The folder below which projects keep their artifacts apart, each in a folder of its name.
pub const WORKSPACES: &str = "workspaces";

/// Appends to the path of a URI, such as a root for artifacts; its query and fragment stay behind the path. Text without a
/// scheme is a path.
pub fn append(uri: &str, parts: &[&str]) -> String {
    let has_scheme = uri.split_once(':').is_some_and(|(scheme, _)| {
        let mut letters = scheme.chars();
        letters.next().is_some_and(|first| first.is_ascii_alphabetic())
            && letters.all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
    });
    let end = if has_scheme { uri.find(['?', '#']).unwrap_or(uri.len()) } else { uri.len() };
    let (place, rest) = uri.split_at(end);
    let mut place = place.to_owned();
    for part in parts {
        if !place.is_empty() && !place.ends_with('/') {
            place.push('/');
        }
        place.push_str(if place.is_empty() { part } else { part.trim_start_matches('/') });
    }
    place + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_go_to_the_end_of_the_path() {
        for (uri, whole) in [
            ("mlflow-artifacts:/", "mlflow-artifacts:/7/r/artifacts"),
            ("mlflow-artifacts:/0", "mlflow-artifacts:/0/7/r/artifacts"),
            ("s3://bucket/srv/?region=x", "s3://bucket/srv/7/r/artifacts?region=x"),
            ("s3://bucket#part", "s3://bucket/7/r/artifacts#part"),
            ("file:///var/x", "file:///var/x/7/r/artifacts"),
            ("file:relative", "file:relative/7/r/artifacts"),
            ("/var/what?", "/var/what?/7/r/artifacts"),
            ("", "7/r/artifacts"),
        ] {
            assert_eq!(append(uri, &["7", "/r", "artifacts"]), whole);
        }
    }
}
