//! What an agent may say in the last line of its answer, besides what it says to people.

use super::reading::line;

/// How the line begins that is meant for us. The prompt explains it.
const OURS: &str = "MILESTONE:";
const NOTHING: &str = "nothing to change";
const BLOCKED: &str = "blocked";
const ACCEPTED: &str = "accepted";
const REJECTED: &str = "rejected";

/// What was said with the last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// All was as it should be; an attempt that changed nothing is no failure then.
    NothingToChange(String),
    /// Somebody else has to do something first.
    Blocked(String),
}

/// What a review came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reviewed {
    /// With what there is to say about it, if anything.
    Accepted(Option<String>),
    Rejected(String),
}

/// What an answer's last line tells us. Without a reason it tells nothing: the reason is what is
/// recorded, and what a person judges.
pub fn said(answer: &str) -> Option<Said> {
    let (what, reason) = ours(answer)?;
    let reason = reason?;
    match what {
        NOTHING => Some(Said::NothingToChange(reason)),
        BLOCKED => Some(Said::Blocked(reason)),
        _ => None,
    }
}

/// What the last line of a review tells us. Whoever rejects has to say why.
pub fn reviewed(answer: &str) -> Option<Reviewed> {
    match ours(answer)? {
        (ACCEPTED, reason) => Some(Reviewed::Accepted(reason)),
        (REJECTED, reason) => reason.map(Reviewed::Rejected),
        _ => None,
    }
}

/// The last line, if it is meant for us: what it says, and why.
fn ours(answer: &str) -> Option<(&str, Option<String>)> {
    let last = answer.lines().rev().map(bare).find(|line| !line.is_empty())?;
    let said = last.strip_prefix(OURS)?.trim();
    let (what, reason) = said.split_once(':').unwrap_or((said, ""));
    let reason = line(reason);
    let is_reason = reason.chars().any(char::is_alphanumeric);
    Some((what.trim_end(), is_reason.then_some(reason)))
}

/// A line without the marks that models like to put around one.
fn bare(line: &str) -> &str {
    line.trim().trim_matches(['`', '*', '_']).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_line_counts_and_only_with_a_reason() {
        let nothing = |reason: &str| Some(Said::NothingToChange(reason.into()));
        let blocked = |reason: &str| Some(Said::Blocked(reason.into()));
        for (answer, meant) in [
            ("MILESTONE: nothing to change: it was there", nothing("it was there")),
            ("Done.\n\n**MILESTONE: blocked: no key: ask Ada**\n\n", blocked("no key: ask Ada")),
            ("```\nMILESTONE: blocked: no network\n```", blocked("no network")),
            ("MILESTONE:blocked :no network", blocked("no network")),
            ("MILESTONE: blocked: red \u{1b}[31mtext", blocked("red [31mtext")),
            ("MILESTONE: blocked: no network\nBut then it came back.", None),
            ("MILESTONE: nothing to change: <>", None),
            ("MILESTONE: nothing to change", None),
            ("MILESTONE: nothing to change:  ", None),
            ("MILESTONE: done: all of it", None),
            ("I could say MILESTONE: blocked: why", None),
            ("", None),
        ] {
            assert_eq!(said(answer), meant, "{answer:?}");
        }
    }

    #[test]
    fn a_review_says_with_its_last_line_what_it_came_to() {
        let rejected = |reason: &str| Some(Reviewed::Rejected(reason.into()));
        for (answer, meant) in [
            ("Fine.\nMILESTONE: accepted", Some(Reviewed::Accepted(None))),
            ("**MILESTONE: accepted: tidy**", Some(Reviewed::Accepted(Some("tidy".into())))),
            ("MILESTONE: rejected: no test: none", rejected("no test: none")),
            ("MILESTONE: rejected", None),
            ("MILESTONE: rejected: ...", None),
            ("MILESTONE: accepted\nBut on second thoughts", None),
            ("MILESTONE: accepted or rejected", None),
            ("accepted", None),
            ("", None),
        ] {
            assert_eq!(reviewed(answer), meant, "{answer:?}");
        }
    }
}
