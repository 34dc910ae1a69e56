//! Settings about executing: what a worktree is made with, how work comes together, and where it
//! goes then.

use std::time::Duration;

use milestone_domain::streams::StreamsBy;
use serde_json::Value;

use super::spending::{self, Spending, is_none};
use super::{Config, text};

/// What a milestone's branch gets of a task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Strategy {
    /// One commit with all of the work.
    #[default]
    Squash,
    /// The attempt's own commits, and one that merges them.
    Merge,
}

/// Whether a milestone's branch is pushed once the milestone is completed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pushing {
    #[default]
    Never,
    Ask,
    Always,
}

/// What an execution is told by the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Execution {
    pub runner: Option<String>,
    /// The file with the template of what agents are told.
    pub prompt: Option<String>,
    /// Names of variables that runners are given beside the usual ones.
    pub environment: Vec<String>,
    /// Commands that tell others what is in the way.
    pub on_blocker: Vec<String>,
    pub attempts: u32,
    pub attempt_time: Option<Duration>,
    pub silence: Option<Duration>,
    pub session_time: Option<Duration>,
    pub task: Spending,
    pub session: Spending,
    pub strategy: Strategy,
    /// What tasks make a stream.
    pub streams: StreamsBy,
    /// What reviews a stream before it goes up.
    pub reviewer: Option<String>,
    /// Commands that are run in a new worktree.
    pub setup: Vec<String>,
    /// What is copied into a new worktree from the project.
    pub copies: Vec<Names>,
    pub pushing: Pushing,
    pub remote: String,
}

impl Config {
    /// Each value was checked when it was read.
    pub fn execution(&self) -> Execution {
        let time = |name: &str| spending::time(self.raw(name)).unwrap_or_default();
        let spending = |whose: &str| Spending {
            tokens: spending::tokens(self.raw(&format!("execute.{whose}_tokens")))
                .unwrap_or_default(),
            cost: spending::dollars(self.raw(&format!("execute.{whose}_cost"))).unwrap_or_default(),
        };
        Execution {
            runner: word(self.raw("execute.runner")).unwrap_or_default(),
            prompt: word(self.raw("execute.prompt")).unwrap_or_default(),
            environment: variables(self.raw("execute.environment")).unwrap_or_default(),
            on_blocker: commands(self.raw("execute.on_blocker")).unwrap_or_default(),
            attempts: spending::attempts(self.raw("execute.attempts")).unwrap_or(1),
            attempt_time: time("execute.attempt_time"),
            silence: time("execute.silence"),
            session_time: time("execute.session_time"),
            task: spending("task"),
            session: spending("session"),
            strategy: strategy(self.raw("git.strategy")).unwrap_or_default(),
            streams: streams(self.raw("execute.streams")).unwrap_or_default(),
            reviewer: word(self.raw("review.runner")).unwrap_or_default(),
            setup: commands(self.raw("execute.setup")).unwrap_or_default(),
            copies: copies(self.raw("execute.copy")).unwrap_or_default(),
            pushing: pushing(self.raw("git.push")).unwrap_or_default(),
            remote: remote(self.raw("git.remote")).unwrap_or_default(),
        }
    }
}

/// A path below the project, name by name. In each, `*` stands for any letters and `?` for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(Vec<String>);

/// What is never copied: git's own folder, and the project's.
const NEVER: [&str; 2] = [".git", ".milestones"];

impl Names {
    pub fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim().trim_end_matches('/');
        let names: Vec<&str> = trimmed.split('/').filter(|name| *name != ".").collect();
        let leads_out = names.iter().any(|name| matches!(*name, "" | ".."));
        if names.is_empty() || leads_out || trimmed.contains('\0') {
            return Err(format!("`{text}` is no path below the project, such as .env or config/*"));
        }
        if let Some(never) = names.iter().find(|name| Self::is_never_copied(name)) {
            return Err(format!("`{text}`: {never} is never copied"));
        }
        Ok(Self(names.into_iter().map(str::to_owned).collect()))
    }

    pub fn is_never_copied(name: &str) -> bool {
        NEVER.iter().any(|never| name.eq_ignore_ascii_case(never))
    }

    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

pub(super) fn word(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::String(text) => Ok(Some(text.trim().to_owned()).filter(|text| !is_none(text))),
        Value::Null => Ok(None),
        other => Err(format!("`{other}` is no text")),
    }
}

pub(super) fn variables(value: &Value) -> Result<Vec<String>, String> {
    let name = |value: &Value| {
        let fits = |name: &&str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let name = value.as_str().filter(fits).map(str::to_owned);
        name.ok_or_else(|| format!("`{value}` is no name of a variable"))
    };
    let list = value.as_array().ok_or_else(|| "it is a list of names".to_owned())?;
    list.iter().map(name).collect()
}

pub(super) fn strategy(value: &Value) -> Result<Strategy, String> {
    match text(value).as_str() {
        "squash" => Ok(Strategy::Squash),
        "merge" => Ok(Strategy::Merge),
        other => Err(format!("`{other}` is none of squash, merge")),
    }
}

pub(super) fn streams(value: &Value) -> Result<StreamsBy, String> {
    match text(value).as_str() {
        "auto" => Ok(StreamsBy::Auto),
        "phase" => Ok(StreamsBy::Phase),
        "label" => Ok(StreamsBy::Label),
        other => Err(format!("`{other}` is none of auto, phase, label")),
    }
}

pub(super) fn pushing(value: &Value) -> Result<Pushing, String> {
    match text(value).as_str() {
        "never" => Ok(Pushing::Never),
        "ask" => Ok(Pushing::Ask),
        "always" => Ok(Pushing::Always),
        other => Err(format!("`{other}` is none of never, ask, always")),
    }
}

/// A remote is named as git knows it: an address would go past what the person has set up.
pub(super) fn remote(value: &Value) -> Result<String, String> {
    let name = text(value);
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(usual);
    if is_name { Ok(name) } else { Err(format!("`{name}` is no name of a remote, such as origin")) }
}

pub(super) fn commands(value: &Value) -> Result<Vec<String>, String> {
    let commands = texts(value)?;
    match commands.iter().any(|command| command.trim().is_empty()) {
        true => Err("a command must say something".to_owned()),
        false => Ok(commands),
    }
}

pub(super) fn copies(value: &Value) -> Result<Vec<Names>, String> {
    texts(value)?.iter().map(|text| Names::parse(text)).collect()
}

/// A list of texts; a text alone is a list of one.
fn texts(value: &Value) -> Result<Vec<String>, String> {
    let wrong = || "it is a list of texts, such as [npm ci]".to_owned();
    match value {
        Value::Array(items) => {
            let one = |item: &Value| item.as_str().map(str::to_owned).ok_or_else(wrong);
            items.iter().map(one).collect()
        }
        Value::String(one) => Ok(vec![one.clone()]),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_below_the_project_is_copied() {
        for good in [".env", "config/*.local", "./a/", "a?/b"] {
            Names::parse(good).unwrap();
        }
        for bad in ["", "/etc/passwd", "../x", "a/../b", "a//b", ".git/config", "x/.Git", "a\0b"] {
            assert!(Names::parse(bad).is_err(), "{bad}");
        }
        assert!(Names::parse(".milestones/data").unwrap_err().contains("never copied"));
    }

    #[test]
    fn a_remote_is_a_name_and_never_an_address_or_an_option() {
        assert_eq!(remote(&json!("origin")).unwrap(), "origin");
        for bad in ["", "-f", "--receive-pack=x", "https://host/x", "git@host:x", "../other"] {
            assert!(remote(&json!(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn commands_are_texts() {
        assert_eq!(commands(&json!("npm ci")).unwrap(), ["npm ci"]);
        assert_eq!(commands(&json!(["a", "b"])).unwrap(), ["a", "b"]);
        for bad in [json!([1]), json!({"a": 1}), json!([" "]), json!(7)] {
            assert!(commands(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_names_of_variables_are_passed_on() {
        assert_eq!(variables(&json!(["NPM_TOKEN"])), Ok(vec!["NPM_TOKEN".to_owned()]));
        for wrong in [json!(["A=B"]), json!([""]), json!("A"), json!([1])] {
            assert!(variables(&wrong).is_err(), "{wrong}");
        }
    }
}
