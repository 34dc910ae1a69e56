//! What keeps an agent from working that is nobody's fault, and how long it says to wait.

use std::time::Duration;

use jiff::Timestamp;

/// What an agent came up against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Too much at once: it helps to wait a little, and to do less at a time.
    Rate,
    /// Whoever answers has too much to do: it helps to wait.
    Overloaded,
    /// What may be used is used up, of a plan or of a budget: waiting helps only where it says so.
    Quota,
}

/// A limit, and what was said of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    pub by: Limit,
    pub wait: Option<Wait>,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    For(Duration),
    Until(Timestamp),
}

/// What says so in a message, the most certain first: what is used up is often told with the words
/// of what is only too fast.
const WORDS: [(Limit, &[&str]); 3] = [
    (
        Limit::Quota,
        &[
            "usage limit",
            "quota exceeded",
            "exhausted your daily quota",
            "insufficient_quota",
            "credit balance",
            "spend limit",
            "maximum budget",
            "billing",
        ],
    ),
    (
        Limit::Rate,
        &["rate limit", "rate_limit", "429", "too many requests", "exceeded your current quota"],
    ),
    (Limit::Overloaded, &["overloaded", "at capacity", "529", "503 service unavailable"]),
];

/// What stands before a time to wait.
const BEFORE_WAIT: [&str; 4] = ["retrying after ", "try again in ", "retry in ", "retry after "];

/// The limit that a message speaks of.
pub fn in_words(message: &str) -> Option<Limited> {
    let message = message.to_lowercase();
    let speaks = |words: &&[&str]| words.iter().any(|word| message.contains(word));
    let (by, _) = WORDS.iter().find(|(_, words)| speaks(words))?;
    Some(Limited { by: *by, wait: wait(&message).map(Wait::For) })
}

/// The time to wait in a text such as `try again in 37.5s`.
pub fn wait(text: &str) -> Option<Duration> {
    let text = text.to_lowercase();
    BEFORE_WAIT.iter().find_map(|before| {
        let (_, rest) = text.split_once(before)?;
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = rest.split_at(end);
        let number: f64 = number.parse().ok()?;
        let unit: String =
            unit.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
        Duration::try_from_secs_f64(number * seconds(&unit)?).ok()
    })
}

fn seconds(unit: &str) -> Option<f64> {
    match unit {
        "ms" | "milliseconds" => Some(0.001),
        "s" | "sec" | "second" | "seconds" => Some(1.0),
        "m" | "min" | "minute" | "minutes" => Some(60.0),
        "h" | "hour" | "hours" => Some(3600.0),
        "day" | "days" => Some(86400.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_known_by_what_is_said_of_it() {
        let seconds = |s| Some(Wait::For(Duration::from_secs_f64(s)));
        for (message, by, wait) in [
            ("Rate limit reached. Please try again in 37.5s.", Limit::Rate, seconds(37.5)),
            ("exceeded retry limit, last status: 429 Too Many Requests", Limit::Rate, None),
            ("You've hit your usage limit, try again at 4:05 AM.", Limit::Quota, None),
            ("Quota exceeded. Check your plan and billing details.", Limit::Quota, None),
            ("Selected model is at capacity.", Limit::Overloaded, None),
            ("Overloaded; retry in 2 minutes", Limit::Overloaded, seconds(120.0)),
            ("You exceeded your current quota. retry in 100ms", Limit::Rate, seconds(0.1)),
        ] {
            assert_eq!(in_words(message), Some(Limited { by, wait }), "{message}");
        }
        assert_eq!(in_words("the tests fail"), None);
        assert_eq!(wait("try again in 5 apples"), None);
        assert_eq!(wait("try again in 1.2.3s"), None);
        assert_eq!(wait("try again in 3"), None);
    }
}
