//! Helping from another host: a worker does tasks of open milestones in a clone of its own, and what
//! is done goes into the repository that all share.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, value_parser};
use milestone_domain::document::Milestone;
use milestone_domain::ids::{MilestoneId, Node};
use milestone_domain::limits;
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::status::MilestoneStatus;
use milestone_engine::core::{Ending, Rules};
use milestone_engine::git::{self, Caller, Cloned, GitError, Repository, without_credentials};
use milestone_engine::needs::Needs;
use milestone_engine::real::{self, Trusts};
use milestone_engine::runners::Configured;
use milestone_engine::session::Sessions;
use milestone_store::Project;
use milestone_store::config::{self, Config, PROJECT_FILE, SHARED, Source};
use milestone_store::discover::Root;
use milestone_store::files::disk::Disk;
use milestone_store::pointer::StoreKind;
use uuid::Uuid;

use super::execute::{self, Coordination, ExecuteArgs, Execution};
use super::show;
use crate::app::{self, App};
use crate::attempt;
use crate::errors::{Executing, Failure};
use crate::output;
use crate::signals::Signals;
use crate::target::Target;
use crate::trust::{self, Trust};

/// How often it is looked whether there is anything to do.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Help with open milestones from this host
///
/// Claims tasks through the PostgreSQL database that keeps the project, does them in a clone of its
/// own, and brings what is done into the milestone's branch in the repository that --repo names.
/// Milestones are completed by `milestone execute` where that repository is. Nothing is run that
/// you have not agreed to on this host.
///
/// Goes on until Ctrl-C, which lets what runs end; a second one stops it. Nothing is lost either way.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone worker --repo ada@build.example:work/shop --agents 4
  milestone worker --repo /srv/shop 1 2 --yes
  milestone worker --repo /srv/shop --store postgres://plans@db.example/plans --once")]
pub struct WorkerArgs {
    /// The milestones to help with [default: all that are in progress]
    #[arg(value_name = "ID")]
    ids: Vec<Target>,
    /// The repository into which work is brought, as `git clone` takes it
    #[arg(long, value_name = "URL")]
    repo: String,
    /// The database that keeps the project [default: `MILESTONE_DATABASE_URL`, or your
    /// settings]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// The project in the database, where the repository does not say it
    #[arg(long, value_name = "UUID")]
    project: Option<Uuid>,
    /// How many tasks are worked on at once [default: planning.workers, else 1]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=i64::from(limits::AGENTS_MAX)))]
    agents: Option<u16>,
    /// What does the tasks that name no runner and have no command
    #[arg(long, value_name = "NAME")]
    runner: Option<String>,
    /// Agree to all commands that are there now
    #[arg(long)]
    yes: bool,
    /// End as soon as there is nothing to do
    #[arg(long)]
    once: bool,
    /// Taken only to be refused by name
    #[arg(long, hide = true, value_name = "HOW", default_value = "parallel")]
    coordination: String,
}

pub fn run(app: &App, args: &WorkerArgs) -> Result<(), Failure> {
    attempt::check_starts_no_session()?;
    if args.coordination != "parallel" {
        return Err(Failure::usage(
            format!(
                "a worker takes whatever is ready: it knows no {} coordination",
                args.coordination
            ),
            "run it without `--coordination`",
        ));
    }
    let settings = settings(args)?;
    let address = address(&args.repo);
    let folder = folder(&address)?;
    cloned(&address, &folder, &Caller::asking())?;
    let root = Root { project: folder.clone() };
    name_project(&root, args.project)?;
    let app = app.elsewhere(root, settings);
    let repository = cloned(&address, &folder, &execute::caller(&app))?;
    follow(&repository)?;
    check_shared(&app)?;
    Worker::of(&app, args, repository)?.work()
}

/// What is said for this run, and written nowhere.
fn settings(args: &WorkerArgs) -> Result<Vec<(String, String)>, Failure> {
    // Nobody reads documents in a clone that is the program's own.
    let mut settings = vec![(config::variable("storage.mirror"), "off".to_owned())];
    if let Some(url) = &args.store {
        let name = config::POSTGRES_URL;
        config::check(name, &url.as_str().into())?;
        settings.push((config::variable(name), url.clone()));
    }
    Ok(settings)
}

/// An address that means the same from every folder.
fn address(given: &str) -> String {
    let path = fs::canonicalize(given).ok().filter(|path| path.is_dir());
    path.and_then(|path| path.into_os_string().into_string().ok())
        .unwrap_or_else(|| given.to_owned())
}

/// Where the clone of an address is, on this host and for this person.
fn folder(address: &str) -> Result<PathBuf, Failure> {
    let state = trust::state_folder().ok_or_else(Failure::no_place_for_trust)?;
    let last = address.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name: String = last.trim_end_matches(".git").chars().filter(is_plain).take(40).collect();
    let hash = blake3::hash(address.as_bytes()).to_hex();
    let parent = state.join("milestone/workers");
    let made = fs::create_dir_all(&parent).and_then(|()| fs::canonicalize(&parent));
    let parent = made.map_err(|source| Failure::Io { doing: "make", path: parent, source })?;
    Ok(parent.join(format!("{name}-{}", &hash.as_str()[..8])))
}

fn cloned(address: &str, folder: &std::path::Path, caller: &Caller) -> Result<Repository, Failure> {
    match git::clone(address, folder, caller)? {
        Cloned::There(repository) => Ok(repository),
        Cloned::Refused(why) => {
            let shown = without_credentials(address);
            Err(Failure::usage(
                format!("{shown} cannot be cloned: {why}"),
                "see whether this host reaches it: `git ls-remote URL`",
            ))
        }
    }
}

fn follow(repository: &Repository) -> Result<(), GitError> {
    if let Some(why) = repository.follow_default()? {
        let at = repository.top().display();
        output::warn(&format!("the files in {at} stay as they are, settings included: {why}"));
    }
    Ok(())
}

/// Which project of the database it is says the repository; or somebody who knows, where it does not.
fn name_project(root: &Root, said: Option<Uuid>) -> Result<(), Failure> {
    let disk = Disk::new(root.folder());
    let text = |disk: &Disk| -> Result<String, Failure> {
        let bytes = if root.exists() { disk.read(PROJECT_FILE)? } else { None };
        Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
    };
    match (config::shared(&text(&disk)?), said) {
        (Some(named), Some(said)) if named.0 != said => Err(Failure::usage(
            format!("the repository says that its project is {}, not {said}", named.0),
            "run this without `--project`",
        )),
        (Some(_), _) => Ok(()),
        (None, Some(said)) => {
            milestone_store::init::init(root)?;
            let named = said.to_string().into();
            let text = config::edited(&text(&disk)?, SHARED, &named, Source::Project)?;
            Ok(disk.replace_synced(PROJECT_FILE, text.as_bytes())?)
        }
        (None, None) => Err(Failure::usage(
            "the repository names no project of a PostgreSQL database, by which hosts share one",
            "move the project there (`milestone storage migrate postgres`), and commit and push \
             .milestones/config; where .milestones is not in git, say which project it is: \
             `--project UUID`, which `milestone config get storage.project` prints",
        )),
    }
}

fn check_shared(app: &App) -> Result<(), Failure> {
    let place = app.kept_in()?;
    if place.postgres.is_none() {
        return Err(Failure::usage(
            "no URL says where the PostgreSQL database is by which hosts share the work",
            "say it: `export MILESTONE_DATABASE_URL=postgres://…`, or `--store URL`",
        ));
    }
    let kind = app.opened()?.place.kind()?;
    if kind == StoreKind::Postgres {
        return Ok(());
    }
    Err(Failure::usage(
        format!("the project is kept in {kind}, which hosts cannot share"),
        "move it: `milestone storage migrate postgres`",
    ))
}

/// What is known from one look to the next.
struct Worker<'a> {
    app: &'a App,
    args: &'a WorkerArgs,
    repository: Repository,
    sessions: Sessions,
    runners: Configured,
    set_up: Vec<String>,
    trusts: Trusts,
    signals: Signals,
    /// Opened anew after anything went wrong with it.
    project: Option<Project>,
    named: Vec<MilestoneId>,
    is_first: bool,
    /// The session of each milestone, with which this run goes on.
    begun: BTreeMap<MilestoneId, String>,
    /// What commands of it are run here has been settled.
    settled: BTreeSet<MilestoneId>,
    /// What nothing more is begun of.
    left: BTreeSet<MilestoneId>,
    /// What was last said that is waited for.
    waited_for: String,
}

impl<'a> Worker<'a> {
    fn of(app: &'a App, args: &'a WorkerArgs, repository: Repository) -> Result<Self, Failure> {
        let opened = app.opened()?;
        let named: Result<_, _> = args.ids.iter().map(|id| id.milestone(app)).collect();
        Ok(Self {
            app,
            args,
            repository,
            sessions: Sessions::of(&opened.root.folder()),
            runners: execute::configured(app)?,
            set_up: opened.config.execution().setup,
            trusts: trust::trusts(&opened.root.project),
            signals: Signals::begin()?,
            project: None,
            named: named?,
            is_first: true,
            begun: BTreeMap::new(),
            settled: BTreeSet::new(),
            left: BTreeSet::new(),
            waited_for: String::new(),
        })
    }

    fn work(mut self) -> Result<(), Failure> {
        let at = self.repository.top().display().to_string();
        output::talk(&format!("working in {at}; Ctrl-C begins nothing more\n"));
        loop {
            let worked = self.round()?;
            self.is_first = false;
            let wait = if worked { LOOK_EVERY / 10 } else { LOOK_EVERY };
            if (!worked && self.args.once) || self.signals.is_over_after(wait) {
                return Ok(());
            }
        }
    }

    /// Looks at each milestone once; whether anything was done.
    fn round(&mut self) -> Result<bool, Failure> {
        let ids = match self.candidates() {
            Ok(ids) => ids,
            Err(failure) => return self.wait_for(failure),
        };
        let mut worked = false;
        for id in ids {
            if self.signals.is_over_after(Duration::ZERO) {
                break;
            }
            worked |= match self.help(id) {
                Ok(worked) => worked,
                Err(failure) => self.wait_for(failure)?,
            };
        }
        Ok(worked)
    }

    /// What is away may come back; at the start somebody is there to put it right.
    fn wait_for(&mut self, failure: Failure) -> Result<bool, Failure> {
        let is_away = matches!(failure, Failure::Store(_) | Failure::Git(GitError::HubAway { .. }));
        if self.is_first || !is_away {
            return Err(failure);
        }
        self.project = None;
        let why = failure.entry().message;
        if why != self.waited_for {
            output::talk(&format!("waiting: {why}\n"));
            self.waited_for = why;
        }
        Ok(false)
    }

    fn read(&mut self, scope: &Scope) -> Result<Snapshot, Failure> {
        let project = match self.project.take() {
            Some(project) => project,
            None => {
                let opened = self.app.opened()?;
                let config = Config::load(&self.app.layers(&opened.root))?;
                Project::at(app::place(&opened.root, &config))?
            }
        };
        Ok(self.project.insert(project).read(scope, self.app.actor())?)
    }

    fn candidates(&mut self) -> Result<Vec<MilestoneId>, Failure> {
        let mut ids = self.named.clone();
        if ids.is_empty() {
            let snapshot = self.read(&Scope::Graph(BTreeSet::new()))?;
            let open = snapshot.open();
            let open = open.filter(|outline| outline.status == MilestoneStatus::InProgress);
            ids.extend(open.map(|outline| outline.id));
        }
        ids.retain(|id| !self.left.contains(id));
        Ok(ids)
    }

    /// Does what can be done of a milestone now; whether that was anything.
    fn help(&mut self, id: MilestoneId) -> Result<bool, Failure> {
        let snapshot = self.read(&Scope::Graph(BTreeSet::from([id])))?;
        let Some(document) = snapshot.documents.get(&id) else {
            return match self.is_first {
                true => Err(show::missing(&snapshot, Node::Milestone(id))),
                false => Ok(false),
            };
        };
        let args = self.args_for(id);
        let chosen = execute::chosen_runner(self.app, &args, document);
        self.settle(document, &args, chosen.as_deref())?;
        let is_left = !self.sessions.flights(id)?.is_empty();
        let today = self.app.today()?;
        let needs = self.needs(chosen.as_deref());
        if !is_left && !real::has_work(&snapshot, id, today, &needs, &self.trusts) {
            return Ok(false);
        }
        if self.repository.has_streams_at_hub(id)? {
            output::warn(&format!(
                "{id} is executed in streams (`--coordination hierarchical`), which workers do not \
                 help with; it is left to its session"
            ));
            self.left.insert(id);
            return Ok(false);
        }
        follow(&self.repository)?;
        self.session(id, &args, chosen)
    }

    fn args_for(&self, id: MilestoneId) -> ExecuteArgs {
        let WorkerArgs { agents, runner, yes, .. } = self.args;
        let target = Target::Node(Node::Milestone(id));
        ExecuteArgs::of_worker(target, *agents, runner.clone(), *yes)
            .resuming(self.begun.get(&id).cloned())
    }

    fn needs<'b>(&'b self, chosen: Option<&'b str>) -> Needs<'b> {
        Needs { chosen, runners: &self.runners, set_up: &self.set_up }
    }

    /// Once for each milestone: what is there at the start is asked for, and what comes later waits
    /// until somebody has agreed to it.
    fn settle(
        &mut self,
        document: &Milestone,
        args: &ExecuteArgs,
        chosen: Option<&str>,
    ) -> Result<(), Failure> {
        if !self.settled.insert(document.id) {
            return Ok(());
        }
        let needs = self.needs(chosen);
        if self.is_first {
            let agreed =
                execute::agree(self.app, args, document, &needs, execute::around(self.app, None)?);
            return agreed.map_err(|failure| match failure {
                Failure::Untrusted { command, .. } => {
                    let retry = format!("milestone worker {} --repo URL --yes", document.id);
                    Failure::Untrusted { command, retry }
                }
                other => other,
            });
        }
        let trust = Trust::of(&self.app.opened()?.root.project);
        let asked =
            execute::untrusted(trust.as_ref(), document, &needs, execute::around(self.app, None)?);
        if !asked.is_empty() {
            let id = document.id;
            let waits = asked.len();
            output::warn(&format!(
                "{id} would have {waits} commands run here that nobody has agreed to; what needs \
                 them waits until you do: `milestone worker {id} --repo URL`"
            ));
        }
        Ok(())
    }

    fn session(
        &mut self,
        id: MilestoneId,
        args: &ExecuteArgs,
        chosen: Option<String>,
    ) -> Result<bool, Failure> {
        let alive = self.sessions.begin(id)?;
        let slots = execute::agents(self.app, args)?;
        let session = execute::session(self.app, args, &self.sessions, false, (slots, "worker"))?;
        self.begun.insert(id, session.id.clone());
        let setup = execute::setup(
            self.app,
            args,
            Coordination::Parallel,
            Some(self.repository.clone()),
            chosen,
        )?;
        let (tries_max, limits) = execute::limits_of(self.app, args)?;
        let rules = Rules { slots, finishes: false, tries_max, limits, ..Rules::default() };
        let sessions = &self.sessions;
        let execution = Execution { sessions, setup, session, rules, handing: None };
        let (ending, _) = execute::to_its_end(self.app, execution, &self.signals)?;
        drop(alive);
        match ending {
            Ending::Spent(what) => {
                output::warn(&format!("nothing more of {id} is begun by this worker: {what}"));
                self.left.insert(id);
            }
            Ending::Failed(failure) => {
                return Err(Failure::Executing(Executing::Failed(failure.reason)));
            }
            _ => {}
        }
        Ok(true)
    }
}
