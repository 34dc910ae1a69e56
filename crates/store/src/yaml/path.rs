//! Where something is in a document.

use std::fmt;

use serde_json::Value;

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The value of this key of a mapping.
    Key(String),
    /// The item of a sequence whose `id` is this. Ids are compared as text, so `id: 1` is `"1"`.
    Id(String),
    /// The item of a sequence at this position, from 0.
    Index(usize),
}

/// A path from the root of a document.
pub type Steps = [Step];

impl Step {
    pub fn key(key: impl Into<String>) -> Self {
        Self::Key(key.into())
    }

    pub fn id(id: impl Into<String>) -> Self {
        Self::Id(id.into())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(text) | Self::Id(text) => f.write_str(&escape(text)),
            Self::Index(index) => write!(f, "{index}"),
        }
    }
}

/// The text form of a path: `tasks/task-003/status`, with `/` and `~` inside a name escaped as in
/// a JSON Pointer.
pub(super) fn to_text(steps: &Steps) -> String {
    steps.iter().map(Step::to_string).collect::<Vec<_>>().join("/")
}

pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The position of the item whose `id` is `wanted`.
pub(super) fn item_with_id(items: &[Value], wanted: &str) -> Option<usize> {
    items.iter().position(|item| item.get("id").is_some_and(|id| is_text(id, wanted)))
}

fn is_text(id: &Value, wanted: &str) -> bool {
    match id {
        Value::String(text) => text == wanted,
        Value::Number(number) => number.to_string() == wanted,
        _ => false,
    }
}
