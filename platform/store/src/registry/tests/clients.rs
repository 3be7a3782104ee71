use super::*;
use crate::testing::store_tests;
use crate::{PROMPT_TAG, Stage};

fn stages(row: &ModelRow) -> Vec<(Stage, u32)> {
    row.latest.iter().map(|version| (version.stage, version.version)).collect()
}

async fn versions(store: &Store, model: &str, count: u32) {
    for _ in 0..count {
        store.create_version(version(model, &[]), by("ana", 2)).await.unwrap();
    }
}

store_tests! {
    async fn a_taken_name_says_whether_a_prompt_has_it(store) {
        let made = model(&store, "Größe & co.", &[("a", "1"), ("a", "2"), ("b", "")]).await;
        assert_eq!(made.tags, tags(&[("a", "2"), ("b", "")]));
        model(&store, "greeting", &[(PROMPT_TAG, "True")]).await;
        for (taken, by_prompt) in [("Größe & co.", false), ("greeting", true)] {
            let new = NewModel {
                project: name("default"),
                name: taken.to_owned(),
                description: String::new(),
                tags: vec![],
            };
            assert_eq!(store.create_model(new, by("ana", 2)).await.unwrap(), Made::Taken { by_prompt });
        }
        assert_eq!(store.models(&name("default")).await.unwrap().len(), 2);
    }

    async fn the_number_of_a_deleted_version_is_not_given_again(store) {
        model(&store, "m", &[]).await;
        versions(&store, "m", 3).await;
        store.set_alias("m", "best", 3, by("ana", 3)).await.unwrap();
        store.delete_version("m", 3, by("ana", 4)).await.unwrap();
        assert_eq!(store.model_version(&name("default"), "m", 3).await.unwrap(), None);
        assert_eq!(store.alias(&name("default"), "m", "best").await.unwrap(), None);
        let next = store.create_version(version("m", &[]), by("ana", 5)).await.unwrap();
        assert_eq!(next.version, 4);
        let row = store.model(&name("default"), "m").await.unwrap().unwrap();
        assert_eq!((row.updated_ms, stages(&row)), (5, vec![(Stage::None, 4)]));
        let missing = store.delete_version("m", 3, by("ana", 6)).await.unwrap_err();
        assert_eq!(missing.to_string(), "version 3 of model 'm' does not exist");
        let audit = moves(&store).await;
        assert!(audit.last().unwrap().ends_with(r#"{"version":3,"bundle":null,"aliases":["best"]}"#), "{audit:?}");
    }

    async fn a_renamed_model_keeps_what_it_has(store) {
        model(&store, "old", &[("a", "1")]).await;
        model(&store, "other", &[]).await;
        versions(&store, "old", 2).await;
        store.set_alias("old", "best", 2, by("ana", 3)).await.unwrap();
        let taken = store.rename_model("old", "other".to_owned(), by("ana", 4)).await.unwrap();
        assert_eq!(taken, Made::Taken { by_prompt: false });
        let Made::Made(row) = store.rename_model("old", "new".to_owned(), by("ana", 5)).await.unwrap() else { panic!() };
        assert_eq!((row.name.as_str(), row.tags, row.aliases[0].version), ("new", tags(&[("a", "1")]), 2));
        assert_eq!((row.latest[0].model.as_str(), row.latest[0].updated_ms), ("new", 5));
        assert_eq!(store.model(&name("default"), "old").await.unwrap(), None);
        assert_eq!(store.model_versions(&name("default"), "new").await.unwrap().len(), 2);
        let same = store.rename_model("new", "new".to_owned(), by("ana", 6)).await.unwrap();
        assert!(matches!(same, Made::Made(_)));
        let missing = store.rename_model("old", "x".to_owned(), by("ana", 7)).await.unwrap_err();
        assert_eq!(missing.to_string(), "model 'old' does not exist");
    }

    async fn a_deleted_model_takes_all_with_it_and_its_name_is_free(store) {
        model(&store, "m", &[("a", "1")]).await;
        store.create_version(version("m", &[("t", "1")]), by("ana", 2)).await.unwrap();
        store.set_alias("m", "best", 1, by("ana", 3)).await.unwrap();
        store.delete_model("m", by("ana", 4)).await.unwrap();
        assert_eq!(store.model(&name("default"), "m").await.unwrap(), None);
        assert_eq!(store.model_versions(&name("default"), "m").await.unwrap(), []);
        let again = model(&store, "m", &[]).await;
        assert_eq!((again.tags, again.aliases, again.latest), (vec![], vec![], vec![]));
        versions(&store, "m", 1).await;
        assert_eq!(store.model_versions(&name("default"), "m").await.unwrap()[0].version, 1);
    }

    async fn a_version_takes_the_place_of_those_in_its_stage(store) {
        model(&store, "m", &[]).await;
        versions(&store, "m", 4).await;
        for (number, stage) in [(1, Stage::Production), (2, Stage::Production), (3, Stage::Staging)] {
            store.transition_version(("m", number), stage, false, by("ana", 3)).await.unwrap();
        }
        let row = store.model(&name("default"), "m").await.unwrap().unwrap();
        assert_eq!(stages(&row), [(Stage::Production, 2), (Stage::Staging, 3), (Stage::None, 4)]);
        let moved = store.transition_version(("m", 4), Stage::Production, true, by("ana", 9)).await.unwrap();
        assert_eq!((moved.stage, moved.updated_ms), (Stage::Production, 9));
        let all: Vec<_> = store.model_versions(&name("default"), "m").await.unwrap().iter().rev().map(|row| row.stage).collect();
        assert_eq!(all, [Stage::Archived, Stage::Archived, Stage::Staging, Stage::Production]);
    }

    async fn tags_are_set_again_and_deleted_and_keep_their_owner(store) {
        model(&store, "m", &[]).await;
        versions(&store, "m", 2).await;
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        store.set_model_tag("m", pair("a", "1"), by("ana", 3)).await.unwrap();
        store.set_model_tag("m", pair("a", "2"), by("ana", 3)).await.unwrap();
        store.set_version_tag(("m", 2), pair("b", "3"), by("ana", 3)).await.unwrap();
        store.delete_model_tag("m", "zzz".to_owned(), by("ana", 3)).await.unwrap();
        store.delete_version_tag(("m", 1), "b".to_owned(), by("ana", 3)).await.unwrap();
        let row = store.model(&name("default"), "m").await.unwrap().unwrap();
        assert_eq!((row.tags, &row.latest[0].tags), (tags(&[("a", "2")]), &tags(&[("b", "3")])));
        store.delete_model_tag("m", "a".to_owned(), by("ana", 3)).await.unwrap();
        store.delete_version_tag(("m", 2), "b".to_owned(), by("ana", 3)).await.unwrap();
        assert_eq!(store.model(&name("default"), "m").await.unwrap().unwrap().tags, []);
        assert_eq!(store.model_version(&name("default"), "m", 2).await.unwrap().unwrap().tags, []);
        let missing = store.set_version_tag(("m", 9), pair("b", "3"), by("ana", 3)).await.unwrap_err();
        assert_eq!(missing.to_string(), "version 9 of model 'm' does not exist");
        let missing = store.set_model_tag("x", pair("b", "3"), by("ana", 3)).await.unwrap_err();
        assert_eq!(missing.to_string(), "model 'x' does not exist");
    }

    async fn an_alias_is_found_moved_and_deleted(store) {
        model(&store, "m", &[]).await;
        versions(&store, "m", 2).await;
        store.set_alias("m", "0best", 1, by("ana", 3)).await.unwrap();
        store.set_alias("m", "0best", 2, by("ana", 4)).await.unwrap();
        let found = store.version_by_alias(&name("default"), "m", "0best").await.unwrap().unwrap();
        assert_eq!((found.version, found.aliases), (2, vec!["0best".to_owned()]));
        assert_eq!(store.version_by_alias(&name("default"), "m", "none").await.unwrap(), None);
        let missing = store.version_by_alias(&name("default"), "x", "none").await.unwrap_err();
        assert_eq!(missing.to_string(), "model 'x' does not exist");
        assert!(store.delete_alias("m", "0best", by("ana", 5)).await.unwrap());
        assert!(!store.delete_alias("m", "0best", by("ana", 5)).await.unwrap());
        assert_eq!(moves(&store).await.last().unwrap(), r#"alias.delete model/m@0best {"from":2}"#);
    }

    async fn descriptions_change_the_time_of_what_they_describe(store) {
        model(&store, "m", &[]).await;
        versions(&store, "m", 1).await;
        let row = store.describe_model("m", "what it is".to_owned(), by("ana", 7)).await.unwrap();
        assert_eq!((row.description.as_str(), row.created_ms, row.updated_ms), ("what it is", 1, 7));
        let row = store.describe_version("m", 1, Some("first".to_owned()), by("ana", 8)).await.unwrap();
        assert_eq!((row.description.as_deref(), row.created_ms, row.updated_ms), (Some("first"), 2, 8));
        assert_eq!(store.describe_version("m", 1, None, by("ana", 9)).await.unwrap().description, None);
        assert_eq!(store.model(&name("default"), "m").await.unwrap().unwrap().updated_ms, 7);
        assert!(store.describe_model("x", String::new(), by("ana", 7)).await.is_err());
    }
}
