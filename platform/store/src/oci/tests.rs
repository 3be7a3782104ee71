use std::collections::BTreeSet;

use super::*;
use crate::testing::store_tests;

fn repository() -> Repository {
    Repository { project: "flights".parse().unwrap(), plugin: "one-hot".parse().unwrap() }
}

fn manifest(name: &str, subject: Option<Digest>) -> ManifestRow {
    ManifestRow {
        digest: Digest::of(name.as_bytes()),
        bytes: 7,
        component: subject.is_none().then(|| Digest::of(b"component")),
        subject,
        signer: subject.map(|_| "key".to_owned()),
        names: vec![Digest::of(format!("config of {name}").as_bytes())],
        annotations: [("key".to_owned(), "value".to_owned())].into(),
        created_ms: 3,
    }
}

store_tests! {
    async fn a_manifest_is_found_by_digest_and_by_a_tag_that_moves(store) {
        let (repository, tag) = (repository(), Some("1.0.0".to_owned()));
        for name in ["a", "b"] {
            let new = NewManifest { manifest: manifest(name, None), tag: tag.clone() };
            store.put_manifest(&repository, new.clone()).await.unwrap();
            store.put_manifest(&repository, new).await.unwrap();
        }
        let by_tag = store.manifest(&repository, &Reference::Tag("1.0.0".to_owned())).await.unwrap();
        assert_eq!(by_tag, Some(manifest("b", None)));
        let by_digest = store.manifest(&repository, &Reference::Digest(Digest::of(b"a"))).await.unwrap();
        assert_eq!(by_digest, Some(manifest("a", None)));
        assert_eq!(store.tags(&repository).await.unwrap(), ["1.0.0"]);
        assert_eq!(store.component_manifests(&repository).await.unwrap().len(), 2);
        let tagged = store.delete_manifest(&repository, &Digest::of(b"b")).await.unwrap_err();
        assert!(matches!(&tagged, StoreError::Conflict(why) if why.contains("has a tag")), "{tagged}");
        assert!(store.delete_manifest(&repository, &Digest::of(b"a")).await.unwrap());
        assert!(!store.delete_manifest(&repository, &Digest::of(b"a")).await.unwrap());
    }

    async fn what_is_said_of_a_manifest_is_found_by_its_subject(store) {
        let (repository, subject) = (repository(), Digest::of(b"a"));
        let new = NewManifest { manifest: manifest("signature", Some(subject)), tag: None };
        store.put_manifest(&repository, new).await.unwrap();
        assert_eq!(store.manifests_about(&repository, &subject).await.unwrap(), [manifest("signature", Some(subject))]);
        assert_eq!(store.manifests_about(&repository, &Digest::of(b"b")).await.unwrap(), []);
    }

    async fn a_repository_has_the_blobs_that_it_was_sent_or_that_it_names_and_no_other(store) {
        let repository = repository();
        let sent = Digest::of(b"sent");
        store.add_blob(&repository, &sent, (1, 10)).await.unwrap();
        assert!(store.has_blob(&repository, &sent, 9).await.unwrap());
        assert!(!store.has_blob(&repository, &sent, 10).await.unwrap());
        let other = Repository { plugin: "other".parse().unwrap(), ..repository.clone() };
        assert!(!store.has_blob(&other, &sent, 9).await.unwrap());
        let named = manifest("a", None).names[0];
        assert!(!store.has_blob(&repository, &named, 9).await.unwrap());
        store.put_manifest(&repository, NewManifest { manifest: manifest("a", None), tag: None }).await.unwrap();
        assert!(store.has_blob(&repository, &named, 9).await.unwrap());
        let asked = BTreeSet::from([named, Digest::of(b"a"), sent]);
        assert_eq!(store.referrers(asked, true).await.unwrap().unnamed, BTreeSet::from([sent]));
    }

    async fn a_component_has_one_signature_of_each_key(store) {
        let digest = Digest::of(b"component");
        let by = |signer: &str, signature: &str| {
            vec![StoredSignature { signer: signer.to_owned(), signature: signature.to_owned() }]
        };
        for signatures in [by("b", "1"), by("a", "2"), by("b", "3"), vec![]] {
            store.add_signatures(&digest, signatures, 1).await.unwrap();
        }
        let expected = [by("a", "2"), by("b", "3")].concat();
        assert_eq!(store.signatures(&[digest]).await.unwrap()[&digest], expected);
        store.delete_signature(&digest, "a").await.unwrap();
        assert_eq!(store.signatures(&[digest]).await.unwrap()[&digest], by("b", "3"));
    }
}
