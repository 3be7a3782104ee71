mod assessments;
mod figures;
mod search;

use std::collections::BTreeMap;

use super::*;
use crate::testing::store_tests;
use crate::{Scope, Store, StoreError};

async fn experiment(store: &Store, name: &str) -> i64 {
    let project = "flights".parse().unwrap();
    store.ensure_project(&project, 1).await.unwrap();
    store.ensure_experiment(&project, name, 1).await.unwrap().id
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn trace(trace_id: &str, experiment_id: i64, timestamp_ms: i64) -> NewTrace {
    NewTrace {
        trace_id: trace_id.to_owned(),
        experiment_id,
        timestamp_ms,
        end_ms: Some(timestamp_ms + 5),
        state: "OK".to_owned(),
        client_request_id: None,
        request_preview: None,
        response_preview: None,
        tags: Vec::new(),
        metadata: Vec::new(),
        assessments: Vec::new(),
        is_final: true,
    }
}

fn span(span_id: i64, parent_id: i64, from_ms: i64, until_ms: i64) -> NewSpan {
    NewSpan {
        span_id,
        parent_id,
        start_ns: from_ms * 1_000_000,
        end_ns: until_ms * 1_000_000,
        name: format!("span{span_id}"),
        kind: Some("LLM".to_owned()),
        status: "OK",
        content: format!("{{\"span_id\": {span_id}}}"),
        ..NewSpan::default()
    }
}

fn tokens(total: i64) -> Option<String> {
    Some(format!(r#"{{"input_tokens": 1, "output_tokens": 2, "total_tokens": {total}}}"#))
}

fn batch(experiment_id: i64, trace_id: &str, spans: Vec<NewSpan>) -> SpanBatch {
    let state = spans.iter().any(|span| span.parent_id == 0).then_some("OK");
    let part = TracePart { spans, state, ..TracePart::default() };
    SpanBatch { experiment_id, traces: BTreeMap::from([(trace_id.to_owned(), part)]) }
}

fn ids(trace_id: &str, assessment_id: &str) -> AssessmentIds {
    AssessmentIds { trace_id: trace_id.to_owned(), assessment_id: assessment_id.to_owned() }
}

fn assessment(id: &str, trace_id: &str, value: &str) -> AssessmentRow {
    AssessmentRow {
        assessment_id: id.to_owned(),
        trace_id: trace_id.to_owned(),
        kind: "feedback".to_owned(),
        name: "quality".to_owned(),
        value: value.to_owned(),
        number: value.parse().ok(),
        source_type: "HUMAN".to_owned(),
        is_valid: true,
        created_ms: 7,
        updated_ms: 7,
        ..AssessmentRow::default()
    }
}

async fn info(store: &Store, trace_id: &str) -> TraceInfo {
    store.trace_info(&Scope::All, trace_id).await.unwrap()
}

async fn total(store: &Store, trace_id: &str) -> Option<f64> {
    let usage = info(store, trace_id).await.usage;
    usage.into_iter().find(|(key, _)| key == "total_tokens").map(|(_, total)| total)
}

fn query(experiment_id: i64, view: MetricView, value: MetricValue) -> TraceMetricQuery {
    TraceMetricQuery {
        experiment_ids: vec![experiment_id],
        view,
        value,
        dimensions: Vec::new(),
        filters: Vec::new(),
        bucket_ms: None,
        from_ms: None,
        until_ms: None,
        keeps_values: false,
    }
}

store_tests! {
    async fn a_trace_reads_back_as_it_was_told_and_once_however_often(store) {
        let exp = experiment(&store, "e").await;
        let mut new = trace("tr-1", exp, 100);
        new.tags = pairs(&[("mlflow.traceName", "root"), ("fruit", "apple")]);
        new.metadata = pairs(&[
            ("mlflow.trace.session", "s1"),
            ("mlflow.trace.tokenUsage", r#"{"input_tokens": 3, "total_tokens": 9, "other": 1}"#),
            ("mlflow.trace.cost", r#"{"total_cost": 0.25}"#),
            ("mlflow.user", "ann"),
        ]);
        new.assessments = vec![assessment("a-1", "tr-1", "1")];
        new.request_preview = Some("hé".to_owned());
        let first = store.start_trace(&Scope::All, new.clone()).await.unwrap();
        let again = store.start_trace(&Scope::All, new).await.unwrap();
        assert_eq!(first, again);
        let row = &again.row;
        assert_eq!((row.name.as_deref(), row.session_id.as_deref()), (Some("root"), Some("s1")));
        assert_eq!((row.timestamp_ms, row.end_ms, row.has_spans), (100, Some(105), false));
        assert_eq!(again.tags, pairs(&[("fruit", "apple")]));
        assert_eq!(again.metadata, pairs(&[("mlflow.user", "ann")]));
        let usage: Vec<_> = again.usage.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        assert_eq!(usage, [("input_tokens", 3.0), ("total_cost", 0.25), ("total_tokens", 9.0)]);
        assert_eq!(again.assessments, [assessment("a-1", "tr-1", "1")]);
        assert_eq!(store.trace_infos(&Scope::All, vec!["tr-9".to_owned(), "tr-1".to_owned()]).await.unwrap(), [again]);
    }

    async fn an_experiment_must_be_there_and_active(store) {
        let missing = store.start_trace(&Scope::All, trace("tr-1", 99, 1)).await.unwrap_err();
        assert_eq!(missing.to_string(), "No Experiment with id=99 exists");
        let refused = store.write_spans(&Scope::All, batch(99, "tr-1", vec![span(1, 0, 1, 2)])).await;
        assert!(matches!(refused, Err(StoreError::NotFound(_))), "{refused:?}");
        assert!(store.trace_info(&Scope::All, "tr-1").await.is_err());
    }

    async fn spans_that_come_in_parts_and_out_of_order_make_one_trace(store) {
        let exp = experiment(&store, "e").await;
        store.write_spans(&Scope::All, batch(exp, "tr-1", vec![span(2, 1, 20, 30), span(3, 1, 25, 90)])).await.unwrap();
        let row = info(&store, "tr-1").await.row;
        assert_eq!((row.state.as_str(), row.timestamp_ms, row.end_ms), (IN_PROGRESS, 20, Some(90)));
        let mut last = batch(exp, "tr-1", vec![span(1, 0, 10, 40)]);
        let part = last.traces.get_mut("tr-1").unwrap();
        part.name = Some("root".to_owned());
        part.request_preview = Some("question".to_owned());
        part.tags.insert("service.name".to_owned(), "shop".to_owned());
        part.metadata.insert("mlflow.trace.user".to_owned(), "bob".to_owned());
        store.write_spans(&Scope::All, last).await.unwrap();
        let info = info(&store, "tr-1").await;
        assert_eq!((info.row.state.as_str(), info.row.timestamp_ms, info.row.end_ms), ("OK", 10, Some(90)));
        assert_eq!((info.row.name.as_deref(), info.row.has_spans), (Some("root"), true));
        assert_eq!((info.tags, info.metadata), (pairs(&[("service.name", "shop")]), pairs(&[("mlflow.trace.user", "bob")])));
        let read = store.traces_with_spans(&Scope::All, vec!["tr-1".to_owned()]).await.unwrap();
        assert_eq!(read[0].spans, [r#"{"span_id": 1}"#, r#"{"span_id": 2}"#, r#"{"span_id": 3}"#]);
    }

    async fn a_span_that_is_sent_again_is_replaced(store) {
        let exp = experiment(&store, "e").await;
        let mut open = span(1, 0, 10, 0);
        open.content = "open".to_owned();
        store.write_spans(&Scope::All, batch(exp, "tr-1", vec![open.clone()])).await.unwrap();
        assert_eq!(info(&store, "tr-1").await.row.end_ms, None);
        store.write_spans(&Scope::All, batch(exp, "tr-1", vec![open, span(1, 0, 10, 12)])).await.unwrap();
        let read = store.traces_with_spans(&Scope::All, vec!["tr-1".to_owned()]).await.unwrap();
        assert_eq!(read[0].spans, [r#"{"span_id": 1}"#]);
        assert_eq!(read[0].info.row.end_ms, Some(12));
    }

    async fn what_the_client_told_of_a_trace_stays_when_more_spans_come(store) {
        let exp = experiment(&store, "e").await;
        store.write_spans(&Scope::All, batch(exp, "tr-1", vec![span(1, 0, 10, 40)])).await.unwrap();
        let mut told = trace("tr-1", exp, 100);
        told.tags = pairs(&[("mlflow.traceName", "told")]);
        store.start_trace(&Scope::All, told).await.unwrap();
        let mut late = batch(exp, "tr-1", vec![span(2, 1, 1, 900)]);
        late.traces.get_mut("tr-1").unwrap().name = Some("late".to_owned());
        store.write_spans(&Scope::All, late).await.unwrap();
        let row = info(&store, "tr-1").await.row;
        assert_eq!((row.timestamp_ms, row.end_ms, row.name.as_deref()), (100, Some(105), Some("told")));
        let mut given = batch(exp, "tr-1", vec![span(3, 1, 1, 2)]);
        given.traces.get_mut("tr-1").unwrap().given_name = Some("given".to_owned());
        store.write_spans(&Scope::All, given).await.unwrap();
        assert_eq!(info(&store, "tr-1").await.row.name.as_deref(), Some("given"));
    }

    async fn tokens_are_summed_over_the_whole_tree_however_it_arrives(store) {
        let exp = experiment(&store, "e").await;
        let child = NewSpan { usage: tokens(4), ..span(2, 1, 11, 12) };
        let other = NewSpan { usage: tokens(5), ..span(3, 1, 12, 13) };
        store.write_spans(&Scope::All, batch(exp, "tr-1", vec![child, other])).await.unwrap();
        assert_eq!(total(&store, "tr-1").await, Some(9.0));
        let parent = NewSpan { usage: tokens(10), ..span(1, 0, 10, 14) };
        store.write_spans(&Scope::All, batch(exp, "tr-1", vec![parent])).await.unwrap();
        assert_eq!(total(&store, "tr-1").await, Some(10.0));
    }

    async fn tokens_that_the_client_told_are_not_summed_over(store) {
        let exp = experiment(&store, "e").await;
        let mut told = trace("tr-1", exp, 10);
        told.metadata = pairs(&[("mlflow.trace.tokenUsage", r#"{"total_tokens": 7}"#)]);
        store.start_trace(&Scope::All, told).await.unwrap();
        let reports = NewSpan { usage: tokens(4), cost: Some(r#"{"total_cost": 0.5}"#.to_owned()), ..span(1, 0, 10, 12) };
        store.write_spans(&Scope::All, batch(exp, "tr-1", vec![reports])).await.unwrap();
        assert_eq!(total(&store, "tr-1").await, Some(7.0));
        let usage = info(&store, "tr-1").await.usage;
        assert!(usage.contains(&("total_cost".to_owned(), 0.5)), "{usage:?}");
    }

    async fn many_traces_are_written_and_read_in_one_request(store) {
        let exp = experiment(&store, "e").await;
        let mut all = SpanBatch { experiment_id: exp, traces: BTreeMap::new() };
        for at in 0..600 {
            all.traces.extend(batch(exp, &format!("tr-{at:03}"), vec![span(1, 0, at, at + 1), span(2, 1, at, at + 1)]).traces);
        }
        store.write_spans(&Scope::All, all).await.unwrap();
        let ids: Vec<String> = (0..600).rev().map(|at| format!("tr-{at:03}")).collect();
        let read = store.traces_with_spans(&Scope::All, ids.clone()).await.unwrap();
        assert_eq!(read.iter().map(|trace| trace.info.row.trace_id.clone()).collect::<Vec<_>>(), ids);
        assert!(read.iter().all(|trace| trace.spans.len() == 2));
    }

    async fn writers_of_the_same_traces_do_not_lose_each_others_spans(store) {
        let exp = experiment(&store, "e").await;
        let mut tasks = tokio::task::JoinSet::new();
        for at in 0..8 {
            let store = store.clone();
            tasks.spawn(async move {
                let mut all = SpanBatch { experiment_id: exp, traces: BTreeMap::new() };
                for id in ["tr-1", "tr-2", "tr-3"] {
                    let reports = NewSpan { usage: tokens(1), ..span(10 + at, 1, 5, 6) };
                    all.traces.extend(batch(exp, id, vec![reports]).traces);
                }
                store.write_spans(&Scope::All, all).await.unwrap();
            });
        }
        assert_eq!(tasks.join_all().await.len(), 8);
        let ids = ["tr-1", "tr-2", "tr-3"].map(str::to_owned).to_vec();
        for trace in store.traces_with_spans(&Scope::All, ids).await.unwrap() {
            assert_eq!(trace.spans.len(), 8);
            assert!(trace.info.usage.contains(&("total_tokens".to_owned(), 8.0)), "{:?}", trace.info.usage);
        }
    }

    async fn tags_are_set_and_deleted_and_the_name_is_one(store) {
        let exp = experiment(&store, "e").await;
        store.start_trace(&Scope::All, trace("tr-1", exp, 1)).await.unwrap();
        let set = |trace, key: &str, value: &str| store.set_trace_tag(&Scope::All, trace, (key.to_owned(), value.to_owned()));
        for value in ["1", "2"] {
            set("tr-1", "k", value).await.unwrap();
        }
        set("tr-1", TRACE_NAME_TAG, "n").await.unwrap();
        let info = info(&store, "tr-1").await;
        assert_eq!((info.row.name.as_deref(), info.tags), (Some("n"), pairs(&[("k", "2")])));
        store.delete_trace_tag(&Scope::All, "tr-1", "k").await.unwrap();
        store.delete_trace_tag(&Scope::All, "tr-1", TRACE_NAME_TAG).await.unwrap();
        let gone = store.delete_trace_tag(&Scope::All, "tr-1", "k").await.unwrap_err();
        assert_eq!(gone.to_string(), "No trace tag with key 'k' for trace with ID 'tr-1'");
        let missing = set("tr-2", "k", "").await.unwrap_err();
        assert_eq!(missing.to_string(), "Trace with ID 'tr-2' not found.");
    }

    async fn deleting_takes_the_oldest_first_and_all_that_belongs_to_them(store) {
        let exp = experiment(&store, "e").await;
        let other = experiment(&store, "other").await;
        for (id, at) in [("tr-1", 10), ("tr-2", 20), ("tr-3", 30)] {
            store.start_trace(&Scope::All, trace(id, exp, at)).await.unwrap();
            store.write_spans(&Scope::All, batch(exp, id, vec![span(1, 0, at, at)])).await.unwrap();
        }
        store.start_trace(&Scope::All, trace("tr-4", other, 5)).await.unwrap();
        store.create_assessment(&Scope::All, assessment("a-1", "tr-1", "1")).await.unwrap();
        let until = |ms, traces_max| DeleteTraces::Until { ms, traces_max };
        assert_eq!(store.delete_traces(&Scope::All, exp, until(25, Some(1))).await.unwrap(), 1);
        assert!(store.trace_info(&Scope::All, "tr-1").await.is_err());
        assert_eq!(store.delete_traces(&Scope::All, exp, until(25, None)).await.unwrap(), 1);
        let ids = DeleteTraces::Ids(["tr-3", "tr-4", "tr-9"].map(str::to_owned).to_vec());
        assert_eq!(store.delete_traces(&Scope::All, exp, ids).await.unwrap(), 1);
        store.start_trace(&Scope::All, trace("tr-1", exp, 10)).await.unwrap();
        let again = store.traces_with_spans(&Scope::All, vec!["tr-1".to_owned()]).await.unwrap();
        assert_eq!((again[0].spans.len(), again[0].info.assessments.len()), (0, 0));
    }

    async fn what_another_project_has_does_not_exist(store) {
        let exp = experiment(&store, "e").await;
        store.start_trace(&Scope::All, trace("tr-1", exp, 10)).await.unwrap();
        store.create_assessment(&Scope::All, assessment("a-1", "tr-1", "1")).await.unwrap();
        let other: tiegel_types::Name = "ships".parse().unwrap();
        store.ensure_project(&other, 1).await.unwrap();
        let theirs = store.ensure_experiment(&other, "e", 1).await.unwrap().id;
        let scope = Scope::Project(other);
        assert!(matches!(store.trace_info(&scope, "tr-1").await, Err(StoreError::NotFound(_))));
        assert!(matches!(store.assessment(&scope, &ids("tr-1", "a-1")).await, Err(StoreError::NotFound(_))));
        let refused = store.start_trace(&scope, trace("tr-1", theirs, 10)).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
        let refused = store.write_spans(&scope, batch(theirs, "tr-1", vec![span(1, 0, 1, 2)])).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
        let refused = store.start_trace(&scope, trace("tr-2", exp, 10)).await;
        assert!(matches!(refused, Err(StoreError::NotFound(_))), "{refused:?}");
        let gone = store.delete_traces(&scope, exp, DeleteTraces::Ids(vec!["tr-1".to_owned()])).await.unwrap();
        assert_eq!(gone, 0);
        let counted = store.trace_metrics(&scope, query(exp, MetricView::Traces, MetricValue::Count)).await.unwrap();
        assert!(counted.is_empty());
        assert!(!info(&store, "tr-1").await.row.has_spans);
    }

    async fn traces_are_linked_to_runs_and_prompts_once(store) {
        let exp = experiment(&store, "e").await;
        store.start_trace(&Scope::All, trace("tr-1", exp, 1)).await.unwrap();
        for _ in 0..2 {
            let ids = vec!["tr-1".to_owned(), "tr-9".to_owned()];
            store.link_traces_to_run(&Scope::All, ids, "r1").await.unwrap();
            store.link_prompts_to_trace(&Scope::All, "tr-1", vec!["p/1".to_owned(), "p/1".to_owned()]).await.unwrap();
        }
        let by_run = TraceMetricFilter::Metadata(SOURCE_RUN_METADATA.to_owned(), "r1".to_owned());
        let mut count = query(exp, MetricView::Traces, MetricValue::Count);
        count.filters = vec![by_run];
        assert_eq!(store.trace_metrics(&Scope::All, count).await.unwrap()[0].count, 1);
        let missing = store.link_prompts_to_trace(&Scope::All, "tr-9", vec!["p/1".to_owned()]).await;
        assert!(matches!(missing, Err(StoreError::NotFound(_))), "{missing:?}");
    }

    async fn a_trace_that_was_only_started_is_ended(store) {
        let exp = experiment(&store, "e").await;
        let mut new = trace("tr-1", exp, 10);
        (new.end_ms, new.is_final, new.state) = (None, false, IN_PROGRESS.to_owned());
        store.start_trace(&Scope::All, new).await.unwrap();
        let end = EndTrace {
            trace_id: "tr-1".to_owned(),
            end_ms: 30,
            state: "ERROR".to_owned(),
            tags: pairs(&[("mlflow.traceName", "n"), ("k", "v")]),
            metadata: pairs(&[("mlflow.sourceRun", "r1")]),
        };
        let info = store.end_trace(&Scope::All, end).await.unwrap();
        assert_eq!((info.row.end_ms, info.row.state.as_str(), info.row.name.as_deref()), (Some(30), "ERROR", Some("n")));
        assert_eq!((info.tags, info.metadata), (pairs(&[("k", "v")]), pairs(&[("mlflow.sourceRun", "r1")])));
    }
}
