//! opencode, as 1.18 prints it with `run --format json`.
//!
//! **What it may do.** `--auto` agrees to everything that its own configuration does not deny:
//! commands, files outside of the folder, the web. It has no sandbox. A project that wants less
//! denies it in `opencode.json` (`permission`).
//!
//! Where too much was asked of a model's server it tries again, for minutes and without an event;
//! its log, which `--print-logs` sends to the standard error, is the only place that says so.
//! Tokens and cost come with each step.

use serde_json::Value;

use super::limits;
use super::reading::{add, answer, cost, event, first_line, line, number, sum, text, tool};
use super::{Ended, Heard, Job, Launch, LaunchError, Runner, flagged, named};

pub const NAME: &str = "opencode";

const ARGUMENTS: [&str; 7] =
    ["run", "--format", "json", "--auto", "--print-logs", "--log-level", "ERROR"];

const PASSED_ON: [&str; 7] = [
    "OPENCODE_API_KEY",
    "OPENCODE_CONFIG",
    "OPENCODE_CONFIG_CONTENT",
    "OPENCODE_CONFIG_DIR",
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "GEMINI_API_KEY",
];

/// `opencode run`.
#[derive(Debug, Clone, Copy)]
pub struct Opencode;

impl Runner for Opencode {
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
            // One that updates itself would change the program under the others.
            environment: vec![("OPENCODE_DISABLE_AUTOUPDATE".to_owned(), "1".to_owned())],
            stdin: Some(job.prompt.to_owned()),
            passes_on: named(&PASSED_ON),
            ..Launch::default()
        })
    }

    fn hear(&self, line: &str, heard: &mut Heard) {
        if is_log(line) {
            return logs(line, heard);
        }
        let Some(event) = event(line, heard) else { return };
        if let Some(handle) = text(&event, "/sessionID") {
            heard.handle = Some(handle.to_owned());
        }
        match text(&event, "/type") {
            Some("step_start") => heard.limited = None,
            Some("text") => {
                heard.answer = text(&event, "/part/text").map(answer).or(heard.answer.take());
                heard.last = heard.answer.as_deref().and_then(first_line).or(heard.last.take());
            }
            Some("tool_use") => {
                let name = text(&event, "/part/tool").unwrap_or("tool");
                heard.last = Some(tool(name, event.pointer("/part/state/input")));
            }
            Some("step_finish") => finishes(&event, heard),
            Some("error") => fails(&event, heard),
            _ => {}
        }
    }

    /// It finds a session only in the folder in which that was begun.
    fn continues(&self) -> bool {
        false
    }
}

fn is_log(line: &str) -> bool {
    line.starts_with("timestamp=") && line.contains(" level=")
}

/// Only what the model's server said: that a list of models could not be fetched ends nothing.
fn logs(text: &str, heard: &mut Heard) {
    let Some((_, error)) = text.split_once("error.error=") else { return };
    let error = line(error.trim_matches('"'));
    heard.limited = limits::in_words(&error).or(heard.limited);
    heard.last = Some(error.clone());
    heard.complaint = Some(error);
}

fn finishes(event: &Value, heard: &mut Heard) {
    let read = ["/part/tokens/input", "/part/tokens/cache/read", "/part/tokens/cache/write"];
    add(&mut heard.used.tokens_in, sum(event, &read));
    let written = ["/part/tokens/output", "/part/tokens/reasoning"];
    add(&mut heard.used.tokens_out, sum(event, &written));
    add(&mut heard.used.cost, cost(event, "/part/cost"));
    heard.used.turns = Some(heard.used.turns.unwrap_or(0).saturating_add(1));
    match text(event, "/part/reason") {
        Some("stop") => heard.ended = Some(Ended::Succeeded),
        Some("length") => heard.ended = Some(Ended::Failed("its answer was cut off".into())),
        _ => {}
    }
}

fn fails(event: &Value, heard: &mut Heard) {
    let name = text(event, "/error/name");
    let reason = text(event, "/error/data/message").or(name).unwrap_or("it ended with an error");
    let status = number(event, "/error/data/statusCode");
    let told = status.map_or_else(|| reason.to_owned(), |status| format!("{status} {reason}"));
    heard.limited = limits::in_words(&told);
    heard.ended = Some(Ended::Failed(line(reason)));
}

#[cfg(test)]
mod tests {
    use super::super::tests::{job, recorded};
    use super::super::{Limit, Limited, Used};
    use super::*;

    #[test]
    fn it_is_started_without_a_terminal_and_told_by_its_input() {
        let job = Job { model: Some("x/m"), ..job("do it") };
        let launch = Opencode.launch(&job).unwrap();
        assert_eq!(
            launch.arguments.join(" "),
            "run --format json --auto --print-logs --log-level ERROR --model x/m"
        );
        assert_eq!(launch.stdin.as_deref(), Some("do it"));
    }

    #[test]
    fn a_success_adds_up_its_steps() {
        let heard = recorded(&Opencode, "opencode-success.jsonl");
        assert_eq!(heard.handle.as_deref(), Some("ses_dfec7f72bffenOH3a3y5sztLM3"));
        assert_eq!(heard.answer.as_deref(), Some("I wrote hello.txt."));
        assert_eq!(Opencode.ended(&heard, Some(0)), Ended::Succeeded);
        let used =
            Used { turns: Some(2), tokens_in: Some(200), tokens_out: Some(40), cost: Some(960) };
        assert_eq!(heard.used, used);
    }

    #[test]
    fn what_it_does_is_shown_and_half_a_way_is_no_end() {
        let mut heard = Heard::default();
        for line in include_str!("recorded/opencode-success.jsonl").lines().take(4) {
            Opencode.hear(line, &mut heard);
        }
        assert_eq!(heard.last.as_deref(), Some("write /repo/hello.txt"));
        assert_eq!(heard.ended, None);
    }

    #[test]
    fn a_key_that_is_wrong_is_a_failure() {
        let heard = recorded(&Opencode, "opencode-bad-key.jsonl");
        assert_eq!(heard.ended, Some(Ended::Failed("Incorrect API key provided".into())));
        assert_eq!(heard.limited, None);
    }

    #[test]
    fn a_limit_stands_in_the_log_until_it_goes_on() {
        let mut heard = recorded(&Opencode, "opencode-rate-limit.log");
        assert_eq!(heard.limited, Some(Limited { by: Limit::Rate, wait: None }));
        assert_eq!(heard.ended, None);
        Opencode.hear(r#"{"type":"step_start","sessionID":"ses_1"}"#, &mut heard);
        assert_eq!(heard.limited, None);
    }
}
