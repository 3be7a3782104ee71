use proptest::prelude::*;

use super::*;
use crate::limits::{FILTER_BYTES_MAX, LIST_LEN_MAX};
use crate::{Kind, Op, Pattern, Related, Relation};

fn conditions(entity: Entity, text: &str) -> Vec<(Field, Condition)> {
    let filter = Filter::parse(entity, text).unwrap_or_else(|error| panic!("{text}: {error}"));
    filter.clauses.into_iter().map(|clause| (clause.field, clause.condition)).collect()
}

#[track_caller]
fn check(entity: Entity, text: &str, field: Field, condition: Condition) {
    assert_eq!(conditions(entity, text)[..1], [(field, condition)], "{text}");
}

#[track_caller]
fn refused(entity: Entity, text: &str, beginning: &str) {
    let error = Filter::parse(entity, text).map(|filter| filter.clauses).expect_err(text).to_string();
    assert!(error.starts_with(beginning), "{text}: {error}");
}

fn keyed(family: Family, key: &str) -> Field {
    Field::Keyed(family, key.to_owned())
}

fn text(value: &str) -> Condition {
    Condition::Equal(value.to_owned())
}

const RUN_ID: Field = Field::Attribute("run_id", Kind::Text);
const START: Field = Field::Attribute("start_time", Kind::Integer);

#[test]
fn a_runs_fields_have_many_spellings() {
    let loss = || keyed(Family::Metric, "loss");
    check(Entity::Run, "metrics.loss<0.5", loss(), Condition::Number(Op::Less, 0.5));
    check(Entity::Run, "metric.`loss` <= -1e-3", loss(), Condition::Number(Op::AtMost, -0.001));
    check(Entity::Run, "`metrics`.\"loss\" != .5", loss(), Condition::Number(Op::Differs, 0.5));
    check(Entity::Run, "metrics.a.b = 1.", keyed(Family::Metric, "a.b"), Condition::Number(Op::Equal, 1.0));
    check(Entity::Run, "params.lr = '0.1'", keyed(Family::Param, "lr"), text("0.1"));
    check(Entity::Run, "parameter.'a b' = \"x\"", keyed(Family::Param, "a b"), text("x"));
    check(Entity::Run, "tags.mlflow.user='me'", keyed(Family::Tag, "mlflow.user"), text("me"));
    check(Entity::Run, "tag.from = ''", keyed(Family::Tag, "from"), text(""));
    for id in ["run_id", "attribute.run_id", "attr.run_id", "attributes.`run_id`", "run.run_id"] {
        check(Entity::Run, &format!("{id} = 'r'"), RUN_ID, text("r"));
    }
    check(Entity::Run, "`Run name` = 'x'", Field::Attribute("run_name", Kind::Text), text("x"));
    check(Entity::Run, "created > 5", START, Condition::Integer(Op::More, 5));
    check(Entity::Run, "start_time > 1.5", START, Condition::Integer(Op::More, 1));
    check(Entity::Run, "start_time = 9223372036854775807", START, Condition::Integer(Op::Equal, i64::MAX));
    check(Entity::Run, "start_time < 99999999999999999999", START, Condition::Present);
    let digest = Field::Related(Relation::Dataset, Related::Property("digest"));
    check(Entity::Run, "datasets.digest IN ('a')", digest, Condition::In(vec!["a".to_owned()]));
}

#[test]
fn comparators_and_keywords_may_be_in_any_case() {
    let pattern = |any_case| Condition::Like(Pattern::new("a%".to_owned(), any_case).unwrap());
    check(Entity::Run, "tags.k like 'a%'", keyed(Family::Tag, "k"), pattern(false));
    check(Entity::Run, "tags.k iLike 'a%'", keyed(Family::Tag, "k"), pattern(true));
    check(Entity::Run, "tags.k is null", keyed(Family::Tag, "k"), Condition::Missing);
    check(Entity::Run, "params.k Is  Not\tNull", keyed(Family::Param, "k"), Condition::Present);
    check(Entity::Run, "run_id not in ('a', \"b\",)", RUN_ID, Condition::NotIn(vec!["a".to_owned(), "b".to_owned()]));
    check(Entity::Run, r"run_id IN ('it\'s')", RUN_ID, Condition::In(vec!["it's".to_owned()]));
}

#[test]
fn and_joins_clauses_and_one_too_many_or_too_few_is_not_minded() {
    for text in ["metrics.a>1 and metrics.b<2 AND tags.c='AND'", "AND metrics.a>1 metrics.b<2 AND AND tags.c='or' and"]
    {
        assert_eq!(conditions(Entity::Run, text).len(), 3, "{text}");
    }
    assert_eq!(conditions(Entity::Run, ""), []);
    assert_eq!(conditions(Entity::Run, "AND"), []);
}

#[test]
fn quotes_inside_values_stay_as_they_are() {
    check(Entity::Run, "params.k = 'it''s'", keyed(Family::Param, "k"), text("it''s"));
    check(Entity::Run, r"params.k = 'it\'s'", keyed(Family::Param, "k"), text(r"it\'s"));
    check(Entity::Run, "params.k = 'a\nb -- ; (c'", keyed(Family::Param, "k"), text("a\nb -- ; (c"));
}

#[test]
fn what_cannot_be_parsed_is_named() {
    refused(Entity::Run, "metrics.a > 1 OR metrics.b > 2", "Invalid clause(s) in filter string: 'OR'");
    refused(Entity::Run, "(metrics.a > 1)", "Invalid clause(s) in filter string: '(metrics.a > 1)'");
    refused(Entity::Run, "run_id IN 'a'", "Invalid clause(s) in filter string: 'run_id', 'IN', ''a''");
    refused(Entity::Run, "params.x = 'a", "Invalid clause(s) in filter string: 'params.x', '=', ''', 'a'");
    refused(Entity::Run, "metrics.a > 1;", "Invalid clause(s) in filter string: ';'");
    refused(Entity::Run, "metrics.a > 1; metrics.b > 1", "Search filter contained multiple expression 'metrics.a");
    refused(Entity::Run, " ", "Invalid filter ' '. Could not be parsed.");
    refused(Entity::Run, "metrics.a-b > 1", "Invalid clause(s) in filter string: 'metrics.a', '-'");
    refused(Entity::Run, "1 < metrics.a", "Invalid comparison clause. Expected 'Identifier' found '1'");
    refused(Entity::Run, &"(".repeat(10_000), "Invalid clause(s) in filter string: '(', '('");
}

#[test]
fn names_that_an_entity_lacks_are_refused() {
    refused(Entity::Run, "foo = 'x'", "Invalid attribute key 'foo' specified. Valid keys are '[");
    refused(
        Entity::Run,
        "foo.bar = 'x'",
        "Invalid entity type 'foo'. Valid values are ['metric', 'parameter', 'tag', ",
    );
    refused(Entity::Run, "Metrics.a > 1", "Invalid entity type 'Metrics'");
    refused(Entity::Run, "dataset.size = 'x'", "Invalid dataset key 'size' specified. Valid keys are '[");
    refused(Entity::Experiment, "metrics.a > 1", "Invalid entity type 'metrics'");
    refused(Entity::RegisteredModel, "creation_timestamp > 1", "Invalid attribute key 'creation_timestamp'");
    refused(Entity::Trace, "span.foo = 'x'", "Invalid span attribute 'foo'. Supported attributes: name, status, type");
    refused(Entity::EvaluationDataset, "tag.a = 'x'", "Invalid entity type 'tag'");
}

#[test]
fn comparators_that_a_field_does_not_take_are_refused() {
    refused(Entity::Run, "metrics.a LIKE 'x'", "Invalid comparator 'LIKE' not one of '[");
    refused(Entity::Run, "metrics.a == 1", "Invalid comparator '==' not one of '[");
    refused(Entity::Run, "params.a > '1'", "Invalid comparator '>' not one of '[");
    refused(Entity::Run, "tags.a NOT LIKE '1'", "Invalid comparator 'NOT LIKE' not one of '[");
    refused(Entity::Run, "tags.a IN ('1')", "Invalid comparator 'IN' not one of '[");
    refused(Entity::Run, "metrics.a IS NULL", "IS NULL / IS NOT NULL is only supported for tags and params, not for");
    refused(Entity::Run, "run_name IN ('a')", "Only ['run_id'] attributes support comparison with a list");
    refused(Entity::Run, "run_id = ('a')", "Expected a quoted string value for attribute");
    refused(Entity::Experiment, "tags.a IN ('b')", "Invalid comparator for tag: IN");
    refused(Entity::Experiment, "name > 'x'", "Invalid comparator for attribute: >");
    refused(Entity::RegisteredModel, "tags.a IS NULL", "IS NULL / IS NOT NULL");
    refused(Entity::LoggedModel, "metrics.a LIKE 'x'", "Invalid comparison operator for metric a: 'LIKE'");
    refused(Entity::Trace, "span.content = 'x'", "Invalid comparator '=' not one of");
}

#[test]
fn values_must_be_of_the_fields_kind() {
    refused(Entity::Run, "metrics.a > '1'", "Expected numeric value type for metric. Found '1'");
    refused(Entity::Run, "metrics.a > nan", "Expected numeric value type for metric. Found nan");
    refused(
        Entity::Run,
        "start_time > '1'",
        "Expected numeric value type for numeric attribute: start_time. Found '1'",
    );
    refused(Entity::Run, "params.a = 5", "Expected a quoted string value for parameter (e.g. 'my-value'). Got value 5");
    refused(Entity::Run, "params.a = y", "Parameter value is either not quoted or unidentified quote types used for");
    refused(Entity::Run, "run_id IN ()", "While parsing a list in the query, expected a non-empty list of string");
    refused(Entity::Run, "run_id IN (1)", "While parsing a list in the query, expected string value, punctuation");
    refused(Entity::Run, "run_id IN ('a' 'b')", "While parsing a list in the query, expected a non-empty list");
    refused(Entity::Experiment, "creation_time > 1.5", "Invalid value for numeric attribute 'creation_time': 1.5");
    refused(Entity::Experiment, "experiment_id = 1", "Expected a quoted string value for attribute");
    refused(Entity::Experiment, "experiment_id = 'x'", "Invalid value for numeric attribute 'experiment_id': 'x'");
    refused(Entity::Trace, "tags.a RLIKE '('", "Invalid regular expression '('");
    refused(Entity::Trace, "prompt = 'x'", "Invalid prompts filter value 'x'");
    refused(Entity::Trace, "feedback.a > 'x'", "Expected numeric value type for feedback");
}

#[test]
fn an_experiments_ids_are_quoted_integers() {
    let id = || Field::Attribute("experiment_id", Kind::Integer);
    check(Entity::Experiment, "experiment_id = '7'", id(), Condition::Integer(Op::Equal, 7));
    check(Entity::Experiment, "experiment_id NOT IN ('1', '2')", id(), Condition::IntegerNotIn(vec![1, 2]));
}

#[test]
fn a_model_version_has_a_number_that_may_be_quoted() {
    let version = || Field::Attribute("version_number", Kind::Integer);
    check(Entity::ModelVersion, "version_number >= 2", version(), Condition::Integer(Op::AtLeast, 2));
    check(Entity::ModelVersion, "version_number = '2'", version(), Condition::Integer(Op::Equal, 2));
}

#[test]
fn prompts_are_left_out_unless_they_are_asked_for() {
    let is_prompt = || keyed(Family::Tag, IS_PROMPT);
    let unless = || Condition::Unless("true".to_owned());
    check(Entity::RegisteredModel, "", is_prompt(), unless());
    for asks_for_models in ["= 'false'", "!= 'true'", "LIKE '%'"] {
        let text = format!("tags.`mlflow.prompt.is_prompt` {asks_for_models}");
        check(Entity::ModelVersion, &text, is_prompt(), unless());
    }
    check(Entity::ModelVersion, "tag.mlflow.prompt.is_prompt = 'true'", is_prompt(), text("true"));
}

#[test]
fn a_logged_models_texts_need_no_quotes_and_its_keys_may_have_signs() {
    check(Entity::LoggedModel, "params.lr = 0.1", keyed(Family::Param, "lr"), text("0.1"));
    check(
        Entity::LoggedModel,
        "metrics.val-loss < 1",
        keyed(Family::Metric, "val-loss"),
        Condition::Number(Op::Less, 1.0),
    );
    check(Entity::LoggedModel, "params.a IN ('x')", keyed(Family::Param, "a"), Condition::In(vec!["x".to_owned()]));
    let created = Field::Attribute("creation_timestamp", Kind::Integer);
    check(Entity::LoggedModel, "creation_timestamp_ms > 5", created, Condition::Integer(Op::More, 5));
    refused(Entity::LoggedModel, "attribute.name = 'x'", "Invalid entity type 'attribute'");
}

#[test]
fn a_traces_names_stand_for_tags_metadata_prompts_and_spans() {
    let span = |property| Field::Related(Relation::Span, Related::Property(property));
    check(Entity::Trace, "name = 'x'", keyed(Family::Tag, "mlflow.traceName"), text("x"));
    check(Entity::Trace, "trace.name IS NULL", keyed(Family::Tag, "mlflow.traceName"), Condition::Missing);
    check(Entity::Trace, "run_id = 'x'", Field::Related(Relation::Run, Related::Property("run_id")), text("x"));
    check(
        Entity::Trace,
        "run_id != 'x'",
        keyed(Family::Metadata, "mlflow.sourceRun"),
        Condition::Differs("x".to_owned()),
    );
    check(Entity::Trace, "prompt = 'a/1'", Field::Related(Relation::Prompt, Related::Property("id")), text("a/1"));
    check(Entity::Trace, "issue.id = 'i'", Field::Related(Relation::Issue, Related::Property("id")), text("i"));
    check(Entity::Trace, "span.type = 'LLM'", span("type"), text("LLM"));
    let any = || Condition::Like(Pattern::new("%x%".to_owned(), false).unwrap());
    check(Entity::Trace, "trace.text LIKE '%x%'", span("content"), any());
    let attribute = Field::Related(Relation::Span, Related::SpanAttribute("a.b".to_owned()));
    check(Entity::Trace, "span.attributes.`a.b` LIKE '%x%'", attribute, any());
    let timestamp = Field::Attribute("timestamp_ms", Kind::Integer);
    check(Entity::Trace, "timestamp > 5", timestamp, Condition::Integer(Op::More, 5));
    check(Entity::Trace, "feedback.q >= 0.5", keyed(Family::Feedback, "q"), Condition::Number(Op::AtLeast, 0.5));
    check(Entity::Trace, "expectation.`a b` = 'yes'", keyed(Family::Expectation, "a b"), text("yes"));
    check(Entity::Trace, "metadata.k IS NOT NULL", keyed(Family::Metadata, "k"), Condition::Present);
}

#[test]
fn a_filter_over_its_limits_is_refused() {
    let clauses = vec!["metrics.a > 1"; FILTER_CLAUSES_MAX + 1].join(" AND ");
    refused(Entity::Run, &clauses, "Invalid filter: 101 clauses; at most 100 are allowed");
    let list = vec!["'a'"; LIST_LEN_MAX + 1].join(",");
    refused(Entity::Run, &format!("run_id IN ({list})"), "While parsing a list in the query, expected at most 10000");
    refused(Entity::Run, &"a".repeat(FILTER_BYTES_MAX + 1), "Invalid filter: 1048577 bytes long");
}

fn any_entity() -> impl Strategy<Value = Entity> {
    use Entity::{EvaluationDataset, Experiment, LoggedModel, ModelVersion, RegisteredModel, Run, Trace};
    prop::sample::select(vec![Run, Experiment, RegisteredModel, ModelVersion, LoggedModel, Trace, EvaluationDataset])
}

/// Pieces of filters in any order: near enough to a filter to get deep into the parser.
fn debris() -> impl Strategy<Value = String> {
    let pieces = vec![
        "metrics",
        "params.",
        "tags",
        ".",
        "a",
        "`a b`",
        "\"k\"",
        "'v'",
        "'",
        "`",
        "\\",
        "\\'",
        "''",
        "1",
        "-1.5",
        "1e9",
        "=",
        "!=",
        ">",
        "LIKE",
        "ilike",
        "IN",
        "NOT",
        "IS",
        "NULL",
        "AND",
        "OR",
        "(",
        ")",
        ",",
        ";",
        "--",
        "é",
        "\0",
        " ",
        "  ",
        "\n",
        "name",
        "run_id",
        "timestamp",
        "span.attributes.",
        "feedback",
        "$",
        "#",
        "%",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_a_filter_or_an_error_and_never_a_panic(entity in any_entity(), text in debris(), noise in ".{0,40}") {
        _ = Filter::parse(entity, &text);
        _ = Filter::parse(entity, &noise);
        _ = crate::Order::parse(entity, &[&text]);
        _ = crate::Order::parse(entity, &[&noise]);
    }

    #[test]
    fn keys_and_values_come_out_as_they_went_in(key in "[^`'\"\\\\]{1,20}", value in "[^'\\\\]{0,20}", number: f64) {
        prop_assume!(number.is_finite());
        let filter = format!("params.`{key}` = '{value}' AND metrics.`{key}` >= {number}");
        let number = format!("{number}").parse().unwrap();
        let expected = [
            (keyed(Family::Param, &key), text(&value)),
            (keyed(Family::Metric, &key), Condition::Number(Op::AtLeast, number)),
        ];
        prop_assert_eq!(conditions(Entity::Run, &filter), expected);
    }
}
