//! Columns that line up.

use anstyle::Style;
use std::fmt::Display;
use unicode_width::UnicodeWidthStr;

use super::glyphs::Glyphs;
use super::page::{Page, clean};
use super::style;

/// Rows of cells. The last column is the one that is cut where a terminal is too narrow.
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    /// Titles of columns that a narrow terminal can do without, the least important first.
    spare: Vec<&'static str>,
}

/// What a terminal must leave to the last column before all columns are shown.
const LAST_COLUMN_MIN: usize = 28;

pub struct Cell {
    text: String,
    style: Style,
}

pub fn cell(style: Style, text: impl Display) -> Cell {
    Cell { text: clean(text), style }
}

impl Table {
    pub fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new(), spare: Vec::new() }
    }

    /// Lets go of these where a terminal is too narrow, the first one first.
    #[must_use]
    pub fn sparing(self, spare: &[&'static str]) -> Self {
        Self { spare: spare.to_vec(), ..self }
    }

    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Prints it, without the columns in which nothing stands.
    pub fn print(self, page: &mut Page) {
        let used = |column: &usize| {
            self.rows.iter().any(|row| row.get(*column).is_some_and(|cell| !cell.text.is_empty()))
        };
        let mut columns: Vec<usize> = (0..self.head.len()).filter(used).collect();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.text.width()).max().unwrap_or(0);
            widest.max(self.head[column].width())
        };
        for spare in &self.spare {
            let Some((last, others)) = columns.split_last() else { break };
            let taken: usize = others.iter().map(|column| width(*column) + 2).sum();
            let wanted = width(*last).min(LAST_COLUMN_MIN);
            if page.width().is_none_or(|all| taken + wanted <= all) {
                break;
            }
            columns.retain(|column| self.head[*column] != *spare);
        }
        let widths: Vec<usize> = columns.iter().map(|column| width(*column)).collect();
        let head = |column: usize| cell(style::DIM, self.head[column]);
        if self.head.iter().any(|title| !title.is_empty()) {
            let titles: Vec<Cell> = columns.iter().map(|column| head(*column)).collect();
            print_row(page, &titles.iter().collect::<Vec<_>>(), &widths);
        }
        for row in &self.rows {
            let cells: Vec<&Cell> = columns.iter().filter_map(|column| row.get(*column)).collect();
            print_row(page, &cells, &widths);
        }
    }
}

fn print_row(page: &mut Page, cells: &[&Cell], widths: &[usize]) {
    let mut at = 0;
    let last = cells.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
    for (number, (cell, width)) in cells.iter().zip(widths).enumerate().take(last + 1) {
        let room = page.width().map_or(usize::MAX, |all| all.saturating_sub(at).max(8));
        let is_last_column = number + 1 == widths.len();
        let text =
            if is_last_column { cut(page.glyphs(), &cell.text, room) } else { cell.text.clone() };
        let shown = text.width();
        if text.is_empty() {
            // Nothing to colour.
        } else {
            page.styled(cell.style, &text);
        }
        if number < last {
            page.spaces(width.saturating_sub(shown) + 2);
        }
        at += width + 2;
    }
    page.end();
}

/// As much of a text as fits, and a sign that there was more.
pub fn cut(glyphs: Glyphs, text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let more = glyphs.pick("…", "~");
    // Signs that belong together may be wider or narrower than the sum of them.
    let mut kept: String = text.chars().take(room).collect();
    while !kept.is_empty() && kept.width() + more.width() > room {
        kept.pop();
    }
    kept + more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(width: Option<usize>) -> String {
        let mut table = Table::new(&["ID", "", "TITLE"]);
        for (id, title) in [("1", "A long title\nof two lines"), ("200", "日本語")] {
            let text = |text: &str| cell(style::PLAIN, text);
            table.row(vec![text(id), text(""), text(title)]);
        }
        let mut page = Page::new(width);
        table.print(&mut page);
        anstream::adapter::strip_str(page.text()).to_string()
    }

    #[test]
    fn columns_line_up_and_empty_ones_are_left_out() {
        assert_eq!(printed(None), "ID   TITLE\n1    A long title\\nof two lines\n200  日本語\n");
    }

    #[test]
    fn a_narrow_terminal_lets_go_of_what_is_spare() {
        let printed = |width: Option<usize>| {
            let mut table =
                Table::new(&["ID", "PACE", "TASKS", "TITLE"]).sparing(&["PACE", "TASKS"]);
            let text = |text: &str| cell(style::PLAIN, text);
            table.row(vec![text("1"), text("3d to spare"), text("4/5"), text(&"x".repeat(40))]);
            let mut page = Page::new(width);
            table.print(&mut page);
            let text = anstream::adapter::strip_str(page.text()).to_string();
            text.lines().next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(printed(None), "ID PACE TASKS TITLE");
        assert_eq!(printed(Some(60)), "ID PACE TASKS TITLE");
        assert_eq!(printed(Some(45)), "ID TASKS TITLE");
        assert_eq!(printed(Some(30)), "ID TITLE");
    }

    #[test]
    fn only_a_terminal_cuts() {
        assert_eq!(printed(Some(15)), "ID   TITLE\n1    A long ti…\n200  日本語\n");
    }
}
