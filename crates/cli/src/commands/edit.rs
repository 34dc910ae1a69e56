//! `milestone edit`: a document in an editor, judged like any command.

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use clap::Args;
use milestone_domain::change::FieldChange;
use milestone_domain::command::Command;
use milestone_domain::document::{Milestone, by_owner};
use milestone_domain::ids::{MilestoneId, Node};
use milestone_domain::snapshot::Scope;
use milestone_store::files::text;
use milestone_store::scale::Seen;
use milestone_store::{Error, Outcome, StoreError};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::attempt;
use crate::errors::Failure;
use crate::output;
use crate::render;
use crate::render::style;
use crate::target::Target;

/// Open a milestone's document in an editor
///
/// A copy is edited. It is taken over, comments and all, if it can be read and no rule refuses
/// it; else it is kept, and the next `edit` goes on with it. What others change meanwhile stays.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone edit 1
  EDITOR=\"code --wait\" milestone edit current")]
pub struct EditArgs {
    /// The milestone, or a task of it
    #[arg(value_name = "ID")]
    id: Target,
}

/// The copy that is edited, and the text it was made from.
struct Draft {
    file: PathBuf,
    base_file: PathBuf,
    base: String,
}

pub fn run(app: &App, args: &EditArgs) -> Result<(), Failure> {
    attempt::check_is_none("does not change the plan")?;
    let id = args.id.node(app)?.milestone();
    let snapshot = app.read(&Scope::Milestone(id))?;
    let missing = || super::show::missing(&snapshot, Node::Milestone(id));
    let now = app.opened()?.project.text(id)?.ok_or_else(missing)?;
    let copy = Draft::open(app, id, now)?;
    open_editor(app, &copy.file)?;
    let edited = read(&copy.file)?;
    if edited == copy.base {
        copy.close();
        return said(app, id, Vec::new(), "Nothing was changed.");
    }
    let again = || format!("milestone edit {id}");
    match accept(app, id, &copy.base, &edited) {
        Ok((changes, outcome)) => {
            copy.close();
            drop(outcome);
            let line = if changes.is_empty() { "Only the layout was changed." } else { "Changed:" };
            said(app, id, changes, line)
        }
        Err(because) => Err(Failure::EditKept {
            because: Box::new(because),
            kept: copy.file.clone(),
            again: again(),
        }),
    }
}

/// What an edit by hand came to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Edited {
    milestone: MilestoneId,
    changes: Vec<FieldChange>,
}

fn said(app: &App, id: MilestoneId, changes: Vec<FieldChange>, line: &str) -> Result<(), Failure> {
    let edited = Edited { milestone: id, changes };
    app.out.done(&edited, &id.to_string(), |page| {
        page.styled(style::ID, id).say("  ").say(line).end();
        edited.changes.iter().for_each(|change| render::events::difference(page, change));
    })
}

fn accept(
    app: &App,
    id: MilestoneId,
    base: &str,
    edited: &str,
) -> Result<(Vec<FieldChange>, Outcome), Failure> {
    let before = document(id, base)?;
    let after = document(id, edited)?;
    let (changes, program) = by_owner(before.changes_to(&after));
    if let Some(change) = program.first() {
        let path = change.path.to_string();
        return Err(milestone_domain::refusal::Refusal::ProgramKey { milestone: id, path }.into());
    }
    let project = &app.opened()?.project;
    match project.execute_text(id, base, edited, &after, app.actor()) {
        Ok(outcome) => {
            app.wrote(Seen::part(&outcome));
            Ok((changes, outcome))
        }
        // The document has moved on: the fields that were edited are set on what it is now.
        Err(Error::Store(StoreError::Stale)) => {
            let command = Command::Amend { milestone: id, changes: changes.clone() };
            Ok((changes, app.execute(&command)?))
        }
        Err(error) => Err(error.into()),
    }
}

fn document(id: MilestoneId, text: &str) -> Result<Milestone, Failure> {
    let said = text::read(text.as_bytes(), false).map_err(|wrong| StoreError::Unreadable {
        file: id.file_name(),
        line: wrong.line,
        column: wrong.column,
        message: wrong.message,
    })?;
    Ok(said.milestone)
}

impl Draft {
    /// A copy that was refused before is gone on with.
    fn open(app: &App, id: MilestoneId, now: String) -> Result<Self, Failure> {
        let folder = app.opened()?.root.folder().join("temp");
        let file = folder.join(format!("edit-{}", id.file_name()));
        let base_file = folder.join(format!("edit-{id}.base"));
        let mut copy = Self { file, base_file, base: now };
        if copy.file.exists() && copy.base_file.exists() {
            copy.base = read(&copy.base_file)?;
            let mut page = app.out.page();
            page.say("Going on with the edit that was refused before.").end();
            output::say(&page);
            return Ok(copy);
        }
        let failed = |source| Failure::Io { doing: "write", path: copy.file.clone(), source };
        fs::create_dir_all(&folder).map_err(failed)?;
        fs::write(&copy.base_file, &copy.base).map_err(failed)?;
        fs::write(&copy.file, &copy.base).map_err(failed)?;
        Ok(copy)
    }

    /// What is in the document now need not be kept beside it. A leftover does no harm.
    fn close(&self) {
        let _ = fs::remove_file(&self.file);
        let _ = fs::remove_file(&self.base_file);
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let failed = |source| Failure::Io { doing: "read", path: file.to_owned(), source };
    fs::read_to_string(file).map_err(failed)
}

/// An editor is a person's own command, and may have arguments.
fn open_editor(app: &App, file: &Path) -> Result<(), Failure> {
    let chosen = ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok());
    let chosen = chosen.filter(|editor| !editor.trim().is_empty());
    let editor = match chosen {
        Some(editor) => editor,
        None if std::io::stdin().is_terminal() && !app.out.json => "vi".to_owned(),
        None => {
            return Err(Failure::usage(
                "no editor is set, and there is no terminal to open one in",
                "set EDITOR, or change fields with `milestone update`",
            ));
        }
    };
    let failed = |source| Failure::Io { doing: "start", path: PathBuf::from(&editor), source };
    let status = Process::new("sh")
        .args(["-c", &format!("{editor} \"$1\""), "sh"])
        .arg(file)
        .status()
        .map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::usage(
        format!("the editor `{editor}` did not end well"),
        "nothing was changed; what you wrote is kept for the next `milestone edit`",
    ))
}
