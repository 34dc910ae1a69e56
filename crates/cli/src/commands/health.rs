//! How the project and the machine under it are: facts, checks, and all of it for a bug report.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use milestone_domain::snapshot::{Problem, ProblemKind, Scope, Snapshot};
use milestone_engine::git::documents;
use milestone_store::config::{Config, KEYS, Setting, Source};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::errors::Failure;
use crate::render;

/// Below this much free space a change may fail for the lack of it.
const DISK_LOW: u64 = 1024 * 1024 * 1024;
const DISK_FULL: u64 = 64 * 1024 * 1024;

/// The same for memory: a command needs less than a tenth of it.
const MEMORY_LOW: u64 = 256 * 1024 * 1024;

/// The machine, as far as work here depends on it. What it does not say is none.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct System {
    pub store: &'static str,
    pub folder: String,
    pub disk_free: Option<u64>,
    pub disk_total: Option<u64>,
    pub memory_available: Option<u64>,
    pub memory_total: Option<u64>,
    /// Runnable processes, over the last minute.
    pub load: Option<f64>,
    pub processors: usize,
    pub git: Option<String>,
    /// Claims that run, and such whose time is over.
    pub claims_live: usize,
    pub claims_ended: usize,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Health {
    pub healthy: bool,
    pub checks: Vec<Check>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Check {
    pub name: &'static str,
    pub state: State,
    pub said: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Pass,
    Warn,
    Fail,
}

/// What a bug report needs, and nothing that anybody wrote: no titles, names, texts or paths.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Diagnostics {
    version: &'static str,
    system: System,
    health: BTreeMap<&'static str, State>,
    problems: BTreeMap<String, usize>,
    settings: Vec<Setting>,
    milestones_open: usize,
    milestones_archived: usize,
    tasks_open: usize,
    kernel: Option<String>,
}

pub fn system_health(app: &App) -> Result<(), Failure> {
    let snapshot = read(app)?;
    let system = system(app, &snapshot)?;
    app.out.show(&system, |page| render::health::system(page, &system))
}

pub fn health_check(app: &App) -> Result<(), Failure> {
    let snapshot = read(app)?;
    let health = health(app, &snapshot, &system(app, &snapshot)?, &app.check()?)?;
    app.out.show(&health, |page| render::health::checks(page, &health))?;
    match health.checks.iter().filter(|check| check.state == State::Fail).count() {
        0 => Ok(()),
        problems => Err(Failure::Unhealthy { problems }),
    }
}

pub fn diagnostics(app: &App) -> Result<(), Failure> {
    let snapshot = read(app)?;
    let system = system(app, &snapshot)?;
    let found = app.check()?;
    let health = health(app, &snapshot, &system, &found)?;
    let mut problems = BTreeMap::new();
    for problem in &found {
        *problems.entry(kind(problem)).or_default() += 1;
    }
    let open = snapshot.open().flat_map(|outline| &outline.tasks);
    let diagnostics = Diagnostics {
        version: env!("CARGO_PKG_VERSION"),
        health: health.checks.iter().map(|check| (check.name, check.state)).collect(),
        problems,
        settings: app.opened()?.config.values().map(without_address).collect(),
        milestones_open: snapshot.open().count(),
        milestones_archived: snapshot.archived.len(),
        tasks_open: open.filter(|task| !task.status.is_closed()).count(),
        kernel: said("/proc/sys/kernel/osrelease"),
        system: System { folder: "(left out)".into(), ..system },
    };
    app.out.show(&diagnostics, |page| {
        let text = serde_json::to_string_pretty(&diagnostics).unwrap_or_default();
        page.lines_as_they_are(&text);
    })
}

/// Where somebody's database is concerns nobody else, even without the password.
fn without_address(setting: Setting) -> Setting {
    let is_personal = KEYS.iter().any(|key| key.name == setting.name && key.is_personal());
    match setting.source {
        Source::Default => setting,
        _ if is_personal => Setting { value: "(left out)".into(), ..setting },
        _ => setting,
    }
}

fn read(app: &App) -> Result<Snapshot, Failure> {
    app.read(&Scope::Graph(std::collections::BTreeSet::new()))
}

fn kind(problem: &Problem) -> String {
    let kind = serde_json::to_value(problem.kind).unwrap_or_default();
    kind.as_str().unwrap_or_default().to_owned()
}

fn system(app: &App, snapshot: &Snapshot) -> Result<System, Failure> {
    let folder = app.opened()?.root.folder();
    let disk = rustix::fs::statvfs(&folder).ok();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let live = snapshot.claims.values().filter(|claim| claim.is_live()).count();
    Ok(System {
        store: app.opened()?.place.kind()?.word(),
        folder: folder.display().to_string(),
        disk_free: disk.as_ref().map(|disk| disk.f_bavail * disk.f_frsize),
        disk_total: disk.as_ref().map(|disk| disk.f_blocks * disk.f_frsize),
        memory_available: kilobytes(&memory, "MemAvailable:"),
        memory_total: kilobytes(&memory, "MemTotal:"),
        load: said("/proc/loadavg").and_then(|load| load.split(' ').next()?.parse().ok()),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        git: documents::version(),
        claims_live: live,
        claims_ended: snapshot.claims.len() - live,
    })
}

fn said(file: impl AsRef<Path>) -> Option<String> {
    Some(fs::read_to_string(file).ok()?.trim().to_owned())
}

fn kilobytes(memory: &str, name: &str) -> Option<u64> {
    let line = memory.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

const DOCUMENTS: [ProblemKind; 3] =
    [ProblemKind::Unreadable, ProblemKind::MissingDocument, ProblemKind::ArchivedOpen];

fn health(
    app: &App,
    snapshot: &Snapshot,
    system: &System,
    problems: &[Problem],
) -> Result<Health, Failure> {
    let opened = app.opened()?;
    let mut checks = vec![
        of(problems, "documents", &DOCUMENTS),
        of(problems, "hand edits", &[ProblemKind::RefusedEdit, ProblemKind::ProgramKey]),
        of(problems, "history", &[ProblemKind::BrokenHistory, ProblemKind::NewerEvent]),
        of(problems, "ids", &[ProblemKind::Collision]),
        of(problems, "dependencies", &[ProblemKind::Graph]),
        of(problems, "store", &[ProblemKind::Other]),
        settings(&opened.config),
        room("disk", system.disk_free, DISK_LOW, DISK_FULL),
        room("memory", system.memory_available, MEMORY_LOW, 0),
        claims(snapshot),
    ];
    if system.git.is_none() {
        checks.push(Check {
            name: "git",
            state: State::Warn,
            said: "git is not installed here: nothing is shared or merged".into(),
            next: None,
        });
    }
    let healthy = checks.iter().all(|check| check.state != State::Fail);
    Ok(Health { healthy, checks })
}

fn of(problems: &[Problem], name: &'static str, kinds: &[ProblemKind]) -> Check {
    let mut found = problems.iter().filter(|problem| kinds.contains(&problem.kind));
    let Some(first) = found.next() else {
        return Check { name, state: State::Pass, said: "as they should be".into(), next: None };
    };
    let more = match found.count() {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let said = format!("{}: {}{more}", first.file, first.message);
    Check { name, state: State::Fail, said, next: Some(first.next.clone()) }
}

fn settings(config: &Config) -> Check {
    match config.warnings.as_slice() {
        [] => Check {
            name: "settings",
            state: State::Pass,
            said: "every one can be used".into(),
            next: None,
        },
        [first, ..] => Check {
            name: "settings",
            state: State::Warn,
            said: first.clone(),
            next: Some("milestone config validate".into()),
        },
    }
}

fn room(name: &'static str, free: Option<u64>, low: u64, full: u64) -> Check {
    let Some(free) = free else {
        return Check { name, state: State::Warn, said: "not known here".into(), next: None };
    };
    let state = match free {
        free if free < full => State::Fail,
        free if free < low => State::Warn,
        _ => State::Pass,
    };
    let next = (state != State::Pass).then(|| "make room before you go on".to_owned());
    Check { name, state, said: format!("{} free", render::words::bytes(free)), next }
}

fn claims(snapshot: &Snapshot) -> Check {
    let mut ended = snapshot.claims.values().filter(|claim| !claim.is_live());
    match ended.next() {
        None => Check {
            name: "claims",
            state: State::Pass,
            said: "none has ended without its work".into(),
            next: None,
        },
        Some(claim) => Check {
            name: "claims",
            state: State::Warn,
            said: format!("the claim of {} on {} has ended", claim.actor, claim.task),
            next: Some(format!("take it over: milestone task claim {}", claim.task)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_the_kernel_says_it() {
        let text = "MemTotal:       24600000 kB\nMemAvailable:     100 kB\n";
        assert_eq!(kilobytes(text, "MemAvailable:"), Some(102_400));
        assert_eq!(kilobytes(text, "MemFree:"), None);
    }

    #[test]
    fn little_room_warns_and_none_fails() {
        let state = |free| room("disk", free, DISK_LOW, DISK_FULL).state;
        assert_eq!(state(Some(1)), State::Fail);
        assert_eq!(state(Some(DISK_FULL)), State::Warn);
        assert_eq!(state(Some(DISK_LOW)), State::Pass);
        assert_eq!(state(None), State::Warn);
    }
}
