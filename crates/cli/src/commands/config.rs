//! `milestone config`: settings, each with its source.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use milestone_store::config::{Config, KEYS, PROJECT_FILE, Setting, Source, check, edited, masked};
use milestone_store::yaml;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::app::{self, App};
use crate::attempt;
use crate::errors::Failure;
use crate::render::style;
use crate::render::table::{Table, cell};

/// Show, set and check the settings
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone config get
  milestone config set claims.lease 30m
  milestone config validate")]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigVerb,
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    /// Show one setting, or all, each with where it comes from
    #[command(
        after_help = "Examples:\n  milestone config get\n  milestone config get claims.lease"
    )]
    Get {
        /// The setting
        key: Option<String>,
    },
    /// Set one setting of this project
    ///
    /// Where a database is may hold a password: that goes into your own settings, for you alone to
    /// read, and never into the project's.
    #[command(after_help = "\
Examples:
  milestone config set planning.buffer 20
  milestone config set storage.postgres_url postgres://ada@host/milestones
  milestone config set calendar.zone Europe/Berlin")]
    Set {
        /// The setting
        key: String,
        /// What it is to be, as YAML
        value: String,
    },
    /// Check every setting
    #[command(after_help = "Examples:\n  milestone config validate")]
    Validate,
}

pub fn run(app: &App, args: ConfigArgs) -> Result<(), Failure> {
    match args.command {
        ConfigVerb::Get { key: None } => all(app),
        ConfigVerb::Get { key: Some(key) } => one(app, &key),
        ConfigVerb::Set { key, value } => set(app, &key, &value),
        ConfigVerb::Validate => validate(app),
    }
}

/// The settings as they would hold, also where there is no project yet.
fn load(app: &App) -> Result<Config, Failure> {
    let root = app.place().ok().filter(milestone_store::discover::Root::exists);
    Ok(Config::load(&app::layers(root.as_ref()))?)
}

fn all(app: &App) -> Result<(), Failure> {
    let config = load(app)?;
    let settings: Vec<Setting> = config.values().collect();
    app.out.show(&settings, |page| {
        let mut table = Table::new(&["SETTING", "VALUE", "FROM", ""]);
        for (setting, key) in settings.iter().zip(KEYS) {
            table.row(vec![
                cell(style::ID, setting.name),
                cell(style::PLAIN, shown(&setting.value)),
                cell(style::PLAIN, source(setting)),
                cell(style::DIM, key.about),
            ]);
        }
        table.print(page);
    })
}

fn one(app: &App, key: &str) -> Result<(), Failure> {
    let config = load(app)?;
    let setting = config.value(key).ok_or_else(|| unknown(key))?;
    app.out.show(&setting, |page| {
        page.say(shown(&setting.value)).end();
    })
}

/// The same words for a setting that is not there, whoever asks for it.
fn unknown(key: &str) -> Failure {
    match check(key, &Value::Null) {
        Err(error) => error.into(),
        Ok(_) => Failure::usage(format!("{key} has no value"), "see `milestone config get`"),
    }
}

fn source(setting: &Setting) -> String {
    let value = serde_json::to_value(setting.source).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn set(app: &App, key: &str, value: &str) -> Result<(), Failure> {
    attempt::check_is_none("changes no settings")?;
    let value = yaml::to_value(value).unwrap_or_else(|_| value.into());
    let setting = check(key, &value)?;
    let (file, source) = match setting.is_personal() {
        true => (own_file()?, Source::User),
        false => (app.opened()?.root.folder().join(PROJECT_FILE), Source::Project),
    };
    let failed = |doing| {
        let path = file.clone();
        move |source| Failure::Io { doing, path, source }
    };
    let text = match fs::read_to_string(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text.map_err(failed("read"))?,
    };
    let text = edited(&text, key, &value, source)?;
    write(&file, &text, source).map_err(failed("write"))?;
    let value = if setting.is_personal() { masked(&shown(&value)).into() } else { value };
    let setting = Setting { name: setting.name, value, source };
    app.out.done(&setting, key, |page| {
        page.styled(style::ID, key).say(" is ").say(shown(&setting.value));
        match source {
            Source::User => page.say(" in your own settings, ").say(file.display()).say("."),
            _ => page.say(" in this project."),
        };
        page.end();
    })
}

/// The settings of the person, wherever a link to them leads.
fn own_file() -> Result<PathBuf, Failure> {
    let file = app::layers(None).user.ok_or_else(|| {
        Failure::usage("nobody says where your own settings are", "set HOME or XDG_CONFIG_HOME")
    })?;
    Ok(fs::canonicalize(&file).unwrap_or(file))
}

/// All of it or nothing; what may hold a password is for its owner alone from the first byte on.
fn write(file: &Path, text: &str, source: Source) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let draft = file.with_extension("yaml.new");
    // One that was left behind may be open to others.
    let _ = fs::remove_file(&draft);
    let mode = if source == Source::User { 0o600 } else { 0o666 };
    let mut new = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
    new.write_all(text.as_bytes())?;
    fs::rename(&draft, file)
}

/// What can be said of settings that could be read: one that cannot is an error.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Validated {
    valid: bool,
    warnings: Vec<String>,
}

pub fn validate(app: &App) -> Result<(), Failure> {
    let config = load(app)?;
    let validated = Validated { valid: true, warnings: config.warnings };
    app.out.show(&validated, |page| {
        for warning in &validated.warnings {
            page.styled(style::WARN, "warning").say(": ").say(warning).end();
        }
        page.say("Every setting can be used.").end();
    })
}
