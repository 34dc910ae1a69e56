//! What was found, the best first.

use anstyle::Style;
use milestone_domain::readiness::spoken;
use milestone_domain::search::{Excerpt, Field, Found, Hit, Mark, Unknown};
use unicode_width::UnicodeWidthStr as _;

use super::page::{Page, clean};
use super::{style, words};

/// Where there are no colours, «» stand around what was looked for.
pub fn found(page: &mut Page, found: &Found, coloured: bool) {
    if found.hits.is_empty() {
        return nothing(page, &found.unknown);
    }
    for hit in &found.hits {
        line(page, hit, coloured);
    }
    let option = format!("--limit {}", found.total);
    words::more_with(page, found.total, found.hits.len(), &option);
}

fn line(page: &mut Page, hit: &Hit, coloured: bool) {
    let id = format!("{:<14}", hit.id.to_string());
    page.styled(style::ID, &id).say("  ");
    let mut flow = Flow { page, coloured, column: id.len() + 2, indent: id.len() + 2 };
    flow.marked(&hit.title, &hit.title_marks);
    let archived = if hit.archived { ", archived" } else { "" };
    flow.word(style::DIM, &format!("({}{archived})", spoken(hit.status)));
    flow.page.end();
    if let Some(Excerpt { field, text, marks }) = &hit.excerpt {
        let name = format!("{}:", name(*field));
        page.say("  ").styled(style::DIM, &name).say(" ");
        let mut flow = Flow { page, coloured, column: name.len() + 3, indent: 4 };
        flow.marked(text, marks);
        flow.page.end();
    }
}

/// Words behind one another that go on below, further in, where the line is full.
struct Flow<'a> {
    page: &'a mut Page,
    coloured: bool,
    column: usize,
    indent: usize,
}

impl Flow<'_> {
    fn marked(&mut self, text: &str, marks: &[Mark]) {
        let is_marked = |at: usize| marks.iter().any(|mark| (mark.start..mark.end).contains(&at));
        let chars: Vec<(char, bool)> = text.chars().zip((0..).map(is_marked)).collect();
        for (number, word) in chars.split(|(c, _)| *c == ' ').enumerate() {
            let parts = word.chunk_by(|(_, one), (_, other)| one == other);
            let shown = |part: &[(char, bool)]| {
                let text: String = part.iter().map(|(c, _)| c).collect();
                (clean(text), part.first().is_some_and(|(_, found)| *found))
            };
            let parts: Vec<(String, bool)> = parts.map(shown).collect();
            let signs = if self.coloured { 0 } else { 2 };
            let width =
                |(part, found): &(String, bool)| part.width() + if *found { signs } else { 0 };
            self.room_for(parts.iter().map(width).sum(), number > 0);
            parts.iter().for_each(|(part, found)| self.part(part, *found));
        }
    }

    fn part(&mut self, part: &str, found: bool) {
        match (found, self.coloured) {
            (true, true) => self.page.styled(style::FOUND, part),
            (true, false) => self.page.say('«').say(part).say('»'),
            (false, _) => self.page.say(part),
        };
    }

    fn word(&mut self, style: Style, word: &str) {
        self.room_for(word.width(), true);
        self.page.styled(style, word);
    }

    /// Goes to where a word of this width has room.
    fn room_for(&mut self, width: usize, spaced: bool) {
        let full = self.page.width().is_some_and(|all| self.column + 1 + width > all);
        if full && self.column > self.indent {
            self.page.end().spaces(self.indent);
            self.column = self.indent;
        } else if spaced {
            self.page.say(' ');
            self.column += 1;
        }
        self.column += width;
    }
}

fn nothing(page: &mut Page, unknown: &[Unknown]) {
    page.say("Nothing was found.").end();
    for Unknown { word, near } in unknown {
        page.say("  ").say(format!("“{word}” stands nowhere here"));
        if !near.is_empty() {
            page.say("; did you mean ").styled(style::HINT, near.join(", ")).say("?");
        }
        page.end();
    }
    if unknown.is_empty() {
        page.say("  Each of these words is here, but nothing you asked for has all of them.").end();
    }
}

fn name(field: Field) -> &'static str {
    match field {
        Field::Id => "id",
        Field::Title => "title",
        Field::Labels => "label",
        Field::Category => "category",
        Field::Release => "release",
        Field::Assignee => "assignee",
        Field::People => "people",
        Field::Description => "description",
        Field::Goals => "goal",
        Field::Reason => "reason",
        Field::Criteria => "criterion",
        Field::Evidence => "evidence",
        Field::Risks => "risk",
        Field::Lessons => "lesson",
        Field::Notes => "note",
        Field::Deliverables => "deliverable",
        Field::Resources => "resource",
        Field::Details => "details",
    }
}
