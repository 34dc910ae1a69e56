//! What the words of a title and a description say about the work.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::subject::{PARTS_MAX, gist, head, parts, subject};
use super::surfaces::{risk, touched};
use super::template::Template;
use super::verbs::{Verb, act, is_wish, plain};
use super::words::Text;
use crate::document::Risk;

/// A word of the title counts for more than one of the description, and most where a title says
/// what is done or what it is about: at its beginning and at its end.
const AT_THE_BEGINNING: u32 = 6;
const AT_THE_END: u32 = 4;
const IN_THE_TITLE: u32 = 3;
const IN_THE_DESCRIPTION: u32 = 1;

/// Less than this is chance.
const SCORE_MIN: u32 = 4;

/// How many templates beside the best are worth a mention.
const RUNNERS_UP_MAX: usize = 2;

/// Work in so many parts is large, whatever it is called.
const LARGE_PARTS: usize = 6;

/// How many risks of what is touched are kept: nobody reads a list of ten.
const RISKS_MAX: usize = 3;

const SMALL: &[&str] = &[
    "bump",
    "hotfix",
    "minor",
    "one liner",
    "poc",
    "proof of concept",
    "prototype",
    "quick",
    "readme",
    "rename",
    "script",
    "simple",
    "small",
    "spelling",
    "spike",
    "tiny",
    "trivial",
    "tweak",
    "typo",
    "wording",
];

const LARGE: &[&str] = &[
    "complete",
    "comprehensive",
    "end to end",
    "enterprise",
    "entire",
    "framework",
    "marketplace",
    "migrate",
    "migration",
    "mobile app",
    "monolith",
    "multi",
    "multitenant",
    "overhaul",
    "platform",
    "redesign",
    "rewrite",
    "saas",
    "system",
    "whole",
];

/// How large a piece of work sounds.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    Small,
    #[default]
    Normal,
    Large,
}

impl Size {
    pub fn word(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Normal => "normal",
            Self::Large => "large",
        }
    }

    /// What estimates are multiplied with, in percent.
    pub fn percent(self) -> u32 {
        match self {
            Self::Small => 50,
            Self::Normal => 100,
            Self::Large => 150,
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Scope {
    /// What the title is about, in words that fit into the title of a task.
    pub subject: String,
    /// The templates that the words speak for, the best first.
    pub matches: Vec<Match>,
    pub size: Size,
    /// The words that say so.
    pub size_words: Vec<String>,
    /// What the work is made of, where that is listed.
    pub parts: Vec<String>,
    /// How many more parts there were than a plan takes.
    pub parts_left_out: usize,
    /// What the work touches.
    pub surfaces: Vec<String>,
    /// Whether anything in the words was understood. What is planned otherwise holds a place.
    pub understood: bool,
}

/// A template that words speak for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Match {
    pub template: String,
    pub score: u32,
    /// The words, the strongest first.
    pub words: Vec<String>,
}

impl Scope {
    /// Pure, and the same for the same words and templates: ties go by the templates' names.
    pub fn of(title: &str, description: Option<&str>, templates: &[&Template]) -> Self {
        let title = &plain(title);
        let mut parts = parts(title, description);
        let parts_left_out = parts.len().saturating_sub(PARTS_MAX);
        parts.truncate(PARTS_MAX);
        let verb = act(title).map(|act| act.verb);
        // What a long title goes on about describes the work and does not name it.
        let (gist, rest) = gist(title);
        let description = format!("{rest}\n{}", description.unwrap_or_default());
        let words = Words {
            everyday: verb == Some(Verb::Everyday),
            title: Text::new(gist),
            head: Text::new(head(gist)),
            description: Text::new(&description),
        };
        let (size, size_words) = size(&Text::new(title), parts.len());
        let surfaces = touched(&words.title, &words.description);
        let matches = matches(&words, templates);
        let listed = parts.len() > 1;
        Self {
            subject: subject(title),
            understood: verb.is_some()
                || is_wish(title)
                || listed
                || !matches.is_empty()
                || !surfaces.is_empty(),
            matches,
            size,
            size_words,
            parts,
            parts_left_out,
            surfaces: surfaces.into_iter().map(|surface| surface.name.to_owned()).collect(),
        }
    }

    /// The risks of what is touched, the worst first. Small work has room for one.
    pub fn risks(&self) -> Vec<Risk> {
        let max = if self.size == Size::Small { 1 } else { RISKS_MAX };
        let mut risks: Vec<Risk> = self.surfaces.iter().filter_map(|name| risk(name)).collect();
        // Levels are declared from high to low.
        risks.sort_by_key(|risk| (risk.impact, risk.probability));
        risks.truncate(max);
        risks
    }
}

fn size(title: &Text, parts: usize) -> (Size, Vec<String>) {
    let said = |words: &[&str]| -> Vec<String> {
        words.iter().filter(|word| title.has(word)).map(|word| (*word).to_owned()).collect()
    };
    let (small, large) = (said(SMALL), said(LARGE));
    match (small.is_empty(), large.is_empty()) {
        (false, true) => (Size::Small, small),
        (true, false) => (Size::Large, large),
        (true, true) if parts >= LARGE_PARTS => (Size::Large, Vec::new()),
        // "A simple platform" says nothing about its size.
        _ => (Size::Normal, Vec::new()),
    }
}

/// What is looked at.
struct Words {
    title: Text,
    /// The title without the parts that it lists.
    head: Text,
    description: Text,
    /// Of what is done every day, only what the title begins with says what it is.
    everyday: bool,
}

fn matches(words: &Words, templates: &[&Template]) -> Vec<Match> {
    let mut found: Vec<Match> = templates
        .iter()
        .map(|template| score(template, words))
        .filter(|found| found.score >= SCORE_MIN)
        .collect();
    found.sort_by(|a, b| (Reverse(a.score), &a.template).cmp(&(Reverse(b.score), &b.template)));
    let best = found.first().map_or(0, |best| best.score);
    found.retain(|found| found.score * 2 >= best);
    found.truncate(1 + RUNNERS_UP_MAX);
    found
}

fn score(template: &Template, words: &Words) -> Match {
    let mut spoken: Vec<(u32, &String)> = Vec::new();
    for (word, weight) in &template.words {
        let ends_head = || words.head.find(word).is_some_and(|found| found.last);
        let times = match words.title.find(word) {
            Some(found) if found.first => AT_THE_BEGINNING,
            _ if words.everyday => continue,
            Some(_) if ends_head() => AT_THE_END,
            Some(_) => IN_THE_TITLE,
            None if words.description.has(word) => IN_THE_DESCRIPTION,
            None => continue,
        };
        spoken.push((weight * times, word));
    }
    spoken.sort_by_key(|(score, word)| (Reverse(*score), *word));
    Match {
        template: template.name.clone(),
        score: spoken.iter().map(|(score, _)| score).sum(),
        words: spoken.into_iter().map(|(_, word)| word.clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(title: &str) -> Scope {
        Scope::of(title, None, &[])
    }

    #[test]
    fn words_say_how_large_it_is() {
        for (title, size) in [
            ("Quick script for backups", Size::Small),
            ("User dashboard", Size::Normal),
            ("Multi-tenant billing platform", Size::Large),
            ("A simple platform", Size::Normal),
            ("a, b, c, d, e and f", Size::Large),
            ("Systematic names", Size::Normal),
        ] {
            assert_eq!(scope(title).size, size, "{title}");
        }
        assert_eq!(scope("Platform migration").size_words, ["migration", "platform"]);
    }

    #[test]
    fn the_worst_risks_are_kept_and_small_work_has_one() {
        let many = "Migrate payment and login data to a faster cloud database with an API";
        assert!(scope(many).surfaces.len() > 5);
        let risks = scope(many).risks();
        assert_eq!(risks.len(), RISKS_MAX);
        assert!(risks.iter().all(|risk| risk.impact == Some(crate::status::Level::High)));
        assert_eq!(scope("Simple payment and login page").risks().len(), 1);
        assert_eq!(scope("Fix typo on the payment page").risks(), []);
    }

    #[test]
    fn parts_beyond_what_a_plan_takes_are_counted() {
        let list: Vec<String> = (0..PARTS_MAX + 3).map(|n| format!("- part {n}")).collect();
        let scope = Scope::of("T", Some(&list.join("\n")), &[]);
        assert_eq!((scope.parts.len(), scope.parts_left_out), (PARTS_MAX, 3));
    }
}
