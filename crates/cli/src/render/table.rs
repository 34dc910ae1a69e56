//! Columns that line up.

use anstyle::Style;
use std::fmt::Display;
use unicode_width::UnicodeWidthStr;

use super::glyphs::Glyphs;
use super::page::{Page, clean};
use super::style;

/// Rows of cells. Where a terminal is too narrow, the widest columns are cut.
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    /// Titles of columns that a narrow terminal can do without, the least important first.
    spare: Vec<&'static str>,
    /// Whether what stands in the last column goes on below instead of being cut.
    flows: bool,
}

/// What a terminal must leave to the last column before all columns are shown.
const LAST_COLUMN_MIN: usize = 28;

/// No other column is cut below this: ids, dates, states and figures stay whole.
const CUT_MIN: usize = 22;

/// Nor the last one below this.
const LAST_CUT_MIN: usize = 8;

/// What stands between two columns.
const GAP: usize = 2;

pub struct Cell {
    text: String,
    style: Style,
}

pub fn cell(style: Style, text: impl Display) -> Cell {
    Cell { text: clean(text), style }
}

impl Table {
    pub fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new(), spare: Vec::new(), flows: false }
    }

    /// Lets go of these where a terminal is too narrow, the first one first.
    #[must_use]
    pub fn sparing(self, spare: &[&'static str]) -> Self {
        Self { spare: spare.to_vec(), ..self }
    }

    /// Keeps all of what stands in the last column, in as many lines as it needs.
    #[must_use]
    pub fn flowing(self) -> Self {
        Self { flows: true, ..self }
    }

    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Prints it, without the columns in which nothing stands.
    pub fn print(self, page: &mut Page) {
        let columns = self.columns(page.width());
        if self.head.iter().any(|title| !title.is_empty()) {
            let titles: Vec<Cell> =
                columns.iter().map(|column| cell(style::DIM, self.head[column.number])).collect();
            self.print_row(page, &columns, &titles.iter().collect::<Vec<_>>());
        }
        for row in &self.rows {
            let cells: Vec<&Cell> =
                columns.iter().filter_map(|column| row.get(column.number)).collect();
            self.print_row(page, &columns, &cells);
        }
    }

    /// The columns that are shown, as wide as they are shown.
    fn columns(&self, width: Option<usize>) -> Vec<Column> {
        let mut columns: Vec<Column> =
            (0..self.head.len()).filter_map(|number| self.column(number)).collect();
        let Some(width) = width else { return columns };
        for spare in &self.spare {
            let Some((last, others)) = columns.split_last() else { break };
            let wanted = last.width.min(LAST_COLUMN_MIN);
            if taken(others) + wanted <= width {
                break;
            }
            columns.retain(|column| self.head[column.number] != *spare);
        }
        let cut = if self.flows { columns.len().saturating_sub(1) } else { columns.len() };
        let rest = if self.flows { LAST_COLUMN_MIN } else { 0 };
        narrow(&mut columns[..cut], width.saturating_sub(rest));
        columns
    }

    /// Nothing, where nothing stands in it.
    fn column(&self, number: usize) -> Option<Column> {
        let cells = || self.rows.iter().filter_map(move |row| row.get(number));
        let used = || cells().filter(|cell| !cell.text.is_empty());
        let widest = used().map(|cell| cell.text.width()).max()?;
        Some(Column {
            number,
            width: widest.max(self.head[number].width()),
            // What a row begins with is its name, even where that is a number.
            figures: number > 0 && used().all(|cell| is_figure(&cell.text)),
            // What is to be typed is of use only as a whole.
            whole: used().any(|cell| cell.style == style::HINT),
        })
    }

    fn print_row(&self, page: &mut Page, columns: &[Column], cells: &[&Cell]) {
        let last = cells.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
        let mut at = 0;
        for (number, (cell, column)) in cells.iter().zip(columns).enumerate().take(last + 1) {
            let flows = self.flows && number == last;
            let room = if flows || page.width().is_none() { usize::MAX } else { column.width };
            let text = cut(page.glyphs(), &cell.text, room);
            let gap = column.width.saturating_sub(text.width());
            page.spaces(if column.figures { gap } else { 0 });
            if !text.is_empty() {
                page.styled(cell.style, &text);
            }
            if number < last {
                page.spaces(if column.figures { GAP } else { gap + GAP });
                at += column.width + GAP;
            }
        }
        if self.flows {
            page.end_below(at)
        } else {
            page.end()
        };
    }
}

/// How a column of a table is shown.
struct Column {
    number: usize,
    width: usize,
    /// Figures stand below one another by their ends.
    figures: bool,
    /// Never cut.
    whole: bool,
}

fn is_figure(text: &str) -> bool {
    text.trim_end_matches('%').chars().all(|c| c.is_ascii_digit() || c == '/')
}

fn taken(columns: &[Column]) -> usize {
    columns.iter().map(|column| column.width + GAP).sum()
}

/// Takes from the widest columns until all of them fit, or none has more to give. The last one,
/// in which the titles stand, gives only where it is twice as wide as the others.
fn narrow(columns: &mut [Column], width: usize) {
    let last = columns.len().saturating_sub(1);
    while taken(columns) > width + GAP {
        let least = |number: usize| if number == last { LAST_CUT_MIN } else { CUT_MIN };
        let can_give = columns
            .iter_mut()
            .enumerate()
            .filter(|(number, column)| !column.whole && column.width > least(*number));
        let demand = |(number, column): &(usize, &mut Column)| {
            if *number == last { column.width } else { column.width * 2 }
        };
        let Some((_, widest)) = can_give.max_by_key(demand) else { return };
        widest.width -= 1;
    }
}

/// Names, and what there is to say about each; what is long goes on below.
pub struct Facts(Table);

impl Facts {
    pub fn new() -> Self {
        Self(Table::new(&["", ""]).flowing())
    }

    /// Adds a line, unless there is nothing to say.
    pub fn say(&mut self, name: &str, style: Style, said: impl Display) {
        let said = cell(style, said);
        if !said.text.is_empty() {
            self.0.row(vec![cell(style::DIM, name), said]);
        }
    }

    pub fn print(self, page: &mut Page) {
        self.0.print(page);
    }
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
    // Nothing follows that could be joined.
    kept.truncate(kept.trim_end_matches('\u{200d}').len());
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
    fn every_line_fits_and_the_widest_columns_give_first() {
        let row = |width: usize| {
            let mut table = Table::new(&["", "", "", ""]);
            let long = "waits for a long list of things that are named";
            table.row(vec![
                cell(style::ID, "task-001-001"),
                cell(style::PLAIN, long),
                cell(style::PLAIN, "2026-11-21"),
                cell(style::PLAIN, format!("{}{}", "日本語".repeat(20), "👩‍💻".repeat(20))),
            ]);
            let mut page = Page::new(Some(width));
            table.print(&mut page);
            anstream::adapter::strip_str(page.text()).to_string()
        };
        for width in 60..140 {
            let printed = row(width);
            assert_eq!(printed.lines().count(), 1, "{printed}");
            assert!(printed.trim_end().width() <= width, "{width}: {printed}");
        }
        let printed = row(80);
        assert!(
            printed.starts_with("task-001-001  waits for a long list…  2026-11-21  日"),
            "{printed}"
        );
    }

    #[test]
    fn a_command_is_never_cut_and_what_is_said_about_it_goes_on_below() {
        let mut table = Table::new(&["", ""]).flowing();
        table.row(vec![
            cell(style::HINT, "milestone update 8 --requires 7"),
            cell(style::PLAIN, "does it build on milestone-007 Old thing that was done?"),
        ]);
        let mut page = Page::new(Some(60));
        table.print(&mut page);
        let text = anstream::adapter::strip_str(page.text()).to_string();
        let indent = " ".repeat(33);
        assert_eq!(
            text,
            format!(
                "milestone update 8 --requires 7  does it build on\n\
                 {indent}milestone-007 Old thing\n{indent}that was done?\n"
            )
        );
    }

    #[test]
    fn figures_stand_below_one_another_by_their_ends() {
        let mut table = Table::new(&["ID", "DONE", "TITLE"]);
        for done in ["5%", "100%", ""] {
            table.row(["1", done, "T"].map(|text| cell(style::PLAIN, text)).into());
        }
        let mut page = Page::new(None);
        table.print(&mut page);
        let text = anstream::adapter::strip_str(page.text()).to_string();
        assert_eq!(text, "ID  DONE  TITLE\n1     5%  T\n1   100%  T\n1         T\n");
    }

    #[test]
    fn only_a_terminal_cuts() {
        assert_eq!(printed(Some(15)), "ID   TITLE\n1    A long ti…\n200  日本語\n");
    }
}
