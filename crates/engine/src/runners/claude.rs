//! Claude Code, as 2.1 prints it with `--output-format stream-json`.
//!
//! **What it may do.** It runs with `--permission-mode acceptEdits`, which lets it change files
//! below the folder it is started in and nowhere else, and with `--allowedTools=Bash`, which lets
//! it run any command: it must build and test. A command is therefore not kept from anything that
//! this user may do. What else it would ask for (the web, tools of MCP servers that the user has
//! not allowed) is refused without a question. `--permission-mode bypassPermissions` in the
//! configuration lifts even that; it does not start as root.
//!
//! The cost it tells is that of its whole session, the tokens are those of this run. Both come
//! with its last line only, so nothing is known of what a killed one used.

use jiff::Timestamp;
use serde_json::Value;

use super::limits::{self, Limit, Limited, Wait};
use super::reading::{answer, cost, event, first_line, line, number, sum, text, tool};
use super::{Ended, Heard, Job, Launch, LaunchError, Runner, Used, flagged, named};

pub const NAME: &str = "claude";

const ARGUMENTS: [&str; 7] = [
    "--print",
    "--output-format",
    "stream-json",
    "--verbose",
    "--permission-mode",
    "acceptEdits",
    // With `=`, or it would take what follows for more names of tools.
    "--allowedTools=Bash",
];

const PASSED_ON: [&str; 6] = [
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CONFIG_DIR",
    "ANTHROPIC_MODEL",
];

/// Claude Code, started without a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Claude;

impl Runner for Claude {
    fn name(&self) -> &str {
        NAME
    }

    fn program(&self) -> &'static str {
        NAME
    }

    fn launch(&self, job: &Job<'_>) -> Result<Launch, LaunchError> {
        let mut arguments = named(&ARGUMENTS);
        arguments.extend(flagged(&[("--model", job.model), ("--resume", job.resume)]));
        arguments.extend(job.extra.iter().cloned());
        Ok(Launch {
            program: NAME.to_owned(),
            arguments,
            // One that updates itself would change the program under the others.
            environment: vec![("DISABLE_AUTOUPDATER".to_owned(), "1".to_owned())],
            stdin: Some(job.prompt.to_owned()),
            passes_on: named(&PASSED_ON),
            ..Launch::default()
        })
    }

    fn hear(&self, line: &str, heard: &mut Heard) {
        let Some(event) = event(line, heard) else { return };
        if let Some(handle) = text(&event, "/session_id") {
            heard.handle = Some(handle.to_owned());
        }
        match text(&event, "/type") {
            Some("system") if text(&event, "/subtype") == Some("api_retry") => {
                retries(&event, heard);
            }
            Some("assistant") => speaks(&event, heard),
            Some("rate_limit_event") => is_limited(&event, heard),
            Some("result") => ends(&event, heard),
            _ => {}
        }
    }

    fn continues(&self) -> bool {
        true
    }

    fn used(&self, heard: Used, before: Used) -> Used {
        let cost = heard.cost.map(|cost| cost.saturating_sub(before.cost.unwrap_or(0)));
        Used { cost, ..heard }
    }
}

/// It tries again by itself; that may take minutes.
fn retries(event: &Value, heard: &mut Heard) {
    let error = text(event, "/error").unwrap_or("error");
    let after = number(event, "/retry_delay_ms").unwrap_or(0).div_ceil(1000);
    heard.limited = limit(event, error);
    heard.last = Some(line(&format!("{error}, tries again in {after} s")));
}

/// The limit behind an error, by its number first: the words differ between versions.
fn limit(event: &Value, error: &str) -> Option<Limited> {
    let status = number(event, "/api_error_status").or_else(|| number(event, "/error_status"));
    let by = match (status, error) {
        (Some(429), _) | (_, "rate_limit") => Limit::Rate,
        (Some(529 | 503), _) | (_, "overloaded") => Limit::Overloaded,
        (_, "billing_error") => Limit::Quota,
        _ => return None,
    };
    Some(Limited { by, wait: None })
}

fn speaks(event: &Value, heard: &mut Heard) {
    // A message that the program made itself of an error of the model's server.
    let error = text(event, "/error");
    heard.limited = error.and_then(|error| limit(event, error)).map(|found| waited(found, heard));
    let Some(Value::Array(parts)) = event.pointer("/message/content") else { return };
    for part in parts {
        let said = match text(part, "/type") {
            Some("text") => text(part, "/text").and_then(first_line),
            Some("tool_use") => text(part, "/name").map(|name| tool(name, part.get("input"))),
            _ => None,
        };
        heard.last = said.or(heard.last.take());
    }
}

/// What its server says of a plan's limits, asked or not.
fn is_limited(event: &Value, heard: &mut Heard) {
    if text(event, "/rate_limit_info/status") != Some("rejected") {
        return;
    }
    let resets = event.pointer("/rate_limit_info/resetsAt").and_then(Value::as_i64);
    let until = resets.and_then(|second| Timestamp::from_second(second).ok()).map(Wait::Until);
    heard.limited = Some(Limited { by: Limit::Quota, wait: until });
}

/// Keeps the time to wait that was told before, which the error itself does not repeat.
fn waited(found: Limited, heard: &Heard) -> Limited {
    match heard.limited {
        Some(known @ Limited { wait: Some(_), .. }) if found.wait.is_none() => known,
        _ => found,
    }
}

fn ends(event: &Value, heard: &mut Heard) {
    heard.used = Used {
        turns: number(event, "/num_turns").and_then(|turns| u32::try_from(turns).ok()),
        tokens_in: sum(
            event,
            &[
                "/usage/input_tokens",
                "/usage/cache_creation_input_tokens",
                "/usage/cache_read_input_tokens",
            ],
        ),
        tokens_out: number(event, "/usage/output_tokens"),
        cost: cost(event, "/total_cost_usd"),
    };
    let said = text(event, "/result");
    if event.pointer("/is_error") == Some(&Value::Bool(false)) {
        heard.limited = None;
        heard.answer = said.map(answer);
        heard.ended = Some(Ended::Succeeded);
        return;
    }
    let reason = said.or_else(|| text(event, "/errors/0")).or_else(|| text(event, "/subtype"));
    let reason = line(reason.unwrap_or("it ended with an error"));
    let found = limit(event, "").or_else(|| limits::in_words(&reason));
    if let Some(found) = found {
        heard.limited = Some(waited(found, heard));
    }
    heard.ended = Some(Ended::Failed(reason));
}

#[cfg(test)]
mod tests {
    use super::super::tests::{job, recorded};
    use super::*;

    fn heard(name: &str) -> Heard {
        recorded(&Claude, name)
    }

    #[test]
    fn it_is_started_without_a_terminal_and_told_by_its_input() {
        let extra = ["--max-turns".to_owned(), "5".to_owned()];
        let job = Job { resume: Some("s-1"), model: Some("opus"), extra: &extra, ..job("do it") };
        let launch = Claude.launch(&job).unwrap();
        let arguments = launch.arguments.join(" ");
        assert_eq!(
            arguments,
            "--print --output-format stream-json --verbose --permission-mode acceptEdits --allowedTools=Bash --model opus --resume s-1 --max-turns 5"
        );
        assert_eq!(launch.stdin.as_deref(), Some("do it"));
    }

    #[test]
    fn a_success_says_what_it_took() {
        let heard = heard("claude-success.jsonl");
        assert_eq!(heard.handle.as_deref(), Some("0cbcfbbf-cad5-44f1-a9d7-aa61110a3ed1"));
        assert_eq!(heard.ended, Some(Ended::Succeeded));
        assert_eq!(heard.last.as_deref(), Some("I wrote hello.txt."));
        assert!(heard.answer.is_some_and(|answer| answer.starts_with("I wrote hello.txt.")));
        let used =
            Used { turns: Some(2), tokens_in: Some(220), tokens_out: Some(35), cost: Some(1580) };
        assert_eq!(heard.used, used);
    }

    #[test]
    fn a_session_that_goes_on_costs_what_was_added() {
        let before = heard("claude-success.jsonl");
        let after = heard("claude-resume.jsonl");
        assert_eq!(after.handle, before.handle);
        assert_eq!(after.used.cost, Some(2165));
        let used = Claude.used(after.used, before.used);
        assert_eq!((used.cost, used.tokens_in), (Some(585), Some(120)));
    }

    #[test]
    fn what_it_does_is_shown() {
        let mut heard = Heard::default();
        for line in include_str!("recorded/claude-command.jsonl").lines().take(2) {
            Claude.hear(line, &mut heard);
        }
        assert_eq!(heard.last.as_deref(), Some("Bash echo hello > hello.txt"));
        assert_eq!(heard.ended, None);
    }

    #[test]
    fn limits_are_told_from_failures() {
        for (name, by) in [
            ("claude-rate-limit.jsonl", Some(Limit::Rate)),
            ("claude-overloaded.jsonl", Some(Limit::Overloaded)),
            ("claude-no-credit.jsonl", Some(Limit::Quota)),
            ("claude-budget.jsonl", Some(Limit::Quota)),
            ("claude-unknown-session.jsonl", None),
        ] {
            let heard = heard(name);
            assert_eq!(heard.limited.map(|limited| limited.by), by, "{name}");
            assert!(matches!(heard.ended, Some(Ended::Failed(_))), "{name}: {:?}", heard.ended);
        }
        let unknown = heard("claude-unknown-session.jsonl");
        let reason = "No conversation found with session ID: 736c87ae-d3a0-4923-9ac2-4fec06521f00";
        assert_eq!(Claude.ended(&unknown, Some(1)), Ended::Failed(reason.into()));
    }

    #[test]
    fn a_plan_that_is_used_up_says_until_when() {
        let mut heard = Heard::default();
        Claude.hear(
            r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1795320000,"rateLimitType":"five_hour"},"session_id":"s"}"#,
            &mut heard,
        );
        let until = Some(Wait::Until(Timestamp::from_second(1_795_320_000).unwrap()));
        for line in include_str!("recorded/claude-rate-limit.jsonl").lines() {
            Claude.hear(line, &mut heard);
        }
        assert_eq!(heard.limited, Some(Limited { by: Limit::Quota, wait: until }));
    }

    #[test]
    fn one_that_tries_again_and_again_says_so() {
        let heard = heard("claude-bad-key.jsonl");
        assert_eq!(heard.last.as_deref(), Some("authentication_failed, tries again in 3 s"));
        assert_eq!((heard.ended, heard.limited), (None, None));
    }
}
