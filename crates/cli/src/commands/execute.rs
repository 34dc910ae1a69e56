//! Doing the work of a milestone: agents, in parallel, until all of it is done.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum, value_parser};
use jiff::Timestamp;
use milestone_domain::document::{Milestone, Task};
use milestone_domain::ids::{MilestoneId, Node, TaskId};
use milestone_domain::limits;
use milestone_domain::snapshot::Scope;
use milestone_domain::status::MilestoneStatus;
use milestone_engine::boxed::Boxes;
use milestone_engine::core::{Budget, Ending, Limits, Rules, State};
use milestone_engine::git::{Caller, Identity, Repository};
use milestone_engine::needs::Needs;
use milestone_engine::prompt::{self, Template, TemplateError};
use milestone_engine::real::{ESCALATION, Real, Setup};
use milestone_engine::runners::{self, Configured};
use milestone_engine::session::{Alive, Session, SessionState, Sessions};
use milestone_engine::world;
use milestone_store::Project;
use milestone_store::config::{self, BoxWish, Config, Spending};

use super::agent;
use super::dry_run::{self, How};
use super::streams;
use crate::app::{self, App};
use crate::ci::job::{CiArgs, Job};
use crate::errors::{Executing, Failure};
use crate::pushing::Handing;
use crate::render::execution;
use crate::signals::Signals;
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
  milestone execute 1 --dry-run --agents 3
  milestone execute 1 --coordination hierarchical --agents 5
  milestone execute 1 --accept tasks-001
  milestone execute 1 --resume
  milestone execute 1 --ci-integration --yes --junit report.xml
  milestone execute 1 --push
  milestone execute current --yes")]
pub struct ExecuteArgs {
    /// The milestone
    #[arg(value_name = "ID")]
    id: Target,
    /// How many tasks are worked on at once [default: planning.workers, else 1]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=i64::from(limits::AGENTS_MAX)))]
    agents: Option<u16>,
    /// How they go about it [default: as the session was that goes on, else parallel]
    #[arg(long, value_enum)]
    coordination: Option<Coordination>,
    /// What does the tasks that name no runner and have no command
    #[arg(long, value_name = "NAME")]
    runner: Option<String>,
    /// Go on with the last session of this milestone
    #[arg(long)]
    resume: bool,
    /// Go on with this session
    #[arg(long, value_name = "SESSION", conflicts_with = "resume")]
    resume_session: Option<String>,
    /// Let the session that runs save itself now; starts nothing
    #[arg(long, group = "from_outside")]
    save_session: bool,
    /// Let what failed be tried again, and what seems stalled be begun anew; starts no session
    #[arg(long, group = "from_outside")]
    restart_agents: bool,
    /// Take in the work of this stream as it is, on your word; starts no session
    #[arg(long, value_name = "STREAM", group = "from_outside")]
    accept: Option<String>,
    /// Dollars that the session may cost; then nothing more is begun [default:
    /// `execute.session_cost`]
    #[arg(long, value_name = "USD", value_parser = dollars)]
    budget: Option<u64>,
    /// Show what would be done, when and by whom, and start nothing
    #[arg(long, conflicts_with_all = ["resume", "resume_session", "ci_integration", "yes"])]
    dry_run: bool,
    #[command(flatten)]
    ci: CiArgs,
    /// Agree to all commands that are there now
    #[arg(long)]
    yes: bool,
    /// Push the branch once the milestone is completed, and ask for a review
    #[arg(long)]
    push: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Coordination {
    /// One task after the other, in the order in which they depend on one another
    Sequential,
    /// Whatever is ready, as many at once as there are agents
    Parallel,
    /// The same in streams, each with a branch that is verified and reviewed before it goes up
    Hierarchical,
}

impl Coordination {
    fn word(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Parallel => "parallel",
            Self::Hierarchical => "hierarchical",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::value_variants().iter().copied().find(|one| one.word() == word)
    }
}

impl ExecuteArgs {
    /// What a worker would have typed for a milestone.
    pub(super) fn of_worker(
        id: Target,
        agents: Option<u16>,
        runner: Option<String>,
        yes: bool,
    ) -> Self {
        Self {
            id,
            agents,
            coordination: Some(Coordination::Parallel),
            accept: None,
            runner,
            resume: false,
            resume_session: None,
            save_session: false,
            restart_agents: false,
            budget: None,
            dry_run: false,
            ci: CiArgs::default(),
            yes,
            push: false,
        }
    }

    /// The same, going on with a session.
    #[must_use]
    pub(super) fn resuming(self, session: Option<String>) -> Self {
        Self { resume_session: session, ..self }
    }
}

/// Refuses whoever is an attempt itself.
pub(super) fn check_begun_by_a_person() -> Result<(), Failure> {
    if std::env::var_os("MILESTONE_ATTEMPT").is_none() {
        return Ok(());
    }
    Err(Failure::usage(
        "this is an attempt of a session, which starts no sessions",
        "do the task that was given, and end",
    ))
}

pub fn run(app: &App, args: &ExecuteArgs) -> Result<(), Failure> {
    check_begun_by_a_person()?;
    let id = args.id.milestone(app)?;
    if args.save_session {
        return agent::save(app, id);
    }
    if args.restart_agents {
        return agent::restart(app, id);
    }
    let snapshot = app.read(&Scope::Milestone(id))?;
    let document = snapshot.documents.get(&id);
    let document = document.ok_or_else(|| super::show::missing(&snapshot, Node::Milestone(id)))?;
    let root = &app.opened()?.root;
    let caller = caller(app);
    let repository = Repository::find(&root.project, &caller)?;
    if let Some(stream) = &args.accept {
        return streams::accept(app, document, repository.as_ref(), stream);
    }
    let configured = configured(app)?;
    let runner = chosen_runner(app, args, document);
    let set_up = app.opened()?.config.execution().setup;
    let handing = Handing::wished(app, args.push, repository.as_ref())?;
    let sessions = Sessions::of(&root.folder());
    let coordination = coordination(args, &sessions, repository.as_ref(), id)?;
    let git = repository.is_some();
    let how = how(app, args, coordination, git, runner.as_deref(), &configured, &set_up)?;
    let mut around = around(app, handing.as_ref())?;
    around.extend(how.reviewer.iter().filter_map(|name| how.needs.to_agree(name)));
    if args.dry_run {
        let trust = Trust::of(&root.project);
        let mut asked = untrusted(trust.as_ref(), document, &how.needs, around);
        asked.retain(|asked| !is_typed(args, asked));
        return dry_run::run(app, document, &how, asked);
    }
    let job = args.ci.job();
    if let Some(job) = job.as_ref().filter(|_| document.status == MilestoneStatus::Completed) {
        return job.is_completed(app, document, &sessions);
    }
    let alive = sessions.begin(id)?;
    agree(app, args, document, &how.needs, around)?;
    if args.agents.is_none() && !app.out.json {
        dry_run::hint(app, id, &how)?;
    }
    let session = session(app, args, &sessions, job.is_some(), (how.agents, how.coordination))?;
    let agents = how.agents;
    let setup = setup(app, args, coordination, repository, runner)?;
    let (tries_max, limits) = limits(app, args)?;
    let rules = Rules { slots: agents, tries_max, limits, ..Rules::default() };
    let Some(job) = job else {
        return execute(app, &sessions, setup, session, rules, handing.as_ref(), &alive);
    };
    job.begin(app, document, &session)?;
    let name = session.id.clone();
    let ended = execute(app, &sessions, setup, session, rules, handing.as_ref(), &alive);
    job.end(app, id, &name, ended)
}

/// On whose behalf git is started.
pub(super) fn caller(app: &App) -> Caller {
    let email = format!("milestone@{}", host());
    Caller::new(Identity { name: app.actor().to_owned(), email })
}

/// How the milestone is worked on, in this session and in the one that it goes on with.
fn coordination(
    args: &ExecuteArgs,
    sessions: &Sessions,
    repository: Option<&Repository>,
    id: MilestoneId,
) -> Result<Coordination, Failure> {
    let before = match &args.resume_session {
        Some(name) => sessions.session(name)?,
        None if args.resume => sessions.all()?.into_iter().find(|session| session.milestone == id),
        None => None,
    };
    let before = before.and_then(|session| Coordination::of(&session.coordination));
    streams::coordination(args.coordination, before, repository, id)
}

fn how<'a>(
    app: &App,
    args: &ExecuteArgs,
    coordination: Coordination,
    git: bool,
    chosen: Option<&'a str>,
    runners: &'a Configured,
    set_up: &'a [String],
) -> Result<How<'a>, Failure> {
    let sequential = coordination == Coordination::Sequential;
    let execution = app.opened()?.config.execution();
    let streams = (coordination == Coordination::Hierarchical).then_some(execution.streams);
    let reviewer = execution.reviewer.filter(|_| streams.is_some());
    let agents = if sequential || !git { 1 } else { agents(app, args)? };
    // Without git there is no new worktree to be made ready.
    let needs = Needs { chosen, runners, set_up: if git { set_up } else { &[] } };
    let coordination = coordination.word();
    Ok(How { agents, coordination, sequential, streams, reviewer, git, needs })
}

pub(super) fn agents(app: &App, args: &ExecuteArgs) -> Result<usize, Failure> {
    let workers = app.opened()?.config.settings().workers;
    Ok(args.agents.map_or_else(|| workers.map_or(1, |workers| workers as usize), usize::from))
}

/// Whether a person has typed it just now; what a configuration makes of a name was not.
fn is_typed(args: &ExecuteArgs, (kind, text): &(&'static str, String)) -> bool {
    *kind == "runner" && args.runner.as_ref() == Some(text)
}

/// What does the tasks that say nothing: what was chosen, or the first agent that is installed.
pub(super) fn chosen_runner(app: &App, args: &ExecuteArgs, document: &Milestone) -> Option<String> {
    let silent = |task: &&Task| !task.status.is_closed() && Needs::has_no_runner(task);
    let configured = || app.opened().ok()?.config.execution().runner;
    args.runner.clone().or_else(configured).or_else(|| {
        document.tasks.iter().find(silent)?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        runners::installed(&path).first().map(|name| (*name).to_owned())
    })
}

/// Everything this milestone would have run that nobody has agreed to, as kind and text.
pub(super) fn untrusted(
    trust: Option<&Trust>,
    document: &Milestone,
    needs: &Needs<'_>,
    around: Vec<(&'static str, String)>,
) -> Vec<(&'static str, String)> {
    let open = document.tasks.iter().filter(|task| !task.status.is_closed());
    let id = |task: &Task| TaskId::new(document.id, task.id.number);
    let mut asked: Vec<_> = open.flat_map(|task| needs.commands(id(task), task)).collect();
    asked.extend(around);
    asked.extend(document.verify.iter().map(|verify| ("verify", verify.clone())));
    asked.sort();
    asked.dedup();
    asked.retain(|(kind, text)| !trust.is_some_and(|trust| trust.has(kind, text)));
    asked
}

/// What the settings would have run around the tasks, as kind and text.
pub(super) fn around(
    app: &App,
    handing: Option<&Handing>,
) -> Result<Vec<(&'static str, String)>, Failure> {
    let tell = app.opened()?.config.execution().on_blocker.into_iter();
    let tell = tell.map(|command| (ESCALATION, command));
    Ok(tell.chain(handing.and_then(Handing::to_agree)).collect())
}

/// Nothing is run that this person has not agreed to.
pub(super) fn agree(
    app: &App,
    args: &ExecuteArgs,
    document: &Milestone,
    needs: &Needs<'_>,
    around: Vec<(&'static str, String)>,
) -> Result<(), Failure> {
    let trust = Trust::of(&app.opened()?.root.project);
    let mut asked = untrusted(trust.as_ref(), document, needs, around);
    asked.retain(|asked| {
        let typed = is_typed(args, asked);
        if let Some(trust) = trust.as_ref().filter(|_| typed) {
            let _ = trust.add(asked.0, &asked.1);
        }
        !typed
    });
    if asked.is_empty() {
        return Ok(());
    }
    if !args.yes && (args.ci.is_given() || !ask(app, &asked)) {
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
pub(super) fn session(
    app: &App,
    args: &ExecuteArgs,
    sessions: &Sessions,
    in_job: bool,
    (agents, coordination): (usize, &str),
) -> Result<Session, Failure> {
    let id = args.id.milestone(app)?;
    let earlier = match (&args.resume_session, args.resume) {
        (Some(name), _) => Some(named(sessions, name, id)?),
        (None, true) => Some(last(sessions, id)?),
        (None, false) if in_job => Job::unfinished(sessions, id, &host())?,
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
            looked: None,
            tasks_ready: 0,
            tasks_waiting: 0,
            blockers: Vec::new(),
            handed_on: None,
            verified: Vec::new(),
            streams: Vec::new(),
            attempts: Vec::new(),
        },
    };
    session.state = SessionState::Running;
    session.because.clear();
    session.ended = None;
    session.pid = std::process::id();
    session.agents = agents;
    coordination.clone_into(&mut session.coordination);
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

pub(super) fn setup(
    app: &App,
    args: &ExecuteArgs,
    coordination: Coordination,
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
    let (trusted, layers) = (project.clone(), app.layers(&root));
    Ok(Setup {
        milestone: args.id.milestone(app)?,
        root: root.folder(),
        worktrees: worktrees(&project, &root.folder()),
        project,
        open: Arc::new(move || {
            let config = Config::load(&layers)?;
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
        execution: app.opened()?.config.execution(),
        sequential: coordination == Coordination::Sequential,
        hierarchical: coordination == Coordination::Hierarchical,
        runners: configured(app)?,
        template: template(app)?,
        log_limit: config.log_limit(),
    })
}

/// The runners that there are here.
pub fn configured(app: &App) -> Result<Configured, Failure> {
    let runners = app.opened()?.config.runners();
    Configured::read(runners).map_err(|error| {
        Failure::usage(
            format!("`runners` in the settings: {error}"),
            "put that right in the settings file, then run this again",
        )
    })
}

/// What agents are told: the project's own words, or ours.
fn template(app: &App) -> Result<Template, Failure> {
    let opened = app.opened()?;
    let Some(file) = opened.config.execution().prompt else {
        return Template::parse(prompt::DEFAULT).map_err(|error| wrong_template("ours", &error));
    };
    let path = opened.root.project.join(&file);
    let inside = path.canonicalize().is_ok_and(|path| path.starts_with(&opened.root.project));
    if !inside {
        return Err(Failure::usage(
            format!("`execute.prompt` names {file}, which is not in the project"),
            "name a file in the project, or set it to `none`",
        ));
    }
    let text = std::fs::read_to_string(&path).map_err(|source| Failure::Io {
        doing: "read",
        path: path.clone(),
        source,
    })?;
    Template::parse(&text).map_err(|error| wrong_template(&file, &error))
}

fn wrong_template(file: &str, error: &TemplateError) -> Failure {
    Failure::usage(
        format!("{file}: {error}"),
        "see which placeholders there are: docs/execute.md, What an agent is told",
    )
}

/// What may be used, from the settings and what was typed.
pub(super) fn limits(app: &App, args: &ExecuteArgs) -> Result<(u32, Limits), Failure> {
    let execution = app.opened()?.config.execution();
    let millis = |time: Option<Duration>| {
        time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    };
    let budget = |spending: Spending| Budget { tokens: spending.tokens, cost: spending.cost };
    let mut session = budget(execution.session);
    session.cost = args.budget.or(session.cost);
    let limits = Limits {
        attempt_time: millis(execution.attempt_time),
        silence: millis(execution.silence),
        session_time: millis(execution.session_time),
        task: budget(execution.task),
        session,
    };
    Ok((execution.attempts, limits))
}

/// Dollars as they are typed, in millionths.
fn dollars(text: &str) -> Result<u64, String> {
    config::dollars(&text.into())?.ok_or_else(|| "write a sum of dollars such as 5 or 2.50".into())
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
    sessions: &Sessions,
    setup: Setup,
    session: Session,
    rules: Rules,
    handing: Option<&Handing>,
    _alive: &Alive,
) -> Result<(), Failure> {
    let milestone = setup.milestone;
    let signals = Signals::begin()?;
    let (ending, because) = to_its_end(app, sessions, setup, session, rules, handing, &signals)?;
    match ending {
        Ending::Completed => Ok(()),
        Ending::TasksDone(why) => {
            Err(Failure::Executing(Executing::TasksDone { milestone, why: why.reason }))
        }
        Ending::StreamsOut(_) => {
            Err(Failure::Executing(Executing::StreamsOut { milestone, out: because }))
        }
        Ending::Stuck(_) => {
            Err(Failure::Executing(Executing::Stuck { milestone, waiting: because }))
        }
        Ending::Interrupted => Err(Failure::Executing(Executing::Interrupted { milestone })),
        Ending::Spent(what) => Err(Failure::Executing(Executing::Spent { milestone, what })),
        Ending::Failed(failure) => Err(Failure::Executing(Executing::Failed(failure.reason))),
    }
}

/// Runs a session, and says how it ended and because of what.
pub(super) fn to_its_end(
    app: &App,
    sessions: &Sessions,
    setup: Setup,
    session: Session,
    rules: Rules,
    handing: Option<&Handing>,
    signals: &Signals,
) -> Result<(Ending, Vec<String>), Failure> {
    let milestone = setup.milestone;
    let git = setup.repository.is_some();
    let covers = setup.boxes.as_ref().map(Boxes::covers);
    let (open, actor) = (Arc::clone(&setup.open), setup.actor.clone());
    let nobodys = TaskId::new(milestone, 0);
    let reviews = session.streams.iter().map(|stream| (nobodys, stream.used));
    let attempts = session.attempts.iter().map(|tried| (tried.task, tried.used));
    let spent: Vec<_> = attempts.chain(reviews).collect();
    let agents = rules.slots;
    let mut real = Real::new(setup, session);
    signals.hand_to(real.inputs());
    let _listening = sessions.listen(milestone, real.inputs())?;
    let (window, session) = (real.window(), real.session());
    let subject = Subject { open, milestone, actor, agents };
    let teller = Teller::begin(app.out, &window, &session.id, subject);
    let mut shown = execution::Shown::new(app.out, teller, window, &session);
    shown.begin(&session, git, covers.as_deref());
    let mut state = State::new(rules, 0);
    spent.into_iter().for_each(|(task, used)| state.has_spent(task, used.into()));
    let ending = world::run(&mut state, &mut real, &mut |state, told| {
        shown.tell(state, told);
    });
    let (kept, because) = match &ending {
        Ending::Completed => (SessionState::Completed, Vec::new()),
        Ending::TasksDone(why) => (SessionState::Waiting, vec![why.reason.clone()]),
        Ending::StreamsOut(out) => {
            let said = out.iter().map(|(stream, why)| format!("{stream}: {}", why.reason));
            (SessionState::Waiting, said.collect())
        }
        Ending::Stuck(waiting) => {
            let said = waiting.iter().map(|(task, why)| format!("{task} {why}"));
            (SessionState::Waiting, said.collect())
        }
        Ending::Interrupted => (SessionState::Interrupted, Vec::new()),
        Ending::Spent(what) => (SessionState::Waiting, vec![what.clone()]),
        Ending::Failed(failure) => (SessionState::Failed, vec![failure.reason.clone()]),
    };
    real.note(|session| {
        session.state = kept;
        session.because.clone_from(&because);
        session.ended = Some(Timestamp::now());
    })?;
    if let Some(handing) = handing.filter(|_| ending == Ending::Completed) {
        let handed = handing.hand_on(app, &real.session());
        real.note(|session| session.handed_on = handed)?;
    }
    shown.end(&real.session());
    real.all_told();
    Ok((ending, because))
}
