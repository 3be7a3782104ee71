//! Files that cannot be read, and fields that are no fields.

use super::{FLIGHTS, lines, parse_text, refusal, refusal_with};
use crate::{SourceText, parse};

const HEAD: &str = "apiVersion: tiegel/v1\nkind: Endpoint\nmetadata: {name: e}\nspec: ";

#[test]
fn a_mistyped_field_is_named_with_the_nearest_one() {
    assert_eq!(
        refusal_with("      key: [time_hour]", "      keys: [time_hour]"),
        "tiegel.yaml:25:7: spec.steps.joined.keys: unknown field 'keys'; did you mean 'key'?"
    );
    assert_eq!(
        refusal_with("serveFrom", "serve_from"),
        "tiegel.yaml:38:3: spec.serve_from: unknown field 'serve_from'; did you mean 'serveFrom'?"
    );
    assert_eq!(
        refusal_with("{model: delay, alias: champion}\n---", "{model: delay, zebra: champion}\n---"),
        "tiegel.yaml:49:28: spec.register.zebra: unknown field 'zebra'; the known fields are model, alias"
    );
    assert_eq!(
        refusal("apiVersion: tiegel/v1\nkind: Endpoint\nmetadata: {nam: e}\nspec: {}"),
        "tiegel.yaml:3:12: metadata.nam: unknown field 'nam'; did you mean 'name'?"
    );
}

#[test]
fn a_missing_field_is_named_where_it_belongs() {
    assert_eq!(refusal_with("  pipeline: features\n", ""), "tiegel.yaml:43:3: spec: the field 'pipeline' is missing");
    assert_eq!(
        refusal("apiVersion: tiegel/v1\nkind: Endpoint\nmetadata: {name: e}\n"),
        "tiegel.yaml:1:1: the field 'spec' is missing"
    );
}

#[test]
fn a_value_of_another_type_is_described() {
    for (written, instead, message) in [
        (
            "epochsMax: 20",
            "epochsMax: many",
            "48:22: spec.train.epochsMax: expected a whole number from 0 to 4294967295, found the text 'many'",
        ),
        (
            "epochsMax: 20",
            "epochsMax: \"20\"",
            "48:22: spec.train.epochsMax: expected a whole number from 0 to 4294967295, found the text '20'; remove the quotes",
        ),
        (
            "epochsMax: 20",
            "epochsMax: -1",
            "48:22: spec.train.epochsMax: expected a whole number from 0 to 4294967295, found the number -1",
        ),
        (
            "epochsMax: 20",
            "epochsMax: 1_000",
            "48:22: spec.train.epochsMax: some YAML parsers read 1_000 as a number; write a plain decimal number",
        ),
        ("dropout: 0.1", "dropout: .nan", "47:52: spec.model.dropout: the number must be finite"),
        ("target: late", "target: 5", "45:11: spec.target: expected text, found the number 5; quote it: \"5\""),
        ("target: late", "target:", "45:9: spec.target: expected text, found nothing"),
        (
            "exclude: [time_hour]",
            "exclude: time_hour",
            "46:12: spec.exclude: expected a list, found the text 'time_hour'",
        ),
        (
            "hidden: [128, 64]",
            "hidden: [128, {}]",
            "47:38: spec.model.hidden[1]: expected a whole number from 0 to 4294967295, found fields",
        ),
        (
            "task: binary",
            "task: binry",
            "44:9: spec.task: 'binry' is none of binary, regression; did you mean 'binary'?",
        ),
        ("rows: {min: 300000}", "rows: [1]", "12:7: spec.tests[2].rows: expected fields, found a list"),
        (
            "- rows: {min: 300000}",
            "- {rows: {min: 3}, unique: [a]}",
            "12:7: spec.tests[2]: expected exactly one of not_null, unique, accepted, range, rows, sql",
        ),
        (
            "train: {epochsMax: 20,",
            "train: {refit: yes,",
            "48:18: spec.train.refit: expected true or false, found the text 'yes'",
        ),
        (
            "name: delay}\nspec:\n",
            "name: a/b}\nspec:\n",
            "41:18: metadata.name: 'a/b' is not a name: use 1 to 63 letters, digits, '_', '-' or '.', starting with a letter",
        ),
        (
            "    clock: {",
            "    1st: {",
            "26:5: spec.steps.1st: '1st' is not a name: use 1 to 63 letters, digits, '_', '-' or '.', starting with a letter",
        ),
    ] {
        assert_eq!(refusal_with(written, instead), format!("tiegel.yaml:{message}"), "{instead}");
    }
}

#[test]
fn a_scalar_that_parsers_read_differently_is_refused_where_its_type_is_open() {
    for (scalar, other) in
        [("NO", "false"), ("on", "true"), ("007", "an octal number"), ("12:30", "a number of base 60")]
    {
        assert_eq!(
            refusal_with("[JFK, LGA, EWR]", &format!("[JFK, {scalar}]")),
            format!(
                "tiegel.yaml:11:44: spec.tests[1].accepted.in[1]: some YAML parsers read {scalar} as {other}; \
                 quote it if text is meant: \"{scalar}\""
            )
        );
    }
}

#[test]
fn unquoted_scalars_take_the_type_that_their_field_asks_for() {
    let project = parse_text(&FLIGHTS.replace("nullValues: [NA]", "nullValues: [no, off, 12:30, 2013-10-31]")).unwrap();
    let crate::Spec::Dataset(dataset) = &project.documents[0].spec else { panic!("the first is a dataset") };
    assert_eq!(dataset.null_values, ["no", "off", "12:30", "2013-10-31"]);
    let crate::Spec::Training(training) = &project.documents[2].spec else { panic!("the third is a training") };
    assert_eq!(training.train.optimizer.learning_rate, 1e-4);
}

#[test]
fn text_that_is_no_yaml_is_refused_with_its_place() {
    assert!(refusal("a: [1, 2").starts_with("tiegel.yaml:1:"), "{}", refusal("a: [1, 2"));
    assert!(refusal("kind: *nothing").contains("tiegel.yaml:1:7: no valid YAML: "), "{}", refusal("kind: *nothing"));
    assert_eq!(
        refusal(&format!("{HEAD}{{model: m, model: n}}")),
        "tiegel.yaml:4:18: the field 'model' is written twice; keep one of them"
    );
    assert_eq!(
        refusal(&format!("{HEAD}{{<<: {{model: m}}}}")),
        "tiegel.yaml:4:8: merge keys ('<<') are not read; write the fields out"
    );
    assert_eq!(
        refusal(&format!("{HEAD}{{model: !secret m}}")),
        "tiegel.yaml:4:23: the tag '!secret' is not read; remove it"
    );
    assert_eq!(refusal(&format!("{HEAD}{{[a]: b}}")), "tiegel.yaml:4:8: a field's name must be plain text");
    assert_eq!(refusal("&a [*a]"), "tiegel.yaml:1:5: an alias may not stand inside the value that it names");
    assert_eq!(refusal(""), "document: there is no document");
    assert_eq!(refusal("just text"), "tiegel.yaml:1:1: expected fields, found the text 'just text'");
}

#[test]
fn aliases_repeat_a_value_but_cannot_blow_up_a_file() {
    let hours = "columns: [time_hour], keep: [time_hour]";
    let aliased = FLIGHTS.replace(hours, "columns: &hour [time_hour], keep: *hour");
    assert_ne!(aliased, FLIGHTS);
    let project = parse_text(&aliased).unwrap();
    assert_eq!(project.documents, super::flights().documents);

    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let previous = format!("*a{}, ", i - 1).repeat(10);
        bomb.push_str(&format!("a{i}: &a{i} [{}]\n", previous.trim_end_matches(", ")));
    }
    assert!(refusal(&bomb).ends_with("more than 200000 values in one file; split the file"), "{}", refusal(&bomb));

    let long = format!("a: &a {}\nb: [{}]", "x".repeat(100_000), "*a, ".repeat(100).trim_end_matches(", "));
    assert!(refusal(&long).ends_with("more than 200000 values in one file; split the file"));

    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert!(refusal(&deep).contains("no valid YAML"), "{}", refusal(&deep));
    let mut tower = String::from("a0: &a0 x\n");
    for i in 1..70 {
        tower.push_str(&format!("a{i}: &a{i} [*a{}]\n", i - 1));
    }
    assert!(refusal(&tower).ends_with("more than 64 levels within each other"), "{}", refusal(&tower));
}

#[test]
fn files_and_projects_have_a_size() {
    let large = format!("# {}\n", "x".repeat(1 << 20));
    assert_eq!(refusal(&large), "tiegel.yaml: the file has 1048579 bytes; at most 1048576 are read; split the file");
    let many: String = (0..1_001)
        .map(|i| format!("---\nkind: Endpoint\nmetadata: {{name: e{i}}}\nspec: {{model: m, version: 1}}\n"))
        .collect();
    assert_eq!(
        refusal(&format!("apiVersion: tiegel/v1\n{}", &many[4..])),
        "document: there are 1001 documents; a project has at most 1000"
    );
}

#[test]
fn the_first_document_names_the_version_and_the_others_inherit_it() {
    assert_eq!(
        refusal("kind: Endpoint\nmetadata: {name: e}\nspec: {model: m, version: 1}"),
        "tiegel.yaml:1:1: apiVersion: the first document of a file must name its version; write apiVersion: tiegel/v1"
    );
    assert_eq!(
        refusal_with("tiegel/v1", "tiegel/v2"),
        "tiegel.yaml:2:13: apiVersion: the version 'tiegel/v2' is not known; write tiegel/v1"
    );
    assert_eq!(
        refusal_with("kind: Dataset", "kind: Dateset"),
        "tiegel.yaml:3:7: kind: 'Dateset' is none of Dataset, Pipeline, Training, Endpoint; did you mean 'Dataset'?"
    );
    let project = super::flights();
    assert_eq!(project.project.as_str(), "demo");
    assert!(project.documents.iter().all(|d| d.project.as_str() == "demo"));
}

#[test]
fn a_folder_is_one_project() {
    let file = |name: &str, text: String| SourceText { name: name.to_owned(), text };
    let endpoint = |metadata: &str| {
        format!("apiVersion: tiegel/v1\nkind: Endpoint\nmetadata: {{{metadata}}}\nspec: {{model: m, version: 1}}")
    };
    let files = |second: &str| [file("a.yaml", endpoint("name: a, project: demo")), file("b.yaml", endpoint(second))];
    assert_eq!(
        lines(&parse(&files("name: b, project: other")).unwrap_err()),
        "b.yaml:3:30: metadata.project: the project is 'other' here and 'demo' in other documents; a folder holds one project"
    );
    assert_eq!(parse(&files("name: b")).unwrap().project.as_str(), "demo");
    assert_eq!(
        lines(&parse(&files("name: a")).unwrap_err()),
        "b.yaml:3:18: metadata.name: there is a second endpoint 'a'; the first is at a.yaml:1:1"
    );
    assert_eq!(parse(&[file("c.yaml", endpoint("name: c"))]).unwrap().project.as_str(), "default");
}

#[test]
fn every_unreadable_document_is_reported() {
    let text = FLIGHTS.replace("target: late", "targt: late").replace("kind: Endpoint", "kind: Endpint");
    assert_eq!(
        refusal(&text),
        "tiegel.yaml:45:3: spec.targt: unknown field 'targt'; did you mean 'target'?\n\
         tiegel.yaml:51:7: kind: 'Endpint' is none of Dataset, Pipeline, Training, Endpoint; did you mean 'Endpoint'?"
    );
}
