//! New documents, and new values inside documents, in the program's own hand.
//!
//! Block style with two spaces, sequences indented under their key. One word stands plain, a
//! phrase in double quotes (so that a `: ` or ` #` added to it later does no harm), several lines
//! as a block. Short lists of scalars and the small mappings named in [`FLOW_KEYS`] stay on one
//! line.

use serde_json::{Map, Value};

use super::scalar;

/// Keys whose all-scalar mapping is one fact and reads best as one line.
const FLOW_KEYS: &[&str] = &["estimate", "progress"];

/// A line of a flow list ends before this column.
const MAX_FLOW_COLUMN: usize = 80;

/// YAML allows a key on the line of its colon up to 1024 characters.
const MAX_SIMPLE_KEY: usize = 1_000;

/// A new document, with `header` as leading comment lines. Reading it back gives `value`.
pub fn write(value: &Value, header: Option<&str>) -> String {
    let mut out = String::new();
    for line in header.into_iter().flat_map(str::lines) {
        let line: String = line.chars().filter(|c| scalar::is_printable(*c)).collect();
        out.push_str(format!("# {line}").trim_end());
        out.push('\n');
    }
    out.push_str(&root(value));
    out
}

/// `value` as the whole content of a document, in block style where it can be.
pub(super) fn root(value: &Value) -> String {
    let mut writer = Writer { out: String::new() };
    match value {
        Value::Object(entries) if !entries.is_empty() => writer.mapping(entries, 0),
        Value::Array(items) if !items.is_empty() => writer.sequence(items, 0),
        Value::String(text) if scalar::fits_block(text) && text.contains('\n') => {
            writer.block(text, 2);
        }
        other => {
            writer.out.push_str(&flow(other));
            writer.out.push('\n');
        }
    }
    writer.out
}

/// `value` on one line.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => text_on_one_line(text, true),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| {
                let key = text_on_one_line(key, true);
                format!("{key}: {}", flow(value))
            });
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => scalar::bare_text(other),
    }
}

/// A key, or any text that must stay on one line.
pub(super) fn text_on_one_line(text: &str, in_flow: bool) -> String {
    if scalar::fits_plain(text, in_flow) && !text.contains(' ') {
        text.to_owned()
    } else {
        scalar::double_quoted(text)
    }
}

/// How a value stands under `key` at `column`: on the key's line, or as a block of its own.
pub(super) fn is_one_line(key: &str, value: &Value, column: usize) -> bool {
    match value {
        Value::Array(items) => {
            items.iter().all(is_scalar) && column + flow(value).chars().count() < MAX_FLOW_COLUMN
        }
        Value::Object(entries) => {
            entries.is_empty()
                || FLOW_KEYS.contains(&key)
                    && entries.values().all(is_scalar)
                    && column + flow(value).chars().count() < MAX_FLOW_COLUMN
        }
        Value::String(text) => !(text.contains('\n') && scalar::fits_block(text)),
        _ => true,
    }
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

struct Writer {
    out: String,
}

impl Writer {
    /// Writes from the current column, which is `indent`.
    fn mapping(&mut self, entries: &Map<String, Value>, indent: usize) {
        for (number, (key, value)) in entries.iter().enumerate() {
            if number > 0 {
                self.spaces(indent);
            }
            let shown = text_on_one_line(key, false);
            let column = indent + shown.chars().count() + 2;
            self.key(&shown, indent);
            self.value_of(key, value, indent, column);
        }
    }

    fn key(&mut self, shown: &str, indent: usize) {
        if shown.len() <= MAX_SIMPLE_KEY {
            self.out.push_str(shown);
        } else {
            self.out.extend(["? ", shown, "\n"]);
            self.spaces(indent);
        }
        self.out.push(':');
    }

    fn value_of(&mut self, key: &str, value: &Value, indent: usize, column: usize) {
        if is_one_line(key, value, column) {
            self.out.push(' ');
            self.line(value);
            return;
        }
        match value {
            Value::Object(entries) => {
                self.out.push('\n');
                self.spaces(indent + 2);
                self.mapping(entries, indent + 2);
            }
            Value::Array(items) => {
                self.out.push('\n');
                self.spaces(indent + 2);
                self.sequence(items, indent + 2);
            }
            Value::String(text) => {
                self.out.push(' ');
                self.block(text, indent + 2);
            }
            other => self.line(other),
        }
    }

    fn sequence(&mut self, items: &[Value], indent: usize) {
        for (number, item) in items.iter().enumerate() {
            if number > 0 {
                self.spaces(indent);
            }
            self.out.push_str("- ");
            match item {
                Value::Object(entries) if !entries.is_empty() => self.mapping(entries, indent + 2),
                Value::Array(inner) if !is_one_line("", item, indent + 2) => {
                    self.sequence(inner, indent + 2);
                }
                Value::String(text) if !is_one_line("", item, 0) => self.block(text, indent + 2),
                other => self.line(other),
            }
        }
    }

    fn line(&mut self, value: &Value) {
        let text = match value {
            Value::String(text) => text_on_one_line(text, false),
            other => flow(other),
        };
        self.out.push_str(&text);
        self.out.push('\n');
    }

    fn block(&mut self, text: &str, indent: usize) {
        self.out.push_str(if text.ends_with('\n') { "|\n" } else { "|-\n" });
        for line in text.lines() {
            if !line.is_empty() {
                self.spaces(indent);
                self.out.push_str(line);
            }
            self.out.push('\n');
        }
    }

    fn spaces(&mut self, count: usize) {
        self.out.extend(std::iter::repeat_n(' ', count));
    }
}
