//! Doing the work of a milestone: agents, in parallel, until all of it is done.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use milestone_domain::document::Milestone;
use milestone_domain::ids::{MilestoneId, Node};
use milestone_domain::snapshot::Scope;
use milestone_engine::boxed::Boxes;
use milestone_engine::core::{Ending, Input, Rules, State};
use milestone_engine::git::{Caller, Identity, Repository};
use milestone_engine::real::{Real, Setup};
use milestone_engine::runners;
use milestone_engine::session::{Alive, Session, SessionState, Sessions};
use milestone_engine::world;
use milestone_store::Project;
use milestone_store::config::{BoxWish, Config};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::app::{self, App};
use crate::errors::{Executing, Failure};
use crate::render::execution;
use crate::target::Target;
use crate::teller::{Subject, Teller};
use crate::trust::{self, Trust};

/// The hidden command that stands between a session and a runner.
pub const KEEPER: &str = "keep-runner";

/// How long a claim of a session lasts unless it is renewed.
const LEASE: Duration = Duration::from_mins(1);

/// Do the work of a milestone with agents
///
/// Every task that is ready is claimed, done by its runner in a worktree of its own, verified, and
/// brought as one commit into the branch milestone/ID. A task with a `run` command is done by the
/// shell; others by the runner that they name or that is chosen with --runner. Nothing is run that
/// you have not agreed to.
///
/// Ctrl-C begins nothing more and lets what runs end; a second one stops it. Nothing is lost either
/// way: --resume goes on.
///
/// On a terminal, what is under way stands below what is done. With --json every line is an event:
/// what was begun, said, done or failed, and at last the whole session.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone execute 1 --agents 5
  milestone execute 1 --runner claude --agents 3
  milestone execute 1 --resume
  milestone execute current --yes")]
pub struct ExecuteArgs {
    /// The milestone
    #[arg(value_name = "ID")]
    id: Target,
    /// How many tasks are worked on at once [default: planning.workers, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    agents: Option<u16>,
    /// How they go about it
    #[arg(long, value_enum, default_value = "parallel")]
    coordination: Coordination,
    /// What does the tasks that name no runner and have no command
    #[arg(long, value_name = "NAME")]
    runner: Option<String>,
    /// Go on with the last session of this milestone
    #[arg(long)]
    resume: bool,
    /// Go on with this session
    #[arg(long, value_name = "SESSION", conflicts_with = "resume")]
    resume_session: Option<String>,
    /// Agree to all commands that are there now
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Coordination {
    /// One task after the other, in the order in which they depend on one another
    Sequential,
    /// Whatever is ready, as many at once as there are agents
    Parallel,
}

impl Coordination {
    fn word(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Parallel => "parallel",
        }
    }
}

pub fn run(app: &App, args: &ExecuteArgs) -> Result<(), Failure> {
    if std::env::var_os("MILESTONE_ATTEMPT").is_some() {
        return Err(Failure::usage(
            "this is an attempt of a session, which starts no sessions",
            "do the task that was given, and end",
        ));
    }
    let id = args.id.milestone(app)?;
    let snapshot = app.read(&Scope::Milestone(id))?;
    let document = snapshot.documents.get(&id);
    let document = document.ok_or_else(|| super::show::missing(&snapshot, Node::Milestone(id)))?;
    let root = &app.opened()?.root;
    let sessions = Sessions::of(&root.folder());
    let alive = sessions.begin(id)?;
    let caller = Caller::new(Identity {
        name: app.actor().to_owned(),
        email: format!("milestone@{}", host()),
    });
    let repository =
        Repository::find(&root.project, &caller).map_err(|error| Failure::git(&error))?;
    let runner = chosen_runner(args, document);
    agree(app, args, document, runner.as_deref())?;
    let agents = match (&repository, args.coordination) {
        (None, _) | (_, Coordination::Sequential) => 1,
        _ => agents(app, args)?,
    };
    let session = session(app, args, &sessions, agents)?;
    let setup = setup(app, args, repository, runner)?;
    execute(app, setup, session, agents, &alive)
}

fn agents(app: &App, args: &ExecuteArgs) -> Result<usize, Failure> {
    let workers = app.opened()?.config.settings().workers;
    Ok(args.agents.map_or_else(|| workers.map_or(1, |workers| workers as usize), usize::from))
}

/// What does the tasks that say nothing: what was chosen, or the first agent that is installed.
fn chosen_runner(args: &ExecuteArgs, document: &Milestone) -> Option<String> {
    let silent = |task: &&milestone_domain::document::Task| {
        !task.status.is_closed() && task.runner.is_none() && task.run.is_none()
    };
    args.runner.clone().or_else(|| {
        document.tasks.iter().find(silent)?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        runners::installed(&path).first().map(|name| (*name).to_owned())
    })
}

/// Everything this milestone would have run that nobody has agreed to, as kind and text.
fn untrusted(
    trust: Option<&Trust>,
    document: &Milestone,
    runner: Option<&str>,
) -> Vec<(&'static str, String)> {
    let mut asked = Vec::new();
    for task in document.tasks.iter().filter(|task| !task.status.is_closed()) {
        let own = task.runner.as_deref();
        let by_shell = own.is_none_or(|own| own == "shell");
        asked.extend(task.run.iter().filter(|_| by_shell).map(|run| ("run", run.clone())));
        asked.extend(task.verify.iter().map(|verify| ("verify", verify.clone())));
        let agent = if task.run.is_some() && own.is_none() { None } else { own.or(runner) };
        let agent = agent.filter(|name| !matches!(*name, "shell" | "manual"));
        asked.extend(agent.map(|name| ("runner", name.to_owned())));
    }
    asked.sort();
    asked.dedup();
    asked.retain(|(kind, text)| !trust.is_some_and(|trust| trust.has(kind, text)));
    asked
}

/// Nothing is run that this person has not agreed to.
fn agree(
    app: &App,
    args: &ExecuteArgs,
    document: &Milestone,
    runner: Option<&str>,
) -> Result<(), Failure> {
    let trust = Trust::of(&app.opened()?.root.project);
    let mut asked = untrusted(trust.as_ref(), document, runner);
    // Typed here by a person.
    if let Some(typed) = &args.runner {
        asked.retain(|(kind, text)| {
            let typed = *kind == "runner" && text == typed;
            if let Some(trust) = trust.as_ref().filter(|_| typed) {
                let _ = trust.add(kind, text);
            }
            !typed
        });
    }
    if asked.is_empty() {
        return Ok(());
    }
    if !args.yes && !ask(app, &asked) {
        let commands: Vec<_> = asked.iter().map(|(kind, text)| format!("{kind}: {text}")).collect();
        let retry = format!("milestone execute {} --yes", document.id);
        return Err(Failure::Untrusted { command: commands.join("\n"), retry });
    }
    let Some(trust) = trust else { return Err(Failure::no_place_for_trust()) };
    asked.iter().try_for_each(|(kind, text)| trust.add(kind, text))
}

fn ask(app: &App, asked: &[(&'static str, String)]) -> bool {
    let mut page = app.out.page();
    page.say("This milestone would have these run here:").end();
    for (kind, text) in asked {
        page.indented(&format!("{kind:<7} {text}"));
    }
    page.say("Run them, now and later, in this project? [y/N] ");
    app.out.asks(&page)
}

/// The session that goes on, or a new one.
fn session(
    app: &App,
    args: &ExecuteArgs,
    sessions: &Sessions,
    agents: usize,
) -> Result<Session, Failure> {
    let id = args.id.milestone(app)?;
    let earlier = match (&args.resume_session, args.resume) {
        (Some(name), _) => Some(named(sessions, name, id)?),
        (None, true) => Some(last(sessions, id)?),
        (None, false) => None,
    };
    let now = Timestamp::now();
    let project = &app.opened()?.root.project;
    let mut session = match earlier {
        Some(session) => session,
        None => Session {
            id: sessions.fresh_id(app.today()?)?,
            milestone: id,
            state: SessionState::Running,
            because: Vec::new(),
            started: now,
            saved: now,
            ended: None,
            actor: app.actor().to_owned(),
            host: host(),
            pid: 0,
            folder: project.clone(),
            git: None,
            coordination: String::new(),
            agents,
            tasks_done: 0,
            tasks_open: 0,
            attempts: Vec::new(),
        },
    };
    session.state = SessionState::Running;
    session.because.clear();
    session.ended = None;
    session.pid = std::process::id();
    session.agents = agents;
    args.coordination.word().clone_into(&mut session.coordination);
    sessions.save(&session)?;
    Ok(session)
}

fn named(sessions: &Sessions, name: &str, id: MilestoneId) -> Result<Session, Failure> {
    let session = sessions.session(name)?.ok_or_else(|| {
        Failure::usage(format!("there is no session {name}"), "see them: `milestone session list`")
    })?;
    if session.milestone != id {
        let (of, again) = (session.milestone, format!("milestone execute {}", session.milestone));
        return Err(Failure::usage(
            format!("{name} is a session of {of}"),
            format!("name that one: `{again} --resume-session {name}`"),
        ));
    }
    here(session)
}

fn last(sessions: &Sessions, id: MilestoneId) -> Result<Session, Failure> {
    let last = sessions.all()?.into_iter().find(|session| session.milestone == id);
    here(last.ok_or_else(|| {
        Failure::usage(
            format!("{id} was not executed here before: there is no session to go on with"),
            format!("begin one: `milestone execute {id}`"),
        )
    })?)
}

/// What another host has begun has its worktrees there.
fn here(session: Session) -> Result<Session, Failure> {
    if session.host == host() {
        return Ok(session);
    }
    Err(Failure::usage(
        format!("{} was begun on {}, where its unfinished work is", session.id, session.host),
        format!("go on there, or begin anew here: `milestone execute {}`", session.milestone),
    ))
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn setup(
    app: &App,
    args: &ExecuteArgs,
    repository: Option<Repository>,
    runner: Option<String>,
) -> Result<Setup, Failure> {
    let config = &app.opened()?.config;
    let root = app.opened()?.root.clone();
    let project = root.project.clone();
    let keeper = std::env::current_exe().map_err(|source| Failure::Io {
        doing: "find",
        path: "milestone".into(),
        source,
    })?;
    let trusted = project.clone();
    Ok(Setup {
        milestone: args.id.milestone(app)?,
        root: root.folder(),
        worktrees: worktrees(&project, &root.folder()),
        project,
        open: Arc::new(move || {
            let config = Config::load(&app::layers(Some(&root)))?;
            Project::at(app::place(&root, &config))
        }),
        trusts: Arc::new(move |kind, text| {
            Trust::of(&trusted).is_some_and(|trust| trust.has(kind, text))
        }),
        actor: app.actor().to_owned(),
        repository,
        boxes: boxes(config, &[keeper.clone().into(), KEEPER.into()])?,
        keeper: vec![keeper.into(), KEEPER.into()],
        runner,
        lease: LEASE,
        sequential: args.coordination == Coordination::Sequential,
        environment: Vec::new(),
        log_limit: config.log_limit(),
    })
}

/// What shuts in whatever is run, as the settings say it.
fn boxes(config: &Config, keeper: &[OsString]) -> Result<Option<Boxes>, Failure> {
    let wish = config.box_wish();
    if wish == BoxWish::Off {
        return Ok(None);
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let writable = config.box_writable(home.as_deref());
    match Boxes::tried(keeper, config.box_network(), &writable) {
        Ok(boxes) => Ok(Some(boxes)),
        Err(why) if wish == BoxWish::Auto => {
            crate::output::warn(&format!("what runs is not in a box: {why}"));
            Ok(None)
        }
        Err(why) => Err(Failure::usage(
            format!("`execute.box` is on, and no box can be made: {why}"),
            "install bubblewrap (`bwrap`), or have a box only where one can be made: `milestone \
             config set execute.box auto`",
        )),
    }
}

/// Outside the repository, where no build tool takes a copy of it for a part of it.
fn worktrees(project: &std::path::Path, folder: &std::path::Path) -> PathBuf {
    let Some(state) = trust::state_folder() else { return folder.join("data/worktrees") };
    let name = project.file_name().map(|name| name.to_string_lossy().into_owned());
    let hash = blake3::hash(project.as_os_str().as_encoded_bytes()).to_hex();
    let name = format!("{}-{}", name.unwrap_or_default(), &hash.as_str()[..8]);
    state.join("milestone/worktrees").join(name)
}

fn execute(
    app: &App,
    setup: Setup,
    session: Session,
    agents: usize,
    _alive: &Alive,
) -> Result<(), Failure> {
    let milestone = setup.milestone;
    let git = setup.repository.is_some();
    let covers = setup.boxes.as_ref().map(Boxes::covers);
    let (open, actor) = (Arc::clone(&setup.open), setup.actor.clone());
    let mut real = Real::new(setup, session);
    listen(real.inputs())?;
    let (window, session) = (real.window(), real.session());
    let subject = Subject { open, milestone, actor, agents };
    let teller = Teller::begin(app.out, &window, &session.id, subject);
    let mut shown = execution::Shown::new(app.out, teller, window, &session);
    shown.begin(&session, git, covers.as_deref());
    let mut state = State::new(Rules { slots: agents, ..Rules::default() }, 0);
    let ending = world::run(&mut state, &mut real, &mut |state, told| {
        shown.tell(state, told);
    });
    let (kept, because) = match &ending {
        Ending::Completed => (SessionState::Completed, Vec::new()),
        Ending::TasksDone(why) => (SessionState::Waiting, vec![why.reason.clone()]),
        Ending::Stuck(waiting) => {
            let said = waiting.iter().map(|(task, why)| format!("{task} {why}"));
            (SessionState::Waiting, said.collect())
        }
        Ending::Interrupted => (SessionState::Interrupted, Vec::new()),
        Ending::Failed(failure) => (SessionState::Failed, vec![failure.reason.clone()]),
    };
    real.note(|session| {
        session.state = kept;
        session.because.clone_from(&because);
        session.ended = Some(Timestamp::now());
    })?;
    shown.end(&real.session());
    match ending {
        Ending::Completed => Ok(()),
        Ending::TasksDone(why) => {
            Err(Failure::Executing(Executing::TasksDone { milestone, why: why.reason }))
        }
        Ending::Stuck(_) => {
            Err(Failure::Executing(Executing::Stuck { milestone, waiting: because }))
        }
        Ending::Interrupted => Err(Failure::Executing(Executing::Interrupted { milestone })),
        Ending::Failed(failure) => Err(Failure::Executing(Executing::Failed(failure.reason))),
    }
}

/// The first Ctrl-C lets what runs end; any other word that the process is to end stops it.
fn listen(inputs: Sender<Input>) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(|source| Failure::Io {
        doing: "listen",
        path: "signals".into(),
        source,
    })?;
    thread::spawn(move || {
        let mut asked = false;
        for signal in &mut signals {
            let input = if signal == SIGINT && !asked { Input::Drain } else { Input::Stop };
            asked = true;
            if inputs.send(input).is_err() {
                return;
            }
        }
    });
    Ok(())
}
