//! What an agent may say in the last line of its answer, besides what it says to people.

use super::reading::line;

/// How the line begins that is meant for us. The prompt explains it.
const OURS: &str = "MILESTONE:";
const NOTHING: &str = "nothing to change";
const BLOCKED: &str = "blocked";

/// What was said with the last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// All was as it should be; an attempt that changed nothing is no failure then.
    NothingToChange(String),
    /// Somebody else has to do something first.
    Blocked(String),
}

/// What an answer's last line tells us. Without a reason it tells nothing: the reason is what is
/// recorded, and what a person judges.
pub fn said(answer: &str) -> Option<Said> {
    let last = answer.lines().rev().map(bare).find(|line| !line.is_empty())?;
    let (what, reason) = last.strip_prefix(OURS)?.trim_start().split_once(':')?;
    let reason = line(reason);
    if !reason.chars().any(char::is_alphanumeric) {
        return None;
    }
    match what.trim_end() {
        NOTHING => Some(Said::NothingToChange(reason)),
        BLOCKED => Some(Said::Blocked(reason)),
        _ => None,
    }
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
}
