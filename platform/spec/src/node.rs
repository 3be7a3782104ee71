use serde_json::Value;

use crate::field::{FieldPath, Segment};

/// A parsed value that remembers where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) mark: Mark,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// `plain` scalars stand without quotes, so that their text decides their type.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_mark: Mark,
    pub(crate) value: Node,
}

/// A line and a column, from 1; 0 where there is no text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Node {
    pub(crate) fn from_json(value: &Value) -> Self {
        let scalar = |text: String, plain| Content::Scalar { text, plain };
        let content = match value {
            Value::Null => scalar("null".to_owned(), true),
            Value::Bool(b) => scalar(b.to_string(), true),
            Value::Number(n) => scalar(n.to_string(), true),
            Value::String(s) => scalar(s.clone(), false),
            Value::Array(items) => Content::List(items.iter().map(Self::from_json).collect()),
            Value::Object(fields) => Content::Map(
                fields
                    .iter()
                    .map(|(k, v)| Entry { key: k.clone(), key_mark: Mark::default(), value: Self::from_json(v) })
                    .collect(),
            ),
        };
        Self { content, mark: Mark::default() }
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|e| e.key == key),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if crate::scalar::is_null(text))
    }

    /// Where a field was written, or the nearest one around it that was.
    ///
    /// A list or a block of fields is found by its key, a scalar by its value.
    pub(crate) fn locate(&self, path: &FieldPath) -> Mark {
        let (mut node, mut mark) = (self, self.mark);
        for segment in &path.0 {
            match (segment, &node.content) {
                (Segment::Field(name), Content::Map(_)) => {
                    let Some(entry) = node.entry(name) else { return mark };
                    node = &entry.value;
                    mark = if matches!(node.content, Content::Scalar { .. }) { node.mark } else { entry.key_mark };
                }
                (Segment::Item(index), Content::List(items)) => {
                    let Some(item) = items.get(*index) else { return mark };
                    (node, mark) = (item, item.mark);
                }
                _ => return mark,
            }
        }
        mark
    }
}
