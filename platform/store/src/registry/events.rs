//! What happened to a model: the audit's rows, and what webhooks are told.

use serde_json::{Map, Value, json};
use tiegel_types::Name;

use super::{Change, PROMPT_TAG, PROMPT_TEXT_TAG, PROMPT_TYPE_TAG, Tags, no_model};
use crate::audit::append;
use crate::db::Tx;
use crate::{NewAudit, Result};

/// A model whose row this transaction holds.
pub(super) struct Claimed {
    pub id: i64,
    pub project: Name,
    pub name: String,
    pub is_prompt: bool,
}

impl Claimed {
    /// Holds a model until the transaction ends. One that the change cannot see does not exist.
    pub fn hold(tx: &mut Tx<'_>, name: &str, change: &Change) -> Result<Self> {
        Self::claim(tx, name, (&change.project, None))
    }

    /// Also says that the model changes now.
    pub fn touch(tx: &mut Tx<'_>, name: &str, change: &Change) -> Result<Self> {
        Self::claim(tx, name, (&change.project, Some(change.at_ms)))
    }

    fn claim(tx: &mut Tx<'_>, name: &str, (project, now_ms): (&Name, Option<i64>)) -> Result<Self> {
        let sql = "UPDATE registered_models SET updated_ms = COALESCE($3, updated_ms) \
                   WHERE project = $1 AND name = $2 RETURNING id";
        let id = tx.row(sql, &[project.as_str().into(), name.into(), now_ms.into()], |row| row.int(0))?;
        let id = id.ok_or_else(|| no_model(name))?;
        let sql = "SELECT value FROM registered_model_tags WHERE model = $1 AND key = $2";
        let tag = tx.row(sql, &[id.into(), PROMPT_TAG.into()], |row| row.text(0))?;
        let is_prompt = tag.is_some_and(|value| value.eq_ignore_ascii_case("true"));
        Ok(Self { id, project: project.clone(), name: name.to_owned(), is_prompt })
    }

    pub fn audit(
        &self,
        tx: &mut Tx<'_>,
        change: &Change,
        (action, subject): (&str, String),
        detail: Value,
    ) -> Result<()> {
        let audit = NewAudit {
            at_ms: change.at_ms,
            actor: change.actor.clone(),
            action: action.to_owned(),
            project: Some(self.project.clone()),
            subject,
            detail,
        };
        append(tx, &audit)
    }

    /// Tells the webhooks of the model's project. Models and prompts have events of their own, which are named here by
    /// both; `payload` begins with what names the model.
    pub fn tell(
        &self,
        tx: &mut Tx<'_>,
        change: &Change,
        (model, prompt): (&str, &str),
        mut payload: Value,
    ) -> Result<()> {
        let event = if self.is_prompt { prompt } else { model };
        if event.is_empty() {
            return Ok(());
        }
        payload["name"] = json!(self.name);
        tx.execute(
            "INSERT INTO webhook_deliveries (webhook, event, payload, state, attempts, due_ms, created_ms) \
             SELECT w.id, e.event, $3, 'queued', 0, $4, $4 FROM webhook_events e JOIN webhooks w ON w.id = e.webhook \
             WHERE e.event = $2 AND w.project = $1 AND w.status = 'ACTIVE' ORDER BY w.id",
            &[self.project.as_str().into(), event.into(), (&payload.to_string()).into(), change.at_ms.into()],
        )?;
        Ok(())
    }

    pub fn tell_of_model(&self, tx: &mut Tx<'_>, change: &Change, tags: &Tags, description: &str) -> Result<()> {
        let tags = if self.is_prompt { without(tags, &[PROMPT_TAG, PROMPT_TYPE_TAG]) } else { without(tags, &[]) };
        let payload = json!({ "name": "", "tags": tags, "description": description });
        self.tell(tx, change, ("registered_model.created", "prompt.created"), payload)
    }

    pub fn tell_of_version(&self, tx: &mut Tx<'_>, change: &Change, version: &VersionEvent<'_>) -> Result<()> {
        let VersionEvent { version, source, run_id, tags, description } = *version;
        let description = description.filter(|text| !text.is_empty());
        let payload = if self.is_prompt {
            let template = tags.iter().rfind(|(key, _)| key == PROMPT_TEXT_TAG).map(|(_, value)| value);
            let tags = without(tags, &[PROMPT_TAG, PROMPT_TYPE_TAG, PROMPT_TEXT_TAG]);
            json!({ "name": "", "version": version.to_string(), "template": template, "tags": tags,
                    "description": description })
        } else {
            let run_id = Some(run_id).filter(|id| !id.is_empty());
            json!({ "name": "", "version": version.to_string(), "source": source, "run_id": run_id,
                    "tags": without(tags, &[]), "description": description })
        };
        self.tell(tx, change, ("model_version.created", "prompt_version.created"), payload)
    }
}

/// What a webhook is told of a new version.
pub(super) struct VersionEvent<'a> {
    pub version: u32,
    pub source: &'a str,
    pub run_id: &'a str,
    pub tags: &'a Tags,
    pub description: Option<&'a str>,
}

fn without(tags: &Tags, hidden: &[&str]) -> Map<String, Value> {
    let shown = tags.iter().filter(|(key, _)| !hidden.contains(&key.as_str()));
    shown.map(|(key, value)| (key.clone(), json!(value))).collect()
}
