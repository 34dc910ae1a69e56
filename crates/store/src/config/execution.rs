//! The settings of executions.

use std::time::Duration;

use serde_json::Value;

use super::{Config, duration, text};

/// More tries of the same come to the same.
const ATTEMPTS_MAX: u32 = 100;

/// How tasks are executed, and what that may use.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    pub runner: Option<String>,
    /// The file with the template of what agents are told.
    pub prompt: Option<String>,
    pub environment: Vec<String>,
    pub attempts: u32,
    pub attempt_time: Option<Duration>,
    pub silence: Option<Duration>,
    pub session_time: Option<Duration>,
    pub task: Spending,
    pub session: Spending,
}

/// What may be used of what agents report; nothing means as much as it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spending {
    pub tokens: Option<u64>,
    /// In millionths of a US dollar.
    pub cost: Option<u64>,
}

impl Config {
    /// Each value was checked when it was read.
    pub fn execution(&self) -> Execution {
        let time = |name: &str| time(self.raw(name)).unwrap_or_default();
        let spending = |whose: &str| Spending {
            tokens: tokens(self.raw(&format!("execute.{whose}_tokens"))).unwrap_or_default(),
            cost: dollars(self.raw(&format!("execute.{whose}_cost"))).unwrap_or_default(),
        };
        Execution {
            runner: word(self.raw("execute.runner")).unwrap_or_default(),
            prompt: word(self.raw("execute.prompt")).unwrap_or_default(),
            environment: names(self.raw("execute.environment")).unwrap_or_default(),
            attempts: attempts(self.raw("execute.attempts")).unwrap_or(1),
            attempt_time: time("execute.attempt_time"),
            silence: time("execute.silence"),
            session_time: time("execute.session_time"),
            task: spending("task"),
            session: spending("session"),
        }
    }
}

fn is_none(text: &str) -> bool {
    matches!(text.trim(), "none" | "null" | "")
}

pub fn word(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::String(text) => Ok(Some(text.trim().to_owned()).filter(|text| !is_none(text))),
        Value::Null => Ok(None),
        other => Err(format!("`{other}` is no text")),
    }
}

pub fn names(value: &Value) -> Result<Vec<String>, String> {
    let name = |value: &Value| {
        let fits = |name: &&str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let name = value.as_str().filter(fits).map(str::to_owned);
        name.ok_or_else(|| format!("`{value}` is no name of a variable"))
    };
    let list = value.as_array().ok_or_else(|| "it is a list of names".to_owned())?;
    list.iter().map(name).collect()
}

pub fn attempts(value: &Value) -> Result<u32, String> {
    let number =
        text(value).parse::<u32>().ok().filter(|number| (1..=ATTEMPTS_MAX).contains(number));
    number.ok_or_else(|| format!("`{}` is no number from 1 to {ATTEMPTS_MAX}", text(value)))
}

pub fn time(value: &Value) -> Result<Option<Duration>, String> {
    match duration(value) {
        Ok(time) if time.is_zero() => {
            Err("it is longer than nothing; write `none` for no limit".into())
        }
        Ok(time) => Ok(Some(time)),
        Err(_) if is_none(&text(value)) => Ok(None),
        Err(error) => Err(error),
    }
}

pub fn tokens(value: &Value) -> Result<Option<u64>, String> {
    let text = text(value);
    if is_none(&text) {
        return Ok(None);
    }
    let wrong = || format!("`{text}` is no number of tokens; write one such as 500k or 2M");
    let trimmed = text.trim();
    let digits = trimmed.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let times = match &trimmed[digits.len()..] {
        "" => 1,
        "k" | "K" => 1_000,
        "M" => 1_000_000,
        _ => return Err(wrong()),
    };
    let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(times));
    number.filter(|number| *number > 0).map(Some).ok_or_else(wrong)
}

/// Dollars, with cents if need be, in millionths.
pub fn dollars(value: &Value) -> Result<Option<u64>, String> {
    let text = text(value);
    if is_none(&text) {
        return Ok(None);
    }
    let wrong = || format!("`{text}` is no sum of dollars; write one such as 5 or 2.50");
    let plain = text.trim().trim_start_matches('$');
    let (whole, part) = plain.split_once('.').unwrap_or((plain, ""));
    if part.len() > 6 || !part.chars().all(|c| c.is_ascii_digit()) {
        return Err(wrong());
    }
    let whole = whole.parse::<u64>().map_err(|_| wrong())?;
    let part = format!("{part:0<6}").parse::<u64>().map_err(|_| wrong())?;
    let sum = whole.checked_mul(1_000_000).and_then(|whole| whole.checked_add(part));
    sum.filter(|sum| *sum > 0).map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn money_and_tokens_are_read_as_people_write_them() {
        for (written, millionths) in
            [(json!(5), 5_000_000), (json!(2.5), 2_500_000), (json!("$0.07"), 70_000)]
        {
            assert_eq!(dollars(&written), Ok(Some(millionths)), "{written}");
        }
        for (written, number) in
            [(json!(900), 900), (json!("500k"), 500_000), (json!("2M"), 2_000_000)]
        {
            assert_eq!(tokens(&written), Ok(Some(number)), "{written}");
        }
        for none in [json!("none"), json!(null)] {
            assert_eq!(
                (dollars(&none), tokens(&none), time(&none)),
                (Ok(None), Ok(None), Ok(None))
            );
        }
        for wrong in [
            json!("-5"),
            json!(0),
            json!("5 EUR"),
            json!("1.2345678"),
            json!("99999999999999999999"),
        ] {
            assert!(dollars(&wrong).is_err() && tokens(&wrong).is_err(), "{wrong}");
        }
        assert!(time(&json!("0s")).is_err());
    }

    #[test]
    fn only_names_of_variables_are_passed_on() {
        assert_eq!(names(&json!(["NPM_TOKEN"])), Ok(vec!["NPM_TOKEN".to_owned()]));
        for wrong in [json!(["A=B"]), json!([""]), json!("A"), json!([1])] {
            assert!(names(&wrong).is_err(), "{wrong}");
        }
    }
}
