//! JUnit reports.

use roxmltree::{Document, Node, ParsingOptions};

use super::{Counts, Names, Unusable};

/// More elements than any report has, and as many as fit into memory without notice.
const NODES_MAX: u32 = 2_000_000;

/// The parser compares each attribute with the others of its element, and hands each namespace down
/// to all elements below: both grow with the square of their number.
const ATTRIBUTES_MAX: usize = 256;
const NAMESPACES_MAX: usize = 256;

pub fn read(text: &str) -> Result<(Counts, Names), Unusable> {
    check_bounds(text)?;
    let options = ParsingOptions { nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let xml = Document::parse_with_options(text, options)
        .map_err(|error| Unusable::Broken(error.to_string()))?;
    let root = xml.root_element();
    let name = root.tag_name().name();
    if !matches!(name, "testsuites" | "testsuite") {
        let name: String = name.chars().take(40).collect();
        return Err(Unusable::Unknown(format!("it is XML about `{name}`")));
    }
    count(root)
}

fn count(root: Node<'_, '_>) -> Result<(Counts, Names), Unusable> {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    let mut names = Names::default();
    for node in root.descendants().filter(Node::is_element) {
        let is_test = node.tag_name().name() == "testcase";
        let is_suite = matches!(node.tag_name().name(), "testsuite" | "testsuites");
        if !is_test && !is_suite {
            continue;
        }
        tests += u64::from(is_test);
        let has = |what: &str| node.children().any(|child| child.tag_name().name() == what);
        // A suite that could not be begun says so itself.
        match (has("error"), has("failure"), has("skipped")) {
            (true, ..) => errors += 1,
            (_, true, _) => failures += 1,
            (_, _, true) if is_test => skipped += 1,
            _ => continue,
        }
        if has("error") || has("failure") {
            names.add(&named(node));
        }
    }
    // What it says of itself counts too, where it is worse than what it shows.
    let said = |name: &str| root.attribute(name).and_then(|count| count.parse().ok()).unwrap_or(0);
    let (failures, errors) = (said("failures").max(failures), said("errors").max(errors));
    if tests == 0 && failures == 0 && errors == 0 {
        return Err(Unusable::Empty);
    }
    Ok((Counts::Junit { tests, failures, errors, skipped }, names))
}

fn named(node: Node<'_, '_>) -> String {
    let name = node.attribute("name").unwrap_or("(without a name)");
    match node.attribute("classname").filter(|class| !class.is_empty() && *class != name) {
        Some(class) => format!("{class}.{name}"),
        None => name.to_owned(),
    }
}

/// Refuses what a parser would go through for ever.
fn check_bounds(text: &str) -> Result<(), Unusable> {
    let mut namespaces = 0;
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        let plain = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")];
        if let Some((begin, end)) = plain.iter().find(|(begin, _)| rest.starts_with(begin)) {
            // If it has no end, the parser says so.
            let Some(over) = rest[begin.len()..].find(end) else { return Ok(()) };
            rest = &rest[begin.len() + over + end.len()..];
            continue;
        }
        let tag = Tag::at(rest);
        namespaces += tag.namespaces;
        if tag.attributes > ATTRIBUTES_MAX || namespaces > NAMESPACES_MAX {
            return Err(Unusable::Broken("it has more attributes than a report has".to_owned()));
        }
        rest = &rest[tag.length..];
    }
    Ok(())
}

/// From a bracket to the one that closes it.
struct Tag {
    length: usize,
    attributes: usize,
    namespaces: usize,
}

impl Tag {
    fn at(text: &str) -> Self {
        let mut tag = Self { length: text.len(), attributes: 0, namespaces: 0 };
        let mut quote = None;
        for (at, byte) in text.bytes().enumerate() {
            match (quote, byte) {
                (None, b'>') => {
                    tag.length = at + 1;
                    return tag;
                }
                (None, b'"' | b'\'') => quote = Some(byte),
                (None, b'=') => tag.attributes += 1,
                (None, b'x') if text[at..].starts_with("xmlns") => tag.namespaces += 1,
                (Some(open), byte) if open == byte => quote = None,
                _ => {}
            }
        }
        tag
    }
}
