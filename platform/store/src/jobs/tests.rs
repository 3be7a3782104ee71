use std::collections::BTreeSet;

use tiegel_types::{JobId, JobState, StepState};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::testing::{databases, store_tests};
use crate::{JobRow, NewJob, NewStep, Store, StoreError};

const LEASE_MS: i64 = 1_000;

async fn queue(store: &Store, n: u128, priority: i64) -> JobId {
    let project = "flights".parse().unwrap();
    store.ensure_project(&project, 1).await.unwrap();
    let new = NewJob {
        id: JobId::from_uuid(Uuid::from_u128(n)),
        project,
        target: "training/delay".to_owned(),
        payload: serde_json::json!({ "n": n as u64 }),
        priority,
        trace_parent: Some("00-1-2-01".to_owned()),
        created_ms: 10 + n as i64,
    };
    store.enqueue(new).await.unwrap().id
}

async fn claim(store: &Store, owner: &str, now_ms: i64) -> Option<JobRow> {
    store.claim(owner, now_ms, LEASE_MS).await.unwrap()
}

async fn claim_all(store: Store, worker: u32) -> Vec<JobId> {
    let mut claimed = Vec::new();
    while let Some(job) = claim(&store, &format!("worker-{worker}"), 100).await {
        claimed.push(job.id);
    }
    claimed
}

async fn state(store: &Store, id: JobId) -> JobState {
    store.job(id).await.unwrap().unwrap().state
}

store_tests! {
    async fn jobs_are_claimed_by_priority_then_age(store) {
        let (old, new, urgent) = (queue(&store, 1, 0).await, queue(&store, 2, 0).await, queue(&store, 3, 5).await);
        let mut order = Vec::new();
        while let Some(job) = claim(&store, "a", 100).await {
            assert_eq!((job.state, job.attempt, job.started_ms), (JobState::Running, 1, Some(100)));
            assert_eq!(job.lease_until_ms, Some(100 + LEASE_MS));
            order.push(job.id);
        }
        assert_eq!(order, [urgent, old, new]);
        assert_eq!(store.open_jobs().await.unwrap(), 3);
        let listed: Vec<_> = store.jobs(None, 2).await.unwrap().into_iter().map(|job| job.id).collect();
        assert_eq!(listed, [urgent, new]);
        let other = "other".parse().unwrap();
        assert_eq!(store.jobs(Some(&other), 9).await.unwrap(), []);
    }

    async fn workers_that_claim_at_once_never_get_the_same_job(store) {
        for n in 0..40 {
            queue(&store, n, 0).await;
        }
        let workers: JoinSet<_> = (0..8).map(|worker| claim_all(store.clone(), worker)).collect();
        let claimed = workers.join_all().await.concat();
        assert_eq!(claimed.len(), 40);
        assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>().len(), 40);
    }

    async fn a_job_whose_lease_ran_out_is_taken_over(store) {
        let id = queue(&store, 1, 0).await;
        claim(&store, "a", 100).await.unwrap();
        assert_eq!(claim(&store, "b", 100 + LEASE_MS).await, None);
        assert!(store.heartbeat(id, "a", 600, LEASE_MS).await.unwrap().held);
        assert_eq!(claim(&store, "b", 101 + LEASE_MS).await, None);
        let job = claim(&store, "b", 601 + LEASE_MS).await.unwrap();
        assert_eq!((job.attempt, job.started_ms), (2, Some(100)));
        assert!(!store.heartbeat(id, "a", 700 + LEASE_MS, LEASE_MS).await.unwrap().held);
        assert!(!store.finish(id, "a", JobState::Succeeded, None, 1_800).await.unwrap());
        assert_eq!(state(&store, id).await, JobState::Running);
        assert!(store.finish(id, "b", JobState::Succeeded, None, 1_900).await.unwrap());
        assert_eq!(state(&store, id).await, JobState::Succeeded);
        assert_eq!(claim(&store, "c", 99_999).await, None);
    }

    async fn a_restarted_node_gets_its_own_jobs_back_at_once(store) {
        let (mine, theirs) = (queue(&store, 1, 1).await, queue(&store, 2, 0).await);
        claim(&store, "a", 100).await.unwrap();
        claim(&store, "b", 100).await.unwrap();
        assert_eq!(store.release_owned("a", 101).await.unwrap(), 1);
        assert_eq!(claim(&store, "a", 101).await.unwrap().id, mine);
        assert_eq!(claim(&store, "a", 101).await, None);
        assert_eq!(state(&store, theirs).await, JobState::Running);
    }

    async fn a_queued_job_is_cancelled_at_once_and_a_running_one_is_told(store) {
        let (running, queued) = (queue(&store, 1, 1).await, queue(&store, 2, 0).await);
        claim(&store, "a", 100).await.unwrap();
        let cancelled = store.request_cancel(queued, 110).await.unwrap();
        assert_eq!((cancelled.state, cancelled.finished_ms), (JobState::Cancelled, Some(110)));
        let told = store.request_cancel(running, 110).await.unwrap();
        assert_eq!((told.state, told.cancel_requested), (JobState::Running, true));
        assert!(store.heartbeat(running, "a", 120, LEASE_MS).await.unwrap().cancel_requested);
        store.finish(running, "a", JobState::Cancelled, None, 130).await.unwrap();
        assert_eq!(store.request_cancel(running, 140).await.unwrap().finished_ms, Some(130));
        let missing = store.request_cancel(JobId::from_uuid(Uuid::from_u128(9)), 1).await.unwrap_err();
        assert!(matches!(missing, StoreError::NotFound(_)), "{missing}");
    }

    async fn an_interrupted_job_goes_back_to_the_queue(store) {
        let id = queue(&store, 1, 0).await;
        claim(&store, "a", 100).await.unwrap();
        assert!(!store.requeue(id, "b").await.unwrap());
        assert!(store.requeue(id, "a").await.unwrap());
        let job = claim(&store, "b", 101).await.unwrap();
        assert_eq!((job.attempt, job.lease_owner.as_deref()), (2, Some("b")));
    }

    async fn the_end_of_a_job_closes_its_open_steps(store) {
        let id = queue(&store, 1, 0).await;
        claim(&store, "a", 100).await.unwrap();
        let steps = ["done", "running", "waiting"].map(|name| NewStep { name: name.to_owned(), kind: "sql".to_owned() });
        store.put_steps(id, &steps).await.unwrap();
        store.update_step(id, "done", crate::StepUpdate::new(StepState::Succeeded)).await.unwrap();
        store.update_step(id, "running", crate::StepUpdate::new(StepState::Running)).await.unwrap();
        store.finish(id, "a", JobState::Failed, Some("nul \0 inside"), 110).await.unwrap();
        let states: Vec<_> = store.steps(id).await.unwrap().into_iter().map(|step| step.state).collect();
        assert_eq!(states, [StepState::Succeeded, StepState::Failed, StepState::Cancelled]);
        assert_eq!(store.job(id).await.unwrap().unwrap().error.as_deref(), Some("nul \u{fffd} inside"));
    }

    async fn a_job_ends_in_a_final_state_only(store) {
        let id = queue(&store, 1, 0).await;
        claim(&store, "a", 100).await.unwrap();
        let refused = store.finish(id, "a", JobState::Queued, None, 110).await.unwrap_err();
        assert_eq!(refused.to_string(), "a job does not end as 'queued'");
    }

    async fn a_job_of_no_project_is_refused(store) {
        let new = NewJob {
            id: JobId::from_uuid(Uuid::from_u128(1)),
            project: "nope".parse().unwrap(),
            target: "training/delay".to_owned(),
            payload: serde_json::Value::Null,
            priority: 0,
            trace_parent: None,
            created_ms: 1,
        };
        assert_eq!(store.enqueue(new).await.unwrap_err().to_string(), "project 'nope' does not exist");
    }
}

/// As two server processes do: each opens the database for itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_opened_twice_never_hand_out_the_same_job() {
    for database in databases().await {
        for n in 0..40 {
            queue(&database.store, n, 0).await;
        }
        let other = Store::open(&database.url).await.unwrap();
        let workers: JoinSet<_> = [database.store.clone(), other.clone(), database.store.clone(), other]
            .into_iter()
            .zip(0..)
            .map(|(store, worker)| claim_all(store, worker))
            .collect();
        let claimed = workers.join_all().await.concat();
        assert_eq!(claimed.len(), 40);
        assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>().len(), 40);
    }
}
