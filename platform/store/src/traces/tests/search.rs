use std::collections::HashMap;

use tiegel_search::{Entity, Filter, Order};

use super::*;

/// Three traces, from the oldest to the newest.
async fn three(store: &Store) -> i64 {
    let exp = experiment(store, "e").await;
    let attributes = [
        r#"{"model": "\"gpt-4\"", "n": "5", "price": "$1"}"#,
        r#"{"model": "\"claude\"", "n": "50"}"#,
        r#"{"n": "\"5\"", "list": "[1, 2]", "quote": "\"a\" said \\x", "nul": "\"\\u0000\""}"#,
    ];
    for (at, attributes) in (1..).zip(attributes) {
        let mut new = trace(&format!("tr-{at}"), exp, i64::from(at));
        new.tags = pairs(&[("mlflow.traceName", &format!("name{at}")), ("team", if at == 2 { "Red" } else { "blue" })]);
        new.metadata = pairs(&[("mlflow.trace.session", if at == 3 { "s2" } else { "s1" })]);
        store.start_trace(&Scope::All, new).await.unwrap();
        let content = format!("{{\"name\": \"span{at}\", \"attributes\": {attributes}}}");
        let status = if at == 2 { "ERROR" } else { "OK" };
        let root = NewSpan { content, status, ..span(i64::from(at), 0, i64::from(at), i64::from(at) + 5) };
        let child = NewSpan { kind: Some("TOOL".to_owned()), ..span(9, i64::from(at), 1, 2) };
        store.write_spans(&Scope::All, batch(exp, &format!("tr-{at}"), vec![root, child])).await.unwrap();
    }
    exp
}

fn asked(exp: i64, filter: &str) -> TraceSearch {
    TraceSearch {
        experiment_ids: vec![exp],
        filter: Filter::parse(Entity::Trace, filter).unwrap(),
        order: Order::parse(Entity::Trace, &["timestamp_ms ASC"]).unwrap(),
        traces_max: 10,
        page_token: None,
    }
}

async fn check_found(store: &Store, exp: i64, cases: &[(&str, &str)]) {
    for (filter, expected) in cases {
        let page = store.search_traces(&Scope::All, asked(exp, filter)).await.unwrap();
        let found: String = page.rows.iter().map(|info| info.row.trace_id.trim_start_matches("tr-")).collect();
        assert_eq!(&found, expected, "{filter}");
        let counted = store.matching_traces(&Scope::All, vec![exp], asked(exp, filter).filter).await.unwrap();
        assert_eq!(counted.len(), expected.len(), "{filter}");
    }
}

store_tests! {
    async fn traces_are_found_by_their_spans(store) {
        let exp = three(&store).await;
        check_found(&store, exp, &[
            ("span.name = 'span2'", "2"),
            ("span.name = 'span9'", "123"),
            ("span.name LIKE 'span%' AND span.status = 'ERROR'", "2"),
            ("span.name = 'span9' AND span.status = 'ERROR'", ""),
            ("span.type = 'TOOL' AND span.name = 'span1'", ""),
            ("span.type = 'TOOL'", "123"),
            ("span.name RLIKE 'n[13]$'", "13"),
            ("span.name RLIKE 'n[13]$' AND span.type = 'TOOL'", ""),
            ("span.name RLIKE 'n9$' AND span.type = 'TOOL' AND name = 'name2'", "2"),
            ("span.name IN ('span1', 'span3')", "13"),
            ("trace.text LIKE '%claude%'", "2"),
            ("trace.text ILIKE '%CLAUDE%'", "2"),
            ("span.content LIKE '%\\\"gpt%'", "1"),
        ]).await;
    }

    async fn traces_are_found_by_attributes_of_their_spans(store) {
        let exp = three(&store).await;
        check_found(&store, exp, &[
            ("span.attributes.model LIKE '%gpt%'", "1"),
            ("span.attributes.model LIKE '%g%'", "1"),
            ("span.attributes.model ILIKE '%CLAUDE%'", "2"),
            ("span.attributes.n LIKE '%5%'", "123"),
            ("span.attributes.list LIKE '%1, 2%'", "3"),
            ("span.attributes.price LIKE '%$1%'", "1"),
            ("span.attributes.model RLIKE 'gpt-[0-9]'", "1"),
            ("span.attributes.quote LIKE '%a_ said%'", "3"),
            ("span.attributes.nul LIKE '%'", "3"),
            ("span.attributes.absent LIKE '%'", ""),
            ("span.attributes.model LIKE '%gpt%' AND span.status = 'ERROR'", ""),
        ]).await;
    }

    async fn traces_are_found_by_what_was_said_of_them(store) {
        let exp = three(&store).await;
        let said = |id: &str, trace: &str, value: &str| assessment(id, trace, value);
        let number = AssessmentRow { is_number: true, ..said("a-1", "tr-1", "0.5") };
        store.create_assessment(&Scope::All, number).await.unwrap();
        store.create_assessment(&Scope::All, said("a-2", "tr-2", "\"good\"")).await.unwrap();
        let over = AssessmentRow { overrides: Some("a-2".to_owned()), ..said("a-3", "tr-2", "\"bad\"") };
        store.create_assessment(&Scope::All, over).await.unwrap();
        let wide = AssessmentRow { name: "calm".to_owned(), is_session_wide: true, ..said("a-4", "tr-1", "true") };
        store.create_assessment(&Scope::All, wide).await.unwrap();
        let issue = AssessmentRow { kind: "issue".to_owned(), name: "i-1".to_owned(), ..said("a-5", "tr-3", "null") };
        store.create_assessment(&Scope::All, issue).await.unwrap();
        check_found(&store, exp, &[
            ("feedback.quality > 0.4", "1"),
            ("feedback.quality <= 0.4", ""),
            ("feedback.quality = '0.5'", "1"),
            ("feedback.quality = 'bad'", "2"),
            ("feedback.quality = 'good'", ""),
            ("feedback.quality LIKE '%a%'", "2"),
            ("feedback.quality RLIKE 'b.d'", "2"),
            ("feedback.quality IS NULL", "3"),
            ("feedback.quality IS NOT NULL", "12"),
            ("expectation.quality IS NULL", "123"),
            // What was said of a session holds for all of its traces.
            ("feedback.calm = 'true'", "12"),
            ("issue.id = 'i-1'", "3"),
        ]).await;
    }

    async fn traces_are_found_by_tags_metadata_runs_and_prompts(store) {
        let exp = three(&store).await;
        store.link_traces_to_run(&Scope::All, vec!["tr-1".to_owned(), "tr-3".to_owned()], "r1").await.unwrap();
        store.link_prompts_to_trace(&Scope::All, "tr-2", vec!["hello/1".to_owned()]).await.unwrap();
        check_found(&store, exp, &[
            ("name = 'name2'", "2"),
            ("name != 'name2'", "13"),
            ("tag.team = 'Red'", "2"),
            ("tag.team ILIKE 'RED'", "2"),
            ("tag.team LIKE 'red'", ""),
            ("tag.`mlflow.traceName` = 'name3'", "3"),
            ("tag.absent IS NULL", "123"),
            ("metadata.`mlflow.trace.session` = 's1'", "12"),
            ("metadata.`mlflow.trace.session` != 's1'", "3"),
            ("run_id = 'r1'", "13"),
            ("run_id = 'r1' AND tag.team = 'Red'", ""),
            ("prompt = 'hello/1'", "2"),
            ("prompt = 'hello/2'", ""),
            ("request_id IN ('tr-1', 'tr-2')", "12"),
            ("timestamp_ms > 1", "23"),
            ("execution_time_ms = 5 AND status = 'OK'", "123"),
            ("end_time_ms >= 8", "3"),
        ]).await;
    }

    async fn pages_of_traces_follow_each_other(store) {
        let exp = three(&store).await;
        let mut search = asked(exp, "tag.team IS NOT NULL");
        search.traces_max = 1;
        search.order = Order::parse(Entity::Trace, &["name DESC"]).unwrap();
        let mut found = Vec::new();
        loop {
            let page = store.search_traces(&Scope::All, search.clone()).await.unwrap();
            found.extend(page.rows.into_iter().map(|info| info.row.trace_id));
            let Some(next) = page.next else { break };
            search.page_token = Some(next);
        }
        assert_eq!(found, ["tr-3", "tr-2", "tr-1"]);
        let elsewhere = Scope::Project("other".parse().unwrap());
        assert!(store.search_traces(&elsewhere, asked(exp, "")).await.unwrap().rows.is_empty());
        let all = store.search_traces(&Scope::All, asked(exp, "")).await.unwrap().rows;
        let known: HashMap<_, _> = all.into_iter().map(|info| (info.row.trace_id.clone(), info.row.id)).collect();
        let red = store.matching_traces(&Scope::All, vec![exp], asked(exp, "tag.team = 'Red'").filter).await.unwrap();
        assert!(red.contains(&known["tr-2"]) && red.len() == 1);
    }
}
