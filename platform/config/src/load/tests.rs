use super::*;

fn load(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables: Vec<_> = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiegel.toml");
    if let Some(text) = file {
        std::fs::write(&path, text).unwrap();
    }
    let result = Config::load(file.map(|_| path.as_path()), &variables, Overrides::default());
    result.map_err(|e| e.to_string().replace(&folder.path().display().to_string(), ""))
}

#[test]
fn the_environment_goes_before_the_file_and_flags_before_both() {
    let config = load(Some("threads = 3\n[query]\nrows_max = 7\n"), &[("TIEGEL_QUERY__ROWS_MAX", "9")]).unwrap();
    assert_eq!((config.threads, config.query.rows_max), (Some(3), 9));
    let overrides = Overrides { listen: Some("127.0.0.1:1".parse().unwrap()), ..Overrides::default() };
    let variables = [("TIEGEL_LISTEN".to_owned(), "127.0.0.1:2".to_owned())];
    assert_eq!(Config::load(None, &variables, overrides).unwrap().listen.port(), 1);
}

#[test]
fn a_list_in_the_environment_has_commas_between() {
    let config = load(None, &[("TIEGEL_ALLOWED_HOSTS", "a.example, b.example")]).unwrap();
    assert_eq!(config.allowed_hosts, ["a.example", "b.example"]);
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let error = load(Some("threads = 3\n[query]\nrow_max = 7\n"), &[]).unwrap_err();
    assert!(error.contains("/tiegel.toml: TOML parse error at line 3"), "{error}");
    assert!(error.contains("unknown field `row_max`"), "{error}");
}

#[test]
fn an_unknown_variable_is_refused_by_name() {
    let error = load(None, &[("TIEGEL_QUERY__ROW_MAX", "7")]).unwrap_err();
    assert!(error.starts_with("environment variable TIEGEL_QUERY__ROW_MAX: unknown field `row_max`"), "{error}");
}

#[test]
fn listening_beyond_loopback_needs_a_token() {
    let open = ("TIEGEL_LISTEN", "0.0.0.0:8484");
    let error = load(None, &[open]).unwrap_err();
    assert!(error.starts_with("listening on 0.0.0.0:8484 lets other machines in, so it needs an admin token"), "{error}");
    let error = load(None, &[open, ("TIEGEL_ADMIN_TOKEN", "short")]).unwrap_err();
    assert_eq!(error, "admin_token is too short: use at least 16 characters");
    assert!(load(None, &[open, ("TIEGEL_ADMIN_TOKEN", "a-long-enough-token")]).is_ok());
}

#[test]
fn secrets_are_hidden_wherever_the_configuration_is_shown() {
    let secrets = [
        ("TIEGEL_ADMIN_TOKEN", "hunter2hunter2hunter2"),
        ("TIEGEL_DATABASE_URL", "postgres://u:hunter2hunter2hunter2@h/d"),
        ("TIEGEL_BLOB_OPTIONS__AWS_SECRET_ACCESS_KEY", "hunter2hunter2hunter2"),
    ];
    let config = load(None, &secrets).unwrap();
    assert_eq!(config.blob_options["aws_secret_access_key"].expose(), "hunter2hunter2hunter2");
    for shown in [format!("{config:?}"), config.redacted_toml()] {
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("***"), "{shown}");
    }
}

#[test]
fn a_rule_says_which_key_is_wrong() {
    assert_eq!(load(Some("[jobs]\nworkers = 0\n"), &[]).unwrap_err(), "jobs.workers is 0; it must be at least 1");
    let error = load(Some("database_url = \"mysql://x\"\n"), &[]).unwrap_err();
    assert_eq!(error, "database_url must begin with postgres:// or sqlite://");
    let error = load(Some("[telemetry]\nsample_ratio = 2.0\n"), &[]).unwrap_err();
    assert_eq!(error, "telemetry.sample_ratio is 2; it must be from 0 to 1");
}
