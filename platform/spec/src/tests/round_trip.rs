//! What is written can be read again, and means the same.

use proptest::prelude::*;
use serde_json::{Value, json};
use tiegel_types::{Digest, Kind, Name};

use super::{FLIGHTS, flights, lines, parse_text};
use crate::{Document, Location, Spec, diff, export, json_schema};

fn without_places(documents: &[Document]) -> Vec<Document> {
    documents.iter().map(|d| Document { location: Location::default(), ..d.clone() }).collect()
}

#[test]
fn an_exported_project_reads_back_to_the_same_documents() {
    let project = flights();
    let text = export(&project.documents);
    let again = parse_text(&text).unwrap_or_else(|errors| panic!("{}\n{text}", lines(&errors)));
    assert_eq!(without_places(&again.documents), without_places(&project.documents), "{text}");
    assert_eq!(export(&again.documents), text);
    assert!(!text.contains(": null"), "{text}");
}

#[test]
fn json_is_read_like_yaml() {
    let project = flights();
    for (document, as_json) in project.documents.iter().map(|d| (d, d.to_json())) {
        for text in [as_json.to_string(), serde_json::to_string_pretty(&as_json).unwrap().replace("  ", "\t")] {
            let nodes = crate::yaml::read_stream(&text).unwrap_or_else(|e| panic!("{}", e.message));
            let spec = &nodes[0].entry("spec").unwrap().value;
            assert_eq!(Spec::from_node(document.kind, spec).unwrap(), document.spec, "{text}");
        }
    }
}

#[test]
fn canonical_json_names_what_the_order_of_steps_implies() {
    let Spec::Pipeline(pipeline) = &flights().documents[1].spec else { panic!("the second is a pipeline") };
    let canonical = Spec::Pipeline(pipeline.clone()).to_json();
    assert_eq!(canonical["output"], "encoded");
    assert_eq!(canonical["steps"]["scaled"]["from"], "clock");
    assert_eq!(canonical["steps"]["encoded"]["fit"], json!({"split": "train"}));
    assert_eq!(canonical["steps"]["encoded"]["retry"], json!({"max": 3, "backoffMs": 1000}));
    let again = Spec::from_json(Kind::Pipeline, &canonical).unwrap();
    assert_eq!(again.to_json(), canonical);
    assert_eq!(diff(&canonical, &again.to_json()), []);
}

#[test]
fn a_digest_changes_with_the_meaning_only() {
    let digests = |text: &str| parse_text(text).unwrap().documents.iter().map(Document::digest).collect::<Vec<_>>();
    let plain = digests(FLIGHTS);
    let same = FLIGHTS
        .replace("fit: {}", "fit: {split: train}")
        .replace("serveFrom: clock", "serveFrom: clock # as before\n  output: encoded")
        .replace("learningRate: 1e-4", "learningRate: 0.00010");
    assert_eq!(digests(&same), plain);
    let other = digests(&FLIGHTS.replace("epochsMax: 20", "epochsMax: 21"));
    let changed: Vec<bool> = plain.iter().zip(&other).map(|(a, b)| a != b).collect();
    assert_eq!(changed, [false, false, true, false]);
}

#[test]
fn json_that_is_no_spec_is_refused_with_its_field() {
    let refuse = |kind, value: Value| Spec::from_json(kind, &value).unwrap_err();
    assert_eq!(
        refuse(Kind::Endpoint, json!({"model": "m", "versoin": 1})),
        "versoin: unknown field 'versoin'; did you mean 'version'?"
    );
    assert_eq!(
        refuse(Kind::Pipeline, json!({"steps": {"a": {"sql": 5}}})),
        "steps.a.sql: expected text, found the number 5; quote it: \"5\""
    );
}

#[test]
fn params_are_replaced_and_keep_their_type() {
    let Spec::Pipeline(pipeline) = &flights().documents[1].spec else { panic!("the second is a pipeline") };
    let resolved = pipeline.resolved().unwrap();
    assert!(resolved.steps["joined"].sql.as_ref().unwrap().contains("arr_delay >= 30 as late"));
    assert_eq!(resolved.steps["encoded"].config, Some(json!({"categoriesMax": 32, "label": "top 32"})));
    assert_eq!(resolved.split.as_ref().unwrap().by_time.as_ref().unwrap().test_from, "2013-11-01");
    assert!(resolved.params.is_empty());
    let mut literal = pipeline.clone();
    literal.steps["joined"].sql = Some("select '$${late}' as text, ${late}".to_owned());
    assert_eq!(literal.resolved().unwrap().steps["joined"].sql.as_deref(), Some("select '${late}' as text, 30"));
    literal.params.clear();
    assert_eq!(
        literal.resolved().unwrap_err().to_string(),
        "steps.joined.sql: the param 'late' is not defined; add 'late' to spec.params"
    );
}

#[test]
fn the_schema_covers_every_kind_and_all_its_references_resolve() {
    let schema = json_schema();
    assert_eq!(schema["oneOf"].as_array().unwrap().len(), Kind::ALL.len());
    assert_eq!(schema["oneOf"][1]["properties"]["kind"], json!({"const": "Pipeline"}));
    let text = schema.to_string();
    for (_, rest) in text.match_indices("\"#/$defs/").map(|(at, found)| text.split_at(at + found.len())) {
        let name = rest.split('"').next().unwrap();
        assert!(schema["$defs"].get(name).is_some(), "{name}");
    }
    for field in ["serveFrom", "byFraction", "learningRate", "timeoutSeconds"] {
        assert!(text.contains(&format!("\"{field}\"")), "{field}");
    }
    assert_eq!(Digest::of_json(&schema), Digest::of_json(&json_schema()));
}

fn any_json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300f64).prop_map(Value::from)
    ];
    let text = prop_oneof![
        "[ -~\n\tàß漢]{0,40}",
        any::<String>(),
        Just("no".to_owned()),
        Just("1e-4".to_owned()),
        Just("2013-10-31".to_owned()),
        Just("~".to_owned()),
        Just("0x1F".to_owned()),
        Just("12:30".to_owned()),
        Just(".inf".to_owned())
    ];
    let leaf =
        prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::Bool), number, text.prop_map(Value::String)];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec(("[a-z on~0-9]{1,8}", inner), 0..4).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Plugin configs may hold any JSON, and SQL any text.
    #[test]
    fn whatever_a_document_holds_is_read_back_as_written(config in any_json(), sql in "[ -~\n\tà漢]{1,200}") {
        let mut documents = flights().documents;
        let Spec::Pipeline(pipeline) = &mut documents[1].spec else { panic!("the second is a pipeline") };
        let escape = |text: &str| text.replace("${", "$ {");
        let config: Value = serde_json::from_str(&escape(&config.to_string())).unwrap();
        pipeline.steps["clock"].config = (!config.is_null()).then_some(config);
        pipeline.steps["joined"].sql = Some(format!("select ${{late}} {}", escape(&sql)));
        let text = export(&documents);
        let again = parse_text(&text).unwrap_or_else(|errors| panic!("{}\n{text}", lines(&errors)));
        prop_assert_eq!(without_places(&again.documents), without_places(&documents), "{}", text);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[ -~\n\t{}\\[\\]:,&*!|>'\"%@`#-]{0,200}", at in 0..FLIGHTS.len()) {
        let _ = parse_text(&text);
        let at = (0..=at).rev().find(|&i| FLIGHTS.is_char_boundary(i)).unwrap();
        let _ = parse_text(&format!("{}{text}{}", &FLIGHTS[..at], &FLIGHTS[at..]));
    }

    #[test]
    fn names_in_a_reference_survive(name in "[A-Za-z][A-Za-z0-9_-]{0,20}") {
        let text = FLIGHTS.replace("    scaled: {", &format!("    {name}x: {{"));
        prop_assert!(parse_text(&text).unwrap().documents[1].name == Name::new("features").unwrap());
    }
}
