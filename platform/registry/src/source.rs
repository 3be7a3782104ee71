//! Where the files of a registered version may be. A client names a source; this decides whether it may.

use crate::uri::{Uri, decoded};

/// What clients send as the source of a prompt, which has no files.
const PROMPT_SOURCES: [&str; 2] = ["dummy-source", "prompt-template"];
/// Schemes whose URI names a host that a reader would connect to.
const HOST_SCHEMES: [&str; 10] =
    ["ftp", "sftp", "hdfs", "viewfs", "http", "https", "mlflow-artifacts", "r2", "b2", "abfss"];
const SOURCE_BYTES_MAX: usize = 4_096;

/// `models:/…`, by what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelUri {
    /// A logged model, such as `models:/m-0123`.
    Logged(String),
    Version(String, u32),
    /// The newest version, of one stage if it is named.
    Newest(String, Option<String>),
    Alias(String, String),
}

impl ModelUri {
    /// None where it is no such URI.
    pub fn parse(source: &str) -> Result<Option<Self>, String> {
        let uri = Uri::parse(source);
        if !uri.is("models") {
            return Ok(None);
        }
        let improper = || {
            format!(
                "Not a proper models:/ URI: {source}. Models URIs must be of the form 'models:/name/suffix' or \
                 'models:/name@alias' where suffix is a version, stage, or the string 'latest' and where alias is a \
                 registered model alias. Only one of suffix or alias can be defined at a time."
            )
        };
        if !uri.authority.is_empty() {
            return Err(format!(
                "Invalid model version source: '{source}'. Registered model sources must use the active model registry."
            ));
        }
        let path = uri.path.strip_prefix('/').map(|path| path.trim_start_matches('/')).ok_or_else(improper)?;
        let (name, suffix) = path.split_once('/').map_or((path, None), |(name, suffix)| (name, Some(suffix)));
        if name.trim().is_empty() || suffix.is_some_and(|suffix| suffix.trim().is_empty() || suffix.contains('/')) {
            return Err(improper());
        }
        let name = name.to_owned();
        Ok(Some(match suffix {
            Some(suffix) if suffix.chars().all(|c| c.is_ascii_digit()) => {
                Self::Version(name, suffix.parse().map_err(|_| improper())?)
            }
            Some(suffix) if suffix.eq_ignore_ascii_case("latest") => Self::Newest(name, None),
            Some(stage) => Self::Newest(name, Some(stage.to_owned())),
            None => match name.rsplit_once('@') {
                Some((_, "")) => return Err(improper()),
                Some((name, alias)) => Self::Alias(name.to_owned(), alias.to_owned()),
                None => Self::Logged(name),
            },
        }))
    }
}

pub fn check_prompt_source(source: &str) -> Result<(), String> {
    if PROMPT_SOURCES.contains(&source) {
        return Ok(());
    }
    Err(format!("Invalid prompt source: '{source}'. Prompt sources must use an MLflow placeholder."))
}

/// Whether a source may be that of a version, where `owner` is where the run or the logged model that it comes from keeps
/// its files, if the request names one. A source in another version or in a logged model is for the caller to look up.
pub fn check_source(source: &str, id_field: &str, owner: Option<&str>) -> Result<(), String> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(format!("'source' exceeds the maximum length of {SOURCE_BYTES_MAX} characters"));
    }
    let uri = Uri::parse(source);
    if uri.is_local() {
        return check_local(source, &uri, (id_field, owner));
    }
    check_host(&uri)?;
    check_path(source, &uri)?;
    if uri.is("mlflow-artifacts") && !owner.is_some_and(|root| is_within(source, root)) {
        return Err(not_contained(source, id_field));
    }
    Ok(())
}

/// The message for a source that what the request names does not contain.
pub fn not_contained(source: &str, id_field: &str) -> String {
    format!(
        "Invalid model version source: '{source}'. The {id_field} request parameter must identify the resource that \
         contains the source."
    )
}

/// Whether one URI lies at or below another, whatever their encoding.
pub fn is_within(source: &str, root: &str) -> bool {
    let (inner, outer) = (Uri::parse(source), Uri::parse(root));
    let mut parts = inner.parts();
    inner.is(outer.scheme)
        && inner.authority.eq_ignore_ascii_case(outer.authority)
        && outer.parts().next().is_some()
        && outer.parts().all(|part| parts.next().as_ref() == Some(&part))
}

/// A path of this machine is only for those who keep their files on it.
fn check_local(source: &str, uri: &Uri<'_>, (id_field, owner): (&str, Option<&str>)) -> Result<(), String> {
    let refused = || {
        format!(
            "Invalid model version source: '{source}'. To use a local path as a model version source, the {id_field} \
             request parameter has to be specified and the local path has to be contained within the artifact directory \
             of the run specified by the {id_field}."
        )
    };
    let root = owner.map(Uri::parse).filter(Uri::is_local).ok_or_else(refused)?;
    let (path, root) = (normal_path(&decoded(uri.path)), normal_path(&decoded(root.path)));
    let is_plain = path.starts_with('/') && uri.authority.is_empty() && !path.contains('\0');
    let is_below = path.strip_prefix(&root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if is_plain && root != "/" && is_below { Ok(()) } else { Err(refused()) }
}

/// A path without `.`, `..` and repeated slashes, as far as it can be without looking at files.
fn normal_path(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match (part, parts.last()) {
            ("..", Some(&last)) if last != ".." => _ = parts.pop(),
            ("..", None) if is_absolute => {}
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if is_absolute { format!("/{joined}") } else { joined }
}

/// Nobody is made to connect to a host that a client named.
fn check_host(uri: &Uri<'_>) -> Result<(), String> {
    let is_own = uri.is("mlflow-artifacts") && uri.authority.is_empty();
    if is_own || !HOST_SCHEMES.iter().any(|scheme| uri.is(scheme)) {
        return Ok(());
    }
    let scheme = uri.scheme.to_ascii_lowercase();
    Err(format!(
        "'source' cannot use the '{scheme}' scheme: the '{scheme}' scheme addresses a host other than the tracking \
         server's configured artifact storage, so the server would connect to the host named in the URI."
    ))
}

/// An absolute path, with no step up in any encoding.
fn check_path(source: &str, uri: &Uri<'_>) -> Result<(), String> {
    let plain = decoded(source);
    let has_step = |text: &str| text.split(['/', '\\']).any(|part| part == ".." || part == ".");
    if uri.path.starts_with('/') && !plain.contains('\0') && !has_step(&plain) && decoded(&plain) == plain {
        return Ok(());
    }
    Err(format!(
        "Invalid model version source: '{source}'. If supplying a source as an http, https, local file path, ftp, \
         objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references \
         present. Please provide an absolute path."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: Option<&str> = Some("mlflow-artifacts:/1/abc/artifacts");

    fn check(source: &str, owner: Option<&str>) -> bool {
        check_source(source, "run_id", owner).is_ok()
    }

    #[test]
    fn proxied_files_are_those_of_the_run_that_is_named() {
        assert!(check("mlflow-artifacts:/1/abc/artifacts/model", RUN));
        assert!(check("mlflow-artifacts:/1/abc/artifacts", RUN));
        assert!(check("mlflow-artifacts:/1/abc/artifacts/a%20b", RUN));
        for bad in [
            "mlflow-artifacts:/1/abc/artifactsX",
            "mlflow-artifacts:/1/abd/artifacts/model",
            "mlflow-artifacts:/1/abc/artifacts/../../x",
            "mlflow-artifacts:/1/abc/artifacts/%2e%2e/x",
            "mlflow-artifacts:/1/abc/artifacts/%252e%252e/x",
            "mlflow-artifacts:/1/abc/artifacts/..%2f..%2f",
            "mlflow-artifacts:/1/abc/artifacts/a%00",
            "mlflow-artifacts://host/1/abc/artifacts",
            "http://host/api/2.0/mlflow-artifacts/artifacts/1/abc/artifacts",
        ] {
            assert!(!check(bad, RUN), "{bad}");
        }
        assert!(!check("mlflow-artifacts:/1/abc/artifacts", None));
    }

    #[test]
    fn what_clients_keep_elsewhere_needs_no_run() {
        for good in ["s3://bucket/a/b", "gs://bucket/a", "dbfs:/a", "runs:/abc/model", "wasbs://c@a.blob.core/x"] {
            assert!(check(good, None), "{good}");
        }
        for bad in ["s3://bucket", "s3://bucket/a/../b", "s3:relative", "sftp://h/a", "hdfs://h/a", "abfss://a@h/b"] {
            assert!(!check(bad, None), "{bad}");
        }
    }

    #[test]
    fn a_local_path_is_only_for_a_run_with_local_files() {
        let local = Some("file:///srv/mlruns/0/abc/artifacts");
        assert!(check("/srv/mlruns/0/abc/artifacts/model", local));
        assert!(check("file:///srv/mlruns/0/abc/artifacts/model", local));
        for bad in [
            "/srv/mlruns/0/abc/artifacts/../../../../../etc",
            "/srv/mlruns/0/abc/artifactsX",
            "/etc/passwd",
            "relative",
            "",
            "file://host/srv/mlruns/0/abc/artifacts",
            "/srv/mlruns/0/abc/artifacts/%2e%2e/%2e%2e",
        ] {
            assert!(!check(bad, local), "{bad}");
        }
        assert!(!check("/srv/mlruns/0/abc/artifacts", RUN) && !check("/srv", None) && !check("/a", Some("/")));
    }

    #[test]
    fn models_are_named_by_version_stage_alias_and_id() {
        let parse = |text| ModelUri::parse(text).unwrap();
        assert_eq!(parse("models:/m/3"), Some(ModelUri::Version("m".to_owned(), 3)));
        assert_eq!(parse("models:/m/Latest"), Some(ModelUri::Newest("m".to_owned(), None)));
        assert_eq!(parse("models:/m/Staging"), Some(ModelUri::Newest("m".to_owned(), Some("Staging".to_owned()))));
        assert_eq!(parse("models:/a@b@best"), Some(ModelUri::Alias("a@b".to_owned(), "best".to_owned())));
        assert_eq!(parse("models:/m-1"), Some(ModelUri::Logged("m-1".to_owned())));
        assert_eq!(parse("s3://models"), None);
        for bad in ["models:/", "models:m/1", "models:/m/1/2", "models:/m/", "models:/m@", "models://host/m/1"] {
            assert!(ModelUri::parse(bad).is_err(), "{bad}");
        }
    }
}
