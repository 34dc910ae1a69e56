//! What a session has to be told before it begins: its runners, its limits, its box, its folders.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use milestone_engine::boxed::Boxes;
use milestone_engine::core::{Budget, Limits};
use milestone_engine::git::Repository;
use milestone_engine::prompt::{self, Template, TemplateError};
use milestone_engine::real::Setup;
use milestone_engine::runners::Configured;
use milestone_store::Project;
use milestone_store::config::{self, BoxWish, Config, Spending};

use super::{Coordination, ExecuteArgs, KEEPER};
use crate::app::{self, App};
use crate::errors::Failure;
use crate::trust;

/// How long a claim of a session lasts unless it is renewed.
const LEASE: Duration = Duration::from_mins(1);

pub(in crate::commands) fn setup(
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
    let layers = app.layers(&root);
    Ok(Setup {
        milestone: args.id.milestone(app)?,
        root: root.folder(),
        worktrees: worktrees(&project, &root.folder()),
        trusts: trust::trusts(&project),
        project,
        open: Arc::new(move || {
            let config = Config::load(&layers)?;
            Project::at(app::place(&root, &config))
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
pub(in crate::commands) fn configured(app: &App) -> Result<Configured, Failure> {
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
pub(in crate::commands) fn limits_of(
    app: &App,
    args: &ExecuteArgs,
) -> Result<(u32, Limits), Failure> {
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
pub(super) fn dollars(text: &str) -> Result<u64, String> {
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
fn worktrees(project: &Path, folder: &Path) -> PathBuf {
    let Some(state) = trust::state_folder() else { return folder.join("data/worktrees") };
    let name = project.file_name().map(|name| name.to_string_lossy().into_owned());
    let hash = blake3::hash(project.as_os_str().as_encoded_bytes()).to_hex();
    let name = format!("{}-{}", name.unwrap_or_default(), &hash.as_str()[..8]);
    state.join("milestone/worktrees").join(name)
}
