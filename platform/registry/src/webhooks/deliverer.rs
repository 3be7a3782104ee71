use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream;
use serde_json::Value;
use tiegel_context::{Ctx, OpResult};
use tiegel_jobs::{ReconcileError, Reconciler};
use tiegel_store::{Attempt, Delivery, Outcome};

use super::request::{body_of, id_of};
use super::secret::WebhookSecret;
use super::sender::{Message, SendError, Sent, WebhookSender};

/// Requests under way at once.
const CONCURRENCY_MAX: usize = 8;
/// Deliveries claimed at once.
const CLAIM_LEN_MAX: u32 = 32;
/// How long a claim lasts: longer than all requests of one, with all their time-outs, take.
const CLAIM_MS: i64 = 5 * 60_000;
/// With the waits between them, about an hour.
const ATTEMPTS_MAX: u32 = 12;
/// After the first attempt; it doubles with each.
const WAIT_MS_MIN: i64 = 1_000;
const WAIT_MS_MAX: i64 = 60 * 60_000;
/// How long the log of a settled delivery is kept.
const LOG_MS_MAX: i64 = 30 * 24 * 60 * 60_000;
const PRUNE_EVERY_MS: i64 = 60 * 60_000;

/// Sends what is due. A pass goes on until nothing is.
pub struct WebhookDeliverer {
    ctx: Ctx,
    sender: WebhookSender,
    pruned_ms: AtomicI64,
}

impl WebhookDeliverer {
    pub fn new(ctx: Ctx, sender: WebhookSender) -> Self {
        Self { ctx, sender, pruned_ms: AtomicI64::new(0) }
    }

    /// Seals the secrets that an older server stored as they are.
    pub async fn seal_secrets(&self) -> OpResult<()> {
        for (webhook_id, secret) in self.ctx.store.plain_secrets().await? {
            let sealed = self.sender.key().seal(&WebhookSecret::new(secret), &webhook_id, self.ctx.new_uuid());
            self.ctx.store.seal_secret(&webhook_id, sealed).await?;
        }
        Ok(())
    }

    async fn deliver(&self, delivery: Delivery) -> OpResult<()> {
        let now_ms = self.ctx.now_ms();
        let data: Value = serde_json::from_str(&delivery.payload).unwrap_or_default();
        let message = Message {
            id: id_of(&delivery.webhook_id, delivery.id, delivery.created_ms),
            webhook_id: &delivery.webhook_id,
            url: &delivery.url,
            secret: delivery.secret.as_ref(),
            body: body_of(&delivery.event, delivery.created_ms, &data),
            now_ms,
        };
        let attempt = judged(self.sender.send(message).await, delivery.attempt, self.ctx.now_ms());
        if attempt.outcome == Outcome::Failed {
            tracing::warn!(
                webhook = %delivery.webhook_id,
                event = %delivery.event,
                attempts = delivery.attempt,
                status = attempt.http_status,
                error = attempt.error.as_deref().unwrap_or_default(),
                "a webhook could not be told"
            );
        }
        Ok(self.ctx.store.settle_delivery(&delivery, attempt, self.ctx.now_ms()).await?)
    }

    async fn prune(&self, now_ms: i64) -> OpResult<()> {
        if now_ms - self.pruned_ms.load(Ordering::Relaxed) < PRUNE_EVERY_MS {
            return Ok(());
        }
        self.pruned_ms.store(now_ms, Ordering::Relaxed);
        self.ctx.store.prune_deliveries(now_ms - LOG_MS_MAX).await?;
        Ok(())
    }
}

#[async_trait]
impl Reconciler for WebhookDeliverer {
    fn name(&self) -> &'static str {
        "webhooks"
    }

    async fn reconcile(&self) -> Result<(), ReconcileError> {
        loop {
            let now_ms = self.ctx.now_ms();
            let due = self.ctx.store.claim_deliveries(now_ms, now_ms + CLAIM_MS, CLAIM_LEN_MAX).await?;
            if due.is_empty() {
                return Ok(self.prune(now_ms).await?);
            }
            let sending = stream::iter(due).map(|delivery| self.deliver(delivery)).buffer_unordered(CONCURRENCY_MAX);
            for result in sending.collect::<Vec<_>>().await {
                result?;
            }
        }
    }
}

fn judged(answer: Result<Sent, SendError>, attempt: u32, now_ms: i64) -> Attempt {
    let (http_status, error, retry) = match answer {
        Ok(sent) if sent.status < 300 => {
            return Attempt { outcome: Outcome::Delivered, http_status: Some(sent.status), error: None };
        }
        Ok(sent) => {
            let retry = (matches!(sent.status, 408 | 425 | 429) || sent.status >= 500)
                .then(|| sent.retry_after_seconds.unwrap_or(0));
            (Some(sent.status), format!("it answered {}: {}", sent.status, sent.body), retry)
        }
        Err(error) => (None, error.message, error.is_transient.then_some(0)),
    };
    let outcome = match retry {
        Some(seconds) if attempt < ATTEMPTS_MAX => {
            let asked = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000);
            Outcome::Again { due_ms: now_ms + asked.max(wait_ms(attempt)).min(WAIT_MS_MAX) }
        }
        _ => Outcome::Failed,
    };
    Attempt { outcome, http_status, error: Some(error) }
}

fn wait_ms(attempt: u32) -> i64 {
    (WAIT_MS_MIN << attempt.saturating_sub(1).min(32)).min(WAIT_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after_seconds: Option<u64>) -> Result<Sent, SendError> {
        Ok(Sent { status, body: String::new(), retry_after_seconds })
    }

    fn outcome(answer: Result<Sent, SendError>, attempt: u32) -> Outcome {
        judged(answer, attempt, 0).outcome
    }

    #[test]
    fn what_may_get_better_is_tried_again_ever_more_rarely() {
        assert_eq!(outcome(answer(204, None), 1), Outcome::Delivered);
        for status in [500, 503, 429, 408] {
            assert_eq!(outcome(answer(status, None), 1), Outcome::Again { due_ms: 1_000 });
        }
        assert_eq!(outcome(answer(503, None), 4), Outcome::Again { due_ms: 8_000 });
        assert_eq!(outcome(answer(503, Some(90)), 1), Outcome::Again { due_ms: 90_000 });
        assert_eq!(outcome(answer(503, Some(u64::MAX)), 1), Outcome::Again { due_ms: WAIT_MS_MAX });
        assert_eq!(outcome(answer(503, None), ATTEMPTS_MAX), Outcome::Failed);
        for status in [302, 400, 404, 410] {
            assert_eq!(outcome(answer(status, None), 1), Outcome::Failed);
        }
        let lost = |is_transient| Err(SendError { message: "cannot connect".to_owned(), is_transient });
        assert_eq!(outcome(lost(true), 2), Outcome::Again { due_ms: 2_000 });
        assert_eq!(outcome(lost(false), 2), Outcome::Failed);
    }
}
