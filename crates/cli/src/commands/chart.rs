//! `--chart`: what `status` and `update` show, as a picture.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use milestone_domain::ids::{MilestoneId, Node};
use milestone_domain::limits::PAST_MILESTONES_MAX;
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::views::chart::burn_down::{BurnDown, burn_down, burning};
use milestone_domain::views::chart::gantt::{Gantt, gantt};
use milestone_domain::views::chart::graph::{GraphView, graph};

use crate::app::{App, mention};
use crate::errors::Failure;
use crate::output;
use crate::render::page::Page;
use crate::render::{chart, mermaid, style, svg};

/// What makes a picture of the status.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Charts")]
pub struct ChartArgs {
    /// Draw a chart instead
    #[arg(long, value_name = "CHART")]
    chart: Option<Kind>,
    /// How it is drawn [default: text]
    #[arg(long, value_name = "FORMAT", requires = "chart")]
    format: Option<Format>,
    /// Write it to this file; one that is there is replaced
    #[arg(long, value_name = "FILE", requires = "chart")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// The work left each day, against an even pace to the due date
    BurnDown,
    /// What was done when, and when the rest can be
    Gantt,
    /// What waits for what
    Graph,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal
    #[default]
    Text,
    /// A picture for browsers and documents
    Svg,
    /// For Markdown pages that draw Mermaid
    Mermaid,
}

/// A chart's data, whatever it is drawn as.
#[derive(Debug)]
enum Chart {
    BurnDown(BurnDown),
    Gantt(Gantt),
    Graph(GraphView),
}

impl ChartArgs {
    /// Whether a chart is asked for at all.
    pub fn any(&self) -> bool {
        self.chart.is_some()
    }
}

/// Draws the chart that is asked for, of the whole project or of one milestone; nothing if none is.
pub fn run(app: &App, only: Option<MilestoneId>, args: &ChartArgs) -> Result<(), Failure> {
    let Some(kind) = args.chart else { return Ok(()) };
    if app.out.json && (args.format.is_some() || args.out.is_some()) {
        return Err(Failure::usage(
            "--json prints a chart's figures; --format and --out draw it",
            "leave out either --json, or --format and --out",
        ));
    }
    let chart = computed(app, only, kind)?;
    let format = args.format.unwrap_or_default();
    let Some(file) = &args.out else {
        return match format {
            Format::Text => chart.show(app),
            // Other programs read these, so they get the data as JSON where that is asked for.
            format => output::raw(&chart.written(format)),
        };
    };
    let text = match format {
        Format::Text => plain(&chart),
        format => chart.written(format),
    };
    write(file, &text)?;
    let mut page = app.out.page();
    page.say("Wrote ").styled(style::ID, file.display()).say(".").end();
    output::say(&page);
    Ok(())
}

fn computed(app: &App, only: Option<MilestoneId>, kind: Kind) -> Result<Chart, Failure> {
    let scope = match kind {
        // How fast work goes is told by what was filed away, too.
        Kind::BurnDown => Scope::Past(PAST_MILESTONES_MAX),
        Kind::Gantt | Kind::Graph => Scope::Graph(BTreeSet::new()),
    };
    let snapshot = app.read(&scope)?;
    if let Some(id) = only.filter(|id| snapshot.outline(*id).is_none()) {
        return Err(super::show::missing(&snapshot, Node::Milestone(id)));
    }
    mention(&snapshot);
    let today = app.today()?;
    Ok(match kind {
        Kind::BurnDown => Chart::BurnDown(burnt(app, &snapshot, only)?),
        Kind::Gantt => Chart::Gantt(gantt(&snapshot, only, today)),
        Kind::Graph => Chart::Graph(graph(&snapshot, only, today)),
    })
}

fn burnt(app: &App, snapshot: &Snapshot, only: Option<MilestoneId>) -> Result<BurnDown, Failure> {
    let ids = burning(snapshot, only).into_iter().collect();
    let trails = app.opened()?.project.trails(&ids)?;
    Ok(burn_down(snapshot, &trails, only, app.today()?))
}

impl Chart {
    fn show(&self, app: &App) -> Result<(), Failure> {
        match self {
            Self::BurnDown(view) => app.out.show(view, |page| self.draw(page)),
            Self::Gantt(view) => app.out.show(view, |page| self.draw(page)),
            Self::Graph(view) => app.out.show(view, |page| self.draw(page)),
        }
    }

    fn draw(&self, page: &mut Page) {
        match self {
            Self::BurnDown(view) => chart::burn_down::burn_down(page, view),
            Self::Gantt(view) => chart::gantt::gantt(page, view),
            Self::Graph(view) => chart::graph::graph(page, view),
        }
    }

    fn written(&self, format: Format) -> String {
        match (self, format) {
            (_, Format::Text) => plain(self),
            (Self::BurnDown(view), Format::Svg) => svg::burn_down(view),
            (Self::BurnDown(view), Format::Mermaid) => mermaid::burn_down(view),
            (Self::Gantt(view), Format::Svg) => svg::gantt(view),
            (Self::Gantt(view), Format::Mermaid) => mermaid::gantt(view),
            (Self::Graph(view), Format::Svg) => svg::graph(view),
            (Self::Graph(view), Format::Mermaid) => mermaid::graph(view),
        }
    }
}

/// As text for a file: without colours, and as wide as a page without a terminal is.
fn plain(chart: &Chart) -> String {
    let mut page = Page::new(None);
    chart.draw(&mut page);
    anstream::adapter::strip_str(page.text()).to_string()
}

/// Puts the whole text there, or leaves what was there. What is no file is left alone.
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let failed = |source| Failure::Io { doing: "write", path: file.to_owned(), source };
    // Where a link leads is what is written; the link stays.
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    if fs::metadata(&target).is_ok_and(|there| !there.is_file()) {
        return Err(Failure::usage(
            format!("{} is not a file", file.display()),
            "name a file to write the chart to, such as `--out chart.svg`",
        ));
    }
    let Some(name) = target.file_name() else {
        return Err(failed(io::ErrorKind::InvalidFilename.into()));
    };
    let mut draft = std::ffi::OsString::from(".");
    draft.push(name);
    draft.push(format!(".{}.new", std::process::id()));
    let draft = target.with_file_name(draft);
    let mut options = OpenOptions::new();
    let written = options
        .write(true)
        .create_new(true)
        .open(&draft)
        .and_then(|draft| fill(draft, text))
        .and_then(|()| fs::rename(&draft, &target));
    written.map_err(|error| {
        // Only ever the one that was made here: an older one would not have been opened.
        if error.kind() != io::ErrorKind::AlreadyExists {
            let _ = fs::remove_file(&draft);
        }
        failed(error)
    })
}

fn fill(mut draft: File, text: &str) -> io::Result<()> {
    draft.write_all(text.as_bytes())?;
    draft.sync_all()
}
