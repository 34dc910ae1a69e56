//! `milestone search`: finds milestones and tasks by their words.

use clap::{Args, ValueEnum};
use jiff::civil::Date;
use milestone_domain::search::{Filter, Kind, Place, Query, StatusWord};

use crate::app::{App, mention_problems};
use crate::errors::Failure;
use crate::{output, render};

/// Find milestones and tasks by their words, open ones and what was filed away
///
/// Looks in titles, labels, descriptions, goals, criteria and their evidence, risks, lessons, notes
/// and all other texts. Words may be in any case and may be only the beginning of one; all of them
/// must be there. Titles count most. Finding nothing is no error.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone search login
  milestone search auth token --in open
  milestone search login -- -draft
  milestone search '\"rate limit\" -draft'
  milestone search vendor --kind risk --kind lesson
  milestone search 1.3
  milestone search login --since 2026-10-01 --json

A phrase stands in quotes of its own, inside those for the shell; -word leaves out what has it.")]
pub struct SearchArgs {
    /// Words, phrases and -words; an id finds what it names
    #[arg(value_name = "TEXT", required = true)]
    text: Vec<String>,
    /// Where to look
    #[arg(long = "in", value_name = "PLACE", value_enum, default_value_t = In::All)]
    place: In,
    /// Only those with this status; may be repeated
    #[arg(long, value_name = "STATUS")]
    status: Vec<StatusWord>,
    /// Only what is said there; may be repeated
    #[arg(long, value_name = "KIND", value_enum)]
    kind: Vec<Of>,
    /// Only those with this label, or whose milestone has it; of several, all
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// Only those of this person or agent
    #[arg(long, value_name = "NAME")]
    assignee: Option<String>,
    /// Only those of this release
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
    /// Only those to which something happened on this day or later
    #[arg(long, value_name = "DATE")]
    since: Option<Date>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum In {
    Open,
    Archived,
    All,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Of {
    Milestone,
    Task,
    Criterion,
    Risk,
    Lesson,
    Note,
}

pub fn run(app: &App, args: SearchArgs) -> Result<(), Failure> {
    let project = &app.opened()?.project;
    let since = args.since.map(|date| project.start_of(date)).transpose()?;
    let filter = Filter {
        place: match args.place {
            In::Open => Place::Open,
            In::Archived => Place::Archived,
            In::All => Place::All,
        },
        statuses: args.status,
        kinds: args.kind.into_iter().map(kind).collect(),
        labels: args.label,
        assignee: args.assignee,
        release: args.release,
        since,
    };
    let query = Query::parse(&args.text.join(" "), filter, args.limit).map_err(|error| {
        Failure::usage(
            error.to_string(),
            "see how to look for something: `milestone search --help`",
        )
    })?;
    let searched = project.search(&query, app.actor())?;
    mention_problems(&searched.problems);
    let found = &searched.found;
    let coloured = output::has_colours();
    app.out.show(found, |page| render::search::found(page, found, coloured))
}

fn kind(of: Of) -> Kind {
    match of {
        Of::Milestone => Kind::Milestone,
        Of::Task => Kind::Task,
        Of::Criterion => Kind::Criterion,
        Of::Risk => Kind::Risk,
        Of::Lesson => Kind::Lesson,
        Of::Note => Kind::Note,
    }
}
