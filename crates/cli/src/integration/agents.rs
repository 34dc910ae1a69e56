//! The agents, and where and how each of them takes commands. `docs/agents.md` says how this was
//! checked; a change here is checked again.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde::Serialize;

use super::marked::marked;
use super::told::{COMMANDS, Told};

/// A program that people work with, and that can be told about this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Agent {
    /// Claude Code
    Claude,
    /// Codex
    Codex,
    /// Gemini CLI
    Gemini,
    /// opencode
    Opencode,
    /// Cursor
    Cursor,
    /// GitHub Copilot
    Copilot,
}

/// In what kind of file an agent takes a command.
enum Form {
    /// Markdown with front matter; what was typed stands where `$ARGUMENTS` is.
    Markdown,
    /// TOML; what was typed stands where `{{args}}` is.
    Toml,
    /// A skill: a folder with one Markdown file. What was typed is the rest of the message.
    Skill,
}

/// A file in which an agent looks for instructions, where `AGENTS.md` is not the one it reads.
pub struct Importing {
    pub place: &'static str,
    pub line: &'static str,
    /// A file that may have named `AGENTS.md` already as one to be read.
    pub unless_named_in: Option<&'static str>,
    /// An agent that reads `AGENTS.md` where this file is missing must not lose it to ours.
    pub made_if_missing: bool,
}

impl Agent {
    pub const ALL: [Self; 6] =
        [Self::Claude, Self::Codex, Self::Gemini, Self::Opencode, Self::Cursor, Self::Copilot];

    pub fn title(self) -> &'static str {
        match self {
            Self::Claude => "Claude Code",
            Self::Codex => "Codex",
            Self::Gemini => "Gemini CLI",
            Self::Opencode => "opencode",
            Self::Cursor => "Cursor",
            Self::Copilot => "GitHub Copilot",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Claude => ".claude/commands",
            Self::Codex => ".agents/skills",
            Self::Gemini => ".gemini/commands",
            Self::Opencode => ".opencode/commands",
            Self::Cursor => ".cursor/skills",
            Self::Copilot => ".github/skills",
        }
    }

    fn form(self) -> Form {
        match self {
            Self::Claude | Self::Opencode => Form::Markdown,
            Self::Gemini => Form::Toml,
            Self::Codex | Self::Cursor | Self::Copilot => Form::Skill,
        }
    }

    /// How a person calls one of the commands.
    pub fn typed(self, name: &str) -> String {
        match self {
            Self::Claude | Self::Gemini => format!("/milestone:{name}"),
            Self::Opencode => format!("/milestone/{name}"),
            Self::Cursor | Self::Copilot => format!("/milestone-{name}"),
            Self::Codex => format!("$milestone-{name}"),
        }
    }

    /// What in a repository says that the agent is used there.
    pub fn traces(self) -> &'static [&'static str] {
        match self {
            Self::Claude => &[".claude", "CLAUDE.md"],
            Self::Codex => &[".codex", ".agents"],
            Self::Gemini => &[".gemini", "GEMINI.md"],
            Self::Opencode => &[".opencode", "opencode.json", "opencode.jsonc"],
            Self::Cursor => &[".cursor", ".cursorrules"],
            Self::Copilot => &[".github/copilot-instructions.md", ".github/prompts"],
        }
    }

    /// What the agent is called on the command line.
    pub fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Claude => &["claude"],
            Self::Codex => &["codex"],
            Self::Gemini => &["gemini"],
            Self::Opencode => &["opencode"],
            Self::Cursor => &["cursor-agent", "cursor"],
            Self::Copilot => &["copilot"],
        }
    }

    /// Where the agent must be led to `AGENTS.md`, which the others read by themselves. The first
    /// one that is there is enough.
    pub fn importing(self) -> &'static [Importing] {
        match self {
            Self::Claude => &[
                Importing {
                    place: "CLAUDE.md",
                    line: "@AGENTS.md",
                    unless_named_in: None,
                    made_if_missing: false,
                },
                Importing {
                    place: ".claude/CLAUDE.md",
                    line: "@../AGENTS.md",
                    unless_named_in: None,
                    made_if_missing: false,
                },
            ],
            Self::Gemini => &[Importing {
                place: "GEMINI.md",
                line: "@./AGENTS.md",
                unless_named_in: Some(".gemini/settings.json"),
                made_if_missing: true,
            }],
            _ => &[],
        }
    }

    /// The files of all commands: their places and texts.
    pub fn files(self) -> Vec<(String, String)> {
        COMMANDS.iter().map(|told| (self.place(told.name), self.text(told))).collect()
    }

    fn place(self, name: &str) -> String {
        let folder = self.folder();
        match self.form() {
            Form::Markdown => format!("{folder}/milestone/{name}.md"),
            Form::Toml => format!("{folder}/milestone/{name}.toml"),
            Form::Skill => format!("{folder}/milestone-{name}/SKILL.md"),
        }
    }

    fn text(self, told: &Told) -> String {
        let Told { name, about, hint, body } = told;
        match self.form() {
            Form::Markdown => {
                let mut rest = format!("description: {}\n", quoted(about));
                if let Self::Claude = self {
                    let _ = writeln!(rest, "argument-hint: {}", quoted(hint));
                }
                let _ = write!(rest, "---\n{body}\nWhat was typed after the command: $ARGUMENTS\n");
                marked("---\n", ["# ", ""], &rest)
            }
            Form::Toml => {
                let body = body.replace('\\', "\\\\");
                let rest = format!(
                    "description = {}\nprompt = \"\"\"\n{body}\nWhat was typed after the command: \
                     {{{{args}}}}\n\"\"\"\n",
                    quoted(about)
                );
                marked("", ["# ", ""], &rest)
            }
            Form::Skill => {
                let rest = format!(
                    "name: milestone-{name}\ndescription: {}\n---\n{body}\nWhat the person wrote \
                     with the name of this skill says what it is about: {hint}\n",
                    quoted(about)
                );
                marked("---\n", ["# ", ""], &rest)
            }
        }
    }
}

/// A text in double quotes, which YAML, TOML and JSON read alike.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::marked::is_untouched;
    use super::*;

    #[test]
    fn every_agent_gets_every_command_in_a_form_it_can_read() {
        for agent in Agent::ALL {
            for (place, text) in agent.files() {
                assert!(is_untouched(&text), "{place}");
                assert!(!place.starts_with('/') && !place.contains(".."), "{place}");
                let front = text.strip_prefix("---\n").and_then(|text| text.split_once("---\n"));
                match (place.ends_with(".md"), front) {
                    (true, Some((front, _))) => {
                        let front = milestone_store::yaml::to_value(front).unwrap();
                        assert!(front["description"].as_str().is_some(), "{place}");
                    }
                    (is_markdown, _) => assert!(!is_markdown, "{place}"),
                }
            }
        }
    }

    #[test]
    fn no_body_breaks_out_of_the_form_around_it() {
        for told in &COMMANDS {
            assert!(!told.body.contains("\"\"\"") && !told.body.contains("{{"), "{}", told.name);
            assert!(!told.body.contains('$') && !told.body.contains("!{"), "{}", told.name);
            assert!(!told.body.contains('@') && !told.body.contains("!`"), "{}", told.name);
        }
    }
}
