//! What must be left behind, and when: of a phase with its last task, of a milestone at its end.

use super::Milestone;

/// A file that must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromisedFile {
    pub path: String,
    /// The phase that leaves it behind.
    pub phase: Option<String>,
}

impl Milestone {
    /// What a phase leaves behind, by its names and by where it is.
    pub fn deliverables_of(&self, phase: &str) -> Vec<String> {
        let named = self.phase(phase).into_iter().flat_map(|phase| &phase.deliverables);
        let own = self.deliverables.iter().filter(|item| item.phase.as_deref() == Some(phase));
        let paths: Vec<&String> =
            own.map(|item| item.path.as_ref().unwrap_or(&item.name)).collect();
        // Said twice: by its name in the phase, and with its path.
        let again = |name: &&String| paths.iter().any(|path| path.ends_with(name.as_str()));
        named.filter(|name| !again(name)).chain(paths.iter().copied()).cloned().collect()
    }

    /// The files that must be there once a task is done: those of its phase, if it is the last.
    pub fn promised_with(&self, number: u32) -> Vec<PromisedFile> {
        let task = self.task(number).filter(|task| !task.status.is_closed());
        let Some(phase) = task.and_then(|task| task.phase.as_deref()) else { return Vec::new() };
        let others = |other: &&super::Task| other.id.number != number;
        match self.tasks_in(phase).filter(others).all(|other| other.status.is_closed()) {
            true => self.promised_by(phase),
            false => Vec::new(),
        }
    }

    /// The files that must be there once everything is done.
    pub fn promised_in_all(&self) -> Vec<PromisedFile> {
        let of_phases = self.phases.iter().flat_map(|phase| self.promised_by(&phase.name));
        let is_phase = |name: &str| self.phase(name).is_some();
        let own = self.deliverables.iter();
        let own = own.filter(|item| !item.phase.as_deref().is_some_and(is_phase));
        let places = own.map(|item| item.path.as_ref().unwrap_or(&item.name));
        let promised = places.filter(|text| is_path(text));
        of_phases
            .chain(promised.map(|path| PromisedFile { path: path.clone(), phase: None }))
            .collect()
    }

    fn promised_by(&self, phase: &str) -> Vec<PromisedFile> {
        let places = self.deliverables_of(phase).into_iter().filter(|text| is_path(text));
        places.map(|path| PromisedFile { path, phase: Some(phase.to_owned()) }).collect()
    }
}

/// Whether a deliverable names a file below the project, and is no phrase, link or place elsewhere.
fn is_path(text: &str) -> bool {
    let names: Vec<&str> = text.trim_end_matches('/').split('/').collect();
    let leads_out = names.iter().any(|name| matches!(*name, "" | "." | ".."));
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == ':') || leads_out {
        return false;
    }
    let ending = names.last().and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending);
    let is_ending = |ending: &str| {
        (1..=8).contains(&ending.len()) && ending.chars().all(|c| c.is_ascii_alphanumeric())
    };
    // A version looks like a name with an ending, too.
    let is_file = ending.is_some_and(|ending| is_ending(ending) && !is_number(ending));
    text.contains('/') || is_file
}

fn is_number(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Milestone {
        let tree = json!({
            "id": "milestone-001", "title": "T",
            "phases": [{"name": "design", "deliverables": ["architecture.md", "A good feeling"]}, "build"],
            "deliverables": [
                {"name": "architecture.md", "path": "docs/architecture.md", "phase": "design"},
                {"name": "The manual", "path": "docs/manual.md"},
                "Everybody is happy",
                "../outside.md",
                {"name": "A page", "path": "https://example.org/x.html"},
            ],
            "tasks": [
                {"id": "task-001", "title": "A", "phase": "design"},
                {"id": "task-002", "title": "B", "phase": "design", "status": "completed"},
                {"id": "task-003", "title": "C", "phase": "build"},
                {"id": "task-004", "title": "D", "phase": "build"},
            ],
        });
        Milestone::from_tree(tree, false).unwrap()
    }

    fn paths(files: &[PromisedFile]) -> Vec<&str> {
        files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn a_phase_leaves_its_files_behind_with_its_last_task() {
        let mut document = document();
        assert_eq!(paths(&document.promised_with(1)), ["docs/architecture.md"]);
        document.task_mut(2).unwrap().status = crate::status::TaskStatus::Pending;
        assert!(document.promised_with(1).is_empty());
        assert!(document.promised_with(3).is_empty());
    }

    #[test]
    fn a_milestone_leaves_all_of_them_behind() {
        assert_eq!(
            paths(&document().promised_in_all()),
            ["docs/architecture.md", "docs/manual.md"]
        );
    }

    #[test]
    fn a_phrase_is_no_path() {
        for path in ["a.md", "docs/x", "api-spec.yaml", "src/", "Makefile.am", ".env.example"] {
            assert!(is_path(path), "{path}");
        }
        for phrase in ["Release notes", "v1.2", "Docs", "/etc/passwd", "a/../b", "http://a/b", ""] {
            assert!(!is_path(phrase), "{phrase}");
        }
    }
}
