//! Values as people write them on a command line.

use jiff::civil::Date;
use milestone_domain::effort::{Effort, Estimate};

pub fn date(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "write a date as 2026-12-18".to_owned())
}

/// `4h`, or the best, most probable and worst case: `2h/4h/2d`.
pub fn estimate(text: &str) -> Result<Estimate, String> {
    let effort = |text: &str| text.parse::<Effort>().map_err(|error| error.to_string());
    let parts: Vec<&str> = text.split('/').collect();
    match parts.as_slice() {
        [one] => Ok(Estimate::Single(effort(one)?)),
        [optimistic, likely, pessimistic] => {
            let points = milestone_domain::effort::ThreePoint::new(
                effort(optimistic)?,
                effort(likely)?,
                effort(pessimistic)?,
            );
            points.map(Estimate::ThreePoint).map_err(|error| error.to_string())
        }
        _ => Err("write one figure, as 4h, or three, as 2h/4h/2d".to_owned()),
    }
}

/// Who asks. An agent whose name was not filled in must not act in its owner's.
pub fn actor(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a name is missing; leave this out to act under your own".into()),
        name if name.chars().any(char::is_control) => Err("write a name on one line".into()),
        name => Ok(name.to_owned()),
    }
}

pub fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "write a number from 1 on".into())
}

/// A condition's name: something that one can see and type again.
pub fn condition(text: &str) -> Result<String, String> {
    let seen =
        !text.trim().is_empty() && text.trim() == text && !text.chars().any(char::is_control);
    if seen { Ok(text.to_owned()) } else { Err("write a name as database_schema_complete".into()) }
}

/// A lease, in seconds: `90s`, `15m`, `2h`.
pub fn lease(text: &str) -> Result<u64, String> {
    milestone_store::config::duration(&text.into()).map(|duration| duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_one_figure_or_three() {
        assert_eq!(estimate("4h").unwrap().expected().to_string(), "4h");
        assert_eq!(estimate("1h/4h/7h").unwrap().expected().to_string(), "4h");
        for wrong in ["4h/2h", "4h/2h/1h", "soon", ""] {
            assert!(estimate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_condition_has_a_name_that_can_be_typed_again() {
        assert_eq!(condition("the schema is there").unwrap(), "the schema is there");
        for wrong in ["", "  ", " a", "a\nb", "a\tb", "a\u{1b}[1m"] {
            assert!(condition(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn leases_are_clock_time() {
        assert_eq!((lease("90s"), lease("15m"), lease("2h")), (Ok(90), Ok(900), Ok(7200)));
        assert!(lease("soon").is_err());
    }
}
