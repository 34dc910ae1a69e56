//! Random documents, random edits, an independent oracle.

use serde_json::{Value, json};

use super::generate::{self, Document, Kind, Place};
use super::oracle::{self, Allowed};
use super::random::Random;
use super::rounds;
use crate::yaml::{self, Edit, EditError, Step};

const AWKWARD: &[&str] = &[
    "in_progress",
    "yes",
    "012",
    "1e3",
    "null",
    "~",
    "# x",
    "a: b",
    "a #b",
    " leading",
    "trailing ",
    "",
    "true",
    "0x1F",
    "1_000",
    "12:30",
    ".5",
    "-",
    "- item",
    "[x",
    "{y}",
    "a, b",
    "*star",
    "&amp",
    "!bang",
    "%percent",
    "@at",
    "`tick`",
    "'single'",
    "\"double\"",
    "it's",
    "back\\slash",
    "tab\there",
    "ünï ☃ 🎉",
    "bell\u{7}",
    "bidi \u{202e}txt",
    "\u{feff}bom",
    "nbsp\u{a0}",
    "nel\u{85}x",
    "ls\u{2028}x",
    "two\nlines",
    "two\nlines\n",
    "blank\n\nline\n",
    "ends\n\n",
    "\nstarts",
    "  indented\nfirst",
    "a\n  b\nc",
    "cr\r\nlf",
    "trail \nspace",
    "# c\n# d\n",
    "key: v\nother: w",
    "...",
    "---",
    "x:",
    ":x",
    "?",
    "<<",
    "=",
    "a very long title that goes on and on and on, well beyond the hundred columns that most people use",
];

const ORDER: &[&str] =
    &["id", "title", "status", "priority", "zz_new", "due", "requires", "labels"];

#[test]
fn edits_change_what_they_name_and_nothing_else() {
    let mut tally = Tally::default();
    let mut edits = 0;
    for seed in 0..rounds(400, 5_000) {
        let mut random = Random::new(seed);
        let document = generate::document(&mut random);
        for _ in 0..4 {
            let (edit, place, allowed) = random_edit(&mut random, &document);
            tally.note(seed, &document, &edit, check(&document, &edit, &place, allowed));
            edits += 1;
        }
    }
    tally.assert_clean(edits);
}

#[test]
fn a_batch_is_the_same_as_its_edits_one_by_one() {
    for seed in 0..rounds(150, 3_000) {
        let mut random = Random::new(seed ^ 0xBA7C4);
        let document = generate::document(&mut random);
        let mut wanted = oracle::value(&document.text).unwrap();
        let mut edits: Vec<Edit> = Vec::new();
        for _ in 0..4 {
            let (edit, place, _) = random_edit(&mut random, &document);
            let clashes = edits.iter().any(|other| related(other, &place));
            if !clashes {
                oracle::apply(&mut wanted, &edit);
                edits.push(edit);
            }
        }
        let new = yaml::edit(&document.text, &edits)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}\n{edits:?}\n{}", document.text));
        assert_eq!(oracle::value(&new).unwrap(), wanted, "seed {seed}\n{edits:?}\n{new}");
    }
}

/// Whether two edits are in the same top-level key: then the second needs the first's result.
fn related(edit: &Edit, place: &Place) -> bool {
    let (Edit::Set { path, .. } | Edit::Remove { path } | Edit::Append { path, .. }) = edit;
    path.first() == place.path.first() || place.path.is_empty()
}

#[derive(Default)]
struct Tally {
    wrong: Vec<String>,
    refused: Vec<String>,
}

impl Tally {
    fn note(&mut self, seed: u64, document: &Document, edit: &Edit, outcome: Outcome) {
        let report = |what: &str, new: &str| {
            let difference = oracle::difference(&document.text, new);
            format!("seed {seed}: {what}\n{edit:?}\n{difference}")
        };
        match outcome {
            Outcome::Right => {}
            Outcome::Refused(error) => self.refused.push(report(&error.to_string(), "")),
            Outcome::Wrong(what, new) => self.wrong.push(report(&what, &new)),
        }
    }

    fn assert_clean(&self, edits: usize) {
        let (wrong, refused) = (self.wrong.len(), self.refused.len());
        let first = self.wrong.iter().take(10).chain(self.refused.iter().take(3));
        let examples = first.cloned().collect::<Vec<_>>().join("\n==========\n");
        println!("{edits} edits: {wrong} wrong, {refused} refused");
        assert!(wrong + refused == 0, "{wrong} wrong, {refused} refused of {edits}\n{examples}");
    }
}

enum Outcome {
    Right,
    Refused(EditError),
    /// What is wrong, and the text that is.
    Wrong(String, String),
}

fn check(document: &Document, edit: &Edit, place: &Place, allowed: Allowed) -> Outcome {
    let old = &document.text;
    let new = match yaml::edit(old, std::slice::from_ref(edit)) {
        Ok(new) => new,
        Err(error) => return Outcome::Refused(error),
    };
    let mut wanted = oracle::value(old).unwrap();
    oracle::apply(&mut wanted, edit);
    let wrong = |what: String| Outcome::Wrong(what, new.clone());
    match oracle::value(&new) {
        Err(error) => return wrong(format!("unreadable: {error}")),
        Ok(found) if found != wanted => return wrong(format!("reads as {found}")),
        Ok(_) => {}
    }
    let lost = oracle::lost_comments(document, edit, &new);
    if !lost.is_empty() {
        return wrong(format!("lost {lost:?}"));
    }
    if old.contains("\r\n") && new.replace("\r\n", "").contains('\n') {
        return wrong("mixes line endings".to_owned());
    }
    if old.starts_with('\u{feff}') != new.starts_with('\u{feff}') {
        return wrong("byte order mark".to_owned());
    }
    // At the end of the file, a block scalar's last line break is part of its text.
    let stripped = oracle::value(new.trim_end_matches(['\r', '\n'])).ok();
    if old.ends_with('\n') != new.ends_with('\n') && stripped == Some(wanted) {
        return wrong("final newline".to_owned());
    }
    match oracle::foreign_changes(old, &new, place, allowed) {
        Some(what) => wrong(what),
        None => Outcome::Right,
    }
}

/// An edit, the place whose lines it may change, and how.
fn random_edit(random: &mut Random, document: &Document) -> (Edit, Place, Allowed) {
    let place = document.places[random.below(document.places.len())].clone();
    match place.kind {
        _ if random.chance(15) && !is_only_one(document, &place) => {
            (Edit::Remove { path: place.path.clone() }, with_dash(place), Allowed::Removal)
        }
        Kind::Scalar | Kind::Word => {
            (Edit::set(place.path.clone(), some_value(random)), place, Allowed::Change)
        }
        Kind::Words | Kind::FlowWords | Kind::Items | Kind::FlowItems => append(random, place),
        Kind::Empty | Kind::EmptyFlow if holds_list(&place) => append(random, place),
        Kind::Empty => (Edit::set(place.path.clone(), some_value(random)), place, Allowed::Change),
        Kind::Mapping | Kind::Item | Kind::FlowMapping | Kind::EmptyFlow => insert(random, place),
    }
}

/// Without its first key, the next line of an item takes over the dash.
fn with_dash(mut place: Place) -> Place {
    let is_first = matches!(&place.path[..], [.., Step::Id(_), Step::Key(key)] if key == "id");
    place.last_line += usize::from(is_first);
    place
}

fn holds_list(place: &Place) -> bool {
    matches!(place.path.last(), Some(Step::Key(key)) if ["tasks", "requires", "labels"].contains(&key.as_str()))
}

/// Removing the only item changes the container's own line, so its place is another.
fn is_only_one(document: &Document, place: &Place) -> bool {
    let parent = &place.path[..place.path.len() - 1];
    let siblings = document
        .places
        .iter()
        .filter(|other| other.path.len() == place.path.len() && other.path.starts_with(parent));
    siblings.count() < 2
}

fn insert(random: &mut Random, place: Place) -> (Edit, Place, Allowed) {
    let key = Step::key(random.pick(&["zz_new", "needs: quotes", "012"]));
    let mut path = [&place.path[..], &[key]].concat();
    if random.chance(20) {
        path.push(Step::key("deeper"));
    }
    let order = if random.chance(50) { ORDER } else { &[] };
    let blocks = [Kind::Mapping, Kind::Item];
    let allowed = if blocks.contains(&place.kind) { Allowed::Addition } else { Allowed::Change };
    (Edit::Set { path, value: some_value(random), order }, place, allowed)
}

fn append(random: &mut Random, place: Place) -> (Edit, Place, Allowed) {
    let blocks = [Kind::Words, Kind::Items];
    let allowed = if blocks.contains(&place.kind) { Allowed::Addition } else { Allowed::Change };
    let path = place.path.clone();
    let words = matches!(place.kind, Kind::Words | Kind::FlowWords);
    if words && random.chance(40) {
        let list = json!(["alpha", "new one", random.pick(AWKWARD)]);
        return (Edit::set(path, list), place, Allowed::Change);
    }
    let value = if words { json!(random.pick(AWKWARD)) } else { some_item(random) };
    (Edit::Append { path, value }, place, allowed)
}

fn some_item(random: &mut Random) -> Value {
    let text = random.pick(AWKWARD);
    json!({
        "id": "task-099", "title": text, "requires": ["task-001", text],
        "estimate": {"likely": "4h", "pessimistic": "2d"}, "done": false, "notes": {"deep": [{"a": text}]},
    })
}

fn some_value(random: &mut Random) -> Value {
    let text = random.pick(AWKWARD);
    match random.below(12) {
        0 => json!(42),
        1 => json!(true),
        2 => Value::Null,
        3 => json!(["a", text]),
        4 => json!([]),
        5 => json!({"name": text, "list": [1, 2]}),
        6 => json!({}),
        7 => json!(-1.5),
        _ => json!(text),
    }
}
