//! The beginning of what a trace was asked and answered.

use serde_json::Value;

/// Characters of a preview.
pub const PREVIEW_CHARS_MAX: usize = 1_000;

/// What people see of some inputs or outputs: of a chat the last message of that role, otherwise the JSON itself.
pub(crate) fn preview(json: &str, role: &str) -> String {
    // Only a chat names roles; nothing else is worth parsing.
    let said = if json.contains("role") { last_message(json, role) } else { None };
    let text = said.as_deref().filter(|text| !text.is_empty()).unwrap_or(json);
    match text.char_indices().nth(PREVIEW_CHARS_MAX) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(PREVIEW_CHARS_MAX - 3).collect();
            kept + "..."
        }
    }
}

fn last_message(json: &str, role: &str) -> Option<String> {
    let value: Value = serde_json::from_str(json).ok()?;
    let messages = messages(&value)?;
    let by_role = messages.iter().rev().find(|message| message["role"] == role);
    content(by_role.or(messages.last())?)
}

/// Of the requests and answers that the usual interfaces of chats have.
fn messages(value: &Value) -> Option<Vec<&Value>> {
    let fields = value.as_object()?;
    let listed = |key: &str| fields.get(key).and_then(Value::as_array).filter(|list| !list.is_empty());
    if let Some(messages) = listed("messages") {
        return Some(messages.iter().filter(|message| is_message(message)).collect());
    }
    if let Some(message) = listed("choices").and_then(|choices| choices[0].get("message")).filter(|m| is_message(m)) {
        return Some(vec![message]);
    }
    if let Some(messages) = listed("input").or_else(|| listed("output")) {
        return Some(messages.iter().filter(|message| is_message(message)).collect());
    }
    messages_of_request(fields.get("request")?)
}

fn messages_of_request(request: &Value) -> Option<Vec<&Value>> {
    // One level is what the interface has; more would be somebody's game.
    if request.get("request").is_some() { None } else { messages(request) }
}

fn is_message(value: &Value) -> bool {
    value.get("role").is_some() && value.get("content").is_some()
}

fn content(message: &Value) -> Option<String> {
    match message.get("content")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => parts.iter().find_map(|part| match part {
            Value::String(text) => Some(text.clone()),
            part if part["type"] == "text" || part["type"] == "output_text" => Some(part["text"].as_str()?.to_owned()),
            _ => None,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_chat_the_last_message_of_the_role_is_seen() {
        let asked = r#"{"messages": [{"role": "user", "content": "one"}, {"role": "user", "content": [{"type": "image"},
            {"type": "text", "text": "two"}]}, {"role": "assistant", "content": "three"}]}"#;
        assert_eq!(preview(asked, "user"), "two");
        assert_eq!(preview(asked, "system"), "three");
        let answered = r#"{"choices": [{"message": {"role": "assistant", "content": "yes"}}]}"#;
        assert_eq!(preview(answered, "assistant"), "yes");
        let wrapped = r#"{"request": {"input": [{"role": "user", "content": "hello"}]}}"#;
        assert_eq!(preview(wrapped, "user"), "hello");
    }

    #[test]
    fn anything_else_is_seen_as_it_is_and_cut() {
        assert_eq!(preview(r#"{"role": 5}"#, "user"), r#"{"role": 5}"#);
        assert_eq!(preview("\"yes\"", "user"), "\"yes\"");
        let cut = preview(&"é".repeat(1_001), "user");
        assert_eq!((cut.chars().count(), cut.ends_with("é...")), (1_000, true));
        assert_eq!(preview(&"é".repeat(1_000), "user").chars().count(), 1_000);
    }
}
