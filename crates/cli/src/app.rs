//! One run of the program: who asks, about which project, and how the answer is printed.

use std::cell::{Cell, OnceCell};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::civil::Date;
use milestone_domain::command::{Command, Credential};
use milestone_domain::event::{AttemptId, Event};
use milestone_domain::refusal::Refusal;
use milestone_domain::snapshot::{Problem, ProblemKind, Scope, Snapshot};
use milestone_store::config::{Config, Layers, PROJECT_FILE};
use milestone_store::discover::{self, Root};
use milestone_store::place::Place;
use milestone_store::scale::Seen;
use milestone_store::templates::Templates;
use milestone_store::{Error, Outcome, Project, StoreError};

use crate::args::{Fencing, Globals, parse};
use crate::attempt;
use crate::commands;
use crate::errors::{Exit, Failure};
use crate::growing;
use crate::identity;
use crate::output::Output;

/// A project that is open.
pub struct Opened {
    pub project: Project,
    pub root: Root,
    pub config: Config,
    /// Where it is kept, found out anew whenever somebody asks.
    pub place: Place,
}

pub struct App {
    pub out: Output,
    globals: Globals,
    opened: OnceCell<Opened>,
    actor: OnceCell<String>,
    /// The project that this is about, where it is not the one that it was started in.
    elsewhere: Option<Elsewhere>,
    /// What the last change of this run saw of the project's size.
    seen: Cell<Option<Seen>>,
}

/// A project that nobody stands in, and what somebody has said for this run alone.
#[derive(Clone)]
struct Elsewhere {
    root: Root,
    /// As variables of the environment would say it.
    settings: Vec<(String, String)>,
}

pub fn main() -> ExitCode {
    if let Some(answered) = crate::completing::answer() {
        return answered;
    }
    std::panic::set_hook(Box::new(report_bug));
    let line: Vec<OsString> = env::args_os().collect();
    let cli = match parse(&line) {
        Ok(cli) => cli,
        Err(error) => return refuse_arguments(&line, &error),
    };
    let app = App {
        out: Output::new(cli.globals.json),
        globals: cli.globals,
        opened: OnceCell::new(),
        actor: OnceCell::new(),
        elsewhere: None,
        seen: Cell::new(None),
    };
    match commands::run(&app, cli.command) {
        Ok(()) => {
            growing::look_after(&app);
            Exit::Done.into()
        }
        Err(failure) => {
            app.out.fail(&failure);
            failure.entry().exit.into()
        }
    }
}

/// A bug says that it is one, and ends as "failed": scripts must not take it for anything else.
fn report_bug(panic: &std::panic::PanicHookInfo<'_>) {
    let mut page = crate::render::page::Page::new(None);
    page.styled(crate::render::style::BAD, "bug").say(": ").say(panic).end();
    page.say(
        "This is a fault of the program, not of what you asked for. Nothing half-done is kept;",
    )
    .end();
    page.say("please report the two lines above with the command that led here.").end();
    crate::output::say(&page);
    std::process::exit(i32::from(u8::from(Exit::Failed)));
}

/// What the guide of this program shows and this version cannot do: people look for it.
fn not_built_yet((place, word): (usize, OsString)) -> Option<&'static str> {
    const VERBS: [&str; 5] = ["serve", "mcp", "sync", "release", "doc"];
    const FLAGS: [&str; 2] = ["--deployment-status", "--planner"];
    let word = word.to_str()?;
    let name = word.split('=').next().unwrap_or_default();
    let later = if place == 0 { &VERBS[..] } else { &FLAGS[..] };
    later.iter().copied().find(|later| *later == name)
}

/// What was typed is repeated in the message, so the message is made from cleaned arguments.
fn refuse_arguments(line: &[OsString], error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return Exit::Done.into();
    }
    let words = (0..).zip(env::args_os().skip(1));
    let mut later = words.filter_map(not_built_yet);
    if let Some(name) = later.next() {
        let instead = match name {
            "--planner" => {
                "give a model the schema that `milestone schema draft` prints, and plan with what \
                 it answers: `milestone plan --from FILE`"
            }
            "doc" => "see what a milestone holds: `milestone show ID`, or with `--json`",
            _ => "see what there is: `milestone --help`",
        };
        let failure = Failure::usage(format!("`{name}` is not built yet in this version"), instead);
        Output::new(env::args_os().any(|arg| arg == "--json")).fail(&failure);
        return Exit::Usage.into();
    }
    let clean = |arg: &OsString| crate::render::page::clean(arg.to_string_lossy()).into();
    let cleaned: Vec<OsString> = line.iter().map(clean).collect();
    let json = env::args_os().any(|arg| arg == "--json");
    match parse(&cleaned) {
        // Refused for what does not show, and for nothing else.
        Ok(_) => Output::new(json).fail(&Failure::usage(
            "an argument has characters that do not show",
            "write it without them; see `milestone --help`",
        )),
        Err(error) if json => {
            let text = error.render().to_string();
            let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            Output::new(json).fail(&Failure::usage(message, "see `milestone --help`"));
        }
        Err(error) => drop(error.print()),
    }
    Exit::Usage.into()
}

impl App {
    /// The same run, about the project at another place, with further settings that are written
    /// nowhere.
    pub fn elsewhere(&self, root: Root, settings: Vec<(String, String)>) -> Self {
        Self {
            out: self.out,
            globals: self.globals.clone(),
            opened: OnceCell::new(),
            actor: OnceCell::new(),
            elsewhere: Some(Elsewhere { root, settings }),
            seen: Cell::new(None),
        }
    }

    /// Where the settings of a project are looked for in this run.
    pub fn layers(&self, root: &Root) -> Layers {
        let mut layers = layers(Some(root));
        layers.environment.extend(self.elsewhere.iter().flat_map(|there| there.settings.clone()));
        layers
    }

    /// The project this run is about.
    pub fn opened(&self) -> Result<&Opened, Failure> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let root = self.found()?;
        let layers = self.layers(&root);
        let opened = open_with(root, &layers)?;
        Ok(self.opened.get_or_init(|| opened))
    }

    /// Where the project is kept, whether it can be opened or not.
    pub fn kept_in(&self) -> Result<Place, Failure> {
        let root = self.found()?;
        let (_, place) = kept_in(&root, &self.layers(&root))?;
        Ok(place)
    }

    fn found(&self) -> Result<Root, Failure> {
        match &self.elsewhere {
            Some(there) => Ok(there.root.clone()),
            None => Ok(discover::find(&self.start(), chosen_root().as_deref())?),
        }
    }

    /// The project, made first where there is none. True if it was made now.
    pub fn opened_or_made(&self) -> Result<(&Opened, bool), Failure> {
        match self.opened() {
            Ok(opened) => Ok((opened, false)),
            Err(Failure::Store(StoreError::NoProject { .. })) => {
                milestone_store::init::init(&self.place()?)?;
                Ok((self.opened()?, true))
            }
            Err(other) => Err(other),
        }
    }

    /// Where the project is or would be.
    pub fn place(&self) -> Result<Root, Failure> {
        Ok(discover::place(&self.start(), chosen_root().as_deref())?)
    }

    fn start(&self) -> PathBuf {
        let start = self.globals.directory.clone().unwrap_or_else(|| PathBuf::from("."));
        // A message names the folder as it is; one that is not there is named as it was given.
        std::fs::canonicalize(&start).unwrap_or(start)
    }

    pub fn actor(&self) -> &str {
        self.actor.get_or_init(|| {
            let given = self.globals.actor.clone();
            let here =
                || self.opened().map(|opened| opened.root.project.clone()).unwrap_or_default();
            given.unwrap_or_else(|| identity::default_actor(&here()))
        })
    }

    pub fn today(&self) -> Result<Date, Failure> {
        Ok(self.opened()?.project.context(self.actor()).today)
    }

    pub fn read(&self, scope: &Scope) -> Result<Snapshot, Failure> {
        Ok(self.opened()?.project.read(scope, self.actor())?)
    }

    /// Everything in the project's folder that is not as it should be.
    pub fn check(&self) -> Result<Vec<Problem>, Failure> {
        let opened = self.opened()?;
        let mut problems = opened.project.check(self.actor())?;
        problems.extend(Templates::load(&opened.root.folder())?.problems());
        Ok(problems)
    }

    pub fn execute(&self, command: &Command) -> Result<Outcome, Failure> {
        attempt::check(command)?;
        let result = self.opened()?.project.execute(command, self.actor());
        let outcome = result.map_err(|error| match error {
            Error::Refused(refusal @ Refusal::Held { .. }) => self.held(refusal),
            error => error.into(),
        })?;
        if !outcome.events.is_empty() {
            self.wrote(Seen::by(command, &outcome));
        }
        mention_lost_approvals(&outcome);
        Ok(outcome)
    }

    /// Remembers that something was written, so that the project's size is looked at in the end.
    pub fn wrote(&self, seen: Seen) {
        self.seen.set(Some(seen));
    }

    /// What was seen by what was written, once.
    pub fn take_seen(&self) -> Option<Seen> {
        self.seen.take()
    }

    /// A claim is known by its fence and not by a name, which several agents may share.
    fn held(&self, refusal: Refusal) -> Failure {
        match &refusal {
            Refusal::Held { by, fence: Some(_), .. } if by == self.actor() => {
                Failure::HeldUnderYourName(refusal)
            }
            _ => Failure::Refused(refusal),
        }
    }
}

/// The project at a place, or the one that would be there.
pub fn open(root: Root) -> Result<Opened, Failure> {
    let layers = layers(Some(&root));
    open_with(root, &layers)
}

fn open_with(root: Root, layers: &Layers) -> Result<Opened, Failure> {
    let (config, place) = kept_in(&root, layers)?;
    for warning in &config.warnings {
        crate::output::warn(warning);
    }
    let project = Project::at(place.clone())?;
    for told in place.told.take() {
        crate::output::warn(&told);
    }
    Ok(Opened { project, root, config, place })
}

/// The settings of the project at a place, and where it is kept by them.
fn kept_in(root: &Root, layers: &Layers) -> Result<(Config, Place), Failure> {
    let config = Config::load(layers)?;
    let place = place(root, &config);
    Ok((config, place))
}

/// Where a project is kept, as its settings say it.
pub fn place(root: &Root, config: &Config) -> Place {
    Place {
        postgres: config.postgres_url().cloned(),
        listen: config.postgres_listen_url().cloned(),
        shared: config.project(),
        wished: config.wished(),
        mirror: config.mirror(),
        ..Place::new(root.folder(), config.settings(), config.lock_wait())
    }
}

/// Whoever reopens a task hardly thinks of the approval that falls with it.
fn mention_lost_approvals(outcome: &Outcome) {
    for recorded in &outcome.events {
        if let Event::GateReopened { phase } = &recorded.event {
            let of = recorded.stream;
            let said = format!("what was decided about phase {phase} of {of} no longer holds");
            crate::output::warn(&format!("{said}: it is not what it was"));
        }
    }
}

/// Says that something is wrong, where what is asked for does not show it.
pub fn mention(snapshot: &Snapshot) {
    mention_problems(&snapshot.problems);
}

pub fn mention_problems(problems: &[Problem]) {
    let worth = |kind| kind != ProblemKind::UnknownKey;
    let problems = problems.iter().filter(|problem| worth(problem.kind));
    if let Some(first) = problems.clone().next() {
        let more = match problems.count() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let line = first.line.map(|line| format!(":{line}")).unwrap_or_default();
        let said = format!("{}{line}: {}{more}; see `milestone doctor`", first.file, first.message);
        crate::output::warn(&said);
    }
}

pub fn chosen_root() -> Option<PathBuf> {
    env::var_os("MILESTONE_ROOT").filter(|root| !root.is_empty()).map(PathBuf::from)
}

/// Where settings are looked for.
pub fn layers(root: Option<&Root>) -> Layers {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let user = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    let ours = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.into_string().ok().filter(|name| name.starts_with("MILESTONE_"))?;
        Some((name, value.into_string().ok()?))
    };
    Layers {
        project: root.map(|root| root.folder().join(Path::new(PROJECT_FILE))),
        user: user.map(|folder| folder.join("milestone/config.yaml")),
        environment: env::vars_os().filter_map(ours).collect(),
    }
}

impl Fencing {
    pub fn credential(&self) -> Credential {
        Credential { fence: self.fence, attempt: self.attempt.map(AttemptId) }
    }
}
