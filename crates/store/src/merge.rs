//! Three versions of a document become one, field by field, with everybody's comments.
//!
//! Lines are merged first, because that keeps comments and layout of both sides. Then the fields
//! decide: the text is edited until it says what the merge of the fields says. What cannot be
//! merged is left to a person, with both sides shown; nothing is dropped.

use std::collections::BTreeMap;

use diffy::MergeOptions;
use milestone_domain::change::{Conflict, Path, merge};
use milestone_domain::document::Milestone;
use milestone_domain::ids::{Reference, TaskName, Uid};
use serde_json::{Map, Value};

use crate::files::text::{self, Unreadable};
use crate::yaml;

/// What became of a merge.
#[derive(Debug, Clone, PartialEq)]
pub enum Merged {
    Text(String),
    /// Both sides changed the same fields in different ways.
    Conflicts {
        fields: Vec<Conflict>,
        marked: String,
    },
    /// The two are different documents that were given the same id.
    Different {
        ours: Uid,
        theirs: Uid,
        marked: String,
    },
    /// One side is no document.
    Unreadable {
        side: Side,
        error: Unreadable,
        marked: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Base,
    Ours,
    Theirs,
}

/// Longer than any line of equals signs that a person would draw.
const MARKER_LENGTH: usize = 39;

pub fn documents(base: &str, ours: &str, theirs: &str) -> Merged {
    let marked = || marked(base, ours, theirs);
    let read = |text: &str, side| {
        text::read(text.as_bytes(), false)
            .map(|said| said.milestone)
            .map_err(|error| Merged::Unreadable { side, error, marked: marked() })
    };
    let sides = read(ours, Side::Ours).and_then(|ours| Ok((ours, read(theirs, Side::Theirs)?)));
    let (ours_said, theirs_said) = match sides {
        Ok(sides) => sides,
        Err(unreadable) => return unreadable,
    };
    if let (Some(ours), Some(theirs)) = (ours_said.uid, theirs_said.uid)
        && ours != theirs
    {
        return Merged::Different { ours, theirs, marked: marked() };
    }
    let base_tree = match base.trim().is_empty() {
        true => Value::Object(Map::new()),
        false => match read(base, Side::Base) {
            Ok(base) => base.tree(),
            Err(unreadable) => return unreadable,
        },
    };
    let theirs_said = without_collisions(&base_tree, &ours_said, theirs_said);
    let fields = merge(&base_tree, &ours_said.tree(), &theirs_said.tree());
    if !fields.conflicts.is_empty() {
        return Merged::Conflicts { fields: fields.conflicts, marked: marked() };
    }
    let wanted = Milestone::from_tree(fields.tree, false);
    match wanted.ok().and_then(|wanted| text_saying(base, ours, theirs, base, &wanted)) {
        Some(text) => Merged::Text(text),
        None => Merged::Conflicts { fields: Vec::new(), marked: marked() },
    }
}

/// Both sides whole, with the markers that git uses.
fn marked(base: &str, ours: &str, theirs: &str) -> String {
    MergeOptions::new().merge(base, ours, theirs).unwrap_or_else(|marked| marked)
}

/// Two branches that each added a task or a criterion gave both the same number; theirs gets the
/// next one.
pub(crate) fn without_collisions(
    base: &Value,
    ours: &Milestone,
    mut theirs: Milestone,
) -> Milestone {
    let in_base = |number: u32| {
        let path = Path::root().key("tasks").key(&TaskName::new(number).to_string());
        path.get(base).is_some()
    };
    let mut next = ours.next_task_number().max(theirs.next_task_number());
    let mut numbers = BTreeMap::new();
    for task in &mut theirs.tasks {
        let number = task.id.number;
        let other = ours.task(number).filter(|other| other.title != task.title);
        if other.is_some() && !in_base(number) {
            numbers.insert(number, next);
            task.id = TaskName::new(next);
            next += 1;
        }
    }
    for reference in theirs.tasks.iter_mut().flat_map(|task| &mut task.requires) {
        if let Reference::Own(number) = reference
            && let Some(new) = numbers.get(number)
        {
            *number = *new;
        }
    }
    let mut next = ours.next_criterion_number().max(theirs.next_criterion_number());
    for criterion in &mut theirs.criteria {
        let Some(number) = criterion.id else { continue };
        let path = Path::root().key("criteria").key(&number.to_string());
        let other = ours.criterion(number).filter(|other| other.text != criterion.text);
        if other.is_some() && path.get(base).is_none() {
            criterion.id = Some(next);
            next += 1;
        }
    }
    theirs
}

/// A text that says `wanted`, with the comments of both sides; only one that both have `seen` can
/// have been taken out by one of them.
pub(crate) fn text_saying(
    base: &str,
    ours: &str,
    theirs: &str,
    seen: &str,
    wanted: &Milestone,
) -> Option<String> {
    let merged = lines_preferring_ours(base, ours, theirs);
    let candidates = [merged.as_str(), ours];
    let edited = candidates.into_iter().find_map(|text| {
        let said = text::read(text.as_bytes(), false).ok()?.milestone;
        text::edit("merge", text, &said, wanted).ok()
    })?;
    let text = edited.text;
    let faithful = |text: &String| {
        let said = text::read(text.as_bytes(), false);
        said.is_ok_and(|said| said.milestone.changes_to(wanted).is_empty())
            && keeps_unknown_keys(base, ours, theirs, text)
    };
    // Where a comment stood may be no place for one any more; the end always is.
    [Place::Nearby, Place::End].into_iter().find_map(|place| {
        let text = with_comments(seen, theirs, &text, place);
        Some(with_comments(seen, ours, &text, place)).filter(faithful)
    })
}

/// The merge of the lines; where both sides changed the same ones, ours.
fn lines_preferring_ours(base: &str, ours: &str, theirs: &str) -> String {
    let mut options = MergeOptions::new();
    options.set_conflict_marker_length(MARKER_LENGTH);
    match options.merge(base, ours, theirs) {
        Ok(merged) => merged,
        Err(marked) => split_markers(&marked, MARKER_LENGTH).ours,
    }
}

/// The sides of a text in which a merge left its markers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sides {
    pub ours: String,
    /// Only where the markers show it.
    pub base: Option<String>,
    pub theirs: String,
}

pub fn split_markers(marked: &str, length: usize) -> Sides {
    #[derive(Clone, Copy, PartialEq)]
    enum In {
        All,
        Ours,
        Base,
        Theirs,
    }
    let is = |line: &str, sign: &str| {
        let marker = sign.repeat(length);
        let line = line.trim_end();
        line == marker || line.starts_with(&format!("{marker} "))
    };
    let (mut ours, mut base, mut theirs) = (String::new(), String::new(), String::new());
    let (mut place, mut shows_base) = (In::All, false);
    for line in marked.split_inclusive('\n') {
        match place {
            In::All if is(line, "<") => place = In::Ours,
            In::Ours if is(line, "|") => (place, shows_base) = (In::Base, true),
            In::Ours | In::Base if is(line, "=") => place = In::Theirs,
            In::Theirs if is(line, ">") => place = In::All,
            In::All => {
                [&mut ours, &mut base, &mut theirs].into_iter().for_each(|t| t.push_str(line));
            }
            In::Ours => ours.push_str(line),
            In::Base => base.push_str(line),
            In::Theirs => theirs.push_str(line),
        }
    }
    Sides { ours, base: shows_base.then_some(base), theirs }
}

/// Where a comment goes whose line is gone: to where it stood, as near as can be, or to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Nearby,
    End,
}

/// Puts back the comments of one side that not both have seen and that fell with their lines.
fn with_comments(seen: &str, side: &str, text: &str, place: Place) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let side_lines: Vec<&str> = side.lines().collect();
    for (at, line) in side_lines.iter().enumerate() {
        let Some(comment) = comment(line) else { continue };
        let has = |line: &str| self::comment(line).is_some_and(|there| contains(there, comment));
        if seen.lines().any(has) || lines.iter().any(|line| has(line)) {
            continue;
        }
        match place {
            Place::Nearby => {
                let indent = &line[..line.len() - line.trim_start().len()];
                lines.insert(nearby(&lines, &side_lines, at), format!("{indent}{comment}"));
            }
            Place::End => lines.push(comment.to_owned()),
        }
    }
    let mut merged = lines.join(if text.contains("\r\n") { "\r\n" } else { "\n" });
    if text.ends_with('\n') {
        merged.push_str(if text.ends_with("\r\n") { "\r\n" } else { "\n" });
    }
    if merged == text.trim_end_matches('\n') { text.to_owned() } else { merged }
}

/// Whether a comment is another one, or has it at its begin or end.
fn contains(comment: &str, part: &str) -> bool {
    let rest = comment.strip_prefix(part).map(|rest| rest.is_empty() || rest.starts_with(' '));
    rest.unwrap_or_else(|| comment.strip_suffix(part).is_some_and(|rest| rest.ends_with(' ')))
}

/// Where the comment of a line goes whose line is gone: one on a line of its own above what stood
/// below it, any other one below what stood above it.
fn nearby(lines: &[String], side: &[&str], at: usize) -> usize {
    let key = |line: &str| line.split_once(": ").map(|(key, _)| key.to_owned());
    let same = |line: &&&str| {
        let mut exact = (0..lines.len()).filter(|at| lines[*at] == **line);
        match (exact.next(), exact.next()) {
            (Some(at), None) => Some(at),
            _ if line.starts_with([' ', '-']) => None,
            _ => lines.iter().position(|other| key(line).is_some() && key(other) == key(line)),
        }
    };
    let says = |line: &&&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    if side[at].trim_start().starts_with('#') {
        let below = side[at + 1..].iter().filter(says).find_map(|line| same(&line));
        below.unwrap_or(lines.len())
    } else {
        let above = side[..at].iter().rev().filter(says).find_map(|line| same(&line));
        above.map_or(0, |above| above + 1)
    }
}

/// A line's comment, as far as that can be told without parsing: a `#` after a space that is in no
/// quotes. A wrong guess only fails the check that follows.
fn comment(line: &str) -> Option<&str> {
    let trimmed = line.trim();
    if trimmed.starts_with('#') {
        return Some(trimmed);
    }
    let at = line.find(" #")?;
    let before = &line[..at];
    let balanced = |quote| before.matches(quote).count().is_multiple_of(2);
    (balanced('"') && balanced('\'')).then(|| line[at..].trim())
}

/// Keys that this program does not know are merged as well, or the merge is left to a person.
fn keeps_unknown_keys(base: &str, ours: &str, theirs: &str, text: &str) -> bool {
    let unknown = |text: &str| -> BTreeMap<String, Value> {
        let known = yaml::read::<Milestone>(text).map(|read| read.unknown).unwrap_or_default();
        let tree = yaml::to_value(text).unwrap_or_default();
        let found = known.into_iter().filter_map(|path| {
            let value = path.split('/').try_fold(&tree, |value, step| {
                step.parse::<usize>().ok().and_then(|i| value.get(i)).or_else(|| value.get(step))
            });
            value.cloned().map(|value| (path, value))
        });
        found.collect()
    };
    let object = |map: BTreeMap<String, Value>| Value::Object(map.into_iter().collect());
    let base = if base.trim().is_empty() { BTreeMap::new() } else { unknown(base) };
    let merged = merge(&object(base), &object(unknown(ours)), &object(unknown(theirs)));
    merged.conflicts.is_empty() && merged.tree == object(unknown(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "\
id: milestone-001
title: Login # the first
tasks:
  - id: task-001
    title: Design
    status: pending
  - id: task-002
    title: Build
    status: pending
";

    fn merged(ours: &str, theirs: &str) -> String {
        match documents(BASE, ours, theirs) {
            Merged::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn neighbouring_fields_merge_with_their_comments() {
        let ours = BASE.replace(
            "title: Design\n    status: pending",
            "title: Design\n    status: completed # by us",
        );
        let theirs = BASE
            .replace("title: Design\n", "title: Design\n    # they say\n    estimate: 4h\n")
            .replacen("status: pending", "status: in_progress", 1);
        let text = merged(&ours, &theirs);
        for part in ["status: completed # by us", "estimate: 4h", "# they say", "# the first"] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn tasks_that_both_added_get_numbers_of_their_own() {
        let add = |title: &str| {
            format!(
                "{BASE}  - id: task-003\n    title: {title}\n    # about {title}\n    status: pending\n"
            )
        };
        let theirs =
            add("Theirs") + "  - id: task-004\n    title: After\n    requires: [task-003]\n";
        let text = merged(&add("Ours"), &theirs);
        let said = text::read(text.as_bytes(), false).unwrap().milestone;
        let titles: Vec<_> = said.tasks.iter().map(|t| (t.id.number, t.title.as_str())).collect();
        assert_eq!(titles, [(1, "Design"), (2, "Build"), (3, "Ours"), (5, "Theirs"), (4, "After")]);
        assert_eq!(said.task(4).unwrap().requires, [Reference::Own(5)]);
        assert!(text.contains("# about Ours") && text.contains("# about Theirs"), "{text}");
    }

    #[test]
    fn the_same_field_changed_twice_is_left_to_a_person() {
        let (ours, theirs) = (BASE.replace("Login", "Sign-in"), BASE.replace("Login", "Log-in"));
        let Merged::Conflicts { fields, marked } = documents(BASE, &ours, &theirs) else {
            panic!("merged")
        };
        assert_eq!(fields[0].path.to_string(), "title");
        assert!(
            marked.contains("Sign-in") && marked.contains("Log-in") && marked.contains("<<<<<<<")
        );
    }

    #[test]
    fn different_documents_are_never_merged() {
        let with = |n: u8| {
            BASE.replace(
                "title: Login",
                &format!("uid: 00000000-0000-7000-8000-00000000000{n}\ntitle: Login"),
            )
        };
        assert!(matches!(documents("", &with(1), &with(2)), Merged::Different { .. }));
    }

    #[test]
    fn unknown_keys_of_both_sides_stay() {
        let ours =
            BASE.replace("title: Login # the first\n", "title: Login # the first\nours: 1\n");
        let theirs =
            BASE.replace("title: Login # the first\n", "title: Login # the first\ntheirs: 2\n");
        match documents(BASE, &ours, &theirs) {
            Merged::Text(text) => assert!(text.contains("ours: 1") && text.contains("theirs: 2")),
            Merged::Conflicts { marked, .. } => {
                assert!(marked.contains("ours: 1") && marked.contains("theirs: 2"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn markers_give_their_sides_back() {
        let marked = MergeOptions::new().merge("a\nb\nc\n", "a\nx\nc\n", "a\ny\nc\n").unwrap_err();
        let sides = split_markers(&marked, 7);
        assert_eq!((sides.ours.as_str(), sides.theirs.as_str()), ("a\nx\nc\n", "a\ny\nc\n"));
        assert_eq!(sides.base.as_deref(), Some("a\nb\nc\n"));
    }
}
