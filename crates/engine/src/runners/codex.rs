//! Codex, as 0.169 prints it with `exec --json`.
//!
//! **What it may do.** `exec` asks nobody: what its sandbox does not allow is refused. With
//! `--sandbox workspace-write` its commands read everything, write only below the folder it is
//! started in, in the temporary folders and in those named with `--add-dir`, and have no network.
//! `.git` stays read-only, so it cannot commit; its changes are left for us. Because `milestone`
//! writes outside of the worktree, an agent that is to report its progress needs the project's
//! data folder in [`Job::writable`]; a project in a PostgreSQL database cannot be reached without
//! `-c sandbox_workspace_write.network_access=true` in the configuration.
//!
//! The tokens it tells are those of its whole session. It tells no cost. An `error` is not the
//! end: it also says so that it connects again.

use serde_json::Value;

use super::limits;
use super::reading::{answer, event, first_line, line, number, text, tool};
use super::{Ended, Heard, Job, Launch, LaunchError, Runner, Used, flagged, named};

pub const NAME: &str = "codex";

const ARGUMENTS: [&str; 4] = ["exec", "--json", "--sandbox", "workspace-write"];

const PASSED_ON: [&str; 4] = ["CODEX_API_KEY", "OPENAI_API_KEY", "CODEX_HOME", "OPENAI_BASE_URL"];

/// `codex exec`.
#[derive(Debug, Clone, Copy)]
pub struct Codex;

impl Runner for Codex {
    fn name(&self) -> &str {
        NAME
    }

    fn program(&self) -> &'static str {
        NAME
    }

    fn launch(&self, job: &Job<'_>) -> Result<Launch, LaunchError> {
        let mut arguments = named(&ARGUMENTS);
        for folder in job.writable {
            arguments.extend(named(&["--add-dir", folder]));
        }
        arguments.extend(flagged(&[("--model", job.model)]));
        // Before `resume`, which knows fewer of them.
        arguments.extend(job.extra.iter().cloned());
        arguments.extend(job.resume.into_iter().flat_map(|handle| named(&["resume", handle])));
        arguments.push("-".to_owned());
        Ok(Launch {
            program: NAME.to_owned(),
            arguments,
            stdin: Some(job.prompt.to_owned()),
            passes_on: named(&PASSED_ON),
            ..Launch::default()
        })
    }

    fn hear(&self, line: &str, heard: &mut Heard) {
        let Some(event) = event(line, heard) else { return };
        match text(&event, "/type") {
            Some("thread.started") => {
                heard.handle =
                    text(&event, "/thread_id").map(str::to_owned).or(heard.handle.take());
            }
            Some("item.started" | "item.updated" | "item.completed") => works(&event, heard),
            Some("error") => complains(text(&event, "/message"), heard),
            Some("turn.completed") => ends(&event, heard),
            Some("turn.failed") => {
                let reason = text(&event, "/error/message");
                complains(reason, heard);
                heard.ended = Some(Ended::Failed(line_or(reason, "the turn failed")));
            }
            _ => {}
        }
    }

    fn continues(&self) -> bool {
        true
    }

    fn used(&self, heard: Used, before: Used) -> Used {
        let since = |now: Option<u64>, then: Option<u64>| {
            now.map(|now| now.saturating_sub(then.unwrap_or(0)))
        };
        Used {
            tokens_in: since(heard.tokens_in, before.tokens_in),
            tokens_out: since(heard.tokens_out, before.tokens_out),
            ..heard
        }
    }
}

fn line_or(said: Option<&str>, otherwise: &str) -> String {
    line(said.unwrap_or(otherwise))
}

fn complains(message: Option<&str>, heard: &mut Heard) {
    let Some(message) = message else { return };
    heard.limited = limits::in_words(message);
    heard.last = Some(line(message));
}

fn works(event: &Value, heard: &mut Heard) {
    let Some(item) = event.get("item") else { return };
    let said = match text(item, "/type") {
        // Of its own state, such as a model it has no figures of.
        Some("error") => return,
        Some("agent_message") => {
            heard.answer = text(item, "/text").map(answer).or(heard.answer.take());
            text(item, "/text").and_then(first_line)
        }
        Some("reasoning") => text(item, "/text").and_then(first_line),
        Some("command_execution") => text(item, "/command").map(line),
        Some("file_change") => {
            text(item, "/changes/0/path").map(|path| tool("edit", None) + " " + path)
        }
        Some(kind) => Some(tool(kind, Some(item))),
        None => None,
    };
    heard.limited = None;
    heard.last = said.or(heard.last.take());
}

fn ends(event: &Value, heard: &mut Heard) {
    heard.used.tokens_in = number(event, "/usage/input_tokens");
    heard.used.tokens_out = number(event, "/usage/output_tokens");
    heard.limited = None;
    heard.ended = Some(Ended::Succeeded);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{job, recorded};
    use super::super::{Limit, Limited, Wait};
    use super::*;

    #[test]
    fn what_belongs_to_exec_stands_before_resume() {
        let extra = ["-c".to_owned(), "a=1".to_owned()];
        let job = Job {
            resume: Some("t-1"),
            model: Some("big"),
            writable: &["/project/.milestones"],
            extra: &extra,
            ..job("do it")
        };
        let launch = Codex.launch(&job).unwrap();
        assert_eq!(
            launch.arguments.join(" "),
            "exec --json --sandbox workspace-write --add-dir /project/.milestones --model big -c a=1 resume t-1 -"
        );
        assert_eq!(launch.stdin.as_deref(), Some("do it"));
    }

    #[test]
    fn a_success_says_what_it_took() {
        let heard = recorded(&Codex, "codex-success.jsonl");
        assert_eq!(heard.handle.as_deref(), Some("01a20139-61ad-7a31-b636-e894e2486991"));
        assert_eq!(heard.answer.as_deref(), Some("I wrote hello.txt."));
        assert_eq!(Codex.ended(&heard, Some(0)), Ended::Succeeded);
        let used = Used { turns: None, tokens_in: Some(200), tokens_out: Some(40), cost: None };
        assert_eq!(heard.used, used);
    }

    #[test]
    fn a_session_that_goes_on_counts_from_its_beginning() {
        let heard = recorded(&Codex, "codex-resume.jsonl");
        let before = Used { tokens_in: Some(100), tokens_out: Some(20), ..Used::default() };
        let used = Codex.used(heard.used, before);
        assert_eq!((used.tokens_in, used.tokens_out), (Some(100), Some(20)));
    }

    #[test]
    fn limits_are_told_from_failures() {
        let wait = Some(Wait::For(Duration::from_millis(37_500)));
        for (name, limited) in [
            ("codex-rate-limit.jsonl", Some(Limited { by: Limit::Rate, wait: None })),
            ("codex-rate-limit-in-stream.jsonl", Some(Limited { by: Limit::Rate, wait })),
            ("codex-quota.jsonl", Some(Limited { by: Limit::Quota, wait: None })),
            ("codex-plan-limit.jsonl", Some(Limited { by: Limit::Quota, wait: None })),
            ("codex-overloaded.jsonl", Some(Limited { by: Limit::Overloaded, wait: None })),
            ("codex-bad-key.jsonl", None),
        ] {
            let heard = recorded(&Codex, name);
            assert_eq!(heard.limited, limited, "{name}");
            assert!(matches!(heard.ended, Some(Ended::Failed(_))), "{name}: {:?}", heard.ended);
        }
    }

    #[test]
    fn an_error_on_the_way_is_not_the_end() {
        let heard = recorded(&Codex, "codex-reconnecting.jsonl");
        assert_eq!((&heard.ended, heard.limited), (&Some(Ended::Succeeded), None));
        let mut cut_off = Heard::default();
        for line in include_str!("recorded/codex-reconnecting.jsonl").lines().take(5) {
            Codex.hear(line, &mut cut_off);
        }
        assert!(cut_off.last.is_some_and(|last| last.starts_with("Reconnecting")));
        assert_eq!(cut_off.ended, None);
    }
}
