//! What is looked for: words, phrases and exclusions, and what the hits must be besides.

use jiff::Timestamp;

use super::words::fold;
use super::{Kind, Status};
use crate::ids::Node;
use crate::limits;
use crate::status::{MilestoneStatus, TaskStatus, WordError};

/// A search: everything that a store needs to know of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub terms: Vec<Term>,
    pub filter: Filter,
    pub limit: usize,
}

/// One word or phrase of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Folded, as the texts are that it is looked for in.
    pub text: String,
    pub phrase: bool,
    /// What has this is no hit.
    pub excluded: bool,
    /// The milestone or task that this may name.
    pub node: Option<Node>,
}

/// What a hit must be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub place: Place,
    /// Any of these; all where none is named.
    pub statuses: Vec<StatusWord>,
    /// Any of these; all where none is named.
    pub kinds: Vec<Kind>,
    /// All of these; a task has those of its milestone, too.
    pub labels: Vec<String>,
    /// A task's own, or else its milestone's.
    pub assignee: Option<String>,
    pub release: Option<String>,
    /// Something happened to it at this moment or later.
    pub since: Option<Timestamp>,
}

/// Where to look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Place {
    Open,
    Archived,
    #[default]
    All,
}

/// A status as it was asked for: of milestones, of tasks, or of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusWord {
    milestone: Option<MilestoneStatus>,
    task: Option<TaskStatus>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("there is no word to look for")]
    Empty,
    #[error("there are only words to leave out, and none to look for")]
    OnlyExcluded,
    #[error("this is too much to look for: at most {words} words of together {chars} characters")]
    TooLong { words: usize, chars: usize },
}

impl Query {
    /// Reads what a person typed: words that must all be there, `"a phrase"`, and `-word` for what
    /// must not.
    pub fn parse(text: &str, filter: Filter, limit: usize) -> Result<Self, QueryError> {
        let (words, chars) = (limits::SEARCH_TERMS_MAX, limits::SEARCH_CHARS_MAX);
        if text.chars().count() > chars {
            return Err(QueryError::TooLong { words, chars });
        }
        let mut terms = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (term, after) = next_term(rest);
            terms.extend(term);
            rest = after.trim_start();
        }
        if terms.len() > words {
            return Err(QueryError::TooLong { words, chars });
        }
        match terms.iter().any(|term| !term.excluded) {
            true => Ok(Self { terms, filter, limit }),
            false if terms.is_empty() => Err(QueryError::Empty),
            false => Err(QueryError::OnlyExcluded),
        }
    }

    pub(super) fn wanted(&self) -> impl Iterator<Item = &Term> {
        self.terms.iter().filter(|term| !term.excluded)
    }

    pub(super) fn excluded(&self) -> impl Iterator<Item = &Term> {
        self.terms.iter().filter(|term| term.excluded)
    }
}

/// The first term of a text that begins with one, and what stands behind it.
fn next_term(text: &str) -> (Option<Term>, &str) {
    let starts_term = |rest: &&str| rest.starts_with(|c: char| !c.is_whitespace());
    let negated = text.strip_prefix('-').filter(starts_term);
    let (excluded, text) = (negated.is_some(), negated.unwrap_or(text));
    let (said, phrase, after) = match text.strip_prefix('"') {
        Some(quoted) => {
            let (said, after) = quoted.split_once('"').unwrap_or((quoted, ""));
            (said, true, after)
        }
        None => {
            let end = text.find(char::is_whitespace).unwrap_or(text.len());
            (&text[..end], false, &text[end..])
        }
    };
    let text = fold(said.trim());
    let node = if phrase { None } else { said.parse().ok() };
    ((!text.is_empty()).then_some(Term { text, phrase, excluded, node }), after)
}

impl std::str::FromStr for StatusWord {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let milestone = text.parse::<MilestoneStatus>();
        let task = text.parse::<TaskStatus>();
        match (&milestone, &task) {
            (Err(_), Err(_)) => Err(WordError { what: "status", text: text.into(), known: KNOWN }),
            _ => Ok(Self { milestone: milestone.ok(), task: task.ok() }),
        }
    }
}

/// The words of milestones and of tasks.
const KNOWN: &[&str] =
    &["planned", "pending", "in_progress", "paused", "blocked", "completed", "failed", "cancelled"];

impl StatusWord {
    pub(super) fn takes(self, status: Status) -> bool {
        match status {
            Status::Milestone(status) => self.milestone == Some(status),
            Status::Task(status) => self.task == Some(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str) -> Vec<(String, bool, bool)> {
        let query = Query::parse(text, Filter::default(), 1);
        let terms = query.map(|query| query.terms).unwrap_or_default();
        terms.into_iter().map(|term| (term.text, term.phrase, term.excluded)).collect()
    }

    #[test]
    fn words_phrases_and_exclusions() {
        let term = |text: &str, phrase, excluded| (text.to_owned(), phrase, excluded);
        assert_eq!(
            terms("  Login -draft \"Two  Words\" -\"old flow\" a-b "),
            [
                term("login", false, false),
                term("draft", false, true),
                term("two words", true, false),
                term("old flow", true, true),
                term("a-b", false, false),
            ]
        );
        assert_eq!(terms("\"never closed"), [term("never closed", true, false)]);
        assert_eq!(terms("- x"), [term("-", false, false), term("x", false, false)]);
        assert_eq!(terms("\"\" x"), [term("x", false, false)]);
    }

    #[test]
    fn a_query_looks_for_something() {
        let parse = |text: &str| Query::parse(text, Filter::default(), 1).unwrap_err();
        assert_eq!(parse(" \"\" "), QueryError::Empty);
        assert_eq!(parse("-a -b"), QueryError::OnlyExcluded);
        assert!(matches!(parse(&"a ".repeat(400)), QueryError::TooLong { .. }));
        assert!(matches!(parse(&"a".repeat(10_000)), QueryError::TooLong { .. }));
    }

    #[test]
    fn ids_are_known_in_every_form() {
        let node = |text: &str| Query::parse(text, Filter::default(), 1).unwrap().terms[0].node;
        for text in ["task-001-002", "1.2", "001.002"] {
            assert!(matches!(node(text), Some(Node::Task(_))), "{text}");
        }
        assert!(matches!(node("milestone-7"), Some(Node::Milestone(_))));
        assert_eq!(node("\"1.2\""), None);
    }

    #[test]
    fn a_status_is_one_of_milestones_or_tasks() {
        let word = |text: &str| text.parse::<StatusWord>();
        let done = word("done").unwrap();
        assert!(done.takes(Status::Milestone(MilestoneStatus::Completed)));
        assert!(done.takes(Status::Task(TaskStatus::Completed)));
        assert!(!word("paused").unwrap().takes(Status::Task(TaskStatus::Blocked)));
        assert!(word("dune").unwrap_err().to_string().contains("failed"));
    }
}
