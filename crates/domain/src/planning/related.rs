//! Milestones that a new one may build on, by their words. Only ever a suggestion.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::words::Text;
use crate::ids::MilestoneId;
use crate::snapshot::{Outline, Snapshot};

/// How many are suggested.
const SUGGESTED_MAX: usize = 2;

/// A word in more than this share of the titles, one in so many, tells none from the others.
const COMMON_SHARE: usize = 3;

/// Below so many milestones no word is common.
const FEW: usize = 6;

/// Words that many titles have and that say nothing about what they are about.
const EMPTY: &[&str] = &[
    "and",
    "app",
    "application",
    "basic",
    "better",
    "build",
    "change",
    "code",
    "core",
    "create",
    "das",
    "der",
    "develop",
    "development",
    "die",
    "ein",
    "eine",
    "feature",
    "first",
    "fix",
    "for",
    "from",
    "implement",
    "implementation",
    "improve",
    "improvement",
    "into",
    "make",
    "milestone",
    "more",
    "new",
    "our",
    "part",
    "phase",
    "plan",
    "platform",
    "project",
    "release",
    "service",
    "set",
    "simple",
    "sprint",
    "support",
    "system",
    "task",
    "test",
    "that",
    "the",
    "this",
    "thing",
    "tool",
    "und",
    "update",
    "use",
    "version",
    "von",
    "with",
    "work",
];

/// A milestone that may have to be done before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Suggestion {
    #[schemars(with = "String")]
    pub milestone: MilestoneId,
    pub title: String,
    /// The words that both have.
    pub words: Vec<String>,
    /// The condition that it provides and that the words name.
    pub condition: Option<String>,
}

/// Whether a word, in its singular and in small letters, tells what a title is about.
pub fn says_something(word: &str) -> bool {
    let number = word.chars().all(|c| c.is_ascii_digit());
    word.chars().count() > 2 && !number && !EMPTY.contains(&word)
}

fn telling(text: &str) -> BTreeSet<String> {
    Text::new(text).words().iter().filter(|word| says_something(word)).cloned().collect()
}

/// What the milestone may build on and does not require, the likeliest first.
pub fn suggest(snapshot: &Snapshot, id: MilestoneId) -> Vec<Suggestion> {
    let Some(own) = snapshot.outline(id) else { return Vec::new() };
    let required = own.required();
    let open = || snapshot.open().filter(|other| other.id != id && !other.status.is_closed());
    let common = common(open());
    let mut words = telling(&own.title);
    words.retain(|word| !common.contains(word));
    let description = snapshot.documents.get(&id).and_then(|d| d.description.as_deref());
    let described = Text::new(description.unwrap_or_default());
    let mut found: Vec<(usize, Suggestion)> = open()
        .filter(|other| !required.contains(&other.id))
        .filter_map(|other| suggestion(own, other, &words, &described))
        .map(|suggestion| (suggestion.words.len(), suggestion))
        .collect();
    found.sort_by_key(|(shared, suggestion)| (usize::MAX - shared, suggestion.milestone));
    found.into_iter().take(SUGGESTED_MAX).map(|(_, suggestion)| suggestion).collect()
}

fn suggestion(
    own: &Outline,
    other: &Outline,
    words: &BTreeSet<String>,
    described: &Text,
) -> Option<Suggestion> {
    let theirs = telling(&other.title);
    let mut shared: BTreeSet<String> = theirs.intersection(words).cloned().collect();
    // A description has many words; only a whole title in it is meant.
    if !theirs.is_empty() && theirs.iter().all(|word| described.has(word)) {
        shared.extend(theirs);
    }
    let named = |name: &&str| {
        let words_of_name = telling(name);
        let known = |word: &String| words.contains(word) || described.has(word);
        !own.conditions.iter().any(|own| own == name)
            && words_of_name.iter().filter(|word| known(word)).count() > 1
    };
    let condition = other.provisions().filter(|(.., holds)| !holds).map(|(name, ..)| name);
    let condition = condition.into_iter().find(named).map(str::to_owned);
    if let Some(name) = &condition {
        shared.extend(telling(name).into_iter().filter(|word| words.contains(word)));
    }
    (!shared.is_empty() || condition.is_some()).then(|| Suggestion {
        milestone: other.id,
        title: other.title.clone(),
        words: shared.into_iter().collect(),
        condition,
    })
}

fn common<'a>(open: impl Iterator<Item = &'a Outline>) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = 0;
    for outline in open {
        all += 1;
        for word in telling(&outline.title) {
            *counts.entry(word).or_default() += 1;
        }
    }
    let is_common = |count: usize| all >= FEW && count * COMMON_SHARE > all;
    counts.into_iter().filter(|(_, count)| is_common(*count)).map(|(word, _)| word).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::views::testing::project;

    fn suggested(documents: &[serde_json::Value], id: u32) -> Vec<(u32, String)> {
        let found = suggest(&project(documents), MilestoneId(id));
        found.into_iter().map(|s| (s.milestone.0, s.words.join(" "))).collect()
    }

    #[test]
    fn what_shares_telling_words_is_suggested() {
        let documents = [
            json!({"id": "milestone-001", "title": "User database"}),
            json!({"id": "milestone-002", "title": "Release system"}),
            json!({"id": "milestone-003", "title": "User profile", "status": "completed"}),
            json!({"id": "milestone-004", "title": "User dashboard system"}),
            json!({"id": "milestone-005", "title": "Reports", "description": "From the user database"}),
            json!({"id": "milestone-006", "title": "User dashboard charts",
                "dependencies": {"requires": ["milestone-004"]}}),
        ];
        assert_eq!(suggested(&documents, 4)[..1], [(6, "dashboard user".into())]);
        assert_eq!(suggested(&documents, 5), [(1, "database user".into())]);
        assert_eq!(suggested(&documents, 6), [(1, "user".into())]);
        assert_eq!(suggested(&documents, 2), []);
        assert_eq!(suggested(&documents, 9), []);
    }

    #[test]
    fn a_condition_that_the_words_name_is_suggested() {
        let documents = [
            json!({"id": "milestone-001", "title": "Storage",
                "provides": ["database_schema_complete", "bucket_there"]}),
            json!({"id": "milestone-002", "title": "Report on the database schema"}),
        ];
        let found = suggest(&project(&documents), MilestoneId(2));
        assert_eq!(found[0].condition.as_deref(), Some("database_schema_complete"));
    }

    #[test]
    fn a_word_that_most_titles_have_suggests_nothing() {
        let documents: Vec<_> = (1..=8)
            .map(|n| json!({"id": format!("milestone-{n:03}"), "title": format!("Payment {n}")}))
            .collect();
        assert_eq!(suggested(&documents, 8), []);
    }
}
