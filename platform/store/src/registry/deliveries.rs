//! What webhooks are to be told, and what became of it.

use tiegel_types::Name;

use super::SealedSecret;
use super::loading::{in_first, list};
use crate::columns::message;
use crate::db::{Row, Tx, Value};
use crate::{Result, Store};

/// Something to tell, claimed by one worker for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    pub id: i64,
    /// From 1.
    pub attempt: u32,
    pub webhook_id: String,
    pub project: Name,
    pub url: String,
    pub secret: Option<SealedSecret>,
    /// Such as `model_version.created`.
    pub event: String,
    /// JSON.
    pub payload: String,
    pub created_ms: i64,
}

/// What one attempt came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    pub outcome: Outcome,
    pub http_status: Option<u16>,
    /// Why it did not succeed.
    pub error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    /// Not yet; again at this time.
    Again {
        due_ms: i64,
    },
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    Queued,
    Delivered,
    Failed,
}

impl DeliveryState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// A line of a webhook's log.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryRow {
    pub id: i64,
    pub event: String,
    /// JSON.
    pub payload: String,
    pub state: DeliveryState,
    pub attempts: u32,
    pub http_status: Option<u16>,
    pub error: Option<String>,
    pub created_ms: i64,
    pub finished_ms: Option<i64>,
}

impl Store {
    /// Takes what is due, at most `limit`, oldest first. Nobody else gets it before `until_ms`.
    #[tracing::instrument(name = "db.webhooks.claim", skip_all)]
    pub async fn claim_deliveries(&self, now_ms: i64, until_ms: i64, limit: u32) -> Result<Vec<Delivery>> {
        // Most of the time there is nothing, and reading is cheaper than waiting for a turn to write.
        if !self.query(move |tx| is_due(tx, now_ms)).await? {
            return Ok(vec![]);
        }
        self.transact(move |tx| claim(tx, (now_ms, until_ms), limit)).await
    }

    /// Writes down what came of an attempt, unless its claim ran out and somebody else made another.
    #[tracing::instrument(name = "db.webhooks.settle", skip_all)]
    pub async fn settle_delivery(&self, delivery: &Delivery, attempt: Attempt, now_ms: i64) -> Result<()> {
        let (id, number) = (delivery.id, i64::from(delivery.attempt));
        self.transact(move |tx| {
            let (state, due_ms, finished_ms) = match attempt.outcome {
                Outcome::Delivered => (DeliveryState::Delivered, None, Some(now_ms)),
                Outcome::Failed => (DeliveryState::Failed, None, Some(now_ms)),
                Outcome::Again { due_ms } => (DeliveryState::Queued, Some(due_ms), None),
            };
            let error = attempt.error.as_deref().map(message);
            tx.execute(
                "UPDATE webhook_deliveries SET state = $3, due_ms = COALESCE($4, due_ms), http_status = $5, error = $6, \
                 finished_ms = $7 WHERE id = $1 AND attempts = $2 AND state = 'queued'",
                &[
                    id.into(),
                    number.into(),
                    state.as_str().into(),
                    due_ms.into(),
                    attempt.http_status.map(i64::from).into(),
                    (&error).into(),
                    finished_ms.into(),
                ],
            )?;
            Ok(())
        })
        .await
    }

    /// A webhook's log, newest first; the next page is asked for with the last id of this one.
    #[tracing::instrument(name = "db.webhooks.log", skip_all)]
    pub async fn deliveries(&self, webhook_id: &str, limit: u32, before_id: Option<i64>) -> Result<Vec<DeliveryRow>> {
        let webhook_id = webhook_id.to_owned();
        self.query(move |tx| {
            let sql = "SELECT d.id, d.event, d.payload, d.state, d.attempts, d.http_status, d.error, d.created_ms, \
                       d.finished_ms FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook \
                       WHERE w.webhook_id = $1 AND d.id < $2 ORDER BY d.id DESC LIMIT $3";
            let before = before_id.unwrap_or(i64::MAX);
            tx.rows(sql, &[(&webhook_id).into(), before.into(), i64::from(limit).into()], row_of)
        })
        .await
    }

    /// Forgets what was settled before. Answers how many lines of the logs went.
    #[tracing::instrument(name = "db.webhooks.prune", skip_all)]
    pub async fn prune_deliveries(&self, before_ms: i64) -> Result<u64> {
        self.transact(move |tx| {
            tx.execute("DELETE FROM webhook_deliveries WHERE finished_ms < $1", &[before_ms.into()])
        })
        .await
    }
}

fn is_due(tx: &mut Tx<'_>, now_ms: i64) -> Result<bool> {
    let sql = "SELECT id FROM webhook_deliveries WHERE state = 'queued' AND due_ms <= $1 LIMIT 1";
    Ok(tx.row(sql, &[now_ms.into()], |_| Ok(()))?.is_some())
}

fn claim(tx: &mut Tx<'_>, (now_ms, until_ms): (i64, i64), limit: u32) -> Result<Vec<Delivery>> {
    // The condition is said twice: on Postgres a row that another worker took meanwhile is looked at again.
    let sql = "UPDATE webhook_deliveries SET attempts = attempts + 1, due_ms = $2 WHERE id IN \
               (SELECT id FROM webhook_deliveries WHERE state = 'queued' AND due_ms <= $1 ORDER BY due_ms, id LIMIT $3) \
               AND state = 'queued' AND due_ms <= $1 RETURNING id";
    let values: [Value<'_>; 3] = [now_ms.into(), until_ms.into(), i64::from(limit).into()];
    let ids = list(tx.rows(sql, &values, |row| row.int(0))?);
    let sql = format!(
        "SELECT d.id, d.attempts, w.webhook_id, w.project, w.url, w.sealed_secret, d.event, d.payload, d.created_ms \
         FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook WHERE d.id {} ORDER BY d.id",
        in_first(tx)
    );
    tx.rows(&sql, &[(&ids).into()], delivery_of)
}

fn delivery_of(row: Row<'_>) -> Result<Delivery> {
    Ok(Delivery {
        id: row.int(0)?,
        attempt: row.count(1)?,
        webhook_id: row.text(2)?,
        project: row.parsed(3)?,
        url: row.text(4)?,
        secret: row.text_opt(5)?.map(SealedSecret::new),
        event: row.text(6)?,
        payload: row.text(7)?,
        created_ms: row.int(8)?,
    })
}

fn row_of(row: Row<'_>) -> Result<DeliveryRow> {
    let state = match row.str(3)? {
        "delivered" => DeliveryState::Delivered,
        "failed" => DeliveryState::Failed,
        _ => DeliveryState::Queued,
    };
    Ok(DeliveryRow {
        id: row.int(0)?,
        event: row.text(1)?,
        payload: row.text(2)?,
        state,
        attempts: row.count(4)?,
        http_status: row.count_opt(5)?,
        error: row.text_opt(6)?,
        created_ms: row.int(7)?,
        finished_ms: row.int_opt(8)?,
    })
}
