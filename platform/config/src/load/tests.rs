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
fn host_and_port_replace_their_halves_of_the_address() {
    let load = |host: Option<&str>, port| {
        let host = host.map(|host| host.parse().unwrap());
        let overrides = Overrides { host, port, ..Overrides::default() };
        Config::load(None, &[("TIEGEL_LISTEN".to_owned(), "127.0.0.2:2".to_owned())], overrides).unwrap().listen
    };
    assert_eq!(load(None, Some(5_000)).to_string(), "127.0.0.2:5000");
    assert_eq!(load(Some("127.0.0.1"), None).to_string(), "127.0.0.1:2");
    assert_eq!(load(Some("::1"), Some(5_000)).to_string(), "[::1]:5000");
}

#[test]
fn a_place_for_artifacts_is_a_place() {
    let wrong = load(Some("artifacts_destination = \"mlflow-artifacts:/\"\n"), &[]).unwrap_err();
    assert!(wrong.contains("artifacts_destination is 'mlflow-artifacts:/'"), "{wrong}");
    assert!(load(None, &[("TIEGEL_DEFAULT_ARTIFACT_ROOT", " ")]).is_err());
    let config = load(None, &[("TIEGEL_DEFAULT_ARTIFACT_ROOT", "./mlruns")]).unwrap();
    assert_eq!((config.default_artifact_root.as_str(), config.artifacts_destination), ("./mlruns", None));
}

#[test]
fn a_variable_is_a_text_or_a_list_as_its_key_asks() {
    let config = load(None, &[("TIEGEL_ALLOWED_HOSTS", "a.example, b.example")]).unwrap();
    assert_eq!(config.allowed_hosts, ["a.example", "b.example"]);
    let config = load(None, &[("TIEGEL_ALLOWED_HOSTS", "[\"a.example\"]")]).unwrap();
    assert_eq!(config.allowed_hosts, ["a.example"]);
    let config = load(None, &[("TIEGEL_ADMIN_TOKEN", "\"0123456789abcdef\"")]).unwrap();
    assert_eq!(config.admin_token.unwrap().expose(), "\"0123456789abcdef\"");
}

#[test]
fn what_is_wrong_in_a_file_is_named_by_line_and_key() {
    for (text, message) in [
        ("threads = 3\n[query]\nrow_max = 7\n", "3:1: query.row_max: unknown key 'row_max'; did you mean 'rows_max'?"),
        ("[jobs]\nzebra = 7\n", "2:1: jobs.zebra: unknown key 'zebra'; the known keys are workers"),
        ("data-dir = \"x\"\n", "1:1: data-dir: unknown key 'data-dir'; did you mean 'data_dir'?"),
        ("threads = \"many\"\n", "1:11: threads: invalid type: string \"many\", expected a whole number"),
        (
            "[telemetry]\nlog_format = \"xml\"\n",
            "2:14: telemetry.log_format: unknown variant 'xml', expected 'text' or 'json'",
        ),
        ("listen = \"everywhere\"\n", "1:10: listen: invalid socket address syntax"),
        ("threads = 3\nthreads = 4\n", "2:1: duplicate key"),
        ("admin_token = hunter2hunter2hunter2\n", "1:15: string values must be quoted, expected literal string"),
    ] {
        assert_eq!(load(Some(text), &[]).unwrap_err(), format!("/tiegel.toml:{message}"), "{text}");
    }
    let missing = Config::load(Some(std::path::Path::new("/no/such.toml")), &[], Overrides::default()).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "cannot read the config file /no/such.toml: No such file or directory (os error 2)"
    );
    let large = format!("# {}\n", "x".repeat(1 << 20));
    assert_eq!(
        load(Some(&large), &[]).unwrap_err(),
        "cannot read the config file /tiegel.toml: it has 1048579 bytes; at most 1048576 are read"
    );
}

#[test]
fn what_is_wrong_in_the_environment_is_named_by_variable() {
    for (name, text, reason) in [
        ("TIEGEL_QUERY__ROW_MAX", "7", "unknown key 'row_max'; did you mean 'rows_max'?"),
        ("TIEGEL_THREADS", "many", "invalid type: string \"many\", expected a whole number"),
        ("TIEGEL_THREADS", "-1", "invalid value: integer '-1', expected a whole number"),
        ("TIEGEL_LISTEN", "8484", "invalid type: integer '8484', expected socket address"),
        ("TIEGEL_LISTEN", "localhost:8484", "invalid socket address syntax"),
        ("TIEGEL_LISTEN__PORT", "1", "invalid type: map, expected socket address"),
        ("TIEGEL_TELEMETRY__LOG_FORMAT", "xml", "unknown variant 'xml', expected 'text' or 'json'"),
    ] {
        assert_eq!(load(None, &[(name, text)]).unwrap_err(), format!("environment variable {name}: {reason}"));
    }
}

#[test]
fn variables_of_the_command_line_and_of_kubernetes_are_no_settings() {
    let foreign = [
        ("TIEGEL_SERVER", "http://127.0.0.1:8484"),
        ("TIEGEL_TOKEN", "t"),
        ("TIEGEL_SERVICE_HOST", "10.0.0.1"),
        ("TIEGEL_PORT", "tcp://10.0.0.1:8484"),
        ("TIEGEL_PORT_8484_TCP_ADDR", "10.0.0.1"),
    ];
    assert_eq!(load(None, &foreign).unwrap(), Config::default());
}

#[test]
fn listening_beyond_loopback_needs_a_token() {
    let open = ("TIEGEL_LISTEN", "0.0.0.0:8484");
    let error = load(None, &[open]).unwrap_err();
    assert!(
        error.starts_with("listening on 0.0.0.0:8484 lets other machines in, so it needs an admin token"),
        "{error}"
    );
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
    for (text, message) in [
        ("[jobs]\nworkers = 0\n", "jobs.workers is 0; it must be at least 1"),
        ("[query]\nseconds_max = 0\n", "query.seconds_max is 0; it must be at least 1"),
        ("database_url = \"mysql://x\"\n", "database_url must begin with postgres:// or sqlite://"),
        ("source_roots = [\"data\"]\n", "source_roots has 'data'; write the whole path, from / on"),
        ("device = \"cuda:x\"\n", "device is 'cuda:x'; write auto, cpu or cuda:N"),
        (
            "allowed_origins = [\"ml.example\"]\n",
            "allowed_origins has 'ml.example', which is no origin: write scheme, host and port, such as https://ml.example",
        ),
        (
            "[telemetry]\notlp_endpoint = \"collector:4318\"\n",
            "telemetry.otlp_endpoint must begin with http:// or https://",
        ),
        ("[telemetry]\nsample_ratio = 2.0\n", "telemetry.sample_ratio is 2; it must be from 0 to 1"),
    ] {
        assert_eq!(load(Some(text), &[]).unwrap_err(), message);
    }
}

#[test]
fn the_printed_configuration_reads_back() {
    let config = load(Some("threads = 3\ndevice = \"cpu\"\n[query]\nrows_max = 7\n"), &[]).unwrap();
    assert_eq!(load(Some(&config.redacted_toml()), &[]).unwrap(), config);
}

#[test]
fn the_schema_names_every_key() {
    let schema = Config::json_schema().to_string();
    for key in ["admin_token", "source_roots", "memory_bytes_max", "sample_ratio", "instances_max", "workers"] {
        assert!(schema.contains(&format!("\"{key}\"")), "{key}");
    }
}

#[test]
fn keys_that_are_none_and_signatures_that_nobody_could_make_are_refused() {
    let key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let keys = format!("[plugins]\ntrusted_keys = {{ release = \"{key}\" }}\nrequire_signed_plugins = [\"prod\"]");
    assert_eq!(load(Some(&keys), &[]).unwrap().plugins.trusted_keys["release"], key);
    let wrong = load(Some("[plugins.trusted_keys]\nrelease = \"abc\""), &[]).unwrap_err();
    assert!(wrong.contains("plugins.trusted_keys.release: 'abc' is no public key"), "{wrong}");
    let nobody = load(None, &[("TIEGEL_PLUGINS__REQUIRE_SIGNED_PLUGINS", "prod")]).unwrap_err();
    assert!(nobody.contains("no plugin could be used"), "{nobody}");
}
