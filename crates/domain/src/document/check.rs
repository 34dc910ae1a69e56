//! What a document must hold by itself, whatever the rest of the project says.

use std::collections::BTreeSet;
use std::fmt;

use super::Milestone;
use super::tree::task_key;
use crate::change::Path;
use crate::ids::{Reference, TaskName};
use crate::limits;

/// A document that reads as YAML and still makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentError {
    /// Where; the root when only the whole can be blamed.
    pub path: Path,
    pub message: String,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path == Path::root() {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl std::error::Error for DocumentError {}

fn error(path: Path, message: impl Into<String>) -> DocumentError {
    DocumentError { path, message: message.into() }
}

impl Milestone {
    /// Checks the document, and brings what may be written in several ways into one form.
    pub fn checked(mut self) -> Result<Self, DocumentError> {
        self.number_criteria()?;
        self.shorten_own_names()?;
        check_format(&self)?;
        check_text(&self.title, &Path::root().key("title"))?;
        check_tasks(&self)?;
        check_phases(&self)?;
        Ok(self)
    }

    /// Gives every criterion without a number the lowest one free, in the order of the document.
    fn number_criteria(&mut self) -> Result<(), DocumentError> {
        let mut taken = BTreeSet::new();
        for id in self.criteria.iter().filter_map(|criterion| criterion.id) {
            if !taken.insert(id) {
                let path = Path::root().key("criteria").key(&id.to_string());
                return Err(error(path, format!("two criteria have the id {id}")));
            }
        }
        let mut free = (1..).filter(|id| !taken.contains(id));
        for criterion in &mut self.criteria {
            criterion.id = criterion.id.or_else(|| free.next());
        }
        Ok(())
    }

    /// `task-001-003` and `task-003` are the same task inside milestone-001.
    fn shorten_own_names(&mut self) -> Result<(), DocumentError> {
        let home = self.id;
        let shorten = |reference: &mut Reference| *reference = reference.seen_from(home);
        self.dependencies.requires.iter_mut().for_each(shorten);
        for task in &mut self.tasks {
            task.requires.iter_mut().for_each(shorten);
            if task.id.milestone.is_some_and(|milestone| milestone != home) {
                let path = Path::root().key("tasks").key(&task_key(task.id.number));
                let message = format!("{} is named as a task of another milestone", task.id);
                return Err(error(path, message));
            }
            task.id = TaskName::new(task.id.number);
        }
        for name in &mut self.retired_tasks {
            *name = TaskName::new(name.number);
        }
        Ok(())
    }
}

/// The newest document format this program writes and reads.
const FORMAT: u32 = 1;

fn check_format(milestone: &Milestone) -> Result<(), DocumentError> {
    match milestone.format {
        Some(format) if format > FORMAT || format == 0 => Err(error(
            Path::root().key("format"),
            format!("format {format} is newer than this program; it knows formats up to {FORMAT}"),
        )),
        _ => Ok(()),
    }
}

fn check_text(title: &str, path: &Path) -> Result<(), DocumentError> {
    if title.trim().is_empty() {
        return Err(error(path.clone(), "a title must say something"));
    }
    if title.chars().count() > limits::TITLE_CHARS_MAX {
        let message = format!("a title has at most {} characters", limits::TITLE_CHARS_MAX);
        return Err(error(path.clone(), message));
    }
    Ok(())
}

fn check_tasks(milestone: &Milestone) -> Result<(), DocumentError> {
    let tasks = Path::root().key("tasks");
    if milestone.tasks.len() > limits::TASKS_MAX {
        let message = format!("a milestone has at most {} tasks", limits::TASKS_MAX);
        return Err(error(tasks, message));
    }
    let mut seen = BTreeSet::new();
    for task in &milestone.tasks {
        let path = tasks.key(&task_key(task.id.number));
        if !seen.insert(task.id.number) {
            return Err(error(path, format!("two tasks have the id {}", task.id)));
        }
        check_text(&task.title, &path.key("title"))?;
        if task.progress.is_some_and(|percent| percent > 100) {
            return Err(error(path.key("progress"), "progress is a percentage, 0 to 100"));
        }
    }
    Ok(())
}

fn check_phases(milestone: &Milestone) -> Result<(), DocumentError> {
    let mut names = BTreeSet::new();
    for phase in &milestone.phases {
        if !names.insert(phase.name.as_str()) {
            let message = format!("two phases are named `{}`", phase.name);
            return Err(error(Path::root().key("phases"), message));
        }
    }
    Ok(())
}
