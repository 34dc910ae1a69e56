//! What `update` and `status` can show beside the dashboard, and how it is chosen.

use std::collections::BTreeSet;

use clap::Args;
use milestone_domain::forecast::{Forecast, Question, forecast};
use milestone_domain::ids::{MilestoneId, Node};
use milestone_domain::limits;
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::views::dashboard::{Dashboard, Moment, Pair, Step, dashboard};
use milestone_domain::views::flow::Flow;
use milestone_domain::views::load::{Load, load};
use milestone_domain::views::release::{release_notes, release_ready};
use milestone_domain::views::upcoming::{Upcoming, upcoming};
use milestone_domain::views::waits::{Waits, waits};
use schemars::JsonSchema;
use serde::Serialize;

use super::chart::ChartArgs;
use crate::app::App;
use crate::errors::Failure;
use crate::output;
use crate::render;

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Views")]
pub struct Views {
    /// What waits on what: the graph, the critical path, what holds up the most
    #[arg(long, conflicts_with = "alone")]
    dependencies: bool,
    /// What gets in each other's way: files, dates
    #[arg(long, conflicts_with = "alone")]
    conflicts: bool,
    /// What is due next, and what becomes ready next
    #[arg(long, conflicts_with = "alone")]
    upcoming: bool,
    /// How fast work goes, and how good the estimates are
    #[arg(long, conflicts_with = "alone")]
    performance: bool,
    /// Who has how much to do, and which paths are wanted by many
    #[arg(long, conflicts_with = "alone")]
    resources: bool,
    /// What was finished, day by day or week by week
    #[arg(long, conflicts_with = "alone")]
    velocity: bool,
    /// When it will be done, how sure that is, and what decides it
    #[arg(long, conflicts_with = "alone")]
    forecast: bool,
    /// The forecast with so many people and agents at work
    #[arg(
        long,
        value_name = "N",
        requires = "forecast",
        value_parser = clap::value_parser!(u32).range(1..=1000)
    )]
    workers: Option<u32>,
    /// All of these after the dashboard
    #[arg(long, conflicts_with = "alone")]
    comprehensive: bool,
    /// Whether everything for a release is done; exits with 1 if not
    #[arg(
        long,
        value_name = "VERSION",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        group = "alone"
    )]
    release_ready: Option<String>,
    /// What was completed for a release, as Markdown
    #[arg(
        long,
        value_name = "VERSION",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        group = "alone"
    )]
    release_notes: Option<String>,
    /// Who works, in which part of which session, and what is in the way
    #[arg(long, group = "alone")]
    agents: bool,
    /// The machine under the project: disk, memory, load, git, claims
    #[arg(long, group = "alone")]
    system_health: bool,
    /// Checks that pass or fail; exits with 1 if one fails
    #[arg(long, group = "alone")]
    health_check: bool,
    /// Whether every setting can be used
    #[arg(long, group = "alone")]
    validate_config: bool,
    /// Tidy up what keeps the project; the same as `storage optimize`
    #[arg(long, group = "alone")]
    optimize_database: bool,
    /// All of that for a bug report, without anything that anybody wrote
    #[arg(long, group = "alone")]
    diagnostics: bool,
    /// Show it again whenever something changes, until interrupted
    #[arg(long, conflicts_with = "alone")]
    watch: bool,
    #[command(flatten)]
    chart: ChartArgs,
}

/// What was asked for, each under its name; what was not asked for is not there.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    dashboard: Option<Dashboard>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<Forecast>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dependencies: Option<Waits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    critical_path: Option<Vec<Step>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conflicts: Option<Vec<Pair>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upcoming: Option<Upcoming>,
    #[serde(skip_serializing_if = "Option::is_none")]
    velocity: Option<Flow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    performance: Option<Flow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Load>,
}

impl Views {
    /// Whether any view beside the dashboard is asked for.
    fn sections(&self) -> bool {
        self.dependencies
            || self.conflicts
            || self.upcoming
            || self.performance
            || self.resources
            || self.velocity
            || self.forecast
            || self.comprehensive
    }
}

type View = fn(&App) -> Result<(), Failure>;

pub fn show(app: &App, only: Option<MilestoneId>, views: &Views) -> Result<(), Failure> {
    if let Some(release) = &views.release_ready {
        return ready(app, only, release);
    }
    if let Some(release) = &views.release_notes {
        return notes(app, only, release);
    }
    let alone: [(bool, View); 6] = [
        (views.agents, super::agent::list),
        (views.system_health, super::health::system_health),
        (views.health_check, super::health::health_check),
        (views.validate_config, super::config::validate),
        (views.optimize_database, super::storage::optimize),
        (views.diagnostics, super::health::diagnostics),
    ];
    if let Some((_, view)) = alone.iter().find(|(wanted, _)| *wanted) {
        return view(app);
    }
    if views.watch {
        return super::watch::repeat(app, || print(app, only, views));
    }
    print(app, only, views)
}

fn print(app: &App, only: Option<MilestoneId>, views: &Views) -> Result<(), Failure> {
    if views.chart.any() {
        return super::chart::run(app, only, &views.chart);
    }
    let snapshot = app.read(&Scope::Past(limits::PAST_MILESTONES_MAX))?;
    if let Some(id) = only.filter(|id| snapshot.outline(*id).is_none()) {
        return Err(super::show::missing(&snapshot, Node::Milestone(id)));
    }
    if !views.sections() {
        let view = overview(app, &snapshot, only)?;
        return app.out.show(&view, |page| render::dashboard::dashboard(page, &view));
    }
    let report = report(app, &snapshot, only, views)?;
    app.out.show(&report, |page| {
        if let Some(view) = &report.dashboard {
            render::dashboard::dashboard(page, view);
        }
        if let Some(view) = &report.forecast {
            render::forecast::forecast(page, view);
        }
        if let Some(waits) = &report.dependencies {
            render::reports::waits(page, waits, report.critical_path.as_deref().unwrap_or(&[]));
        }
        if let Some(pairs) = &report.conflicts {
            render::reports::conflicts(page, pairs);
        }
        if let Some(view) = &report.upcoming {
            render::reports::upcoming(page, view);
        }
        if let Some(flow) = &report.velocity {
            render::reports::velocity(page, flow);
        }
        if let Some(flow) = &report.performance {
            render::reports::performance(page, flow);
        }
        if let Some(load) = &report.resources {
            render::reports::load(page, load);
        }
    })
}

fn report(
    app: &App,
    snapshot: &Snapshot,
    only: Option<MilestoneId>,
    views: &Views,
) -> Result<Report, Failure> {
    let context = app.opened()?.project.context(app.actor());
    let today = context.today;
    let all = views.comprehensive;
    let view = overview(app, snapshot, only)?;
    let of_interest = |id: Node| only.is_none_or(|only| id.milestone() == only);
    let mut report = Report::default();
    if all || views.forecast {
        let question = Question { only, workers: views.workers, ..Question::default() };
        report.forecast = Some(forecast(snapshot, &question, context.now, today));
    }
    if all || views.dependencies {
        report.dependencies = Some(waits(snapshot, today).of(only));
        report.critical_path = Some(view.critical_path.clone());
    }
    if all || views.conflicts {
        report.conflicts = Some(view.conflicts.clone());
    }
    if all || views.upcoming {
        let mut next = upcoming(snapshot, today);
        next.due.retain(|due| of_interest(due.what.id));
        next.ready_next.retain(|next| of_interest(next.what.id));
        report.upcoming = Some(next);
    }
    if all || views.velocity {
        report.velocity = Some(view.flow.clone());
    }
    if all || views.performance {
        report.performance = Some(view.flow.clone());
    }
    if all || views.resources {
        report.resources = Some(load(snapshot, today));
    }
    report.dashboard = all.then_some(view);
    Ok(report)
}

fn overview(
    app: &App,
    snapshot: &Snapshot,
    only: Option<MilestoneId>,
) -> Result<Dashboard, Failure> {
    let project = &app.opened()?.project;
    let shown: BTreeSet<MilestoneId> = match only {
        Some(id) => BTreeSet::from([id]),
        None => snapshot.open().map(|outline| outline.id).collect(),
    };
    let trails = project.trails(&shown)?;
    let context = project.context(app.actor());
    let moment = Moment { now: context.now, today: context.today, trails: &trails };
    Ok(dashboard(snapshot, only, moment))
}

fn named(release: &str) -> Option<&str> {
    Some(release).filter(|release| !release.is_empty())
}

fn of_the_project(only: Option<MilestoneId>, flag: &str) -> Result<(), Failure> {
    match only {
        None => Ok(()),
        Some(id) => Err(Failure::usage(
            format!("{flag} is about a release, and not about {id} alone"),
            format!("leave out the id: `milestone update {flag}`"),
        )),
    }
}

fn ready(app: &App, only: Option<MilestoneId>, release: &str) -> Result<(), Failure> {
    of_the_project(only, "--release-ready")?;
    let snapshot = app.read(&Scope::Graph(BTreeSet::new()))?;
    let view = release_ready(&snapshot, named(release));
    if let (true, Some(name)) = (view.releases.is_empty(), named(release)) {
        known_release(app, name)?;
    }
    app.out.show(&view, |page| render::release::ready(page, &view))?;
    if view.ready { Ok(()) } else { Err(Failure::NotReady) }
}

/// Whoever asks about a release that nothing belongs to has mistyped it: that is no "ready".
fn known_release(app: &App, name: &str) -> Result<(), Failure> {
    let snapshot = app.read(&Scope::All)?;
    let releases = snapshot.outlines.values().filter_map(|outline| outline.release.as_deref());
    let known: BTreeSet<&str> = releases.collect();
    if known.contains(name) {
        return Ok(());
    }
    let known = known.into_iter().map(str::to_owned).collect();
    Err(Failure::NoRelease { name: name.to_owned(), known })
}

fn notes(app: &App, only: Option<MilestoneId>, release: &str) -> Result<(), Failure> {
    of_the_project(only, "--release-notes")?;
    let snapshot = app.read(&Scope::All)?;
    let view = release_notes(&snapshot.documents, &snapshot.settings, named(release));
    if app.out.json {
        return app.out.show(&view, |_| {});
    }
    output::raw(&render::release::notes(&view))
}
