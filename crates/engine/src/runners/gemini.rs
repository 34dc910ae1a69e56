//! Gemini CLI, as 0.61 prints it with `--output-format stream-json`.
//!
//! **What it may do.** `--approval-mode yolo` agrees to every tool: any command that this user may
//! run, the web, MCP servers; its file tools stay in the folder it is started in. `auto_edit`
//! would refuse every command, and it must build and test. `--skip-trust` is needed for a folder
//! that nobody has opened with it before, which a worktree is; it then also takes in the
//! settings that the repository has for it. Where Docker or Podman is there, `--sandbox` in the
//! configuration shuts it in.
//!
//! Its output says nothing of a limit that it waits out; its standard error does. It tells no cost.

use serde_json::Value;

use super::limits;
use super::reading::{answer, event, first_line, line, number, text, tool};
use super::{Ended, Heard, Job, Launch, LaunchError, Runner, flagged, named};

pub const NAME: &str = "gemini";

const ARGUMENTS: [&str; 5] =
    ["--output-format", "stream-json", "--approval-mode", "yolo", "--skip-trust"];

const PASSED_ON: [&str; 7] = [
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_GEMINI_BASE_URL",
    "GOOGLE_GENAI_USE_VERTEXAI",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_CLOUD_LOCATION",
    "GOOGLE_APPLICATION_CREDENTIALS",
];

/// Gemini CLI, started without a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Gemini;

impl Runner for Gemini {
    fn name(&self) -> &str {
        NAME
    }

    fn program(&self) -> &'static str {
        NAME
    }

    fn launch(&self, job: &Job<'_>) -> Result<Launch, LaunchError> {
        let mut arguments = named(&ARGUMENTS);
        arguments.extend(flagged(&[("--model", job.model)]));
        arguments.extend(job.extra.iter().cloned());
        Ok(Launch {
            program: NAME.to_owned(),
            arguments,
            stdin: Some(job.prompt.to_owned()),
            passes_on: named(&PASSED_ON),
            ..Launch::default()
        })
    }

    fn hear(&self, line: &str, heard: &mut Heard) {
        let Some(event) = event(line, heard) else { return waits(line, heard) };
        match text(&event, "/type") {
            Some("init") => {
                heard.handle = text(&event, "/session_id").map(str::to_owned);
            }
            Some("message") if text(&event, "/role") == Some("assistant") => speaks(&event, heard),
            Some("tool_use") => {
                // What it said before was on the way.
                heard.answer = None;
                let name = text(&event, "/tool_name").unwrap_or("tool");
                heard.last = Some(tool(name, event.get("parameters")));
            }
            Some("result") => ends(&event, heard),
            _ => {}
        }
    }

    /// It finds a session only in the folder in which that was begun.
    fn continues(&self) -> bool {
        false
    }
}

/// A line of its standard error, where it says that it tries again.
fn waits(text: &str, heard: &mut Heard) {
    let is_told = text.starts_with("Attempt ") && text.contains(" failed");
    if is_told {
        heard.limited = limits::in_words(text);
        heard.last = Some(line(text));
    }
}

/// Its answer comes in pieces.
fn speaks(event: &Value, heard: &mut Heard) {
    heard.limited = None;
    let Some(piece) = text(event, "/content") else { return };
    let mut said = heard.answer.take().unwrap_or_default();
    if event.get("delta") != Some(&Value::Bool(true)) {
        said.clear();
    }
    said.push_str(piece);
    let said = answer(&said);
    heard.last = first_line(&said).or(heard.last.take());
    heard.answer = Some(said);
}

fn ends(event: &Value, heard: &mut Heard) {
    heard.used.tokens_in = number(event, "/stats/input_tokens");
    heard.used.tokens_out = number(event, "/stats/output_tokens");
    if text(event, "/status") == Some("success") {
        heard.limited = None;
        heard.ended = Some(Ended::Succeeded);
        return;
    }
    let reason = line(text(event, "/error/message").unwrap_or("it ended with an error"));
    heard.limited = limits::in_words(&reason);
    heard.ended = Some(Ended::Failed(reason));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{job, recorded};
    use super::super::{Limit, Limited, Used, Wait};
    use super::*;

    #[test]
    fn it_is_started_without_a_terminal_and_told_by_its_input() {
        let job = Job { model: Some("pro"), ..job("do it") };
        let launch = Gemini.launch(&job).unwrap();
        assert_eq!(
            launch.arguments.join(" "),
            "--output-format stream-json --approval-mode yolo --skip-trust --model pro"
        );
        assert_eq!(launch.stdin.as_deref(), Some("do it"));
    }

    #[test]
    fn a_success_answers_with_what_came_after_the_last_tool() {
        let heard = recorded(&Gemini, "gemini-success.jsonl");
        assert_eq!(heard.handle.as_deref(), Some("2ba1e7ea-5aea-4ece-879f-09657b502933"));
        assert_eq!(heard.answer.as_deref(), Some("I wrote hello.txt."));
        assert_eq!(Gemini.ended(&heard, Some(0)), Ended::Succeeded);
        let used = Used { tokens_in: Some(200), tokens_out: Some(40), ..Used::default() };
        assert_eq!(heard.used, used);
    }

    #[test]
    fn a_day_that_is_used_up_is_told_from_a_wrong_key() {
        let quota = recorded(&Gemini, "gemini-quota.jsonl");
        assert_eq!(quota.limited, Some(Limited { by: Limit::Quota, wait: None }));
        let key = recorded(&Gemini, "gemini-bad-key.jsonl");
        assert_eq!(key.limited, None);
        for heard in [quota, key] {
            assert!(matches!(heard.ended, Some(Ended::Failed(_))));
        }
    }

    #[test]
    fn a_limit_that_it_waits_out_stands_in_its_standard_error() {
        let heard = recorded(&Gemini, "gemini-rate-limit.log");
        let wait = Some(Wait::For(Duration::from_millis(37_500)));
        assert_eq!(heard.limited, Some(Limited { by: Limit::Rate, wait }));
        assert_eq!(heard.ended, None);
    }
}
