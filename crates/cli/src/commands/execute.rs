//! Doing the work of a milestone: agents, in parallel, until all of it is done.

mod agreeing;
mod going_on;
mod running;
mod setting_up;

use clap::{Args, ValueEnum, value_parser};
use milestone_domain::document::{Milestone, Task};
use milestone_domain::ids::{MilestoneId, Node};
use milestone_domain::limits;
use milestone_domain::snapshot::Scope;
use milestone_domain::status::MilestoneStatus;
use milestone_engine::core::Rules;
use milestone_engine::git::{Caller, Identity, Repository};
use milestone_engine::needs::Needs;
use milestone_engine::runners::{self, Configured};
use milestone_engine::session::Sessions;

use super::agent;
use super::dry_run::{self, How};
use super::streams;
use crate::app::App;
use crate::attempt;
use crate::ci::job::CiArgs;
use crate::errors::Failure;
use crate::pushing::Handing;
use crate::target::Target;
use crate::trust::Trust;
use agreeing::is_typed;
pub(super) use agreeing::{agree, around, untrusted};
use going_on::host;
pub(super) use going_on::session;
use running::execute;
pub(super) use running::{Execution, to_its_end};
use setting_up::dollars;
pub(super) use setting_up::{configured, limits_of, setup};

/// The hidden command that stands between a session and a runner.
pub const KEEPER: &str = "keep-runner";

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

pub fn run(app: &App, args: &ExecuteArgs) -> Result<(), Failure> {
    attempt::check_starts_no_session()?;
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
    let _alive = sessions.begin(id)?;
    agree(app, args, document, &how.needs, around)?;
    if args.agents.is_none() && !app.out.json {
        dry_run::hint(app, id, &how)?;
    }
    let session = session(app, args, &sessions, job.is_some(), (how.agents, how.coordination))?;
    let agents = how.agents;
    let setup = setup(app, args, coordination, repository, runner)?;
    let (tries_max, limits) = limits_of(app, args)?;
    let rules = Rules { slots: agents, tries_max, limits, ..Rules::default() };
    if let Some(job) = &job {
        job.begin(app, document, &session)?;
    }
    let name = session.id.clone();
    let handing = handing.as_ref();
    let execution = Execution { sessions: &sessions, setup, session, rules, handing };
    let ended = execute(app, execution);
    match job {
        Some(job) => job.end(app, id, &name, ended),
        None => ended,
    }
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
