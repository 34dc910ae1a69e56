//! What executions may use, as people write it: time, tokens and money.

use std::time::Duration;

use serde_json::Value;

use super::{duration, text};

/// More tries of the same come to the same.
const ATTEMPTS_MAX: u32 = 100;

/// What may be used of what agents report; nothing means as much as it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spending {
    pub tokens: Option<u64>,
    /// In millionths of a US dollar.
    pub cost: Option<u64>,
}

/// Whether somebody says that there is none.
pub(super) fn is_none(text: &str) -> bool {
    matches!(text.trim(), "none" | "null" | "")
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
}
