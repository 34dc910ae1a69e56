//! Completions while somebody types: what the shell asks this program, and what it answers.
//!
//! A shell's script (`milestone completions`) starts this program with [`VARIABLE`] set. Nothing
//! is written then, nothing is taken in, and nobody is made to wait for another command.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::Shells;
use milestone_domain::ids::{MilestoneId, Reference, TaskId};
use milestone_domain::snapshot::{Outline, Scope, Snapshot};
use milestone_domain::status::{CriterionKind, MilestoneStatus, Priority, TaskStatus};
use milestone_store::Store as _;
use milestone_store::config::{Config, KEYS};
use milestone_store::discover;
use milestone_store::files::Files;

use crate::app;
use crate::args::whole;
use crate::errors::Exit;
use crate::render::page::clean;
use crate::target::Target;

/// The variable by which a shell says that it asks for completions, and which shell it is.
pub const VARIABLE: &str = "MILESTONE_COMPLETE";

/// Somebody is waiting with a finger on the key: better no answer than a late one.
const LOCK_WAIT: Duration = Duration::from_millis(100);

/// Verbs for which a closed task is no answer.
const FOR_OPEN_TASKS: [&str; 10] = [
    "start", "progress", "done", "fail", "block", "unblock", "cancel", "claim", "renew", "release",
];

/// Answers a shell that asks; `None` in every ordinary run, after one look at the environment.
pub fn answer() -> Option<ExitCode> {
    let shell = env::var_os(VARIABLE).filter(|shell| !shell.is_empty())?;
    // Words come after `--`: what is before them is the shell's.
    let words: Vec<OsString> = env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let here = Here { folder: chosen_folder(&words) };
    let mut command = completing(whole(), "", &Arc::new(here));
    command.build();
    let shells = Shells::builtins();
    let current = env::current_dir().ok();
    let mut answer = Vec::new();
    let written = shells.completer(&shell.to_string_lossy()).is_some_and(|shell| {
        shell.write_complete(&mut command, words, current.as_deref(), &mut answer).is_ok()
    });
    // A shell shows what it is told in the middle of a line, so mishaps are not worth a word.
    let written = written && std::io::stdout().write_all(&answer).is_ok();
    Some(if written { Exit::Done } else { Exit::Failed }.into())
}

/// What the line says with `-C`.
fn chosen_folder(words: &[OsString]) -> PathBuf {
    let after = words.iter().skip_while(|word| *word != "-C").nth(1);
    after.map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// The commands, each of whose arguments knows what it may be. What it may be is known by its type
/// and its name, so that no command has to say it.
fn completing(command: Command, verb: &str, here: &Arc<Here>) -> Command {
    command
        .mut_args(|arg| match asked(verb, &arg) {
            Some(asked) => {
                let here = Arc::clone(here);
                arg.add(ArgValueCompleter::new(move |word: &OsStr| here.candidates(asked, word)))
            }
            None => arg,
        })
        .mut_subcommands(|sub| {
            let verb = sub.get_name().to_owned();
            completing(sub, &verb, here)
        })
}

/// What an argument asks for.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Words(&'static [&'static str]),
    Milestone,
    Task { open: bool },
    Either,
    Condition,
    Template,
    Setting,
}

fn asked(verb: &str, arg: &Arg) -> Option<Asked> {
    let of = arg.get_value_parser().type_id();
    let words = [
        (TypeId::of::<Priority>(), Priority::WORDS),
        (TypeId::of::<MilestoneStatus>(), MilestoneStatus::WORDS),
        (TypeId::of::<TaskStatus>(), TaskStatus::WORDS),
        (TypeId::of::<CriterionKind>(), CriterionKind::WORDS),
    ];
    if let Some((_, words)) = words.into_iter().find(|(kind, _)| of == *kind) {
        return Some(Asked::Words(words));
    }
    let name = arg.get_id().as_str();
    if of == TypeId::of::<Target>() {
        return Some(match name {
            "task" => Asked::Task { open: FOR_OPEN_TASKS.contains(&verb) },
            "milestone" | "ids" => Asked::Milestone,
            _ if verb == "archive" => Asked::Milestone,
            _ => Asked::Either,
        });
    }
    match (verb, name) {
        _ if of == TypeId::of::<Reference>() => Some(Asked::Either),
        (_, "condition") | ("set" | "clear", "name") => Some(Asked::Condition),
        (_, "template") | ("show" | "apply", "name") => Some(Asked::Template),
        ("get" | "set", "key") => Some(Asked::Setting),
        _ => None,
    }
}

/// The project about which somebody is typing.
struct Here {
    folder: PathBuf,
}

impl Here {
    fn candidates(&self, asked: Asked, word: &OsStr) -> Vec<CompletionCandidate> {
        let Some(word) = word.to_str() else { return Vec::new() };
        let found = match asked {
            Asked::Words(words) => words.iter().map(|word| named(word)).collect(),
            Asked::Setting => {
                KEYS.iter().map(|key| (key.name.to_owned(), key.about.to_owned())).collect()
            }
            Asked::Template => self.templates(),
            Asked::Condition => {
                self.snapshot().map(|snapshot| conditions(&snapshot)).unwrap_or_default()
            }
            Asked::Milestone => self.snapshot().map(|s| milestones(&s, word)).unwrap_or_default(),
            Asked::Task { open } => {
                self.snapshot().map(|s| tasks(&s, word, open)).unwrap_or_default()
            }
            Asked::Either => self.snapshot().map(|s| either(&s, word)).unwrap_or_default(),
        };
        let fits = |(value, _): &(String, String)| value.starts_with(word) && is_plain(value);
        let candidate = |(value, help): (String, String)| {
            let help = (!help.is_empty()).then(|| clean(help).into());
            CompletionCandidate::new(value).help(help)
        };
        found.into_iter().filter(fits).map(candidate).collect()
    }

    /// All open work, as it was last read: a hand edit is taken in by the next command, not here.
    fn snapshot(&self) -> Option<Snapshot> {
        let start = std::fs::canonicalize(&self.folder).ok()?;
        let root = discover::find(&start, app::chosen_root().as_deref()).ok()?;
        let config = Config::load(&app::layers(Some(&root))).ok()?;
        let files = Files::open(root.folder(), config.settings(), LOCK_WAIT);
        Some(files.read(&Scope::Graph(BTreeSet::new())).ok()?.snapshot)
    }

    fn templates(&self) -> Vec<(String, String)> {
        let start = std::fs::canonicalize(&self.folder).unwrap_or_default();
        let root = discover::find(&start, app::chosen_root().as_deref());
        let folder = root.map(|root| root.folder().join("templates"));
        let entries = folder.ok().and_then(|folder| std::fs::read_dir(folder).ok());
        let names = entries.into_iter().flatten().flatten().filter_map(|entry| {
            let path = entry.path();
            let yaml = path.extension().is_some_and(|ending| ending == "yaml");
            yaml.then(|| Some(named(path.file_stem()?.to_str()?)))?
        });
        let names: BTreeSet<_> = names.collect();
        names.into_iter().collect()
    }
}

fn named(name: &str) -> (String, String) {
    (name.to_owned(), String::new())
}

/// Shells take what they are told apart at spaces, and expand what looks like a pattern.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|c| c.is_alphanumeric() || "-_.:/".contains(c))
}

/// An id is completed in the form in which it was begun.
fn milestones(snapshot: &Snapshot, word: &str) -> Vec<(String, String)> {
    let id = |id: MilestoneId| match word.as_bytes().first() {
        Some(b'0') => format!("{:03}", id.0),
        Some(b'1'..=b'9') => id.0.to_string(),
        _ => id.to_string(),
    };
    let running = |outline: &&Outline| outline.status == MilestoneStatus::InProgress;
    let current = snapshot
        .open()
        .find(running)
        .map(|outline| ("current".to_owned(), format!("{} {}", outline.id, outline.title)));
    let all = snapshot.open().map(|outline| (id(outline.id), outline.title.clone()));
    all.chain(current).collect()
}

fn tasks(snapshot: &Snapshot, word: &str, open: bool) -> Vec<(String, String)> {
    let long = word.starts_with('t');
    let mut found = Vec::new();
    for outline in snapshot.open() {
        for task in &outline.tasks {
            if open && task.status.is_closed() {
                continue;
            }
            let id = TaskId::new(outline.id, task.number);
            let name =
                if long { id.to_string() } else { format!("{}.{}", outline.id.0, task.number) };
            found.push((name, format!("{}: {}", task.status, task.title)));
        }
    }
    found
}

/// Milestones, and the tasks of one as soon as it is named.
fn either(snapshot: &Snapshot, word: &str) -> Vec<(String, String)> {
    if word.contains('.') || word.starts_with('t') {
        return tasks(snapshot, word, false);
    }
    milestones(snapshot, word)
}

fn conditions(snapshot: &Snapshot) -> Vec<(String, String)> {
    let mut names: BTreeSet<&str> = snapshot.conditions.0.keys().map(String::as_str).collect();
    for outline in snapshot.open() {
        names.extend(outline.conditions.iter().chain(&outline.provides).map(String::as_str));
        for task in &outline.tasks {
            names.extend(task.conditions.iter().chain(&task.provides).map(String::as_str));
        }
    }
    names.into_iter().map(named).collect()
}
