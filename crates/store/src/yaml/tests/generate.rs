//! Documents as people write them: every style in one file, comments everywhere.

use super::random::Random;
use crate::yaml::Step;

pub(super) struct Document {
    pub text: String,
    pub places: Vec<Place>,
    pub comments: Vec<Comment>,
}

/// A key or an item, and the lines it stands on.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub path: Vec<Step>,
    pub kind: Kind,
    pub first_line: usize,
    pub last_line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar,
    Empty,
    Mapping,
    FlowMapping,
    Words,
    FlowWords,
    Items,
    FlowItems,
    EmptyFlow,
    Item,
    Word,
}

/// A comment, unique in its document.
#[derive(Clone, Debug)]
pub(super) struct Comment {
    pub text: String,
    /// The place it is inside of.
    pub owner: Vec<Step>,
    /// On the line of the owner itself, after its value.
    pub trailing: bool,
}

pub(super) const WORDS: &[&str] = &[
    "planned",
    "in_progress",
    "\"User Authentication System\"",
    "'it''s done'",
    "12",
    "true",
    "~",
    "größer als 10 €",
    "\"emoji 🎉 \\u00e9\"",
    "a#b",
    "x:y",
    "2026-12-18",
    "\"yes\"",
    "'no'",
    "\"012\"",
    "3.5",
    "Design login & logout",
    "\"# not a comment\"",
    "src/auth/",
    "null",
    "4h",
];

pub(super) const LINES: &[&str] =
    &["First line", "second: line", "# looks like one", "- dash", "ünï 🎉"];

pub(super) fn document(random: &mut Random) -> Document {
    let mut generator = Generator {
        step: if random.chance(30) { 4 } else { 2 },
        indentless: random.chance(30),
        random,
        lines: Vec::new(),
        places: Vec::new(),
        comments: Vec::new(),
        keeps_blank_lines: false,
    };
    generator.document();
    let Generator { random, lines, places, comments, .. } = generator;
    let line_end = if random.chance(20) { "\r\n" } else { "\n" };
    let mut text = lines.join(line_end);
    if !random.chance(15) {
        text.push_str(line_end);
    }
    if random.chance(10) {
        text.insert(0, '\u{FEFF}');
    }
    Document { text, places, comments }
}

struct Generator<'r> {
    random: &'r mut Random,
    step: usize,
    indentless: bool,
    lines: Vec<String>,
    places: Vec<Place>,
    comments: Vec<Comment>,
    /// A block scalar that would take blank lines below it for its own has just been written.
    keeps_blank_lines: bool,
}

impl Generator<'_> {
    fn document(&mut self) {
        self.loose_lines(0, &[]);
        if self.random.chance(20) {
            self.lines.push("---".to_owned());
            self.loose_lines(0, &[]);
        }
        self.scalar(0, &[], "id");
        self.mapping_body(0, &[], 2);
        if self.random.chance(90) {
            self.tasks();
        }
        if self.random.chance(50) {
            self.entry(0, &[], "notes");
        }
        if self.random.chance(40) {
            self.loose_lines(0, &[]);
        }
    }

    /// Entries with fixed names, each there or not.
    fn mapping_body(&mut self, indent: usize, path: &[Step], depth: usize) {
        const KEYS: &[&str] = &[
            "title",
            "status",
            "due",
            "description",
            "requires",
            "labels",
            "estimate",
            "dependencies",
            "\"quoted key\"",
            "priority",
        ];
        for key in KEYS {
            if !self.random.chance(45) {
                continue;
            }
            self.loose_lines(indent, path);
            match *key {
                "dependencies" if depth > 0 => self.mapping(indent, path, key, depth - 1),
                "estimate" => self.flow_mapping(indent, path, key),
                "requires" | "labels" => self.words(indent, path, key),
                _ => self.entry(indent, path, key),
            }
        }
    }

    fn entry(&mut self, indent: usize, path: &[Step], key: &str) {
        match self.random.below(10) {
            0 => self.block_scalar(indent, path, key),
            1 => self.empty(indent, path, key),
            _ => self.scalar(indent, path, key),
        }
    }

    fn scalar(&mut self, indent: usize, path: &[Step], key: &str) {
        let word = self.random.pick(WORDS);
        let first = self.lines.len();
        self.lines.push(format!("{}{key}: {word}", " ".repeat(indent)));
        self.place(path, key, Kind::Scalar, first);
    }

    fn empty(&mut self, indent: usize, path: &[Step], key: &str) {
        let first = self.lines.len();
        self.lines.push(format!("{}{key}:", " ".repeat(indent)));
        self.place(path, key, Kind::Empty, first);
    }

    fn block_scalar(&mut self, indent: usize, path: &[Step], key: &str) {
        let first = self.lines.len();
        let header = self.random.pick(&["|", "|-", "|+", ">", ">-"]);
        let pad = " ".repeat(indent + self.step);
        self.lines.push(format!("{}{key}: {header}", " ".repeat(indent)));
        for number in 0..=self.random.below(3) {
            if number > 0 && self.random.chance(30) {
                self.lines.push(String::new());
            }
            let line = self.random.pick(LINES);
            self.lines.push(format!("{pad}{line}"));
        }
        // Whether blank lines below are the scalar's is what `+` says.
        if header == "|+" && self.random.chance(20) {
            self.lines.push(String::new());
        }
        self.record(path, key, Kind::Scalar, first);
        self.keeps_blank_lines = header == "|+";
    }

    fn flow_mapping(&mut self, indent: usize, path: &[Step], key: &str) {
        let first = self.lines.len();
        let body = self.random.pick(&["{likely: 4h, pessimistic: 2d}", "{likely: 1h}", "{}"]);
        self.lines.push(format!("{}{key}: {body}", " ".repeat(indent)));
        let kind = if body == "{}" { Kind::EmptyFlow } else { Kind::FlowMapping };
        self.place(path, key, kind, first);
        if kind == Kind::FlowMapping {
            let inner = [path, &[Step::key(key)]].concat();
            self.record(&inner, "likely", Kind::Scalar, first);
        }
    }

    fn words(&mut self, indent: usize, path: &[Step], key: &str) {
        let first = self.lines.len();
        let head = format!("{}{key}:", " ".repeat(indent));
        match self.random.below(6) {
            0 => self.empty(indent, path, key),
            1 => {
                self.lines.push(format!("{head} []"));
                self.place(path, key, Kind::EmptyFlow, first);
            }
            2 => {
                self.lines.push(format!("{head} [alpha, \"beta two\", 'gamma']"));
                self.place(path, key, Kind::FlowWords, first);
            }
            3 => self.long_flow(indent, path, key),
            _ => self.block_words(indent, path, key),
        }
    }

    fn long_flow(&mut self, indent: usize, path: &[Step], key: &str) {
        let first = self.lines.len();
        let pad = " ".repeat(indent + self.step);
        let owner = [path, &[Step::key(key)]].concat();
        self.lines.push(format!("{}{key}: [", " ".repeat(indent)));
        self.lines.push(format!("{pad}alpha,"));
        self.trailing(&owner, false);
        self.lines.push(format!("{pad}\"beta two\""));
        let comma = self.random.pick(&["", ","]);
        self.append_to_line(comma);
        self.trailing(&owner, false);
        self.lines.push(format!("{}]", " ".repeat(indent + usize::from(self.random.chance(50)))));
        self.place(path, key, Kind::FlowWords, first);
    }

    fn block_words(&mut self, indent: usize, path: &[Step], key: &str) {
        let first = self.lines.len();
        let owner = [path, &[Step::key(key)]].concat();
        self.lines.push(format!("{}{key}:", " ".repeat(indent)));
        self.trailing(&owner, false);
        let at = if self.indentless { indent } else { indent + self.step };
        for index in 0..=self.random.below(3) {
            if self.random.chance(15) {
                self.comment_line(at, &owner);
            }
            let word = self.random.pick(&["alpha", "\"beta two\"", "'gamma'", "delta 4", "7"]);
            let line = self.lines.len();
            self.lines.push(format!("{}- {word}", " ".repeat(at)));
            let item = [&owner[..], &[Step::Index(index)]].concat();
            self.trailing(&item, true);
            self.places.push(Place {
                path: item,
                kind: Kind::Word,
                first_line: line,
                last_line: line,
            });
        }
        self.record(path, key, Kind::Words, first);
    }

    fn mapping(&mut self, indent: usize, path: &[Step], key: &str, depth: usize) {
        let first = self.lines.len();
        let owner = [path, &[Step::key(key)]].concat();
        self.lines.push(format!("{}{key}:", " ".repeat(indent)));
        self.trailing(&owner, false);
        self.scalar(indent + self.step, &owner, "name");
        self.mapping_body(indent + self.step, &owner, depth);
        self.record(path, key, Kind::Mapping, first);
    }

    fn tasks(&mut self) {
        let first = self.lines.len();
        match self.random.below(8) {
            0 => return self.empty(0, &[], "tasks"),
            1 => {
                self.lines.push("tasks: []".to_owned());
                return self.place(&[], "tasks", Kind::EmptyFlow, first);
            }
            2 => {
                self.lines.push("tasks: [{id: task-001, title: x}, {id: task-002}]".to_owned());
                return self.place(&[], "tasks", Kind::FlowItems, first);
            }
            _ => {}
        }
        let owner = [Step::key("tasks")];
        self.lines.push("tasks:".to_owned());
        self.trailing(&owner, false);
        let indent = if self.indentless { 0 } else { self.step };
        for number in 1..=1 + self.random.below(4) {
            self.loose_lines(indent, &owner);
            self.task(indent, &owner, number);
        }
        self.record(&[], "tasks", Kind::Items, first);
    }

    fn task(&mut self, indent: usize, owner: &[Step], number: usize) {
        let first = self.lines.len();
        let id =
            if self.random.chance(10) { number.to_string() } else { format!("task-{number:03}") };
        let path = [owner, &[Step::id(&id)]].concat();
        self.lines.push(format!("{}- id: {id}", " ".repeat(indent)));
        self.place(&path, "id", Kind::Scalar, first);
        self.mapping_body(indent + 2, &path, 1);
        let last_line = self.lines.len() - 1;
        self.places.push(Place { path, kind: Kind::Item, first_line: first, last_line });
    }

    /// Blank lines and comments between entries.
    fn loose_lines(&mut self, indent: usize, owner: &[Step]) {
        let keeps_blank_lines = std::mem::take(&mut self.keeps_blank_lines);
        if !keeps_blank_lines && self.random.chance(10) {
            self.lines.push(String::new());
        }
        if self.random.chance(15) {
            self.comment_line(indent, owner);
        }
        if self.random.chance(5) {
            self.comment_line(indent, owner);
            self.lines.push(String::new());
        }
    }

    fn comment_line(&mut self, indent: usize, owner: &[Step]) {
        let text = self.new_comment(owner, false);
        self.lines.push(format!("{}{text}", " ".repeat(indent)));
    }

    fn trailing(&mut self, owner: &[Step], trailing: bool) {
        if self.random.chance(20) {
            let text = self.new_comment(owner, trailing);
            self.append_to_line(&format!("  {text}"));
        }
    }

    fn append_to_line(&mut self, text: &str) {
        self.lines.last_mut().unwrap().push_str(text);
    }

    fn new_comment(&mut self, owner: &[Step], trailing: bool) -> String {
        let text =
            format!("# c{}: {}", self.comments.len(), self.random.pick(&["why", "später", "'x'"]));
        self.comments.push(Comment { text: text.clone(), owner: owner.to_vec(), trailing });
        text
    }

    /// Records an entry that may carry a comment at the end of its line.
    fn place(&mut self, path: &[Step], key: &str, kind: Kind, first: usize) {
        let owner = [path, &[Step::key(key.trim_matches('"'))]].concat();
        self.trailing(&owner, true);
        self.record(path, key, kind, first);
    }

    fn record(&mut self, path: &[Step], key: &str, kind: Kind, first: usize) {
        let path = [path, &[Step::key(key.trim_matches('"'))]].concat();
        self.places.push(Place { path, kind, first_line: first, last_line: self.lines.len() - 1 });
    }
}
