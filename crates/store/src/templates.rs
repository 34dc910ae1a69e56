//! Templates: those that come with the program, and those of a project, which win.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use milestone_domain::planning::template::Template;
use milestone_domain::snapshot::{Problem, ProblemKind};

use crate::error::StoreError;
use crate::files::disk::Disk;
use crate::yaml::{self, Edit, Step};

/// Where a project's own templates stand, below its folder.
pub const FOLDER: &str = "templates";

const ENDING: &str = ".yaml";

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        const BUILT_IN: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../templates/", $name, ".yaml")))),*];
    };
}

built_in! {
    "api",
    "audit",
    "bug-fix",
    "data-migration",
    "data-pipeline",
    "feature",
    "frontend",
    "general",
    "improvement",
    "infrastructure",
    "integration",
    "investigation",
    "model",
    "personal-learning",
    "personal-portfolio",
    "personal-process",
    "phase-core",
    "phase-foundation",
    "phase-maintenance",
    "phase-polish",
    "phase-research",
    "pipeline",
    "project-documentation",
    "project-infrastructure",
    "project-mcp-server",
    "project-policy",
    "quick-win",
    "release",
    "removal",
    "research",
    "security",
    "sprint-core-feature",
    "sprint-learning",
    "sprint-quick-win",
    "tests",
    "upgrade",
    "writing",
}

/// A template and where it is from.
#[derive(Debug, Clone)]
pub struct Held {
    pub template: Template,
    /// Its text, comments and all.
    pub text: String,
    /// Whether it is the project's own.
    pub own: bool,
}

/// All templates that can be planned with.
#[derive(Debug, Default)]
pub struct Templates {
    held: BTreeMap<String, Held>,
    /// The project's templates that cannot be read, by their names. Each hides nothing but itself
    /// and, because a project's own template is meant, one of its name that came with the program.
    broken: BTreeMap<String, StoreError>,
}

impl Templates {
    /// Those that come with the program.
    pub fn built_in() -> Self {
        let mut templates = Self::default();
        for (name, text) in BUILT_IN {
            templates.take(name, &format!("{name}{ENDING}"), text.as_bytes(), false);
        }
        templates
    }

    /// Those that come with the program, and those of the project in this folder.
    pub fn load(folder: &Path) -> Result<Self, StoreError> {
        let mut templates = Self::built_in();
        let disk = Disk::new(folder.to_owned());
        for file in disk.names(FOLDER)? {
            let Some(name) = file.strip_suffix(ENDING) else { continue };
            let place = format!("{FOLDER}/{file}");
            match disk.read(&place) {
                Ok(Some(bytes)) => templates.take(name, &place, &bytes, true),
                Ok(None) => {}
                Err(error) => templates.refuse(name, error),
            }
        }
        Ok(templates)
    }

    fn take(&mut self, name: &str, file: &str, bytes: &[u8], own: bool) {
        match read(name, file, bytes) {
            Ok(template) => {
                let text = String::from_utf8_lossy(bytes).into_owned();
                self.held.insert(name.to_owned(), Held { template, text, own });
            }
            Err(error) => self.refuse(name, error),
        }
    }

    fn refuse(&mut self, name: &str, error: StoreError) {
        self.held.remove(name);
        self.broken.insert(name.to_owned(), error);
    }

    /// What is wrong with those that cannot be read.
    pub fn problems(&self) -> Vec<Problem> {
        let problem = |(name, error): (&String, &StoreError)| {
            let (line, column, message) = match error {
                StoreError::Unreadable { line, column, message, .. } => {
                    (Some(*line), Some(*column), message.clone())
                }
                error => (None, None, error.to_string()),
            };
            Problem {
                milestone: None,
                file: format!("{FOLDER}/{name}{ENDING}"),
                line,
                column,
                kind: ProblemKind::Unreadable,
                message: format!("{message}; nothing can be planned with this template"),
                next: "mend it in an editor, or move it elsewhere".to_owned(),
            }
        };
        self.broken.iter().map(problem).collect()
    }

    /// In the order of their names.
    pub fn all(&self) -> impl Iterator<Item = &Held> {
        self.held.values()
    }

    pub fn get(&self, name: &str) -> Option<&Held> {
        self.held.get(name)
    }

    pub fn broken(&self) -> &BTreeMap<String, StoreError> {
        &self.broken
    }

    /// Takes out what is wrong with a template, for whoever asked for it.
    pub fn take_broken(&mut self, name: &str) -> Option<StoreError> {
        self.broken.remove(name)
    }
}

/// Writes a new template of a project's own. `false` where there is one of that name: it is never
/// written over.
pub fn make(folder: &Path, name: &str, text: &str) -> Result<bool, StoreError> {
    let disk = Disk::new(folder.to_owned());
    disk.make_folder(FOLDER)?;
    let draft = disk.draft(text.as_bytes())?;
    let place = format!("{FOLDER}/{name}{ENDING}");
    let made = disk.sync(&draft).and_then(|()| disk.link(&draft, &place));
    disk.remove(&draft)?;
    match made {
        Ok(()) => {
            disk.sync(FOLDER)?;
            Ok(true)
        }
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// A template to begin with, which says what may stand in one. The name that it was given is what
/// it is about, until somebody says more.
pub fn skeleton(name: &str) -> String {
    let words = name.replace('-', " ");
    let title: String =
        words.chars().take(1).flat_map(char::to_uppercase).chain(words.chars().skip(1)).collect();
    let text = include_str!("templates/skeleton.yaml");
    text.replace("NAME", name).replace("TITLE", &title).replace("WORDS", words.trim())
}

/// A template's text under another name, comments and all.
pub fn renamed(held: &Held, name: &str) -> Result<String, StoreError> {
    let edit = Edit::set([Step::key("name")], name);
    yaml::edit(&held.text, &[edit]).map_err(|error| StoreError::Unfaithful {
        file: format!("{}{ENDING}", held.template.name),
        message: error.to_string(),
    })
}

/// A template as a file's text.
pub fn write(template: &Template) -> String {
    let tree = serde_json::to_value(template).unwrap_or_default();
    let tree = milestone_domain::document::pruned(tree);
    yaml::write(&tree, Some("`milestone schema template` says what may stand here."))
}

/// Reads a template, and judges it.
pub fn read(name: &str, file: &str, bytes: &[u8]) -> Result<Template, StoreError> {
    let unreadable = |(line, column): (usize, usize), message: String| {
        let (line, column) = (line as u64, column as u64);
        StoreError::Unreadable { file: file.to_owned(), line, column, message }
    };
    let read = yaml::read_bytes::<Template>(bytes)
        .map_err(|error| unreadable((error.line, error.column), error.message))?;
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    if let Some(unknown) = read.unknown.first() {
        let steps: Vec<&str> = unknown.split('/').collect();
        let message = format!("a template has no key `{}`", steps.last().unwrap_or(&""));
        return Err(unreadable(yaml::nearest_place(text, &steps), message));
    }
    let template = read.value;
    template.check().map_err(|error| {
        unreadable(yaml::nearest_place(text, error.path.steps()), error.message)
    })?;
    if template.name != name {
        let at = yaml::nearest_place(text, &["name"]);
        let message = format!("it is called `{}`, and its file `{name}`", template.name);
        return Err(unreadable(at, message));
    }
    Ok(template)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod titles;
