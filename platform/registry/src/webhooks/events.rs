//! What webhooks can be called for, as MLflow names it.

use serde_json::{Value, json};

/// By what it happens to, with what can happen. Both are numbered in the protocol, from 1.
const ENTITIES: [(&str, &[&str]); 10] = [
    ("registered_model", &["created"]),
    ("model_version", &["created"]),
    ("model_version_tag", &["deleted", "set"]),
    ("model_version_alias", &["created", "deleted"]),
    ("prompt", &["created"]),
    ("prompt_version", &["created"]),
    ("prompt_tag", &["deleted", "set"]),
    ("prompt_version_tag", &["deleted", "set"]),
    ("prompt_alias", &["created", "deleted"]),
    ("budget_policy", &["exceeded"]),
];
const ACTIONS: [&str; 5] = ["created", "updated", "deleted", "set", "exceeded"];

/// `model_version.created` of what a request says: names in capitals, or their numbers.
pub fn event_of(entity: &Value, action: &Value) -> Result<String, String> {
    let entities = ENTITIES.map(|(entity, _)| entity);
    let entity = named(entity, &entities).ok_or_else(|| format!("Unknown webhook entity: {entity}"))?;
    let action = named(action, &ACTIONS).ok_or_else(|| format!("Unknown webhook action: {action}"))?;
    let (entity, valid) = ENTITIES[entity];
    let action = ACTIONS[action];
    if valid.contains(&action) {
        return Ok(format!("{entity}.{action}"));
    }
    let valid: Vec<_> = valid.iter().map(|action| format!("'{action}'")).collect();
    Err(format!("Invalid action '{action}' for entity '{entity}'. Valid actions are: [{}]", valid.join(", ")))
}

fn named(value: &Value, names: &[&str]) -> Option<usize> {
    match value {
        Value::String(name) => names.iter().position(|known| known.to_ascii_uppercase() == *name),
        Value::Number(number) => {
            let at = usize::try_from(number.as_u64()?).ok()?.checked_sub(1)?;
            (at < names.len()).then_some(at)
        }
        _ => None,
    }
}

/// `("MODEL_VERSION", "CREATED")` of `model_version.created`.
pub fn event_parts(event: &str) -> (String, String) {
    let (entity, action) = event.split_once('.').unwrap_or((event, ""));
    (entity.to_ascii_uppercase(), action.to_ascii_uppercase())
}

/// What a webhook is told when it is only tried out.
pub fn example_of(event: &str) -> Value {
    let (entity, action) = event.split_once('.').unwrap_or((event, ""));
    let is_prompt = entity.starts_with("prompt");
    let name = if is_prompt { "example_prompt" } else { "example_model" };
    let tags = json!({ "example_key": "example_value" });
    match (entity, action) {
        ("registered_model", _) => {
            json!({ "name": name, "tags": tags, "description": "An example registered model" })
        }
        ("prompt", _) => json!({ "name": name, "tags": tags, "description": "An example prompt" }),
        ("model_version", _) => json!({
            "name": name, "version": "1", "source": "models:/123", "run_id": "abcd1234abcd5678", "tags": tags,
            "description": "An example model version",
        }),
        ("prompt_version", _) => json!({
            "name": name, "version": "1", "template": "Hello {{name}}!", "tags": tags,
            "description": "An example prompt version",
        }),
        ("model_version_alias" | "prompt_alias", "created") => {
            json!({ "name": name, "alias": "example_alias", "version": "1" })
        }
        ("model_version_alias" | "prompt_alias", _) => json!({ "name": name, "alias": "example_alias" }),
        ("prompt_tag", "set") => json!({ "name": name, "key": "example_key", "value": "example_value" }),
        ("prompt_tag", _) => json!({ "name": name, "key": "example_key" }),
        ("model_version_tag" | "prompt_version_tag", "set") => {
            json!({ "name": name, "version": "1", "key": "example_key", "value": "example_value" })
        }
        ("model_version_tag" | "prompt_version_tag", _) => {
            json!({ "name": name, "version": "1", "key": "example_key" })
        }
        _ => json!({
            "budget_policy_id": "bp-abc123", "budget_unit": "USD", "budget_amount": 100.0, "current_spend": 105.5,
            "duration_unit": "MONTHS", "duration_value": 1, "target_scope": "ENDPOINT", "workspace": "default",
            "target_value": "ep-abc123", "window_start": 1_704_067_200_000_i64,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_named_or_numbered() {
        assert_eq!(event_of(&json!("MODEL_VERSION"), &json!("CREATED")).unwrap(), "model_version.created");
        assert_eq!(event_of(&json!(8), &json!(4)).unwrap(), "prompt_version_tag.set");
        assert_eq!(event_parts("prompt_alias.deleted"), ("PROMPT_ALIAS".to_owned(), "DELETED".to_owned()));
        let refused = event_of(&json!("REGISTERED_MODEL"), &json!("UPDATED")).unwrap_err();
        assert_eq!(refused, "Invalid action 'updated' for entity 'registered_model'. Valid actions are: ['created']");
        for (entity, action) in
            [(json!(0), json!(1)), (json!(11), json!(1)), (json!("x"), json!(1)), (json!(1), json!(9))]
        {
            assert!(event_of(&entity, &action).is_err());
        }
    }

    #[test]
    fn each_event_has_an_example() {
        for (entity, actions) in ENTITIES {
            for action in actions {
                assert!(example_of(&format!("{entity}.{action}")).is_object());
            }
        }
    }
}
