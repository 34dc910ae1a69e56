//! Documents made to hurt. What is asserted is that the limits hold, not how long it takes:
//! tests run unoptimised.

use serde::Deserialize;
use serde_json::Value;

use super::random::Random;
use super::{generate, rounds};
use crate::yaml::{self, Edit, EditError, MAX_DOCUMENT_BYTES, MAX_NODES, Step};

#[derive(Debug, Deserialize)]
struct Milestone {
    #[serde(rename = "id")]
    _id: String,
    #[serde(default, rename = "tasks")]
    _tasks: Vec<Value>,
}

/// Each must be refused, whatever type is asked for.
fn refused(text: &str) {
    let shown: String = text.chars().take(60).collect();
    assert!(yaml::to_value(text).is_err(), "untyped: {shown:?}");
    assert!(yaml::read::<Milestone>(text).is_err(), "typed: {shown:?}");
    assert!(yaml::edit(text, &[Edit::set([Step::key("a")], 1)]).is_err(), "edit: {shown:?}");
}

#[test]
fn bombs_are_refused() {
    refused(&laughs(9, 9));
    refused(&laughs(40, 2));
    refused(&laughs(2, 2_000));
    refused(&"[".repeat(100_000));
    refused(&"{a: ".repeat(100_000));
    refused(&"- ".repeat(100_000));
    let stairs: Vec<String> = (0..2_500).map(|depth| " ".repeat(depth)).collect();
    refused(&stairs.join("a:\n"));
    refused(&"? ".repeat(50_000));
    refused(&format!("id: {}", "x".repeat(MAX_DOCUMENT_BYTES)));
    refused(&format!("a: [{}]", "1,".repeat(MAX_NODES + 1)));
    refused(&"&a ".repeat(50_000));
    refused("a: &a [*a]\n");
    refused("a: &a {b: *a}\n");
    refused("a: *nobody\n");
}

/// Small to read, but large in the lossless editor or as copies.
#[test]
fn what_would_fill_the_memory_is_refused() {
    let set = [Edit::set([Step::key("zz")], 1)];
    let blank = "\n".repeat(200_000);
    for text in [format!("a: |+\n  x\n{blank}b: c\n"), format!("a: b\n{}", "# c\n".repeat(200_000))]
    {
        assert!(yaml::to_value(&text).is_ok());
        assert!(matches!(yaml::edit(&text, &set), Err(EditError::TooLarge)));
    }
    let long = "x".repeat(MAX_DOCUMENT_BYTES / 2);
    refused(&format!("id: &a {long}\nb: [{}]\n", "*a, ".repeat(500)));
}

#[test]
fn traps_are_refused() {
    refused("id: a\nid: b\n");
    refused("id: a\n---\nid: b\n");
    refused("id: a\n\ttitle: b\n");
    refused("id: a\n  title: b\n");
    refused("base: &b {x: 1}\nid: a\n<<: *b\n");
    refused("id: !!python/object:os.system rm\n");
    refused("id: !custom a\n");
    refused("? [a, b]\n: c\n");
    refused("id: a\0b\n");
    refused("id: \u{1b}[31m\n");
    refused("id: \"unclosed\n");
    refused("");
    refused("\n\n");
    refused("# only\n# comments\n");
    refused("---\n");
    refused("\u{feff}");
}

#[test]
fn invalid_bytes_are_named() {
    let error = yaml::read_bytes::<Value>(b"id: a\ntitle: \xC3\xA9\xFFx\n").unwrap_err();
    assert_eq!(error.to_string(), "2:9: the byte 0xFF is not valid UTF-8");
    let error = yaml::read_bytes::<Value>(&vec![b'a'; MAX_DOCUMENT_BYTES + 1]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "1:1: this file is 5 MiB long; documents of at most 4 MiB are read"
    );
}

/// Broken in random places, a document reads or is refused; nothing else happens, and no message
/// carries what could act on a terminal.
#[test]
fn damaged_documents_are_values_or_errors() {
    for seed in 0..rounds(300, 10_000) {
        let mut random = Random::new(seed ^ 0xBAD);
        let mut bytes = generate::document(&mut random).text.into_bytes();
        for _ in 0..=random.below(4) {
            damage(&mut random, &mut bytes);
        }
        if let Err(error) = yaml::read_bytes::<Milestone>(&bytes) {
            let shown = format!("{error}\n{}", error.snippet.as_deref().unwrap_or_default());
            assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "seed {seed}: {shown:?}");
        }
        let text = String::from_utf8_lossy(&bytes);
        let untyped = yaml::to_value(&text);
        let edited = yaml::edit(&text, &[Edit::set([Step::key("zz")], "new")]);
        if let (Ok(mut value), Ok(edited)) = (untyped, edited) {
            if let Value::Object(entries) = &mut value {
                entries.insert("zz".to_owned(), "new".into());
            }
            assert_eq!(yaml::to_value(&edited).unwrap(), value, "seed {seed}");
        }
    }
}

fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    const PIECES: &[&str] = &[
        "\t",
        "\0",
        "&a ",
        "*a",
        "!!int ",
        "<<: ",
        "[",
        "{",
        "]",
        "}",
        "\"",
        "'",
        "|",
        ">",
        "---\n",
        "...\n",
        ": ",
        "- ",
        "? ",
        "#",
        "\r",
        "\n",
        "%YAML 1.1\n",
        "\u{feff}",
        "\u{2028}",
        "\u{85}",
        "\u{1b}",
        "@",
        "`",
        ",",
    ];
    let at = random.below(bytes.len().max(1));
    match random.below(4) {
        0 => bytes.truncate(at),
        1 if !bytes.is_empty() => bytes[at] = u8::try_from(random.below(256)).unwrap(),
        2 => {
            let to = (at + random.below(40)).min(bytes.len());
            let part = bytes[at.min(to)..to].to_vec();
            bytes.splice(at..at, part);
        }
        _ => drop(bytes.splice(at..at, random.pick(PIECES).bytes())),
    }
}

/// Levels of lists, each holding the one before `width` times.
fn laughs(levels: usize, width: usize) -> String {
    let line = |level: usize| {
        let inner = format!("*l{}, ", level - 1).repeat(width);
        format!("l{level}: &l{level} [{inner}]")
    };
    let lines: Vec<String> = (1..=levels).map(line).collect();
    format!("l0: &l0 [ha]\n{}\n", lines.join("\n"))
}
