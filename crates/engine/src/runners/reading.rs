//! What all have in common who read the lines of a program.

use std::time::Duration;

use serde_json::Value;

use super::Heard;

/// So many characters of a text are shown in one line.
const LINE_MAX: usize = 200;

/// So many bytes of an answer are kept: the end of it, where the line stands that is for us.
const ANSWER_MAX: usize = 64 * 1024;

/// A line that is an event; one that is not is remembered as a complaint.
pub fn event(text: &str, heard: &mut Heard) -> Option<Value> {
    match serde_json::from_str(text) {
        Ok(event @ Value::Object(_)) => Some(event),
        _ => {
            let said = line(text);
            if !said.is_empty() {
                heard.complaint = Some(said);
            }
            None
        }
    }
}

/// A text in one line, without anything that a terminal would act on.
pub fn line(text: &str) -> String {
    let clean =
        |c: char| if c.is_whitespace() { Some(' ') } else { (!c.is_control()).then_some(c) };
    let words: String = text.trim().chars().filter_map(clean).take(LINE_MAX + 1).collect();
    if words.chars().count() <= LINE_MAX {
        return words;
    }
    words.chars().take(LINE_MAX - 1).chain(['…']).collect()
}

/// The first line of a text that says something.
pub fn first_line(text: &str) -> Option<String> {
    text.lines().map(line).find(|line| !line.is_empty())
}

pub fn answer(text: &str) -> String {
    let mut from = text.len().saturating_sub(ANSWER_MAX);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..].to_owned()
}

/// The text at a path such as `/message/id`.
pub fn text<'a>(event: &'a Value, pointer: &str) -> Option<&'a str> {
    event.pointer(pointer).and_then(Value::as_str)
}

pub fn number(event: &Value, pointer: &str) -> Option<u64> {
    event.pointer(pointer).and_then(Value::as_u64)
}

/// The sum of what is there of these; none if nothing is.
pub fn sum(event: &Value, pointers: &[&str]) -> Option<u64> {
    let found: Vec<u64> = pointers.iter().filter_map(|pointer| number(event, pointer)).collect();
    found.iter().copied().reduce(u64::saturating_add)
}

/// Dollars as millionths of one. They are read as if they were seconds, which refuses what is
/// negative, endless or not a number.
pub fn cost(event: &Value, pointer: &str) -> Option<u64> {
    let dollars = event.pointer(pointer).and_then(Value::as_f64)?;
    u64::try_from(Duration::try_from_secs_f64(dollars).ok()?.as_micros()).ok()
}

/// `more` on top of what there was.
pub fn add(sum: &mut Option<u64>, more: Option<u64>) {
    if let Some(more) = more {
        *sum = Some(sum.unwrap_or(0).saturating_add(more));
    }
}

/// The tool that is used, and on what.
pub fn tool(name: &str, input: Option<&Value>) -> String {
    const TELLING: [&str; 9] = [
        "file_path",
        "filePath",
        "path",
        "command",
        "cmd",
        "pattern",
        "url",
        "query",
        "description",
    ];
    let telling = |input: &Value| {
        TELLING.iter().find_map(|key| input.get(*key).and_then(Value::as_str)).map(str::to_owned)
    };
    match input.and_then(telling) {
        Some(on) => line(&format!("{name} {on}")),
        None => line(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_is_short_and_does_nothing_to_a_terminal() {
        assert_eq!(line(" a\tb\nc \u{1b}[2Jd\u{7} "), "a b c [2Jd");
        assert_eq!(line(&"x".repeat(LINE_MAX)).chars().count(), LINE_MAX);
        let long = line(&"ä".repeat(LINE_MAX + 1));
        assert_eq!(long.chars().count(), LINE_MAX);
        assert!(long.ends_with('…'));
        assert_eq!(first_line("\n \n two\nthree").as_deref(), Some("two"));
    }

    #[test]
    fn the_end_of_an_answer_is_kept() {
        let long = format!("{}the end", "ä".repeat(ANSWER_MAX));
        let kept = answer(&long);
        assert!(kept.ends_with("the end") && kept.len() <= ANSWER_MAX);
        assert_eq!(answer("short"), "short");
    }

    #[test]
    fn dollars_become_whole_numbers() {
        let event =
            json!({ "a": 0.002_950_000_000_000_000_4, "b": -1.0, "c": 3, "d": "1", "e": 1e300 });
        assert_eq!(cost(&event, "/a"), Some(2950));
        assert_eq!(cost(&event, "/b"), None);
        assert_eq!(cost(&event, "/c"), Some(3_000_000));
        assert_eq!(cost(&event, "/d"), None);
        assert_eq!(cost(&event, "/e"), None);
        assert_eq!(sum(&event, &["/c", "/none", "/c"]), Some(6));
        assert_eq!(sum(&event, &["/none"]), None);
    }
}
