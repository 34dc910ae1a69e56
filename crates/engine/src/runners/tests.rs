use std::fs;
use std::path::Path;

use super::*;

/// A job with nothing in it but the prompt.
pub fn job(prompt: &str) -> Job<'_> {
    Job {
        prompt,
        prompt_file: "/the/prompt",
        worktree: "/the/tree",
        writable: &[],
        run: None,
        resume: None,
        model: None,
        extra: &[],
    }
}

/// What is heard of what the real program printed once.
pub fn recorded(runner: &dyn Runner, name: &str) -> Heard {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/runners/recorded");
    let mut heard = Heard::default();
    for line in fs::read_to_string(folder.join(name)).unwrap().lines() {
        runner.hear(line, &mut heard);
    }
    heard
}

fn process(name: &str) -> Box<dyn Runner> {
    match Configured::default().runner(name) {
        Some(Kind::Process(runner)) => runner,
        _ => panic!("{name} is no process"),
    }
}

#[test]
fn every_name_leads_to_its_runner() {
    for name in ["shell", "claude", "codex", "gemini", "opencode"] {
        assert_eq!(process(name).name(), name);
    }
}

#[test]
fn the_preferred_agent_that_can_be_started_comes_first() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let put = |folder: usize, name: &str, mode: u32| {
        let path = folders[folder].path().join(name);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let path = std::env::join_paths(folders.iter().map(tempfile::TempDir::path)).unwrap();
    assert!(installed(&path).is_empty());
    put(0, "opencode", 0o755);
    put(1, "claude", 0o755);
    put(0, "codex", 0o644);
    fs::create_dir(folders[0].path().join("gemini")).unwrap();
    assert_eq!(installed(&path), ["claude", "opencode"]);
    assert!(installed(OsStr::new("")).is_empty());
}

#[test]
fn a_command_is_believed_by_its_code_alone() {
    let shell = process("shell");
    let run = Some("make \"all\"");
    let launch = shell.launch(&Job { run, ..job("") }).unwrap();
    assert_eq!((launch.program.as_str(), launch.stdin), ("sh", None));
    assert_eq!(launch.arguments, ["-c", "make \"all\"", "shell"]);
    for run in [None, Some(" ")] {
        assert_eq!(shell.launch(&Job { run, ..job("") }), Err(LaunchError::NoCommand));
    }
    let mut heard = Heard::default();
    for line in ["builds", "\u{1b}[31mit fails", ""] {
        shell.hear(line, &mut heard);
    }
    assert_eq!(shell.ended(&heard, Some(0)), Ended::Succeeded);
    let failed = Ended::Failed("it ended with code 2: [31mit fails".into());
    assert_eq!(shell.ended(&heard, Some(2)), failed);
    let killed = Ended::Failed("it was ended by a signal".into());
    assert_eq!(shell.ended(&Heard::default(), None), killed);
}

#[test]
fn an_agent_that_stops_without_a_word_has_failed() {
    for name in ["claude", "codex", "gemini", "opencode"] {
        let runner = process(name);
        let mut heard = Heard::default();
        assert!(matches!(runner.ended(&heard, Some(0)), Ended::Failed(_)), "{name}");
        runner.hear("command not understood", &mut heard);
        let failed = Ended::Failed("it ended with code 1: command not understood".into());
        assert_eq!(runner.ended(&heard, Some(1)), failed, "{name}");
    }
}

#[test]
fn nothing_that_is_printed_is_too_strange() {
    let strange = [
        "",
        "{",
        "[]",
        "null",
        "{}",
        "7",
        "\u{0}",
        r#"{"type":7}"#,
        r#"{"type":"result"}"#,
        r#"{"type":"assistant","message":{"content":[7,{"type":"text"},{"type":"tool_use"}]}}"#,
        r#"{"type":"item.completed"}"#,
        r#"{"type":"item.completed","item":{"type":"file_change"}}"#,
        r#"{"type":"turn.failed"}"#,
        r#"{"type":"error"}"#,
        r#"{"type":"text"}"#,
        r#"{"type":"step_finish","part":{"cost":-1}}"#,
        r#"{"type":"message","delta":true}"#,
        r#"{"type":"result","total_cost_usd":1e308,"num_turns":99999999999,"usage":{"input_tokens":18446744073709551615,"cache_read_input_tokens":1}}"#,
    ];
    for name in ["shell", "claude", "codex", "gemini", "opencode"] {
        let runner = process(name);
        let mut heard = Heard::default();
        for line in strange {
            runner.hear(line, &mut heard);
        }
        assert!(heard.answer.is_none(), "{name}");
    }
}
