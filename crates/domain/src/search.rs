//! Finding milestones and tasks by their words.
//!
//! Pure: a store hands over what can be searched and gets the same hits, in the same order, as
//! every other store.

mod query;
mod searchable;
mod words;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::ids::Node;
use crate::limits;

pub use query::{Filter, Place, Query, QueryError, StatusWord, Term};
use searchable::Unit;
pub use searchable::{Field, Kind, Searchable, Status};
use words::{Folded, distance, occurrences};

/// What a search came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Found {
    /// The best first.
    pub hits: Vec<Hit>,
    /// How many there are, shown or not.
    pub total: usize,
    /// Where nothing was found: the words that stand nowhere, and those that are near them.
    pub unknown: Vec<Unknown>,
}

/// A milestone or a task that has what was looked for.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Hit {
    pub id: Node,
    pub title: String,
    /// Which characters of the title were looked for.
    pub title_marks: Vec<Mark>,
    pub status: &'static str,
    pub archived: bool,
    /// When anything last happened to it.
    pub touched: Option<Timestamp>,
    /// Higher is better; only good for comparing hits of one search.
    pub score: u32,
    /// Where the best match is.
    pub field: Field,
    /// The best place besides the title, where the title does not say it all.
    pub excerpt: Option<Excerpt>,
}

/// A part of a text around what was found in it, on one line.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Excerpt {
    pub field: Field,
    pub text: String,
    pub marks: Vec<Mark>,
}

/// A stretch of characters (Unicode scalar values), counted from 0: from `start` up to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Mark {
    pub start: usize,
    pub end: usize,
}

/// A word that stands nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unknown {
    pub word: String,
    /// Words of titles that differ from it by a letter or two.
    pub near: Vec<String>,
}

/// Words that are found only because the milestone of a task has them in its title.
const CONTEXT: u32 = 5;

impl Field {
    pub fn kind(self, in_task: bool) -> Kind {
        match self {
            Self::Criteria | Self::Evidence => Kind::Criterion,
            Self::Risks => Kind::Risk,
            Self::Lessons => Kind::Lesson,
            Self::Notes => Kind::Note,
            _ if in_task => Kind::Task,
            _ => Kind::Milestone,
        }
    }

    /// What a word counts that is found here; an exact one counts one more.
    fn weight(self, in_task: bool) -> u32 {
        match self {
            Self::Id => 100,
            Self::Title if in_task => 40,
            Self::Title => 50,
            Self::Labels | Self::Category | Self::Release | Self::Assignee | Self::People => 30,
            Self::Description | Self::Goals | Self::Reason => 20,
            _ => 10,
        }
    }
}

/// One unit that has everything, before it is shown.
struct Candidate<'a> {
    document: &'a Searchable<'a>,
    number: usize,
    unit: &'a Unit,
    score: u32,
    field: Field,
    /// The best piece besides the title that has a word which the title does not have as well.
    piece: Option<usize>,
}

/// Where the best match of one term is.
#[derive(Clone, Copy)]
struct Best {
    score: u32,
    field: Field,
    piece: Option<usize>,
}

pub fn search(query: &Query, documents: &[Searchable<'_>]) -> Found {
    let mut candidates: Vec<Candidate<'_>> = Vec::new();
    for document in documents.iter().filter(|document| query.filter.reaches(document)) {
        if query.wanted().all(|term| may_have(document, term)) {
            let units = document.units().iter().enumerate();
            candidates.extend(units.filter_map(|(n, unit)| candidate(query, document, n, unit)));
        }
    }
    candidates.sort_by_key(Candidate::order);
    let total = candidates.len();
    let unknown = if total == 0 { unknown(query, documents) } else { Vec::new() };
    let shown = candidates.iter().take(query.limit);
    Found { hits: shown.map(|candidate| candidate.hit(query)).collect(), total, unknown }
}

/// Quick to say no: most documents have not even the letters.
fn may_have(document: &Searchable<'_>, term: &Term) -> bool {
    let named = term.node.is_some_and(|node| node.milestone() == document.id);
    named || document.everything().contains(&term.text)
}

fn candidate<'a>(
    query: &Query,
    document: &'a Searchable<'_>,
    number: usize,
    unit: &'a Unit,
) -> Option<Candidate<'a>> {
    if !query.filter.takes(document, number, unit) {
        return None;
    }
    let mut best: Vec<Best> = Vec::new();
    for term in query.wanted() {
        best.push(best_match(query, document, number, unit, term)?);
    }
    // Its milestone's title helps a task to be found, and is not by itself a reason to be.
    if best.iter().all(|best| best.score <= CONTEXT) {
        return None;
    }
    if query.excluded().any(|term| has_anywhere(document, number, unit, term)) {
        return None;
    }
    let top = best.iter().copied().max_by_key(|best| (best.score, Reverse(best.piece)))?;
    let title = document.pieces_of(number).start;
    let beside = best.iter().filter(|best| best.piece.is_some_and(|piece| piece != title));
    let piece = beside.max_by_key(|best| (best.score, Reverse(best.piece)));
    Some(Candidate {
        document,
        number,
        unit,
        score: best.iter().map(|best| best.score).sum(),
        field: top.field,
        piece: piece.and_then(|best| best.piece),
    })
}

fn best_match(
    query: &Query,
    document: &Searchable<'_>,
    number: usize,
    unit: &Unit,
    term: &Term,
) -> Option<Best> {
    let in_task = unit.task.is_some();
    let wants = |field: Field| query.filter.wants(field.kind(in_task));
    if term.node == Some(document.node(unit)) && wants(Field::Id) {
        return Some(Best { score: Field::Id.weight(in_task), field: Field::Id, piece: None });
    }
    let mut best: Option<Best> = None;
    for piece in document.pieces_of(number) {
        let field = document.field(piece);
        let most = field.weight(in_task) + 1;
        if !wants(field) || best.is_some_and(|best| best.score >= most) {
            continue;
        }
        let Some(whole) = stands_in(document.folded(piece), term) else { continue };
        let score = most - u32::from(!whole);
        if best.is_none_or(|best| best.score < score) {
            best = Some(Best { score, field, piece: Some(piece) });
        }
    }
    let in_title = || stands_in(document.folded(0), term).is_some();
    let context = Best { score: CONTEXT, field: Field::Title, piece: None };
    best.or_else(|| (in_task && in_title()).then_some(context))
}

/// Whether a term stands in a text, and if so whether as a whole word. A phrase is there as a
/// whole or not at all.
fn stands_in(folded: &str, term: &Term) -> Option<bool> {
    let mut found = None;
    for (_, whole) in occurrences(folded, &term.text) {
        if whole {
            return Some(true);
        }
        found = (!term.phrase).then_some(false);
    }
    found
}

fn has_anywhere(document: &Searchable<'_>, number: usize, unit: &Unit, term: &Term) -> bool {
    let own = document.pieces_of(number);
    let context = unit.task.map(|_| 0);
    term.node == Some(document.node(unit))
        || own.chain(context).any(|piece| stands_in(document.folded(piece), term).is_some())
}

impl Filter {
    fn reaches(&self, document: &Searchable<'_>) -> bool {
        match self.place {
            Place::Open => !document.archived,
            Place::Archived => document.archived,
            Place::All => true,
        }
    }

    fn wants(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    fn takes(&self, document: &Searchable<'_>, number: usize, unit: &Unit) -> bool {
        let own_or_milestones = |field, text: &str| {
            document.says(number, field, text)
                || !document.has(number, field) && document.says(0, field, text)
        };
        let label = |label: &String| {
            document.says(number, Field::Labels, label) || document.says(0, Field::Labels, label)
        };
        (self.statuses.is_empty() || self.statuses.iter().any(|word| word.takes(unit.status)))
            && self.since.is_none_or(|since| unit.touched.is_some_and(|at| at >= since))
            && self.labels.iter().all(label)
            && self.assignee.as_ref().is_none_or(|name| own_or_milestones(Field::Assignee, name))
            && self.release.as_ref().is_none_or(|name| document.says(0, Field::Release, name))
    }
}

impl Candidate<'_> {
    /// The best first; of equals what is open, then what is newest.
    fn order(&self) -> impl Ord + use<> {
        let task = self.unit.task;
        let newest = Reverse((self.unit.touched, self.document.id));
        (Reverse(self.score), self.document.archived, newest, task)
    }

    fn hit(&self, query: &Query) -> Hit {
        let title = self.document.text(self.document.pieces_of(self.number).start);
        let in_task = self.unit.task.is_some();
        let of_title = query.filter.wants(Field::Title.kind(in_task));
        let excerpt = self.piece.map(|piece| {
            let (text, marks) = excerpt(query, self.document.text(piece));
            Excerpt { field: self.document.field(piece), text, marks }
        });
        Hit {
            id: self.document.node(self.unit),
            title: title.to_owned(),
            title_marks: if of_title { marks(query, title) } else { Vec::new() },
            status: self.unit.status.word(),
            archived: self.document.archived,
            touched: self.unit.touched,
            score: self.score,
            field: self.field,
            excerpt,
        }
    }
}

/// Where the words that were looked for stand in a text; what touches is one mark.
fn marks(query: &Query, text: &str) -> Vec<Mark> {
    let folded = Folded::new(text);
    let mut found: Vec<Range<usize>> = Vec::new();
    for term in query.wanted() {
        let there = occurrences(&folded.text, &term.text);
        let there = there.filter(|(_, whole)| *whole || !term.phrase);
        found.extend(there.map(|(range, _)| folded.origin(&range)));
    }
    found.sort_by_key(|range| (range.start, range.end));
    let mut marks: Vec<Mark> = Vec::new();
    for range in found {
        match marks.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => marks.push(Mark { start: range.start, end: range.end }),
        }
    }
    marks
}

/// The part of a text in which the first match stands, on one line.
fn excerpt(query: &Query, text: &str) -> (String, Vec<Mark>) {
    let line: Vec<char> = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().collect();
    let whole: String = line.iter().collect();
    let marks = marks(query, &whole);
    let room = limits::EXCERPT_CHARS_MAX;
    if line.len() <= room {
        return (whole, marks);
    }
    let first = marks.first().map_or(0, |mark| mark.start);
    let mut start = first.saturating_sub(room / 3).min(line.len().saturating_sub(room));
    let mut end = (start + room).min(line.len());
    // Words are not cut, where there are any.
    let space = |range: Range<usize>| line.get(range)?.iter().position(|c| *c == ' ');
    if start > 0 {
        start += space(start..first).map_or(0, |at| at + 1);
    }
    if end < line.len() {
        let back = line[start..end].iter().rposition(|c| *c == ' ').map(|at| start + at);
        let last = marks.first().map_or(start, |mark| mark.end.min(end));
        end = back.filter(|back| *back >= last).unwrap_or(end);
    }
    let before = if start > 0 { "…" } else { "" };
    let after = if end < line.len() { "…" } else { "" };
    let shift = before.chars().count();
    let cut: String = line[start..end].iter().collect();
    let shown = marks.iter().filter(|mark| mark.start >= start && mark.start < end);
    let moved = shown.map(|mark| Mark {
        start: mark.start - start + shift,
        end: mark.end.min(end) - start + shift,
    });
    (format!("{before}{cut}{after}"), moved.collect())
}

/// The words that stand in no text, whatever else was asked for, and what people may have meant.
fn unknown(query: &Query, documents: &[Searchable<'_>]) -> Vec<Unknown> {
    let reached = || documents.iter().filter(|document| query.filter.reaches(document));
    let stands = |document: &Searchable<'_>, term: &Term| {
        let pieces = document.units().len();
        let all = (0..pieces).flat_map(|unit| document.pieces_of(unit));
        may_have(document, term)
            && all.into_iter().any(|piece| stands_in(document.folded(piece), term).is_some())
    };
    let absent = query.wanted().filter(|term| !reached().any(|document| stands(document, term)));
    let absent: Vec<&Term> = absent.collect();
    if absent.is_empty() {
        return Vec::new();
    }
    let mut vocabulary: BTreeMap<&str, usize> = BTreeMap::new();
    for document in reached() {
        let titles = (0..document.units().len()).map(|unit| document.pieces_of(unit).start);
        for word in titles.flat_map(|title| words::words(document.folded(title))) {
            *vocabulary.entry(word).or_default() += 1;
        }
    }
    let unknown = |term: &&Term| Unknown { word: term.text.clone(), near: near(term, &vocabulary) };
    absent.iter().map(unknown).collect()
}

/// The nearest words, those that are used most first.
fn near(term: &Term, vocabulary: &BTreeMap<&str, usize>) -> Vec<String> {
    let letters = term.text.chars().count();
    if term.phrase || letters < 3 {
        return Vec::new();
    }
    let most = if letters < 6 { 1 } else { 2 };
    // What people type is often only the beginning of a word.
    let beginning = |word: &str| word.chars().take(letters).collect::<String>();
    let from = |word: &str| {
        let whole = distance(&term.text, word, most);
        whole.into_iter().chain(distance(&term.text, &beginning(word), most)).min()
    };
    let near =
        vocabulary.iter().filter_map(|(word, uses)| Some((from(word)?, Reverse(uses), word)));
    let near: BTreeSet<_> = near.collect();
    near.into_iter().take(limits::NEAR_WORDS_MAX).map(|(.., word)| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests;
