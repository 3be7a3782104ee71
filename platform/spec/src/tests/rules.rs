//! Documents that read well but say something wrong.

use super::{FLIGHTS, lines, parse_text, refusal, refusal_with};
use crate::check;

/// Each case: what is written in the example project, what stands there instead, and the message without the file's name.
fn check_messages(cases: &[(&str, &str, &str)]) {
    for (written, instead, message) in cases {
        assert_eq!(refusal_with(written, instead), format!("tiegel.yaml:{message}"), "{instead}");
    }
}

#[test]
fn a_dataset_has_one_source_and_tests_that_can_fail() {
    check_messages(&[
        (
            "{path: data/flights.csv.zip, format: csv}",
            "{format: csv}",
            "6:3: spec.source: exactly one of path, url is needed; none is written",
        ),
        (
            "{path: data/flights.csv.zip, format: csv}",
            "{path: a.csv, url: s3://a/b.csv}",
            "6:3: spec.source: exactly one of path, url is needed; path and url are written",
        ),
        (
            "path: data/flights.csv.zip",
            "url: ftp://a/b",
            "6:17: spec.source.url: 'ftp://a/b' is not a URL that the server reads; it starts with one of s3://, gs://, \
             az://, https://, file://; for a file beside this one, write path",
        ),
        ("path: data/flights.csv.zip", "path: ' '", "6:18: spec.source.path: the text is empty"),
        ("{min: 300000}", "{}", "12:7: spec.tests[2].rows: the test has no bound; write min, max or both"),
        ("min: 1, max: 12", "min: 13, max: 12", "13:7: spec.tests[3].range: min 13 is above max 12"),
        ("[JFK, LGA, EWR]", "[]", "11:34: spec.tests[1].accepted.in: the test accepts no value"),
        ("[carrier, sched_dep_time]", "[]", "10:7: spec.tests[0].not_null: the test names no column"),
        (
            "[year, month, day]",
            "[year, month, year]",
            "14:29: spec.tests[4].unique[2]: the column 'year' is named twice; keep one of them",
        ),
        ("[year, month, day]", "['']", "14:16: spec.tests[4].unique[0]: a column needs a name"),
    ]);
}

#[test]
fn a_step_is_sql_or_wasm_and_has_the_fields_of_its_sort() {
    check_messages(&[
        (
            "scaled: {wasm: standardize, columns: [distance], fit: {split: train}}",
            "scaled: {key: [a]}",
            "27:5: spec.steps.scaled: exactly one of sql, wasm is needed; none is written",
        ),
        (
            "scaled: {wasm: standardize, columns: [distance], fit: {split: train}}",
            "scaled: {wasm: standardize, sql: select 1, columns: [distance]}",
            "27:5: spec.steps.scaled: exactly one of sql, wasm is needed; sql and wasm are written",
        ),
        (
            "      key: [time_hour]\n",
            "      fit: {split: train}\n",
            "25:7: spec.steps.joined.fit: a SQL step has no fit; only plugins learn; a SELECT has nothing to fit",
        ),
        (
            "      key: [time_hour]\n",
            "      from: flights\n",
            "25:13: spec.steps.joined.from: a SQL step has no from; name the table in the SELECT",
        ),
        (
            "wasm: standardize, columns: [distance]",
            "wasm: standardize, columns: [distance], key: [distance]",
            "27:54: spec.steps.scaled.key: a wasm step has no key; remove it",
        ),
        (
            "wasm: standardize, columns: [distance]",
            "wasm: standardize",
            "27:5: spec.steps.scaled.columns: a wasm step names the columns that it reads; write columns: [COLUMN]",
        ),
        (
            "calendar@0.1.0",
            "calendar@",
            "26:19: spec.steps.clock.wasm: '' is not a plugin version: expected one such as 0.1.0, or 'sha256:' and 64 \
             digits; write NAME, NAME@VERSION or NAME@sha256:DIGEST",
        ),
        (
            "keep: [time_hour], config",
            "keep: [day], config",
            "26:64: spec.steps.clock.keep[0]: 'day' is not in columns, so it stays in the output anyway; remove it",
        ),
        ("max: 3", "max: 11", "33:20: spec.steps.encoded.retry.max: 11 is out of range; use 0 to 10"),
        (
            "{max: 3}",
            "{max: 0, backoffMs: 600001}",
            "33:34: spec.steps.encoded.retry.backoffMs: 600001 is out of range; use 0 to 600000",
        ),
        (
            "timeoutSeconds: 600",
            "timeoutSeconds: 0",
            "34:23: spec.steps.encoded.timeoutSeconds: 0 is out of range; use 1 to 604800",
        ),
        (
            "timeoutSeconds: 600",
            "ordering: {partitionBy: [], orderBy: []}",
            "34:35: spec.steps.encoded.ordering.orderBy: an ordering needs at least one column",
        ),
    ]);
}

#[test]
fn what_a_pipeline_names_must_exist() {
    check_messages(&[
        (
            "wasm: standardize, columns",
            "wasm: standardize, from: clok, columns",
            "27:39: spec.steps.scaled.from: there is no step or dataset 'clok'; did you mean 'clock'?",
        ),
        (
            "serveFrom: clock",
            "serveFrom: zebra",
            "38:14: spec.serveFrom: there is no step 'zebra'; there is joined, clock, scaled, encoded",
        ),
        (
            "serveFrom: clock",
            "output: encode",
            "38:11: spec.output: there is no step 'encode'; did you mean 'encoded'?",
        ),
        ("step: joined", "step: joind", "36:11: spec.split.step: there is no step 'joind'; did you mean 'joined'?"),
        (
            "step: joined",
            "step: clock",
            "36:11: spec.split.step: 'clock' is no SQL step; split the SQL step that the plugins read from",
        ),
        (
            "wasm: calendar@0.1.0",
            "from: encoded, wasm: calendar@0.1.0",
            "26:5: spec.steps.clock: the steps read each other in a circle: clock reads encoded reads scaled reads clock",
        ),
        (
            "    scaled: {",
            "    flights: {",
            "27:5: spec.steps.flights: 'flights' is the name of a dataset too, so SQL could mean either; rename the step",
        ),
    ]);
    let first =
        "apiVersion: tiegel/v1\nkind: Pipeline\nmetadata: {name: p}\nspec: {steps: {a: {wasm: x, columns: [c]}}}";
    assert_eq!(refusal(first), "tiegel.yaml:4:16: spec.steps.a: the first step reads nothing; write from: DATASET");
    let none = "apiVersion: tiegel/v1\nkind: Pipeline\nmetadata: {name: p}\nspec: {steps: {}}";
    assert_eq!(refusal(none), "tiegel.yaml:4:8: spec.steps: a pipeline needs at least one step");
    let steps: String = (0..201).map(|i| format!("    s{i}: {{sql: select 1}}\n")).collect();
    let many = format!("apiVersion: tiegel/v1\nkind: Pipeline\nmetadata: {{name: p}}\nspec:\n  steps:\n{steps}");
    assert_eq!(refusal(&many), "tiegel.yaml:5:3: spec.steps: there are 201 steps; a pipeline has at most 200");
}

#[test]
fn a_split_leaves_rows_on_each_side() {
    let by_time = "byTime: {column: time_hour, validationFrom: 2013-09-01, testFrom: \"${test_from}\"}";
    let with = |split: &str| {
        let text = FLIGHTS.replace(by_time, split).replace("params: {test_from: 2013-11-01, ", "params: {");
        refusal(&text).replacen("tiegel.yaml:", "", 1)
    };
    let outside = "use a number above 0 and below 1";
    assert_eq!(
        with("byFraction: {key: [a], test: 1}"),
        format!("37:34: spec.split.byFraction.test: 1 is out of range; {outside}")
    );
    assert_eq!(
        with("byFraction: {key: [a], test: 0}"),
        format!("37:34: spec.split.byFraction.test: 0 is out of range; {outside}")
    );
    assert_eq!(
        with("byFraction: {key: [a], test: 0.5, validation: 0.5}"),
        "37:5: spec.split.byFraction: test 0.5 and validation 0.5 leave no row to train on; their sum must be below 1"
    );
    assert_eq!(
        with("byFraction: {key: [], test: 0.5}"),
        "37:18: spec.split.byFraction.key: the columns that identify a row are missing; write key: [COLUMN]"
    );
    assert_eq!(
        with("byTime: {column: t, testFrom: november}"),
        "37:35: spec.split.byTime.testFrom: 'november' is not a time; write a date such as 2013-11-01 or a time such as \
         2013-11-01T00:00:00Z"
    );
    assert_eq!(
        with("byTime: {column: t, validationFrom: 2013-12-01, testFrom: 2013-11-01}"),
        "37:41: spec.split.byTime.validationFrom: validation must start before test, which starts at 2013-11-01"
    );
    assert_eq!(
        with("byColumn: {column: c, validation: [2], test: [1, 2]}"),
        "37:40: spec.split.byColumn.validation[0]: 2 is in test already"
    );
    assert_eq!(with("byColumn: {column: c, test: []}"), "37:27: spec.split.byColumn.test: no value is given to test");
    let all = "exactly one of byTime, byFraction, byColumn is needed";
    assert_eq!(with("byTime:"), format!("35:3: spec.split: {all}; none is written"));
    let no_split = FLIGHTS
        .replace("  split:\n    step: joined\n", "")
        .replace(by_time, "")
        .replace("params: {test_from: 2013-11-01, ", "params: {");
    assert_eq!(
        refusal(&no_split),
        "tiegel.yaml:27:67: spec.steps.scaled.fit.split: the pipeline has no split, so it has no train rows; add spec.split, \
         or remove this to fit on all rows"
    );
}

#[test]
fn params_must_be_defined_and_should_be_used() {
    check_messages(&[
        ("${late}", "${lat}", "23:9: spec.steps.joined.sql: the param 'lat' is not defined; did you mean '${late}'?"),
        (
            "\"${test_from}\"",
            "\"${zebra}\"",
            "37:71: spec.split.byTime.testFrom: the param 'zebra' is not defined; add 'zebra' to spec.params",
        ),
        (
            "label: \"top ${categories}\"",
            "label: \"top ${categories\"",
            "31:55: spec.steps.encoded.config.label: a '${' has no closing '}'; write $${ for a literal ${",
        ),
        (
            "late: 30}",
            "late: [30]}",
            "23:9: spec.steps.joined.sql: the param 'late' is no text, number or boolean, so it cannot stand in a text",
        ),
    ]);
    let project = parse_text(&FLIGHTS.replace("late: 30}", "late: 30, unused: 1}")).unwrap();
    assert_eq!(
        lines(&project.warnings),
        "tiegel.yaml:19:69: warning: spec.params.unused: the param 'unused' is not used; remove it"
    );
    let long = FLIGHTS
        .replace("late: 30}", &format!("late: {}}}", "x".repeat(100_000)))
        .replace("${late}", &"${late}".repeat(20));
    assert_eq!(
        refusal(&long).lines().next(),
        Some("tiegel.yaml:23:9: spec.steps.joined.sql: params write more than 1048576 bytes into this pipeline")
    );
}

#[test]
fn a_training_names_a_pipeline_and_gives_each_column_one_role() {
    check_messages(&[
        (
            "pipeline: features",
            "pipeline: feature",
            "43:13: spec.pipeline: there is no pipeline 'feature'; did you mean 'features'?",
        ),
        (
            "exclude: [time_hour]",
            "features: [carrier, late]",
            "46:23: spec.features[1]: 'late' is the target, so it is no feature",
        ),
        (
            "exclude: [time_hour]",
            "features: [split, carrier]",
            "46:14: spec.features[0]: 'split' is the split, so it is no feature",
        ),
        ("exclude: [time_hour]", "weight: late", "46:11: spec.weight: 'late' is the target already"),
        (
            "exclude: [time_hour]",
            "exclude: [carrier]",
            "47:79: spec.model.embeddings.carrier: 'carrier' is no feature, so it cannot be embedded",
        ),
        ("target: late", "target: ''", "45:11: spec.target: the text is empty"),
    ]);
}

#[test]
fn hyperparameters_have_ranges() {
    check_messages(&[
        ("dropout: 0.1", "dropout: 1.0", "47:52: spec.model.dropout: 1 is out of range; use 0 to below 1"),
        ("hidden: [128, 64]", "hidden: [128, 0]", "47:38: spec.model.hidden[1]: 0 is out of range; use 1 to 65536"),
        (
            "hidden: [128, 64]",
            "hidden: []",
            "47:24: spec.model.hidden: an mlp needs at least one hidden layer; write hidden: [128, 64]",
        ),
        ("{carrier: 8}", "{carrier: 0}", "47:79: spec.model.embeddings.carrier: 0 is out of range; use 1 to 65536"),
        ("epochsMax: 20", "epochsMax: 10001", "48:22: spec.train.epochsMax: 10001 is out of range; use 1 to 10000"),
        ("epochsMax: 20", "batchRows: 0", "48:22: spec.train.batchRows: 0 is out of range; use 1 to 1048576"),
        (
            "learningRate: 1e-4",
            "learningRate: 0",
            "48:52: spec.train.optimizer.learningRate: 0 is out of range; use a number above 0",
        ),
        (
            "learningRate: 1e-4",
            "weightDecay: -1",
            "48:51: spec.train.optimizer.weightDecay: -1 is out of range; use 0 or more",
        ),
        ("learningRate: 1e-4", "beta2: 1", "48:45: spec.train.optimizer.beta2: 1 is out of range; use 0 to below 1"),
    ]);
    let linear = FLIGHTS.replace(
        "{family: mlp, hidden: [128, 64], dropout: 0.1, embeddings: {carrier: 8}}",
        "{family: linear, hidden: [8]}",
    );
    assert_eq!(
        refusal(&linear),
        "tiegel.yaml:47:27: spec.model.hidden: a linear model has no hidden; write family: mlp"
    );
    let weighted =
        FLIGHTS.replace("task: binary", "task: regression").replace("{epochsMax: 20,", "{positiveWeight: 2,");
    assert_eq!(
        refusal(&weighted),
        "tiegel.yaml:48:27: spec.train.positiveWeight: only a binary target has a positive class; remove it, or write task: binary"
    );
}

#[test]
fn an_endpoint_serves_one_alias_or_version() {
    check_messages(&[
        (
            "spec: {model: delay, alias: champion}",
            "spec: {model: delay}",
            "53:1: spec: exactly one of alias, version is needed; none is written",
        ),
        (
            "spec: {model: delay, alias: champion}",
            "spec: {model: delay, alias: champion, version: 2}",
            "53:1: spec: exactly one of alias, version is needed; alias and version are written",
        ),
        (
            "spec: {model: delay, alias: champion}",
            "spec: {model: delay, version: 0}",
            "53:31: spec.version: model versions count from 1",
        ),
    ]);
    let project = parse_text(&FLIGHTS.replace("spec: {model: delay, alias", "spec: {model: other, alias")).unwrap();
    assert_eq!(
        lines(&project.warnings),
        "tiegel.yaml:53:15: warning: spec.model: no training here registers the model 'other'; the endpoint is pending until \
         some client registers it"
    );
}

#[test]
fn documents_from_elsewhere_are_checked_by_the_same_rules() {
    let mut documents = super::flights().documents;
    assert_eq!(check(&documents), []);
    documents.remove(1);
    documents.iter_mut().for_each(|d| d.location = crate::Location::default());
    assert_eq!(
        lines(&check(&documents)),
        "document: spec.pipeline: there is no pipeline 'features'; there is no pipeline here"
    );
}
