use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, FromRow};
use tiegel_types::Name;

use crate::columns::{Columns, message, value_text};
use crate::db::Tx;
use crate::{Result, Store};

/// Who did what, when. The database itself refuses to change or delete a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Rises with time, with gaps.
    pub id: i64,
    pub at_ms: i64,
    pub actor: String,
    /// `noun.verb`, such as `alias.set`.
    pub action: String,
    pub project: Option<Name>,
    pub subject: String,
    pub detail: serde_json::Value,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewAudit {
    pub at_ms: i64,
    pub actor: String,
    pub action: String,
    pub project: Option<Name>,
    pub subject: String,
    pub detail: serde_json::Value,
}

impl Store {
    #[tracing::instrument(name = "db.audit.record", skip_all)]
    pub async fn record_audit(&self, audit: NewAudit) -> Result<()> {
        let mut tx = self.begin().await?;
        insert_audit(&mut tx, &audit).await?;
        Ok(tx.commit().await?)
    }

    /// Newest first; the next page is asked for with `before_id`, the last id of this one.
    #[tracing::instrument(name = "db.audit.list", skip_all)]
    pub async fn audit(&self, limit: u32, before_id: Option<i64>) -> Result<Vec<AuditRow>> {
        let sql = "SELECT id, at_ms, actor, action, project, subject, detail FROM audit \
                   WHERE id < $1 ORDER BY id DESC LIMIT $2";
        let query = sqlx::query_as(sql).bind(before_id.unwrap_or(i64::MAX)).bind(i64::from(limit));
        Ok(query.fetch_all(self.read()).await?)
    }
}

pub(crate) async fn insert_audit(tx: &mut AnyConnection, audit: &NewAudit) -> Result<()> {
    sqlx::query("INSERT INTO audit (at_ms, actor, action, project, subject, detail) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(audit.at_ms)
        .bind(message(&audit.actor))
        .bind(audit.action.as_str())
        .bind(audit.project.as_ref().map(|name| name.as_str().to_owned()))
        .bind(message(&audit.subject))
        .bind(value_text(&audit.detail))
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// The same inside an operation.
pub(crate) fn append(tx: &mut Tx<'_>, audit: &NewAudit) -> Result<()> {
    tx.execute(
        "INSERT INTO audit (at_ms, actor, action, project, subject, detail) VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            audit.at_ms.into(),
            (&message(&audit.actor)).into(),
            (&audit.action).into(),
            audit.project.as_ref().map(Name::as_str).into(),
            (&message(&audit.subject)).into(),
            (&value_text(&audit.detail)).into(),
        ],
    )?;
    Ok(())
}

impl FromRow<'_, AnyRow> for AuditRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.int("id")?,
            at_ms: row.int("at_ms")?,
            actor: row.text("actor")?,
            action: row.text("action")?,
            project: row.parsed_opt("project")?,
            subject: row.text("subject")?,
            detail: row.json("detail")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::store_tests;

    fn move_of(subject: &str) -> NewAudit {
        NewAudit {
            at_ms: 5,
            actor: "ana".to_owned(),
            action: "alias.set".to_owned(),
            project: None,
            subject: subject.to_owned(),
            detail: serde_json::json!({ "to": 2 }),
        }
    }

    store_tests! {
        async fn the_newest_rows_come_first_and_pages_follow(store) {
            for subject in ["a", "b", "c"] {
                store.record_audit(move_of(subject)).await.unwrap();
            }
            let first = store.audit(2, None).await.unwrap();
            let rest = store.audit(2, Some(first[1].id)).await.unwrap();
            let subjects: Vec<_> = first.iter().chain(&rest).map(|row| row.subject.as_str()).collect();
            assert_eq!(subjects, ["c", "b", "a"]);
            assert_eq!(first[0].detail, serde_json::json!({ "to": 2 }));
        }

        async fn a_row_can_be_neither_changed_nor_deleted(store) {
            store.record_audit(move_of("a")).await.unwrap();
            for sql in ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit"] {
                let refused = sqlx::query(sql).execute(&mut *store.write().await.unwrap()).await.unwrap_err();
                assert!(refused.to_string().contains("append-only"), "{refused}");
            }
            assert_eq!(store.audit(9, None).await.unwrap()[0].actor, "ana");
        }
    }
}
