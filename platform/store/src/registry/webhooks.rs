use std::collections::HashMap;
use std::fmt;

use tiegel_types::Name;

use super::loading::{in_first, list};
use crate::db::{Column, Insert, Row, Tx, Value};
use crate::{Result, Store, StoreError};

/// The key that signs a webhook's requests, encrypted. It prints as `***` and is in no row that is listed.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret(String);

impl SealedSecret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// For whoever can open it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct WebhookRow {
    pub(crate) id: i64,
    pub webhook_id: String,
    pub project: Name,
    pub name: String,
    pub description: String,
    pub url: String,
    /// What it is called for, such as `model_version.created`; sorted.
    pub events: Vec<String>,
    pub active: bool,
    pub created_ms: i64,
    pub updated_ms: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NewWebhook {
    pub webhook_id: String,
    /// Made where it is missing.
    pub project: Name,
    pub name: String,
    pub description: String,
    pub url: String,
    pub events: Vec<String>,
    pub secret: Option<SealedSecret>,
    pub active: bool,
}

/// What is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WebhookChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub url: Option<String>,
    pub events: Option<Vec<String>>,
    /// An empty one takes the secret away.
    pub secret: Option<SealedSecret>,
    pub active: Option<bool>,
}

/// The newest webhooks first.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookPage {
    pub webhooks: Vec<WebhookRow>,
    /// Where the next page begins, if there is one.
    pub next: Option<(i64, i64)>,
}

const WEBHOOK: &str = "SELECT id, webhook_id, project, name, description, url, status, created_ms, updated_ms \
                       FROM webhooks ";

impl Store {
    #[tracing::instrument(name = "db.webhooks.create", skip_all)]
    pub async fn create_webhook(&self, new: NewWebhook, now_ms: i64) -> Result<WebhookRow> {
        self.transact(move |tx| {
            let sql = "INSERT INTO projects (name, serial, created_ms) VALUES ($1, 0, $2) ON CONFLICT (name) DO NOTHING";
            tx.execute(sql, &[new.project.as_str().into(), now_ms.into()])?;
            let id = tx.row(
                "INSERT INTO webhooks (webhook_id, project, name, description, url, status, sealed_secret, created_ms, updated_ms) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) RETURNING id",
                &[
                    (&new.webhook_id).into(),
                    new.project.as_str().into(),
                    (&new.name).into(),
                    (&new.description).into(),
                    (&new.url).into(),
                    status(new.active).into(),
                    new.secret.as_ref().map(SealedSecret::as_str).into(),
                    now_ms.into(),
                ],
                |row| row.int(0),
            )?;
            put_events(tx, id.unwrap_or_default(), &new.events)?;
            existing(tx, &new.webhook_id)
        })
        .await
    }

    #[tracing::instrument(name = "db.webhooks.get", skip_all)]
    pub async fn webhook(&self, webhook_id: &str) -> Result<Option<WebhookRow>> {
        let webhook_id = webhook_id.to_owned();
        self.query(move |tx| by_id(tx, &webhook_id)).await
    }

    #[tracing::instrument(name = "db.webhooks.secret", skip_all)]
    pub async fn webhook_secret(&self, webhook_id: &str) -> Result<Option<SealedSecret>> {
        let webhook_id = webhook_id.to_owned();
        self.query(move |tx| {
            let sql = "SELECT sealed_secret FROM webhooks WHERE webhook_id = $1";
            Ok(tx.row(sql, &[(&webhook_id).into()], |row| row.text_opt(0))?.flatten().map(SealedSecret))
        })
        .await
    }

    /// The secrets that an older server stored as they are, by webhook.
    #[tracing::instrument(name = "db.webhooks.plain_secrets", skip_all)]
    pub async fn plain_secrets(&self) -> Result<Vec<(String, String)>> {
        let sql = "SELECT webhook_id, secret FROM webhooks WHERE secret IS NOT NULL ORDER BY id";
        self.query(move |tx| tx.rows(sql, &[], |row| Ok((row.text(0)?, row.text(1)?)))).await
    }

    /// Puts a sealed secret in the place of a plain one.
    #[tracing::instrument(name = "db.webhooks.seal", skip_all)]
    pub async fn seal_secret(&self, webhook_id: &str, sealed: SealedSecret) -> Result<()> {
        let webhook_id = webhook_id.to_owned();
        self.transact(move |tx| {
            let sql =
                "UPDATE webhooks SET sealed_secret = $2, secret = NULL WHERE webhook_id = $1 AND secret IS NOT NULL";
            tx.execute(sql, &[(&webhook_id).into(), sealed.as_str().into()])?;
            Ok(())
        })
        .await
    }

    /// A page of a project's webhooks, from where the last one said.
    #[tracing::instrument(name = "db.webhooks.list", skip_all)]
    pub async fn webhooks(&self, project: &Name, limit: u32, from: Option<(i64, i64)>) -> Result<WebhookPage> {
        let project = project.clone();
        self.query(move |tx| {
            let (created_ms, id) = from.unwrap_or((i64::MAX, i64::MAX));
            let rest = "WHERE project = $1 AND (created_ms, id) <= ($2, $3) ORDER BY created_ms DESC, id DESC LIMIT $4";
            let limit = i64::from(limit);
            let values = [project.as_str().into(), created_ms.into(), id.into(), (limit + 1).into()];
            let mut webhooks = select(tx, rest, &values)?;
            let next = webhooks.split_off(webhooks.len().min(usize::try_from(limit).unwrap_or(usize::MAX)));
            Ok(WebhookPage { webhooks, next: next.first().map(|row| (row.created_ms, row.id)) })
        })
        .await
    }

    #[tracing::instrument(name = "db.webhooks.update", skip_all)]
    pub async fn update_webhook(&self, webhook_id: &str, change: WebhookChange, now_ms: i64) -> Result<WebhookRow> {
        let webhook_id = webhook_id.to_owned();
        self.transact(move |tx| update(tx, &webhook_id, &change, now_ms)).await
    }

    /// With it go its log and what it was still to be told.
    #[tracing::instrument(name = "db.webhooks.delete", skip_all)]
    pub async fn delete_webhook(&self, webhook_id: &str) -> Result<()> {
        let webhook_id = webhook_id.to_owned();
        self.transact(move |tx| {
            let deleted = tx.execute("DELETE FROM webhooks WHERE webhook_id = $1", &[(&webhook_id).into()])?;
            if deleted == 0 { Err(no_webhook(&webhook_id)) } else { Ok(()) }
        })
        .await
    }
}

fn update(tx: &mut Tx<'_>, webhook_id: &str, change: &WebhookChange, now_ms: i64) -> Result<WebhookRow> {
    let id = tx.row(
        "UPDATE webhooks SET name = COALESCE($2, name), description = COALESCE($3, description), \
         url = COALESCE($4, url), status = COALESCE($5, status), sealed_secret = NULLIF(COALESCE($6, sealed_secret), ''), \
         updated_ms = $7 WHERE webhook_id = $1 RETURNING id",
        &[
            webhook_id.into(),
            (&change.name).into(),
            (&change.description).into(),
            (&change.url).into(),
            change.active.map(status).into(),
            change.secret.as_ref().map(SealedSecret::as_str).into(),
            now_ms.into(),
        ],
        |row| row.int(0),
    )?;
    let id = id.ok_or_else(|| no_webhook(webhook_id))?;
    if let Some(events) = &change.events {
        tx.execute("DELETE FROM webhook_events WHERE webhook = $1", &[id.into()])?;
        put_events(tx, id, events)?;
    }
    if change.active == Some(false) {
        let sql = "UPDATE webhook_deliveries SET state = 'failed', error = 'the webhook was disabled', finished_ms = $2 \
                   WHERE webhook = $1 AND state = 'queued'";
        tx.execute(sql, &[id.into(), now_ms.into()])?;
    }
    existing(tx, webhook_id)
}

fn select(tx: &mut Tx<'_>, rest: &str, values: &[Value<'_>]) -> Result<Vec<WebhookRow>> {
    let mut webhooks = tx.rows(&format!("{WEBHOOK}{rest}"), values, webhook_of)?;
    if webhooks.is_empty() {
        return Ok(webhooks);
    }
    let ids = list(webhooks.iter().map(|webhook| webhook.id));
    let places: HashMap<i64, usize> = webhooks.iter().enumerate().map(|(at, webhook)| (webhook.id, at)).collect();
    let sql =
        format!("SELECT webhook, event FROM webhook_events WHERE webhook {} ORDER BY webhook, event", in_first(tx));
    tx.for_each(&sql, &[(&ids).into()], |row| {
        webhooks[places[&row.int(0)?]].events.push(row.text(1)?);
        Ok(())
    })?;
    Ok(webhooks)
}

fn by_id(tx: &mut Tx<'_>, webhook_id: &str) -> Result<Option<WebhookRow>> {
    Ok(select(tx, "WHERE webhook_id = $1", &[webhook_id.into()])?.pop())
}

fn existing(tx: &mut Tx<'_>, webhook_id: &str) -> Result<WebhookRow> {
    by_id(tx, webhook_id)?.ok_or_else(|| no_webhook(webhook_id))
}

fn put_events(tx: &mut Tx<'_>, webhook: i64, events: &[String]) -> Result<()> {
    let columns =
        [Column::Same(webhook.into(), events.len()), Column::Text(events.iter().map(String::as_str).collect())];
    let on_conflict = "ON CONFLICT DO NOTHING";
    tx.insert(&Insert { table: "webhook_events", columns: &["webhook", "event"], on_conflict }, &columns)?;
    Ok(())
}

fn status(active: bool) -> &'static str {
    if active { "ACTIVE" } else { "DISABLED" }
}

fn webhook_of(row: Row<'_>) -> Result<WebhookRow> {
    Ok(WebhookRow {
        id: row.int(0)?,
        webhook_id: row.text(1)?,
        project: row.parsed(2)?,
        name: row.text(3)?,
        description: row.text(4)?,
        url: row.text(5)?,
        events: vec![],
        active: row.str(6)? == status(true),
        created_ms: row.int(7)?,
        updated_ms: row.int(8)?,
    })
}

fn no_webhook(webhook_id: &str) -> StoreError {
    StoreError::not_found(format!("webhook '{webhook_id}'"))
}
