//! Settings, each with where it comes from: environment, project, user or default.

mod boxing;
mod executing;
mod secret;
mod spending;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use milestone_domain::calendar::Calendar;
use milestone_domain::change::{Path as FieldPath, put};
use milestone_domain::ids::Uid;
use milestone_domain::limits;
use milestone_domain::settings::Settings;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::error::StoreError;
use crate::place::DatabaseUrl;
use crate::pointer::StoreKind;
use crate::scale::{Thresholds, Wish};
use crate::yaml;

pub use boxing::BoxWish;
pub use executing::{Execution, Names, Pushing, Strategy};
pub use secret::{masked, masked_in};
pub use spending::{Spending, dollars};

/// The tracked settings of a project, below its folder.
pub const PROJECT_FILE: &str = "config/milestone-config.yaml";

/// Which project of a PostgreSQL database all share who have the repository.
pub const SHARED: &str = "storage.project";

/// Which layer a value was found in; a later one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Default,
    User,
    Project,
    Environment,
}

impl Source {
    pub fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::User => "user",
            Self::Project => "project",
            Self::Environment => "environment",
        }
    }
}

/// One setting: its name, what it is, and what it is when nobody says.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub name: &'static str,
    pub about: &'static str,
    pub default: &'static str,
    check: fn(&Value) -> Result<(), String>,
}

/// Every setting there is.
pub const KEYS: &[Key] = &[
    Key {
        name: "calendar.zone",
        about: "time zone in which dates are meant, or `system`",
        default: "system",
        check: |value| zone(value).map(drop),
    },
    Key {
        name: "calendar.working_days",
        about: "days on which work is done",
        default: "[mon, tue, wed, thu, fri]",
        check: |value| calendar_part("working_days", value),
    },
    Key {
        name: "calendar.hours_per_day",
        about: "hours of work in a working day",
        default: "8",
        check: |value| calendar_part("hours_per_day", value),
    },
    Key {
        name: "calendar.holidays",
        about: "dates on which no work is done",
        default: "[]",
        check: |value| calendar_part("holidays", value),
    },
    Key {
        name: "planning.buffer",
        about: "percent added to estimates where a milestone says nothing",
        default: "0",
        check: |value| percent(value).map(drop),
    },
    Key {
        name: "planning.workers",
        about: "how many people and agents work at once, or `auto`: as many as lately did",
        default: "auto",
        check: |value| workers(value).map(drop),
    },
    Key {
        name: "documents.progress",
        about: "whether a new document carries `progress`",
        default: "true",
        check: |value| boolean(value).map(drop),
    },
    Key {
        name: "claims.lease",
        about: "how long a claim lasts unless it is renewed",
        default: "15m",
        check: |value| lease(value).map(drop),
    },
    Key {
        name: "execute.runner",
        about: "what does tasks that name no runner and have no command",
        default: "none",
        check: |value| executing::word(value).map(drop),
    },
    Key {
        name: "execute.prompt",
        about: "file with the template of what agents are told, below the project",
        default: "none",
        check: |value| executing::word(value).map(drop),
    },
    Key {
        name: "execute.environment",
        about: "names of variables that runners are given beside the usual ones",
        default: "[]",
        check: |value| executing::variables(value).map(drop),
    },
    Key {
        name: "execute.attempts",
        about: "how often a task is tried before a person has to look at it",
        default: "3",
        check: |value| spending::attempts(value).map(drop),
    },
    Key {
        name: "execute.attempt_time",
        about: "how long a runner or a verification may take, or `none`",
        default: "2h",
        check: |value| spending::time(value).map(drop),
    },
    Key {
        name: "execute.silence",
        about: "how long it may say nothing, or `none`",
        default: "30m",
        check: |value| spending::time(value).map(drop),
    },
    Key {
        name: "execute.task_cost",
        about: "dollars that all attempts at one task may cost, or `none`",
        default: "none",
        check: |value| spending::dollars(value).map(drop),
    },
    Key {
        name: "execute.task_tokens",
        about: "tokens that all attempts at one task may use, or `none`",
        default: "none",
        check: |value| spending::tokens(value).map(drop),
    },
    Key {
        name: "execute.session_cost",
        about: "dollars that a session may cost, or `none`",
        default: "none",
        check: |value| spending::dollars(value).map(drop),
    },
    Key {
        name: "execute.session_tokens",
        about: "tokens that a session may use, or `none`",
        default: "none",
        check: |value| spending::tokens(value).map(drop),
    },
    Key {
        name: "execute.session_time",
        about: "how long a session begins new tasks, or `none`",
        default: "none",
        check: |value| spending::time(value).map(drop),
    },
    Key {
        name: boxing::LOG_LIMIT,
        about: "how much is kept of what an attempt prints",
        default: "64MB",
        check: |value| boxing::size(value).map(drop),
    },
    Key {
        name: boxing::BOX,
        about: "whether what is executed is shut in: on, off, or `auto` where that works",
        default: "off",
        check: |value| boxing::wish(value).map(drop),
    },
    Key {
        name: boxing::BOX_NETWORK,
        about: "whether there is a network in the box; agents need it",
        default: "true",
        check: |value| boolean(value).map(drop),
    },
    Key {
        name: boxing::BOX_WRITABLE,
        about: "further paths that can be written to from in the box, such as ~/.cargo",
        default: "[]",
        check: |value| boxing::paths(value).map(drop),
    },
    Key {
        name: "storage.lock_wait",
        about: "how long a command waits while another one writes",
        default: "10s",
        check: |value| duration(value).map(drop),
    },
    Key {
        name: SHARED,
        about: "which project of a shared PostgreSQL database this is; written by a move",
        default: "none",
        check: |value| project(value).map(drop),
    },
    Key {
        name: "storage.mirror",
        about: "whether a database keeps the documents beside it, or `auto`: SQLite does",
        default: "auto",
        check: |value| mirror(value).map(drop),
    },
    Key {
        name: POSTGRES_URL,
        about: "the database for many hosts; in your own settings, never the project's",
        default: "none",
        check: |value| address(value).map(drop),
    },
    Key {
        name: POSTGRES_LISTEN_URL,
        about: "the same without a pooler in between, for who waits for news",
        default: "none",
        check: |value| address(value).map(drop),
    },
    Key {
        name: "scale_override",
        about: "which store keeps the project: auto, files, sqlite, postgres or database",
        default: "auto",
        check: |value| wish(value).map(drop),
    },
    Key {
        name: "scale.sqlite_above_milestones",
        about: "open milestones above which a project moves to SQLite",
        default: "50",
        check: |value| number(value, NUMBER_MAX).map(drop),
    },
    Key {
        name: "scale.postgres_above_milestones",
        about: "open milestones above which it moves to PostgreSQL",
        default: "200",
        check: |value| number(value, NUMBER_MAX).map(drop),
    },
    Key {
        name: "scale.sqlite_above_tasks",
        about: "open tasks above which it moves to SQLite",
        default: "2000",
        check: |value| number(value, NUMBER_MAX).map(drop),
    },
    Key {
        name: "scale.writers",
        about: "writers at once from which on it moves to the next larger store",
        default: "8",
        check: |value| number(value, WRITERS_MAX).map(drop),
    },
    Key {
        name: "scale.wait",
        about: "waiting for other writers longer than this, often, does so too",
        default: "200ms",
        check: |value| duration(value).map(drop),
    },
    Key {
        name: "execute.setup",
        about: "commands that are run in a new worktree before a task is begun, such as `npm ci`",
        default: "[]",
        check: |value| executing::commands(value).map(drop),
    },
    Key {
        name: "execute.copy",
        about: "what git ignores and a new worktree needs, such as .env: copied from the project",
        default: "[]",
        check: |value| executing::copies(value).map(drop),
    },
    Key {
        name: "git.strategy",
        about: "what a milestone's branch gets of a task: squash (one commit) or merge (all of them)",
        default: "squash",
        check: |value| executing::strategy(value).map(drop),
    },
    Key {
        name: "execute.streams",
        about: "what tasks make a stream: auto (their phase, else what they wait for), phase or label",
        default: "auto",
        check: |value| executing::streams(value).map(drop),
    },
    Key {
        name: "review.runner",
        about: "what reviews the work of a stream before it goes into its milestone's branch",
        default: "none",
        check: |value| executing::word(value).map(drop),
    },
    Key {
        name: "git.push",
        about: "whether the branch of a completed milestone is pushed: never, ask or always",
        default: "never",
        check: |value| executing::pushing(value).map(drop),
    },
    Key {
        name: "git.remote",
        about: "the remote to which it is pushed",
        default: "origin",
        check: |value| executing::remote(value).map(drop),
    },
];

pub(crate) const POSTGRES_URL: &str = "storage.postgres_url";
const POSTGRES_LISTEN_URL: &str = "storage.postgres_listen_url";

/// What comes before the name of a runner.
const RUNNERS: &str = "runners.";

/// Far above any project.
const NUMBER_MAX: u32 = 1_000_000;

/// What is remembered of those that wait tells no larger number.
const WRITERS_MAX: u32 = 20;

impl Key {
    /// Whether it may hold a secret, so that it belongs to a person and never to what git shares.
    pub fn is_personal(&self) -> bool {
        matches!(self.name, POSTGRES_URL | POSTGRES_LISTEN_URL)
    }
}

/// A setting as it holds.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Setting {
    pub name: &'static str,
    pub value: Value,
    pub source: Source,
}

/// All settings of a project.
#[derive(Debug, Clone)]
pub struct Config {
    /// As they may be shown: what is secret in them stands in `secrets`.
    values: BTreeMap<&'static str, (Value, Source)>,
    secrets: BTreeMap<&'static str, DatabaseUrl>,
    /// What stands under `runners`, by name, as it was written.
    runners: Map<String, Value>,
    /// What a person should know about the settings, though they hold.
    pub warnings: Vec<String>,
}

/// Where settings are looked for.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    pub project: Option<PathBuf>,
    pub user: Option<PathBuf>,
    /// The environment's variables that begin with `MILESTONE_`.
    pub environment: Vec<(String, String)>,
}

impl Config {
    pub fn load(layers: &Layers) -> Result<Self, StoreError> {
        let mut config = Self {
            values: BTreeMap::new(),
            secrets: BTreeMap::new(),
            runners: Map::new(),
            warnings: Vec::new(),
        };
        for key in KEYS {
            config.values.insert(key.name, (plain(key.default), Source::Default));
        }
        for (file, source) in [(&layers.user, Source::User), (&layers.project, Source::Project)] {
            if let Some(file) = file {
                config.read_file(file, source)?;
            }
        }
        for (name, text) in &layers.environment {
            let key = KEYS.iter().find(|key| variable(key.name) == *name);
            if let Some(key) = key {
                let value = yaml::to_value(text).unwrap_or_else(|_| text.as_str().into());
                config.set(
                    key,
                    value,
                    Source::Environment,
                    &format!("environment variable {name}"),
                )?;
            }
        }
        Ok(config)
    }

    fn read_file(&mut self, file: &Path, source: Source) -> Result<(), StoreError> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(StoreError::io("read", file)(error)),
        };
        if says_nothing(&text) {
            return Ok(());
        }
        let name = file.display().to_string();
        let read = yaml::read_lenient::<Map<String, Value>>(&text).map_err(|error| {
            StoreError::Unreadable {
                file: name.clone(),
                line: error.line as u64,
                column: error.column as u64,
                message: masked_in(&error.message),
            }
        })?;
        self.warnings.extend(read.repeated.iter().map(|repeated| format!("{name}: {repeated}")));
        for (path, value) in leaves(read.value) {
            match KEYS.iter().find(|key| key.name == path) {
                Some(key) if key.is_personal() && source == Source::Project => {
                    self.warnings.push(misplaced(key, &name));
                }
                Some(key) => self.set(key, value, source, &name)?,
                None if path.starts_with(RUNNERS) => {
                    self.runners.insert(path[RUNNERS.len()..].to_owned(), value);
                }
                None => {
                    self.warnings.push(format!("{name}: `{path}` is no setting; it is ignored"));
                }
            }
        }
        Ok(())
    }

    fn set(
        &mut self,
        key: &Key,
        value: Value,
        source: Source,
        place: &str,
    ) -> Result<(), StoreError> {
        (key.check)(&value).map_err(|message| StoreError::Configuration {
            setting: format!("{} ({place})", key.name),
            message,
        })?;
        let value = if key.is_personal() { self.keep_secret(key, &value) } else { value };
        self.values.insert(key.name, (value, source));
        Ok(())
    }

    /// Answers what may be shown of it.
    fn keep_secret(&mut self, key: &Key, value: &Value) -> Value {
        match address(value) {
            Ok(Some(secret)) => {
                let shown = masked(&secret.0);
                self.secrets.insert(key.name, secret);
                shown.into()
            }
            _ => {
                self.secrets.remove(key.name);
                key.default.into()
            }
        }
    }

    pub fn values(&self) -> impl Iterator<Item = Setting> + '_ {
        KEYS.iter().filter_map(|key| self.value(key.name))
    }

    pub fn value(&self, name: &str) -> Option<Setting> {
        let (name, (value, source)) = self.values.get_key_value(name)?;
        Some(Setting { name, value: value.clone(), source: *source })
    }

    fn raw(&self, name: &str) -> &Value {
        &self.values[name].0
    }

    pub fn settings(&self) -> Settings {
        let mut calendar = Map::new();
        for part in ["working_days", "hours_per_day", "holidays"] {
            calendar.insert(part.into(), self.raw(&format!("calendar.{part}")).clone());
        }
        Settings {
            // Each part was checked when it was read.
            calendar: serde_json::from_value::<Calendar>(calendar.into()).unwrap_or_default(),
            zone: zone(self.raw("calendar.zone")).unwrap_or(TimeZone::UTC),
            workers: workers(self.raw("planning.workers")).unwrap_or_default(),
            buffer: percent(self.raw("planning.buffer")).unwrap_or_default(),
            document_progress: boolean(self.raw("documents.progress")).unwrap_or(true),
            lease_seconds: lease(self.raw("claims.lease")).unwrap_or(limits::LEASE_SECONDS_MIN),
        }
    }

    /// What somebody has said about runners, by name; what it means is theirs to read.
    pub fn runners(&self) -> &Map<String, Value> {
        &self.runners
    }

    /// The project of a PostgreSQL database that everybody shares who has this repository.
    pub fn project(&self) -> Option<Uid> {
        project(self.raw(SHARED)).unwrap_or_default()
    }

    /// Where somebody has said that the project is to be kept.
    pub fn wished(&self) -> Option<StoreKind> {
        self.wish().store(self.postgres_url().is_some())
    }

    pub fn lock_wait(&self) -> Duration {
        duration(self.raw("storage.lock_wait")).unwrap_or(Duration::from_secs(10))
    }

    pub fn postgres_url(&self) -> Option<&DatabaseUrl> {
        self.secrets.get(POSTGRES_URL)
    }

    pub fn postgres_listen_url(&self) -> Option<&DatabaseUrl> {
        self.secrets.get(POSTGRES_LISTEN_URL)
    }

    /// Whether the documents are kept as files beside a database, where somebody says so.
    pub fn mirror(&self) -> Option<bool> {
        mirror(self.raw("storage.mirror")).unwrap_or_default()
    }

    /// Which store somebody asks for.
    pub fn wish(&self) -> Wish {
        wish(self.raw("scale_override")).unwrap_or_default()
    }

    pub fn thresholds(&self) -> Thresholds {
        let standard = Thresholds::default();
        let number = |name: &str, else_: u32| number(self.raw(name), NUMBER_MAX).unwrap_or(else_);
        Thresholds {
            sqlite_above_milestones: number(
                "scale.sqlite_above_milestones",
                standard.sqlite_above_milestones,
            ),
            postgres_above_milestones: number(
                "scale.postgres_above_milestones",
                standard.postgres_above_milestones,
            ),
            sqlite_above_tasks: number("scale.sqlite_above_tasks", standard.sqlite_above_tasks),
            writers: number("scale.writers", standard.writers),
            wait: duration(self.raw("scale.wait")).unwrap_or(standard.wait),
        }
    }
}

/// A default as it would be read, without starting a parser for each of them at every start.
fn plain(text: &str) -> Value {
    if let Some(items) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return items.split(", ").filter(|item| !item.is_empty()).map(plain).collect();
    }
    match (text.parse::<bool>(), text.parse::<u64>()) {
        (Ok(said), _) => said.into(),
        (_, Ok(number)) => number.into(),
        _ => text.into(),
    }
}

/// The name of a setting's environment variable.
pub fn variable(name: &str) -> String {
    if name == POSTGRES_URL {
        return "MILESTONE_DATABASE_URL".to_owned();
    }
    format!("MILESTONE_{}", name.replace('.', "_").to_uppercase())
}

/// What is said of a secret in a file that others read. The secret itself is not.
fn misplaced(key: &Key, file: &str) -> String {
    format!(
        "{file}: `{}` is ignored here, because this file is shared and it may hold a password; \
         take it out, and put it into your own settings (`milestone config set {} URL`) or into \
         {}",
        key.name,
        key.name,
        variable(key.name)
    )
}

/// Checks a value for a setting, and gives the key it is for.
pub fn check(name: &str, value: &Value) -> Result<&'static Key, StoreError> {
    // Whoever exchanges name and value has typed a secret where a name belongs.
    let error = |message: String| StoreError::Configuration { setting: masked_in(name), message };
    let known = || KEYS.iter().map(|key| key.name).collect::<Vec<_>>().join(", ");
    let key = KEYS.iter().find(|key| key.name == name);
    let key =
        key.ok_or_else(|| error(format!("there is no such setting; there are {}", known())))?;
    (key.check)(value).map_err(error)?;
    Ok(key)
}

/// Sets one key in the text of a settings file, and leaves the rest of it as it is. `source` says
/// whose file it is: what is personal goes into no file that git shares.
pub fn edited(text: &str, name: &str, value: &Value, source: Source) -> Result<String, StoreError> {
    let key = check(name, value)?;
    if key.is_personal() && source == Source::Project {
        let setting = name.to_owned();
        return Err(StoreError::Configuration { setting, message: MAY_BE_SECRET.into() });
    }
    let steps: Vec<yaml::Step> = name.split('.').map(yaml::Step::key).collect();
    let read = yaml::read_lenient::<Map<String, Value>>(text).ok();
    // People append settings to the file, and the last of several counts. No edit is sure of which
    // one is meant, so one more is appended; with its group, of which the last counts, too.
    let repeated = read.filter(|read| !read.repeated.is_empty()).map(|read| read.value);
    if says_nothing(text) || repeated.is_some() {
        let mut tree = repeated.unwrap_or_default();
        tree.retain(|group, _| {
            Some(group.as_str()) == name.split_once('.').map(|(group, _)| group)
        });
        let path = name.split('.').fold(FieldPath::root(), |path, step| path.key(step));
        let mut tree = Value::Object(tree);
        put(&mut tree, &path, Some(value));
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{text}{end}{}", yaml::write(&tree, None)));
    }
    yaml::edit(text, &[yaml::Edit::set(steps, value.clone())]).map_err(|error| {
        let file = match source {
            Source::User => "your own settings file",
            _ => PROJECT_FILE,
        };
        StoreError::Unfaithful { file: file.into(), message: masked_in(&error.to_string()) }
    })
}

/// The shared project that the text of a settings file names, as it stands there at this moment.
pub fn shared(text: &str) -> Option<Uid> {
    let tree = yaml::read_lenient::<Map<String, Value>>(text).ok()?.value;
    let (_, value) = leaves(tree).into_iter().find(|(name, _)| name == SHARED)?;
    project(&value).ok()?
}

/// Takes one key out of the text of a settings file, and leaves the rest of it as it is.
pub fn without(text: &str, name: &str) -> Result<String, StoreError> {
    let steps: Vec<yaml::Step> = name.split('.').map(yaml::Step::key).collect();
    if yaml::locate(text, &steps).is_none() {
        // In a text that says something twice, what is there is not found.
        return match shared(text) {
            Some(_) if name == SHARED => edited(text, name, &"none".into(), Source::Project),
            _ => Ok(text.to_owned()),
        };
    }
    let tree = yaml::to_value(text).unwrap_or_default();
    let group = steps.len() - 1;
    let alone = name.split('.').take(group).try_fold(&tree, |tree, key| tree.get(key));
    let alone = group > 0 && alone.and_then(Value::as_object).is_some_and(|map| map.len() == 1);
    // A group goes with the last that was in it.
    let path = if alone { steps[..group].to_vec() } else { steps };
    yaml::edit(text, &[yaml::Edit::Remove { path }]).map_err(|error| StoreError::Unfaithful {
        file: PROJECT_FILE.into(),
        message: error.to_string(),
    })
}

fn project(value: &Value) -> Result<Option<Uid>, String> {
    match text(value).as_str() {
        "none" | "null" | "" => Ok(None),
        text => Uuid::try_parse(text).map(|id| Some(Uid(id))).map_err(|_| {
            "it is the id that `milestone storage migrate postgres` has written".into()
        }),
    }
}

const MAY_BE_SECRET: &str = "it may hold a password, and the project's file is shared";

fn says_nothing(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#'))
}

/// `calendar: {zone: UTC}` as `calendar.zone`. Settings have one level of groups.
fn leaves(map: Map<String, Value>) -> Vec<(String, Value)> {
    let mut leaves = Vec::new();
    for (key, value) in map {
        match value {
            Value::Object(group) => {
                leaves.extend(group.into_iter().map(|(name, v)| (format!("{key}.{name}"), v)));
            }
            value => leaves.push((key, value)),
        }
    }
    leaves
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn zone(value: &Value) -> Result<TimeZone, String> {
    match text(value).as_str() {
        "system" => Ok(system_zone().unwrap_or_else(TimeZone::system)),
        name => named_zone(name)
            .map_or_else(|| TimeZone::get(name), Ok)
            .map_err(|_| format!("`{name}` is no time zone; write one such as Europe/Berlin")),
    }
}

const ZONES: &str = "/usr/share/zoneinfo";

/// The machine's zone from the one file that says it: listing every zone there is, as a general
/// lookup does, takes longer than all the rest of a small command.
fn system_zone() -> Option<TimeZone> {
    if std::env::var_os("TZ").is_some() {
        return None;
    }
    let link = fs::read_link("/etc/localtime").ok()?;
    let name = link.strip_prefix(ZONES).ok()?.to_str()?;
    named_zone(name)
}

/// `None` where the zones are not kept as usual, or the name is not spelt as usual.
fn named_zone(name: &str) -> Option<TimeZone> {
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+');
    if !name.split('/').all(|part| !part.is_empty() && part.chars().all(usual)) {
        return None;
    }
    let bytes = fs::read(Path::new(ZONES).join(name)).ok()?;
    TimeZone::tzif(name, &bytes).ok()
}

fn calendar_part(part: &str, value: &Value) -> Result<(), String> {
    let calendar = Value::Object(Map::from_iter([(part.to_owned(), value.clone())]));
    serde_json::from_value::<Calendar>(calendar).map(drop).map_err(|error| error.to_string())
}

fn percent(value: &Value) -> Result<u32, String> {
    let text = text(value);
    let number = text.trim_end_matches('%').trim().parse::<u32>().ok();
    number.filter(|n| *n <= 1000).ok_or_else(|| format!("`{text}` is no percentage from 0 to 1000"))
}

fn workers(value: &Value) -> Result<Option<u32>, String> {
    match text(value).as_str() {
        "auto" => Ok(None),
        text => match text.parse::<u32>() {
            Ok(workers @ 1..=1000) => Ok(Some(workers)),
            _ => Err(format!("`{text}` is no number from 1 to 1000, and not `auto`")),
        },
    }
}

fn boolean(value: &Value) -> Result<bool, String> {
    match text(value).as_str() {
        "true" | "yes" | "on" => Ok(true),
        "false" | "no" | "off" => Ok(false),
        other => Err(format!("`{other}` is neither true nor false")),
    }
}

/// A stretch of clock time: `90s`, `15m`, `2h`, or seconds.
pub fn duration(value: &Value) -> Result<Duration, String> {
    let text = text(value);
    let wrong = || format!("`{text}` is no stretch of time; write one such as 90s, 15m or 2h");
    let digits = text.trim().trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.trim().parse().map_err(|_| wrong())?;
    let seconds = match text.trim()[digits.len()..].trim() {
        "ms" => return Ok(Duration::from_millis(number)),
        "" | "s" | "sec" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

fn lease(value: &Value) -> Result<u64, String> {
    let seconds = duration(value)?.as_secs();
    let (min, max) = (limits::LEASE_SECONDS_MIN, limits::LEASE_SECONDS_MAX);
    if (min..=max).contains(&seconds) {
        return Ok(seconds);
    }
    Err(format!("a lease lasts between {min} s and {max} s"))
}

fn wish(value: &Value) -> Result<Wish, String> {
    let text = text(value);
    Wish::of(&text)
        .ok_or_else(|| format!("`{text}` is none of auto, files, sqlite, postgres, database"))
}

fn mirror(value: &Value) -> Result<Option<bool>, String> {
    match text(value).as_str() {
        "auto" => Ok(None),
        text => boolean(value).map(Some).map_err(|_| format!("`{text}` is none of on, off, auto")),
    }
}

fn address(value: &Value) -> Result<Option<DatabaseUrl>, String> {
    match text(value).as_str() {
        "none" | "null" | "" => Ok(None),
        text => secret::check(text).map(|()| Some(DatabaseUrl(text.to_owned()))),
    }
}

fn number(value: &Value, max: u32) -> Result<u32, String> {
    let text = text(value);
    let number = text.parse::<u32>().ok().filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| format!("`{text}` is no number from 1 to {max}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(project: &str, environment: &[(&str, &str)]) -> Result<Config, StoreError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        fs::write(&file, project).unwrap();
        let environment = environment.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Config::load(&Layers { project: Some(file), user: None, environment })
    }

    #[test]
    fn what_people_appended_is_no_obstacle() {
        let text = "scale_override: file\nstorage:\n  lock_wait: 20s\nscale_override: auto\n";
        let id = "019a9e3c-0000-7000-8000-000000000001";
        let with = edited(text, SHARED, &id.into(), Source::Project).unwrap();
        assert!(with.starts_with(text), "{with}");
        assert_eq!(shared(&with).map(|id| id.0.to_string()).as_deref(), Some(id));
        assert!(
            with.ends_with(&format!("storage:\n  lock_wait: 20s\n  project: {id}\n")),
            "{with}"
        );
        let without = without(&with, SHARED).unwrap();
        assert_eq!(shared(&without), None, "{without}");
        let wish = edited(&without, "scale_override", &"sqlite".into(), Source::Project).unwrap();
        assert!(wish.ends_with("scale_override: sqlite\n"), "{wish}");
    }

    #[test]
    fn every_default_is_a_good_value() {
        let config = load("", &[]).unwrap();
        for key in KEYS {
            let value = config.value(key.name).unwrap();
            assert_eq!((key.check)(&value.value), Ok(()), "{}", key.name);
            assert_eq!(yaml::to_value(key.default).unwrap(), value.value, "{}", key.name);
        }
        let settings = Settings { zone: TimeZone::UTC, ..config.settings() };
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn a_later_layer_wins_and_says_so() {
        let project = "claims:\n  lease: 5m\nplanning: {buffer: 20}\n";
        let config = load(project, &[("MILESTONE_CLAIMS_LEASE", "1h")]).unwrap();
        assert_eq!(config.settings().lease_seconds, 3600);
        assert_eq!(config.value("claims.lease").unwrap().source, Source::Environment);
        assert_eq!(config.value("planning.buffer").unwrap().source, Source::Project);
        assert_eq!(config.value("calendar.zone").unwrap().source, Source::Default);
    }

    #[test]
    fn a_line_that_was_appended_counts_and_warns() {
        let config = load("scale_override: auto\nscale_override: database\n", &[]).unwrap();
        assert_eq!(config.value("scale_override").unwrap().value, "database");
        assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
        assert_eq!(config.wish(), Wish::Database);
    }

    #[test]
    fn thresholds_are_settings() {
        assert_eq!(load("", &[]).unwrap().thresholds(), Thresholds::default());
        let text = "scale: {sqlite_above_milestones: 5, postgres_above_milestones: 6,\n  \
                    sqlite_above_tasks: 7, writers: 3, wait: 1s}\n";
        let thresholds = Thresholds {
            sqlite_above_milestones: 5,
            postgres_above_milestones: 6,
            sqlite_above_tasks: 7,
            writers: 3,
            wait: Duration::from_secs(1),
        };
        assert_eq!(load(text, &[]).unwrap().thresholds(), thresholds);
        for wrong in ["0", "-1", "many", "1000001"] {
            let text = format!("scale: {{sqlite_above_milestones: {wrong}}}\n");
            let error = load(&text, &[]).unwrap_err().to_string();
            assert!(error.contains("scale.sqlite_above_milestones"), "{error}");
        }
        assert!(load("scale: {writers: 21}\n", &[]).is_err());
    }

    #[test]
    fn an_execution_is_told_what_is_set() {
        let standard = load("", &[]).unwrap().execution();
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3600));
        let usual = Execution {
            attempts: 3,
            attempt_time: hours(2),
            silence: Some(Duration::from_mins(30)),
            remote: "origin".into(),
            ..Execution::default()
        };
        assert_eq!(standard, usual);
        let text = "execute: {setup: [npm ci], copy: [.env]}\n\
                    git: {strategy: merge, push: ask, remote: mine}\n";
        let told = load(text, &[]).unwrap().execution();
        let copies = vec![Names::parse(".env").unwrap()];
        let wanted = Execution {
            strategy: Strategy::Merge,
            setup: vec!["npm ci".into()],
            copies,
            pushing: Pushing::Ask,
            remote: "mine".into(),
            ..usual
        };
        assert_eq!(told, wanted);
        for (wrong, names) in [
            ("execute: {copy: [../x]}\n", "execute.copy"),
            ("git: {push: perhaps}\n", "git.push"),
            ("git: {strategy: rebase}\n", "git.strategy"),
        ] {
            let error = load(wrong, &[]).unwrap_err().to_string();
            assert!(error.contains(names), "{error}");
        }
    }

    #[test]
    fn documents_are_kept_beside_a_database_as_somebody_says() {
        let said = |text: &str| load(text, &[]).unwrap().mirror();
        assert_eq!(said(""), None);
        assert_eq!(said("storage: {mirror: on}\n"), Some(true));
        assert_eq!(said("storage: {mirror: off}\n"), Some(false));
        assert!(load("storage: {mirror: maybe}\n", &[]).is_err());
    }

    const ADDRESS: &str = "postgres://ada:hunter2@host/db";

    #[test]
    fn a_password_is_used_and_not_shown() {
        let config = load("", &[("MILESTONE_DATABASE_URL", ADDRESS)]).unwrap();
        assert_eq!(config.postgres_url().unwrap().0, ADDRESS);
        assert_eq!(config.postgres_listen_url(), None);
        let shown = config.value(POSTGRES_URL).unwrap();
        assert_eq!(shown.value, "postgres://ada:***@host/db");
        assert_eq!(shown.source, Source::Environment);
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn a_project_cannot_say_where_the_database_is() {
        for text in [
            format!("storage: {{postgres_url: '{ADDRESS}'}}\n"),
            format!("storage.postgres_listen_url: '{ADDRESS}'\n"),
            "storage: {postgres_url: 'mysql://x:hunter2@y'}\n".to_owned(),
        ] {
            let config = load(&text, &[]).unwrap();
            assert_eq!((config.postgres_url(), config.postgres_listen_url()), (None, None));
            let warned = config.warnings.join("\n");
            assert!(
                warned.contains("storage.postgres_") && !warned.contains("hunter2"),
                "{warned}"
            );
        }
        let refused = super::edited("", POSTGRES_URL, &ADDRESS.into(), Source::Project);
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(POSTGRES_URL) && !refused.contains("hunter2"), "{refused}");
    }

    #[test]
    fn no_error_shows_a_password() {
        let wrong = "postgres://ada:hunt@er2@host/db";
        let errors = [
            load("", &[("MILESTONE_DATABASE_URL", wrong)]).unwrap_err(),
            load(&format!("{ADDRESS}\n"), &[]).unwrap_err(),
            load(&format!("storage: [\"{ADDRESS}\n"), &[]).unwrap_err(),
            check(ADDRESS, &"storage.postgres_url".into()).map(drop).unwrap_err(),
            super::edited("a: [\n", POSTGRES_URL, &ADDRESS.into(), Source::User).unwrap_err(),
        ];
        for error in errors {
            let error = format!("{error} {error:?} {}", error.next());
            assert!(!error.contains("hunter2") && !error.contains("er2@"), "{error}");
        }
    }

    #[test]
    fn a_wrong_value_names_its_setting() {
        let error = load("claims: {lease: soon}\n", &[]).unwrap_err().to_string();
        assert!(error.contains("claims.lease") && error.contains("soon"), "{error}");
    }

    #[test]
    fn setting_a_key_keeps_the_rest_of_the_file() {
        let text = "# ours\nclaims:\n  lease: 5m # short\n";
        let edited = edited(text, "claims.lease", &"10m".into(), Source::Project).unwrap();
        assert_eq!(edited, "# ours\nclaims:\n  lease: 10m # short\n");
        let new = super::edited("# nothing yet\n", "planning.buffer", &20.into(), Source::Project);
        let new = new.unwrap();
        assert_eq!(new, "# nothing yet\nplanning:\n  buffer: 20\n");
    }
}
