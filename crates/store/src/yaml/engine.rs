//! The lossless editor under [`edit`](super::edit()): changes a syntax tree that keeps every byte.
//!
//! New values are rendered by our own writer and handed over as parsed nodes, so that their style
//! is ours and only their indentation is the editor's.

use std::borrow::Cow;
use std::str::FromStr;

use serde_json::Value;
use yaml_edit::{Document, Mapping, YamlFile, YamlNode};

use super::edit::{Action, Change};
use super::path::Step;
use super::tree::BlankLine;
use super::{scalar, write};

type Outcome = Result<(), &'static str>;

const UNKNOWN_FORM: &str = "it is written in a form that is not understood";

/// Marks a line that is blank in truth. No document can hold it: control characters are refused.
const BLANK_LINE: char = '\u{1}';

/// Applies `changes` to `text`. The caller verifies the result.
///
/// The editor takes a blank line below a block scalar for a part of it, so that it goes where the
/// scalar goes. To the author it separates what follows: the editor is shown a comment instead.
/// If the scalar does keep its blank lines (`|+`), a line put below would cut them off: the editor
/// is shown lines of text.
pub(super) fn apply(
    text: &str,
    blank_below_blocks: &[BlankLine],
    changes: &[Change],
) -> Result<String, &'static str> {
    let file = YamlFile::from_str(&guard(text, blank_below_blocks)).map_err(|_| UNKNOWN_FORM)?;
    let document = file.document().ok_or(UNKNOWN_FORM)?;
    for change in changes {
        apply_one(&document, change)?;
    }
    unguard(file.to_string())
}

fn guard<'t>(text: &'t str, blank_lines: &[BlankLine]) -> Cow<'t, str> {
    if blank_lines.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16 * blank_lines.len());
    let mut done = 0;
    for line in blank_lines {
        out.push_str(&text[done..line.start]);
        done = line.start;
        if let Some(indent) = line.kept_at {
            out.extend(std::iter::repeat_n(' ', indent));
        } else {
            out.push_str(indent_of_next_content(&text[done..]));
            out.push('#');
        }
        out.push(BLANK_LINE);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// The comment must belong to what follows, or it would leave with the mapping above.
fn indent_of_next_content(text: &str) -> &str {
    let next = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    &next[..next.len() - next.trim_start_matches(' ').len()]
}

fn unguard(text: String) -> Result<String, &'static str> {
    if !text.contains(BLANK_LINE) {
        return Ok(text);
    }
    let restore = |line| {
        let marked = str::trim_start_matches(line, [' ', '#']);
        marked.strip_prefix(BLANK_LINE).unwrap_or(line)
    };
    let text: String = text.split_inclusive('\n').map(restore).collect();
    if text.contains(BLANK_LINE) { Err(UNKNOWN_FORM) } else { Ok(text) }
}

fn apply_one(document: &Document, change: &Change) -> Outcome {
    if let Action::Append(value) = &change.action {
        let place = Place::find(document, &change.path)?;
        return append(&place, value);
    }
    let (last, parents) = change.path.split_last().ok_or(UNKNOWN_FORM)?;
    let place = Place::find(document, parents)?;
    match (&place.node, last, &change.action) {
        (YamlNode::Mapping(mapping), Step::Key(key), Action::Remove) => {
            let key = key_node(mapping, key).ok_or(UNKNOWN_FORM)?;
            mapping.remove(key).map(|_| ()).ok_or(UNKNOWN_FORM)
        }
        (YamlNode::Sequence(items), Step::Index(index), Action::Remove) => {
            items.remove(*index).map(|_| ()).ok_or(UNKNOWN_FORM)
        }
        (YamlNode::Mapping(mapping), Step::Key(key), Action::Set { value, order }) => {
            set_key(&place, mapping, key, value, order)
        }
        (YamlNode::Sequence(items), Step::Index(index), Action::Set { value, .. }) => {
            let old = items.get(*index).ok_or(UNKNOWN_FORM)?;
            let style = Style { in_flow: place.in_flow, old: Some(&old), key: "", column: 0 };
            if items.set(*index, style.render(value)?) { Ok(()) } else { Err(UNKNOWN_FORM) }
        }
        _ => Err(UNKNOWN_FORM),
    }
}

fn append(place: &Place, value: &Value) -> Outcome {
    let YamlNode::Sequence(items) = &place.node else { return Err(UNKNOWN_FORM) };
    let last = items.last().filter(YamlNode::is_scalar);
    let style = Style { in_flow: place.in_flow, old: last.as_ref(), key: "", column: 0 };
    items.push(style.render(value)?);
    Ok(())
}

fn set_key(
    place: &Place,
    mapping: &Mapping,
    key: &str,
    value: &Value,
    order: &'static [&'static str],
) -> Outcome {
    let column = mapping.detect_indentation_level() + key.chars().count() + 2;
    let found = key_node(mapping, key);
    let old = found.as_ref().and_then(|key| mapping.get(key.clone()));
    let style = Style { in_flow: place.in_flow, old: old.as_ref(), key, column };
    let value = style.render(value)?;
    if let Some(found) = found {
        mapping.set(found, value);
    } else {
        let key = parse(&write::text_on_one_line(key, place.in_flow))?;
        mapping.set_with_field_order(key, value, order.iter().copied());
    }
    Ok(())
}

/// The key as it stands in the document. Looking it up as text would miss `1:` and `true:`.
fn key_node(mapping: &Mapping, wanted: &str) -> Option<YamlNode> {
    mapping.keys().find(|key| match key {
        YamlNode::Scalar(key) => key.as_string() == wanted,
        _ => false,
    })
}

/// A node of the document.
struct Place {
    node: YamlNode,
    /// Inside, or itself, a flow collection: what goes in must be on one line.
    in_flow: bool,
}

impl Place {
    fn find(document: &Document, path: &[Step]) -> Result<Self, &'static str> {
        let root = document
            .as_mapping()
            .map(YamlNode::Mapping)
            .or_else(|| document.as_sequence().map(YamlNode::Sequence))
            .ok_or(UNKNOWN_FORM)?;
        let mut place = Self { in_flow: is_flow(&root), node: root };
        for step in path {
            let node = place.child(step)?;
            place = Self { in_flow: place.in_flow || is_flow(&node), node };
        }
        Ok(place)
    }

    fn child(&self, step: &Step) -> Result<YamlNode, &'static str> {
        let child = match (&self.node, step) {
            (YamlNode::Mapping(mapping), Step::Key(key)) => {
                key_node(mapping, key).and_then(|key| mapping.get(key))
            }
            (YamlNode::Sequence(items), Step::Index(index)) => items.get(*index),
            (YamlNode::Alias(_), _) => return Err("it is an alias of another part"),
            _ => None,
        };
        child.ok_or(UNKNOWN_FORM)
    }
}

fn is_flow(node: &YamlNode) -> bool {
    match node {
        YamlNode::Mapping(mapping) => mapping.is_flow_style(),
        YamlNode::Sequence(items) => items.is_flow_style(),
        _ => false,
    }
}

/// How a value is to be written at its place.
struct Style<'a> {
    in_flow: bool,
    /// The value that is replaced, or a neighbour to be like.
    old: Option<&'a YamlNode>,
    key: &'a str,
    column: usize,
}

impl Style<'_> {
    fn render(&self, value: &Value) -> Result<YamlNode, &'static str> {
        parse(&self.text(value))
    }

    fn text(&self, value: &Value) -> String {
        match value {
            Value::String(text) if self.in_flow => self.quoted_alike(text),
            Value::String(text) if text.contains('\n') && scalar::fits_block(text) => {
                write::root(value)
            }
            Value::String(text) => self.quoted_alike(text),
            Value::Array(_) | Value::Object(_) if self.stays_on_one_line(value) => {
                write::flow(value)
            }
            other => write::root(other),
        }
    }

    fn stays_on_one_line(&self, value: &Value) -> bool {
        let is_same_kind = self.old.is_some_and(|old| {
            old.is_sequence() && value.is_array() || old.is_mapping() && value.is_object()
        });
        let was_flow = self.old.is_some_and(is_flow);
        let was_filled = self.old.is_some_and(|old| match old {
            YamlNode::Mapping(mapping) => !mapping.is_empty(),
            YamlNode::Sequence(items) => !items.is_empty(),
            _ => false,
        });
        if self.in_flow {
            return true;
        }
        if is_same_kind && was_filled {
            return was_flow;
        }
        write::is_one_line(self.key, value, self.column)
    }

    /// In the quotes of the old text where they fit.
    fn quoted_alike(&self, text: &str) -> String {
        let old = self.old.filter(|old| old.is_scalar()).map(ToString::to_string);
        match old.as_deref().and_then(|old| old.chars().next()) {
            Some('"') => scalar::double_quoted(text),
            Some('\'') if scalar::fits_single_quotes(text) => scalar::single_quoted(text),
            Some('|' | '>') | None => write::text_on_one_line(text, self.in_flow),
            Some(_) if scalar::fits_plain(text, self.in_flow) => text.to_owned(),
            Some(_) => scalar::double_quoted(text),
        }
    }
}

fn parse(fragment: &str) -> Result<YamlNode, &'static str> {
    let document = YamlFile::from_str(fragment).ok().and_then(|file| file.document());
    let document = document.ok_or(UNKNOWN_FORM)?;
    document
        .as_mapping()
        .map(YamlNode::Mapping)
        .or_else(|| document.as_sequence().map(YamlNode::Sequence))
        .or_else(|| document.as_scalar().map(YamlNode::Scalar))
        .ok_or(UNKNOWN_FORM)
}
