use super::*;

store_tests! {
    async fn an_assessment_that_is_overridden_is_valid_again_when_the_other_goes(store) {
        let exp = experiment(&store, "e").await;
        store.start_trace(&Scope::All, trace("tr-1", exp, 1)).await.unwrap();
        store.create_assessment(&Scope::All, assessment("a-1", "tr-1", "1")).await.unwrap();
        let over = AssessmentRow { overrides: Some("a-1".to_owned()), ..assessment("a-2", "tr-1", "2") };
        store.create_assessment(&Scope::All, over.clone()).await.unwrap();
        let read = async |trace: &str, id: &str| store.assessment(&Scope::All, &ids(trace, id)).await;
        assert!(!read("tr-1", "a-1").await.unwrap().is_valid);
        assert_eq!(read("tr-1", "a-2").await.unwrap(), over);
        for _ in 0..2 {
            store.delete_assessment(&Scope::All, &ids("tr-1", "a-2")).await.unwrap();
        }
        assert!(read("tr-1", "a-1").await.unwrap().is_valid);
        let nothing = AssessmentRow { overrides: Some("a-9".to_owned()), ..assessment("a-3", "tr-1", "2") };
        let refused = store.create_assessment(&Scope::All, nothing).await.unwrap_err();
        assert_eq!(refused.to_string(), "Assessment with ID 'a-9' not found for trace 'tr-1'");
        let elsewhere = read("tr-9", "a-1").await.unwrap_err();
        assert_eq!(elsewhere.to_string(), "Trace with request_id 'tr-9' not found");
    }

    async fn a_change_of_an_assessment_may_be_refused(store) {
        let exp = experiment(&store, "e").await;
        store.start_trace(&Scope::All, trace("tr-1", exp, 1)).await.unwrap();
        store.create_assessment(&Scope::All, assessment("a-1", "tr-1", "1")).await.unwrap();
        let change = async |change: AssessmentChange| store.change_assessment(&Scope::All, &ids("tr-1", "a-1"), change).await;
        let changed = change(Box::new(|row| {
            row.value = "5".to_owned();
            Ok(())
        })).await.unwrap();
        assert_eq!(changed.value, "5");
        let refused = change(Box::new(|row| {
            row.value = "6".to_owned();
            Err(StoreError::Invalid("no".to_owned()))
        })).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
        assert_eq!(store.assessment(&Scope::All, &ids("tr-1", "a-1")).await.unwrap(), changed);
    }
}
