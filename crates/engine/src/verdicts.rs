//! What was decided about the work of a stream, as the history of its milestone says it.
//!
//! Only what stands there lets a stream go up, so what is said is also what is read.

use std::fmt;

use milestone_domain::event::{Event, Recorded};
use milestone_domain::ids::MilestoneId;
use milestone_domain::streams::StreamName;

use crate::git::Oid;

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judge {
    Verification,
    Review,
    Person,
}

impl Judge {
    const ALL: [Self; 3] = [Self::Verification, Self::Review, Self::Person];

    pub fn word(self) -> &'static str {
        match self {
            Self::Verification => "verification",
            Self::Review => "review",
            Self::Person => "person",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub stream: StreamName,
    /// The commit in which all of the stream's work was seen together.
    pub at: Oid,
    pub accepted: bool,
    pub by: Judge,
    pub why: String,
}

const ACCEPTED: &str = "accepted by ";
const REJECTED: &str = "rejected by ";

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream {} at {}: {}", self.stream, self.at, self.decided())
    }
}

impl Verdict {
    /// What was decided, by whom and why.
    pub fn decided(&self) -> String {
        let decided = if self.accepted { ACCEPTED } else { REJECTED };
        format!("{decided}{}: {}", self.by.word(), self.why)
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (stream, rest) = text.strip_prefix("stream ")?.split_once(" at ")?;
        let (at, rest) = rest.split_once(": ")?;
        let (accepted, rest) = match rest.strip_prefix(ACCEPTED) {
            Some(rest) => (true, rest),
            None => (false, rest.strip_prefix(REJECTED)?),
        };
        let (by, why) = rest.split_once(": ")?;
        Some(Self {
            stream: StreamName::parse(stream)?,
            at: Oid::parse(at)?,
            accepted,
            by: Judge::ALL.into_iter().find(|judge| judge.word() == by)?,
            why: why.to_owned(),
        })
    }
}

/// What was decided about a stream, the latest first.
pub fn verdicts(events: &[Recorded], stream: &StreamName) -> Vec<Verdict> {
    let noted = events.iter().rev().filter_map(|recorded| match &recorded.event {
        Event::MilestoneNoted { text } => Verdict::parse(text),
        _ => None,
    });
    noted.filter(|verdict| verdict.stream == *stream).collect()
}

/// What to do about a stream that stays out.
pub fn next(milestone: MilestoneId) -> String {
    format!(
        "put it right in a task of that stream, reopened (`milestone task reopen TASK`) or added, \
         then `milestone execute {milestone} --resume`; or accept it as it is: `milestone execute \
         {milestone} --accept STREAM`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(why: &str) -> Verdict {
        let stream = StreamName::parse("tasks-001").unwrap();
        let at = Oid::parse(&"0a".repeat(20)).unwrap();
        Verdict { stream, at, accepted: false, by: Judge::Review, why: why.to_owned() }
    }

    #[test]
    fn what_is_said_is_what_is_read() {
        for verdict in [
            verdict("no: accepted by person: me"),
            Verdict { accepted: true, by: Judge::Person, ..verdict("a\nb") },
        ] {
            assert_eq!(Verdict::parse(&verdict.to_string()), Some(verdict));
        }
    }

    #[test]
    fn no_other_note_is_a_verdict() {
        let said = verdict("x").to_string();
        for other in [
            format!("CI report: {said}"),
            said.replace("tasks-001", "../x"),
            said.replace("0a0a", "HEAD"),
            said.replace("review", "nobody"),
            said.replace("rejected by", "liked by"),
            "stream".to_owned(),
        ] {
            assert_eq!(Verdict::parse(&other), None, "{other}");
        }
    }
}
