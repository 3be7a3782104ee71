use super::*;

store_tests! {
    async fn figures_are_grouped_by_time_and_dimension(store) {
        let exp = experiment(&store, "e").await;
        for (id, name, at, took) in [("tr-1", "a", 0, 10), ("tr-2", "a", 900, 30), ("tr-3", "b", 1_000, 50)] {
            let mut new = trace(id, exp, at);
            new.end_ms = Some(at + took);
            new.tags = pairs(&[("mlflow.traceName", name), ("team", id)]);
            new.metadata = pairs(&[("mlflow.trace.session", "s"), ("mlflow.trace.tokenUsage", r#"{"total_tokens": 2}"#)]);
            store.start_trace(&Scope::All, new).await.unwrap();
            store.write_spans(&Scope::All, batch(exp, id, vec![
                NewSpan { cost: Some(r#"{"total_cost": 0.5}"#.to_owned()), model: Some("m".to_owned()), ..span(1, 0, at, at + 3) },
                span(2, 1, at, 0),
            ])).await.unwrap();
        }
        let mut latency = query(exp, MetricView::Traces, MetricValue::Latency);
        latency.dimensions = vec![MetricDimension::TraceName];
        latency.bucket_ms = Some(1_000);
        latency.keeps_values = true;
        let rows = store.trace_metrics(&Scope::All, latency.clone()).await.unwrap();
        let first = MetricRow {
            bucket_ms: Some(0),
            dimensions: vec!["a".to_owned()],
            count: 2,
            sum: 40.0,
            min: 10.0,
            max: 30.0,
            values: vec![10.0, 30.0],
        };
        assert_eq!((rows.len(), &rows[0]), (2, &first));
        latency.filters = vec![TraceMetricFilter::Tag("team".to_owned(), "tr-3".to_owned())];
        assert_eq!(store.trace_metrics(&Scope::All, latency).await.unwrap()[0].sum, 50.0);
        let one = async |view, value| store.trace_metrics(&Scope::All, query(exp, view, value)).await.unwrap().remove(0);
        assert_eq!(one(MetricView::Traces, MetricValue::Sessions).await.count, 1);
        assert_eq!(one(MetricView::Traces, MetricValue::Tokens("total_tokens")).await.sum, 6.0);
        assert_eq!(one(MetricView::Spans, MetricValue::Count).await.count, 6);
        assert_eq!(one(MetricView::Spans, MetricValue::Latency).await.max, 3.0);
        assert_eq!(one(MetricView::Spans, MetricValue::Cost("total_cost")).await.sum, 1.5);
    }

    async fn figures_about_assessments_leave_out_what_is_overridden(store) {
        let exp = experiment(&store, "e").await;
        store.start_trace(&Scope::All, trace("tr-1", exp, 1)).await.unwrap();
        store.create_assessment(&Scope::All, assessment("a-1", "tr-1", "1")).await.unwrap();
        let over = AssessmentRow { overrides: Some("a-1".to_owned()), ..assessment("a-2", "tr-1", "3") };
        store.create_assessment(&Scope::All, over).await.unwrap();
        let mut numbers = query(exp, MetricView::Assessments, MetricValue::Number);
        numbers.dimensions = vec![MetricDimension::AssessmentName];
        numbers.filters = vec![TraceMetricFilter::AssessmentKind("feedback".to_owned())];
        let rows = store.trace_metrics(&Scope::All, numbers).await.unwrap();
        assert_eq!((rows.len(), rows[0].sum, rows[0].dimensions[0].as_str()), (1, 3.0, "quality"));
    }
}
