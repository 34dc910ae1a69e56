//! A document as a tree that knows where each node stands in the text.
//!
//! Built from parser events rather than through serde, because serde loses what is needed here:
//! quoting, positions, comments and repeated keys.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StructureStyle, Tag};
use serde_json::{Map, Value};

use super::path::{Step, Steps};
use super::read::{ReadError, check_text};
use super::{MAX_ALIASES, MAX_DEPTH, MAX_NODES, scalar};

/// An untyped tree of `text`: null, booleans and numbers by the rule of the module documentation,
/// everything else text. Aliases are replaced by what they stand for.
pub fn to_value(text: &str) -> Result<Value, ReadError> {
    let text = check_text(text)?;
    Tree::parse(text, Repeats::Refuse, Trivia::Skip).map(|tree| tree.root.into_value())
}

/// Line and column (from 1) of what a path leads to, for an error about its meaning. A collection
/// in block style and an empty value are shown at their key.
pub fn locate(text: &str, path: &Steps) -> Option<(usize, usize)> {
    let tree = Tree::parse(check_text(text).ok()?, Repeats::Refuse, Trivia::Skip).ok()?;
    let (mut node, mut at) = (&tree.root, tree.root.at);
    for step in path {
        (node, at) = node.child(step)?;
    }
    Some((at.line, at.column))
}

/// The most precise place of a path that exists in the text. A step that is a number is one of a
/// list's items, from 0.
pub fn nearest_place<S: AsRef<str>>(text: &str, path: &[S]) -> (usize, usize) {
    let step = |step: &S| match step.as_ref().parse() {
        Ok(number) => Step::Index(number),
        Err(_) => Step::key(step.as_ref()),
    };
    let steps: Vec<Step> = path.iter().map(step).collect();
    let found = (0..=steps.len()).rev().find_map(|n| locate(text, &steps[..n]));
    found.unwrap_or((1, 1))
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeats {
    Refuse,
    /// Keep the last value of a repeated key and say so.
    Report,
}

/// What stands between the values, which only an edit needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trivia {
    Keep,
    Skip,
}

/// Line and column, from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub line: usize,
    pub column: usize,
}

pub(super) struct Comment {
    pub text: String,
    pub start: usize,
}

/// A blank line right below the text of a block scalar.
pub(super) struct BlankLine {
    pub start: usize,
    /// Set if the line belongs to the scalar (`|+`): how far the scalar is indented.
    pub kept_at: Option<usize>,
}

pub(super) struct Tree {
    pub root: Node,
    pub comments: Vec<Comment>,
    pub blank_below_blocks: Vec<BlankLine>,
    /// Values, with what aliases stand for.
    pub nodes: usize,
    /// Repeated keys, in words.
    pub repeats: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Node {
    pub shape: Shape,
    pub range: Range<usize>,
    pub at: Position,
}

#[derive(Clone)]
pub(super) enum Shape {
    Scalar(Value),
    Sequence { items: Vec<Node>, flow: bool },
    Mapping { entries: Vec<Entry>, flow: bool },
}

#[derive(Clone)]
pub(super) struct Entry {
    pub key: String,
    pub key_range: Range<usize>,
    pub key_at: Position,
    pub value: Node,
}

impl Entry {
    /// From the first byte of the key to the last of the value.
    pub fn range(&self) -> Range<usize> {
        self.key_range.start..self.value.range.end.max(self.key_range.end)
    }

    fn shown_at(&self) -> Position {
        match &self.value.shape {
            Shape::Scalar(_) if !self.value.range.is_empty() => self.value.at,
            Shape::Sequence { flow: true, .. } | Shape::Mapping { flow: true, .. } => self.value.at,
            _ => self.key_at,
        }
    }
}

impl Node {
    pub fn into_value(self) -> Value {
        match self.shape {
            Shape::Scalar(value) => value,
            Shape::Sequence { items, .. } => items.into_iter().map(Self::into_value).collect(),
            Shape::Mapping { entries, .. } => Value::Object(
                entries
                    .into_iter()
                    .map(|entry| (entry.key, entry.value.into_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.shape {
            Shape::Mapping { entries, .. } => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    pub fn items(&self) -> &[Self] {
        match &self.shape {
            Shape::Sequence { items, .. } => items,
            _ => &[],
        }
    }

    pub fn is_block(&self) -> bool {
        matches!(
            self.shape,
            Shape::Sequence { flow: false, .. } | Shape::Mapping { flow: false, .. }
        )
    }

    fn index_of(&self, step: &Step) -> Option<usize> {
        match step {
            Step::Key(_) => None,
            Step::Index(index) => (*index < self.items().len()).then_some(*index),
            Step::Id(id) => self.items().iter().position(|item| item.has_id(id)),
        }
    }

    pub fn child(&self, step: &Step) -> Option<(&Self, Position)> {
        if let Step::Key(key) = step {
            return self.entry(key).map(|entry| (&entry.value, entry.shown_at()));
        }
        let item = self.items().get(self.index_of(step)?)?;
        Some((item, item.at))
    }

    fn has_id(&self, wanted: &str) -> bool {
        match self.entry("id").map(|entry| &entry.value.shape) {
            Some(Shape::Scalar(Value::String(id))) => id == wanted,
            Some(Shape::Scalar(Value::Number(id))) => id.to_string() == wanted,
            _ => false,
        }
    }

    /// What a copy costs: nodes, and text in units of what a node takes.
    fn cost(&self) -> usize {
        const NODE_BYTES: usize = 64;
        1 + match &self.shape {
            Shape::Scalar(Value::String(text)) => text.len() / NODE_BYTES,
            Shape::Scalar(_) => 0,
            Shape::Sequence { items, .. } => items.iter().map(Self::cost).sum(),
            Shape::Mapping { entries, .. } => entries
                .iter()
                .map(|entry| 1 + entry.key.len() / NODE_BYTES + entry.value.cost())
                .sum(),
        }
    }
}

impl Tree {
    /// Reads a text that has passed [`check_text`].
    pub fn parse(text: &str, repeats: Repeats, trivia: Trivia) -> Result<Self, ReadError> {
        let options = granit_parser::options! {
            emit_comments: trivia == Trivia::Keep,
            // A whole section that somebody has commented out is normal; the text is bounded.
            max_buffered_comment_events: usize::MAX,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        let builder = Builder {
            text,
            events: Parser::new_from_str_with_options(text, options),
            repeats,
            trivia,
            anchors: HashMap::new(),
            aliases: 0,
            read_to: 0,
            tree: Self {
                root: Node::null(),
                comments: Vec::new(),
                blank_below_blocks: Vec::new(),
                nodes: 0,
                repeats: Vec::new(),
            },
        };
        builder.document()
    }
}

impl Node {
    fn null() -> Self {
        Self { shape: Shape::Scalar(Value::Null), range: 0..0, at: Position { line: 1, column: 1 } }
    }
}

struct Builder<'t, I: Iterator<Item = Result<(Event<'t>, Span), ScanError>>> {
    text: &'t str,
    events: I,
    repeats: Repeats,
    trivia: Trivia,
    anchors: HashMap<usize, Node>,
    aliases: usize,
    /// End of the last key or value.
    read_to: usize,
    tree: Tree,
}

impl<'t, I: Iterator<Item = Result<(Event<'t>, Span), ScanError>>> Builder<'t, I> {
    fn document(mut self) -> Result<Tree, ReadError> {
        let mut documents = 0;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => break,
                (Event::DocumentStart(..), span) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(self.error(&span, "this file must hold one document only"));
                    }
                    let (event, span) = self.next()?;
                    self.tree.root = self.node(event, &span, 0)?;
                }
                _ => {}
            }
        }
        if documents == 0 { Err(ReadError::empty(self.text)) } else { Ok(self.tree) }
    }

    /// The next event that is not a comment; comments are put aside on the way.
    fn next(&mut self) -> Result<(Event<'t>, Span), ReadError> {
        loop {
            match self.events.next() {
                None => return Ok((Event::StreamEnd, Span::default())),
                Some(Err(error)) => return Err(ReadError::syntax(self.text, &error)),
                Some(Ok((Event::Comment(text, _), span))) => self.tree.comments.push(Comment {
                    text: text.trim_end().to_owned(),
                    start: byte_range(&span).start,
                }),
                Some(Ok(next)) => return Ok(next),
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: &Span, depth: usize) -> Result<Node, ReadError> {
        self.count(1, span)?;
        if depth > MAX_DEPTH {
            return Err(self.error(span, "lists and mappings are nested too deeply here"));
        }
        let start = self.start_of(&event, span);
        let (shape, anchor, end) = match event {
            Event::Alias(id) => return self.alias(id, span),
            Event::Scalar(text, style, anchor, tag) => {
                let end = byte_range(span).end;
                (self.scalar(text, style, tag.as_deref(), span)?, anchor, end)
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), span)?;
                let flow = style == StructureStyle::Flow;
                let (items, end) = self.items(flow, depth)?;
                (Shape::Sequence { items, flow }, anchor, end)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), span)?;
                let flow = style == StructureStyle::Flow;
                let (entries, end) = self.entries(flow, depth)?;
                (Shape::Mapping { entries, flow }, anchor, end)
            }
            _ => return Err(self.error(span, "a value was expected here")),
        };
        let range = start..end;
        self.read_to = range.end;
        let node = Node { shape, range, at: position(span) };
        if anchor != 0 {
            self.remember(anchor, &node, span)?;
        }
        Ok(node)
    }

    /// The parser reports a block scalar from its first line of text on, without the header.
    fn start_of(&self, event: &Event<'t>, span: &Span) -> usize {
        let start = byte_range(span).start;
        let Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) = event else {
            return start;
        };
        let header = self.text.get(self.read_to..start).and_then(|gap| gap.find(['|', '>']));
        header.map_or(start, |at| self.read_to + at)
    }

    fn items(&mut self, flow: bool, depth: usize) -> Result<(Vec<Node>, usize), ReadError> {
        let mut items: Vec<Node> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let last = items.last().map(|item| item.range.end);
                return Ok((items, end_of(flow, &span, last)));
            }
            let item = self.node(event, &span, depth + 1)?;
            items.push(item);
        }
    }

    fn entries(&mut self, flow: bool, depth: usize) -> Result<(Vec<Entry>, usize), ReadError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let last = entries.last().map(|entry| entry.range().end);
                return Ok((entries, end_of(flow, &span, last)));
            }
            let key = self.key(event, &span)?;
            self.read_to = byte_range(&span).end;
            let (event, value_span) = self.next()?;
            let value = self.node(event, &value_span, depth + 1)?;
            let entry = Entry { key, key_range: byte_range(&span), key_at: position(&span), value };
            match seen.get(&entry.key).copied() {
                None => {
                    seen.insert(entry.key.clone(), entries.len());
                    entries.push(entry);
                }
                Some(first) => {
                    self.repeated(&entry, entries.get(first))?;
                    entries[first] = entry;
                }
            }
        }
    }

    fn key(&mut self, event: Event<'t>, span: &Span) -> Result<String, ReadError> {
        self.count(1, span)?;
        match event {
            Event::Scalar(key, ScalarStyle::Plain, ..) if key == "<<" => {
                Err(self.error(span, "merge keys (`<<`) are not supported; write the keys out"))
            }
            Event::Scalar(key, _, 0, None) => Ok(key.into_owned()),
            _ => Err(self.error(span, "a key must be plain text")),
        }
    }

    fn repeated(&mut self, entry: &Entry, first: Option<&Entry>) -> Result<(), ReadError> {
        let key = scalar::shown(&entry.key);
        let line = entry.key_at.line;
        if self.repeats == Repeats::Refuse {
            let first = first.map_or(0, |first| first.key_at.line);
            let message = format!("the key `{key}` is already set on line {first}");
            return Err(ReadError::at(self.text, entry.key_at, &message));
        }
        let note = format!("key `{key}` at line {line} is repeated; the last one counts");
        self.tree.repeats.push(note);
        Ok(())
    }

    fn scalar(
        &mut self,
        text: Cow<'t, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: &Span,
    ) -> Result<Shape, ReadError> {
        let is_text = match tag {
            None => style != ScalarStyle::Plain,
            Some(tag) if tag.is_yaml_core_schema_tag("str") => true,
            Some(_) => return self.refuse_tag(tag, span).map(|()| Node::null().shape),
        };
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if is_block && self.trivia == Trivia::Keep {
            self.tree.blank_below_blocks.extend(blank_below(self.text, &text, span));
        }
        let value =
            if is_text { Value::String(text.into_owned()) } else { scalar::resolve_plain(&text) };
        Ok(Shape::Scalar(value))
    }

    fn refuse_tag(&self, tag: Option<&Tag>, span: &Span) -> Result<(), ReadError> {
        let message = "tags (`!name`) are not supported here";
        tag.map_or(Ok(()), |_| Err(self.error(span, message)))
    }

    fn remember(&mut self, anchor: usize, node: &Node, span: &Span) -> Result<(), ReadError> {
        if self.anchors.len() >= MAX_ALIASES {
            return Err(self.error(span, "there are too many anchors (`&name`) in this document"));
        }
        // Nested anchors copy a tree once per level.
        self.count(node.cost(), span)?;
        self.anchors.insert(anchor, node.clone());
        Ok(())
    }

    fn alias(&mut self, id: usize, span: &Span) -> Result<Node, ReadError> {
        self.aliases += 1;
        if self.aliases > MAX_ALIASES {
            return Err(self.error(span, "there are too many aliases (`*name`) in this document"));
        }
        // Counted before it is copied: the copy is what has to be bounded.
        let Some(cost) = self.anchors.get(&id).map(Node::cost) else {
            return Err(self.error(span, "this alias stands for something that contains it"));
        };
        self.count(cost, span)?;
        let mut node = self.anchors.get(&id).cloned().unwrap_or_else(Node::null);
        node.at = position(span);
        node.range = byte_range(span);
        Ok(node)
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), ReadError> {
        self.tree.nodes += nodes;
        if self.tree.nodes > MAX_NODES {
            return Err(self.error(span, "this document holds too many values to be read"));
        }
        Ok(())
    }

    fn error(&self, span: &Span, message: &str) -> ReadError {
        ReadError::at(self.text, position(span), message)
    }
}

/// A block collection ends where its last child does; the parser reports the start of whatever
/// follows, beyond comments that are not its own.
fn end_of(flow: bool, close: &Span, last_child: Option<usize>) -> usize {
    let close = byte_range(close).end;
    if flow { close } else { last_child.unwrap_or(close) }
}

fn blank_below(text: &str, value: &str, span: &Span) -> Vec<BlankLine> {
    let block = byte_range(span);
    let end = block.start + text[block].trim_end().len();
    let below = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
    let mut starts = blank_lines(text, below);
    if value.ends_with("\n\n") {
        let kept_at = Some(span.start.col());
        return starts.map(|start| BlankLine { start, kept_at }).collect();
    }
    if text[below..].trim().is_empty() {
        return Vec::new();
    }
    // One line is enough to separate the others from the scalar.
    starts.next().map(|start| BlankLine { start, kept_at: None }).into_iter().collect()
}

/// Where each of the blank lines from `start` on begins.
fn blank_lines(text: &str, mut start: usize) -> impl Iterator<Item = usize> {
    let lines = text[start..].split_inclusive('\n').take_while(|line| line.trim().is_empty());
    lines.map(move |line| {
        let this = start;
        start += line.len();
        this
    })
}

fn byte_range(span: &Span) -> Range<usize> {
    span.byte_range().unwrap_or_default()
}

fn position(span: &Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}
