//! What a scalar's text means, and which text means a value.

use serde_json::{Number, Value};

/// The value of an unquoted scalar. Only text that would be written back the same becomes
/// anything other than a string; see the module documentation.
pub(super) fn resolve_plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => canonical_number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

fn canonical_number(text: &str) -> Option<Number> {
    if !text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return None;
    }
    let number = text
        .parse::<i64>()
        .map(Number::from)
        .or_else(|_| text.parse::<u64>().map(Number::from))
        .ok()
        .or_else(|| text.parse().ok().and_then(Number::from_f64))?;
    (number.to_string() == text && !text.contains(['e', 'E'])).then_some(number)
}

/// The text of a value that is not a collection and not a string.
pub(super) fn bare_text(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => "null".to_owned(),
    }
}

/// Whether `text`, written without quotes, reads back as this text for us and for the YAML 1.1
/// readers (other tools open these files too).
pub(super) fn fits_plain(text: &str, in_flow: bool) -> bool {
    !text.is_empty()
        && text.trim() == text
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
        && text.chars().all(|c| is_printable(c) && !(in_flow && is_flow_indicator(c)))
        && !(in_flow && text.contains(':'))
        && starts_plainly(text)
        && !is_read_as_something_else(text)
}

/// Whether `text` can stand between single quotes on one line.
pub(super) fn fits_single_quotes(text: &str) -> bool {
    text.chars().all(is_printable)
}

/// Whether `text` can be a literal block (`|` or `|-`). Text that would need an indentation
/// indicator, `|+`, or escapes is better off in double quotes.
pub(super) fn fits_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    !body.is_empty()
        && !body.starts_with([' ', '\n', '\t', '#'])
        && !body.ends_with(['\n', ' ', '\t'])
        && body.lines().all(|line| line.chars().all(is_printable) && !is_blank_but_long(line))
        && !body.contains('\r')
}

/// A line of only spaces is legal in a block, but editors strip it on save.
fn is_blank_but_long(line: &str) -> bool {
    !line.is_empty() && line.trim().is_empty()
}

/// `text` in double quotes, everything that is not printable escaped.
pub(super) fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&escaped(u32::from(c))),
        }
    }
    out.push('"');
    out
}

fn escaped(code: u32) -> String {
    match code {
        0..=0xFF => format!("\\x{code:02X}"),
        0x100..=0xFFFF => format!("\\u{code:04X}"),
        _ => format!("\\U{code:08X}"),
    }
}

pub(super) fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Characters that may stand in a document as they are. Stricter than YAML: line separators,
/// byte order marks and the invisible direction controls are always escaped, so that a title
/// cannot disguise the line it stands on.
pub(super) fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{FEFF}' | '\u{2028}' | '\u{2029}' | '\u{FFFE}' | '\u{FFFF}')
        && !matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// `text` as it may appear in a message: nothing in it can act on a terminal or fake a line.
pub(super) fn shown(text: &str) -> String {
    let escape = |c: char| -> String {
        if is_printable(c) { c.to_string() } else { c.escape_unicode().to_string() }
    };
    if text.chars().all(is_printable) {
        text.to_owned()
    } else {
        text.chars().map(escape).collect()
    }
}

fn is_flow_indicator(c: char) -> bool {
    matches!(c, ',' | '[' | ']' | '{' | '}')
}

fn starts_plainly(text: &str) -> bool {
    const INDICATORS: &[char] = &[
        '-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@',
        '`', '=', '~', '<',
    ];
    !text.starts_with(INDICATORS) && !text.starts_with("...")
}

fn is_read_as_something_else(text: &str) -> bool {
    const WORDS: &[&str] = &["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(text)) || looks_numeric(text)
}

/// Numbers of any YAML version: `012`, `1e3`, `0x1F`, `1_000`, `12:30`, `+1`, `.5`, `.inf`, `.nan`.
/// A date stays plain: it is the usual way to write one, and none of our readers convert it.
fn looks_numeric(text: &str) -> bool {
    let text = text.trim_start_matches(['+', '.']).to_ascii_lowercase();
    if text.is_empty() || text == "inf" || text == "nan" {
        return true;
    }
    if ["0x", "0o", "0b"].iter().any(|prefix| text.starts_with(prefix)) {
        return true;
    }
    let without_exponent_sign = text.replace("e-", "e");
    text.starts_with(|c: char| c.is_ascii_digit())
        && without_exponent_sign
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | '_' | ':' | '+' | 'e'))
}
