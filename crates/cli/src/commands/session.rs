//! Executions that there were, and that there are.

use clap::{Args, Subcommand};
use milestone_engine::session::{Session, Sessions};
use schemars::JsonSchema;
use serde::Serialize;

use super::session_log::LogArgs;
use crate::app::App;
use crate::errors::Failure;
use crate::kinds::{Kind, Printed};
use crate::render;

/// See what was executed, and how it ended
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone session list
  milestone session show
  milestone session log 1.2 --follow")]
pub struct SessionArgs {
    #[command(subcommand)]
    verb: SessionVerb,
}

#[derive(Debug, Subcommand)]
enum SessionVerb {
    List(ListArgs),
    Show(ShowArgs),
    Log(LogArgs),
}

/// List sessions, the last one first
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  milestone session list\n  milestone session list --json")]
pub struct ListArgs {}

/// Show a session: what was tried, how that ended, and where it is kept
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone session show
  milestone session show session-20261123-001 --json")]
pub struct ShowArgs {
    /// The session [default: the last one]
    #[arg(value_name = "SESSION")]
    id: Option<String>,
}

/// Sessions, the last one first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SessionList {
    sessions: Vec<Session>,
}

impl Printed for SessionList {
    const KIND: Kind = Kind::Sessions;
}

impl Printed for Session {
    const KIND: Kind = Kind::Session;
}

pub fn run(app: &App, args: SessionArgs) -> Result<(), Failure> {
    let sessions = Sessions::of(&app.opened()?.root.folder());
    match args.verb {
        SessionVerb::List(ListArgs {}) => {
            let sessions = sessions.all()?;
            app.out.show(&SessionList { sessions: sessions.clone() }, |page| {
                render::sessions::list(page, &sessions);
            })
        }
        SessionVerb::Log(args) => super::session_log::run(app, &sessions, &args),
        SessionVerb::Show(ShowArgs { id }) => {
            let session = match id {
                Some(id) => sessions.session(&id)?,
                None => sessions.all()?.into_iter().next(),
            };
            let session = session.ok_or_else(|| {
                Failure::usage("there is no such session", "see them: `milestone session list`")
            })?;
            app.out.show(&session, |page| render::sessions::show(page, &session))
        }
    }
}
