//! The table, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// What a row is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// At most so many times the floor, and so many milliseconds more.
    Within {
        times: f64,
        plus: f64,
    },
    /// At most so many milliseconds.
    Milliseconds(f64),
    /// At most so many MB.
    Megabytes(f64),
    /// At least so many a second.
    PerSecond(f64),
    /// How many a second, held to nothing but the floor beside it.
    Rate,
    /// At least such a share of what the floor does in a second.
    Share(f64),
    None,
}

impl Target {
    pub fn times(times: f64) -> Self {
        Self::Within { times, plus: 0.0 }
    }
}

/// One measured thing.
#[derive(Debug, Clone)]
pub struct Row {
    pub operation: String,
    pub store: &'static str,
    pub tasks: usize,
    /// What it is held against in the same run: its name, and its figure in the row's unit.
    pub floor: Option<(String, f64)>,
    /// Milliseconds; of a throughput, how many a second.
    pub figure: f64,
    pub target: Target,
    /// Milliseconds of processor time, and the floor's.
    pub processor: Option<(f64, f64)>,
    /// Peak memory in MB, and what it may be.
    pub memory: Option<(f64, f64)>,
}

impl Row {
    pub fn new(operation: &str, store: &'static str, tasks: usize, figure: f64) -> Self {
        let operation = operation.to_owned();
        let (floor, target, processor, memory) = (None, Target::None, None, None);
        Self { operation, store, tasks, floor, figure, target, processor, memory }
    }

    #[must_use]
    pub fn held_to(self, target: Target) -> Self {
        Self { target, ..self }
    }

    #[must_use]
    pub fn above(self, floor: &str, figure: f64) -> Self {
        Self { floor: Some((floor.to_owned(), figure)), ..self }
    }

    fn ratio(&self) -> Option<f64> {
        self.floor.as_ref().map(|(_, floor)| self.figure / floor)
    }

    fn met(&self) -> Option<bool> {
        let floor = self.floor.as_ref().map(|(_, floor)| *floor);
        let time = match self.target {
            Target::Within { times, plus } => {
                floor.map(|floor| self.figure <= floor * times + plus)
            }
            Target::Milliseconds(most) | Target::Megabytes(most) => Some(self.figure <= most),
            Target::PerSecond(least) => Some(self.figure >= least),
            Target::Share(least) => floor.map(|floor| self.figure >= floor * least),
            Target::Rate | Target::None => None,
        };
        let memory = self.memory.is_none_or(|(peak, most)| peak <= most);
        time.map(|time| time && memory)
    }

    fn figure(&self, figure: f64) -> String {
        match self.target {
            Target::PerSecond(_) | Target::Share(_) => format!("{figure:.0}/s"),
            Target::Rate => format!("{figure:.1}/s"),
            Target::Megabytes(_) => format!("{figure:.1} MB"),
            _ => format!("{figure:.2}"),
        }
    }

    fn cells(&self) -> [String; 10] {
        let dash = || "–".to_owned();
        let target = match self.target {
            Target::Within { times, plus: 0.0 } => format!("{times}x"),
            Target::Within { times: 1.0, plus } => format!("+ {plus:.1} ms"),
            Target::Within { times, plus } => format!("{times}x + {plus:.1} ms"),
            Target::Milliseconds(most) => format!("{most} ms"),
            Target::Megabytes(most) => format!("{most} MB"),
            Target::PerSecond(least) => format!("{least}/s"),
            Target::Share(least) => format!("at least {least}x"),
            Target::Rate | Target::None => dash(),
        };
        let met = self.met().map_or_else(dash, |met| if met { "yes" } else { "**no**" }.to_owned());
        let floor = self.floor.as_ref();
        [
            self.operation.clone(),
            self.store.to_owned(),
            if self.tasks == 0 { dash() } else { self.tasks.to_string() },
            floor.map_or_else(dash, |(name, figure)| format!("{name} {}", self.figure(*figure))),
            self.figure(self.figure),
            self.ratio().map_or_else(dash, |ratio| format!("{ratio:.2}x")),
            target,
            self.processor
                .map_or_else(dash, |(own, floor)| format!("{own:.1} ({:.1}x)", own / floor)),
            self.memory.map_or_else(dash, |(peak, most)| format!("{peak:.1} of {most}")),
            met,
        ]
    }

    fn json(&self) -> Value {
        let unit = match self.target {
            Target::PerSecond(_) | Target::Share(_) | Target::Rate => "per_second",
            Target::Megabytes(_) => "mb",
            _ => "ms",
        };
        json!({
            "operation": self.operation,
            "store": self.store,
            "tasks": self.tasks,
            "unit": unit,
            "floor": self.floor.as_ref().map(|(name, _)| name),
            "floor_figure": self.floor.as_ref().map(|(_, figure)| figure),
            "figure": self.figure,
            "ratio": self.ratio(),
            "processor_ms": self.processor.map(|(own, _)| own),
            "processor_floor_ms": self.processor.map(|(_, floor)| floor),
            "memory_mb": self.memory.map(|(peak, _)| peak),
            "met": self.met(),
        })
    }
}

pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| operation | store | tasks | floor ms | median ms | ratio | target | processor ms \
         | memory MB | met |\n|---|---|--:|--:|--:|--:|--:|--:|--:|---|\n",
    );
    for row in rows {
        let _ = writeln!(text, "| {} |", row.cells().join(" | "));
    }
    let judged: Vec<bool> = rows.iter().filter_map(Row::met).collect();
    let met = judged.iter().filter(|met| **met).count();
    let _ = writeln!(text, "\n{met} of {} targets are met.", judged.len());
    text
}

pub fn json(rows: &[Row]) -> String {
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    json!({ "version": 2, "rows": rows }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(figure: f64, target: Target) -> Row {
        Row::new("show", "files", 100, figure).above("line", 2.0).held_to(target)
    }

    #[test]
    fn a_row_is_met_by_what_it_is_held_against() {
        assert_eq!(row(6.0, Target::times(3.0)).met(), Some(true));
        assert_eq!(row(6.1, Target::times(3.0)).met(), Some(false));
        assert_eq!(row(5.0, Target::Within { times: 1.0, plus: 3.0 }).met(), Some(true));
        assert_eq!(row(1.0, Target::Share(0.5)).met(), Some(true));
        assert_eq!(row(0.9, Target::Share(0.5)).met(), Some(false));
        assert_eq!(row(99.0, Target::PerSecond(100.0)).met(), Some(false));
        assert_eq!(row(1.0, Target::None).met(), None);
    }

    #[test]
    fn too_much_memory_misses_a_target_whatever_the_time() {
        let heavy = Row { memory: Some((13.0, 12.0)), ..row(2.0, Target::times(3.0)) };
        assert_eq!(heavy.met(), Some(false));
    }

    #[test]
    fn a_table_has_a_cell_for_every_column() {
        let text = table(&[row(6.0, Target::times(3.0))]);
        let columns: Vec<usize> =
            text.lines().take(3).map(|line| line.matches(" |").count()).collect();
        assert_eq!(columns[0], columns[2]);
        assert!(text.ends_with("\n1 of 1 targets are met.\n"));
    }
}
