//! The table, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// What a row is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// At most so many times the floor.
    Ratio(f64),
    /// At most so many milliseconds.
    Milliseconds(f64),
    /// At least so many a second.
    PerSecond(f64),
    None,
}

/// One measured thing.
pub struct Row {
    pub operation: String,
    pub tasks: usize,
    /// Milliseconds; of a throughput, how many a second.
    pub figure: f64,
    /// The floor's milliseconds in the same run.
    pub floor: Option<f64>,
    /// Milliseconds of processor time, and of the trivial program's.
    pub processor: Option<(f64, f64)>,
    pub target: Target,
    /// Peak memory in MB, and what it may be.
    pub memory: Option<(f64, f64)>,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        self.floor.map(|floor| self.figure / floor)
    }

    fn met(&self) -> Option<bool> {
        let time = match self.target {
            Target::Ratio(most) => self.ratio().map(|ratio| ratio <= most),
            Target::Milliseconds(most) => Some(self.figure <= most),
            Target::PerSecond(least) => Some(self.figure >= least),
            Target::None => None,
        };
        let memory = self.memory.is_none_or(|(peak, most)| peak <= most);
        time.map(|time| time && memory)
    }

    fn cells(&self) -> [String; 8] {
        let dash = || "–".to_owned();
        let figure = match self.target {
            Target::PerSecond(_) => format!("{:.0}/s", self.figure),
            _ => format!("{:.2}", self.figure),
        };
        let target = match self.target {
            Target::Ratio(most) => format!("{most}x"),
            Target::Milliseconds(most) => format!("{most} ms"),
            Target::PerSecond(least) => format!("{least}/s"),
            Target::None => dash(),
        };
        let met = self.met().map_or_else(dash, |met| if met { "yes" } else { "**no**" }.to_owned());
        let memory = self.memory.map_or_else(dash, |(peak, most)| format!("{peak:.1} of {most}"));
        [
            self.operation.clone(),
            self.tasks.to_string(),
            figure,
            self.ratio().map_or_else(dash, |ratio| format!("{ratio:.1}x")),
            target,
            self.processor
                .map_or_else(dash, |(own, floor)| format!("{own:.1} ({:.1}x)", own / floor)),
            memory,
            met,
        ]
    }

    fn json(&self) -> Value {
        json!({
            "operation": self.operation,
            "tasks": self.tasks,
            "figure": self.figure,
            "unit": if matches!(self.target, Target::PerSecond(_)) { "per_second" } else { "ms" },
            "floor_ms": self.floor,
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
        "| operation | tasks | median ms | ratio | target | processor ms | memory MB | met |\n\
         |---|--:|--:|--:|--:|--:|--:|---|\n",
    );
    for row in rows {
        let _ = writeln!(text, "| {} |", row.cells().join(" | "));
    }
    text
}

pub fn json(rows: &[Row]) -> String {
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    json!({ "version": 1, "rows": rows }).to_string()
}
