//! What is seen of an execution while it runs: on a real terminal, through a pipe, and as events.

use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::environment::{Environment, Ran};
use crate::execute::{begun, project, signal, status, wait_until};
use crate::terminal::{Screen, Terminal};

/// Tasks that wait until somebody makes a file, and say something before.
fn waiting_tasks(count: usize) -> Environment {
    let task = "run: 'echo \"at work in $MILESTONE_TASK\"; \
                until [ -e \"$HOME/go\" ]; do sleep 0.1; done; echo x > $MILESTONE_TASK'";
    project(&vec![task; count])
}

fn go(project: &Environment) {
    fs::write(project.home().join("go"), "").unwrap();
}

fn on(project: &Environment, columns: u16, rows: u16, args: &[&str]) -> Terminal {
    Terminal::with(&project.command(args), columns, rows)
}

#[test]
fn on_a_terminal_what_is_under_way_stands_below_what_is_done() {
    let project = waiting_tasks(3);
    let terminal = on(&project, 100, 30, &["execute", "1", "--agents", "3", "--yes"]);
    wait_until("all are shown", || {
        let shown = terminal.screen(100, 30).lines.join("\n");
        shown.matches("at work in task-001-00").count() == 3
    });
    let shown = terminal.screen(100, 30).lines.join("\n");
    assert!(shown.contains("0 of 3 tasks") && shown.contains("Ctrl-C begins nothing"), "{shown}");
    wait_until("it is expected", || terminal.written().contains("P80"));
    // With fewer lines than there is to show.
    terminal.resize(100, 4);
    wait_until("it is drawn anew", || terminal.written().contains("and 2 more slots"));
    terminal.resize(100, 30);
    go(&project);
    let (code, written) = terminal.end();
    assert_eq!(code, 0, "{written}");
    assert!(!written.contains("\u{1b}[?"), "modes of the terminal are left alone");
    let mut screen = Screen::new(100, 30);
    screen.take(&written);
    let all = screen.all();
    assert!(all.last().unwrap().ends_with("  completed, 3 of 3 tasks done"), "{all:#?}");
    assert_eq!(all.iter().filter(|line| line.contains("  done")).count(), 3, "{all:#?}");
    assert!(!all.iter().any(|line| line.contains("Ctrl-C") || line.contains("P80")), "{all:#?}");
}

#[test]
fn a_terminal_is_as_it_was_whatever_ends_the_session() {
    for (keys, sent) in [(&b"\x03"[..], None), (b"", Some(Signal::TERM)), (b"", Some(Signal::HUP))]
    {
        let project = waiting_tasks(1);
        let mut terminal = on(&project, 80, 24, &["execute", "1", "--yes"]);
        wait_until("it is shown", || terminal.written().contains("at work in"));
        terminal.press(keys);
        match sent {
            Some(sent) => signal_below(&terminal, sent),
            None => {
                wait_until("it drains", || terminal.written().contains("nothing more is begun"));
                terminal.press(keys);
            }
        }
        let (code, written) = terminal.end();
        assert_eq!(code, 130, "{written}");
        let mut screen = Screen::new(80, 24);
        screen.take(&written.replace("^C", ""));
        let all = screen.all().join("\n");
        assert!(all.contains("interrupted, 0 of 1") && all.contains("--resume"), "{all}");
        assert!(!all.contains("at work in") && written.ends_with('\n'), "{all}");
    }
}

/// To the program below the one that has made the terminal its own.
fn signal_below(terminal: &Terminal, sent: Signal) {
    let children = format!("/proc/{0}/task/{0}/children", terminal.child.id());
    let pid = fs::read_to_string(children).unwrap_or_default();
    let pid = pid.trim().parse().unwrap_or(i32::try_from(terminal.child.id()).unwrap());
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), sent).unwrap();
}

#[test]
fn a_terminal_of_few_abilities_gets_plain_lines() {
    let project = waiting_tasks(1);
    go(&project);
    let dumb = Terminal::of("dumb", &project.command(&["execute", "1", "--yes"]), 80, 24);
    let (code, written) = dumb.end();
    assert_eq!(code, 0, "{written}");
    assert!(!written.contains('\u{1b}') && !written.contains("of 1 task "), "{written:?}");
}

#[test]
fn a_terminal_without_colours_still_moves() {
    let project = waiting_tasks(1);
    go(&project);
    let mut command = project.command(&["execute", "1", "--yes"]);
    let terminal = Terminal::with(command.env("NO_COLOR", "1"), 80, 24);
    let (code, written) = terminal.end();
    assert_eq!(code, 0, "{written}");
    assert!(written.contains("\u{1b}[2K") && !written.contains("\u{1b}[0m"), "{written:?}");
}

#[test]
fn a_runner_cannot_act_on_the_terminal() {
    let said = r#"run: 'printf "\033[2J\033]0;mine\007 one\ttwo\r\nthree \342\200\256four\n"; head -c 1000000 /dev/zero | tr "\\0" x; echo; until [ -e "$HOME/go" ]; do sleep 0.1; done', effect: none"#;
    let project = project(&[said]);
    let terminal = on(&project, 80, 24, &["execute", "1", "--yes"]);
    wait_until("it is shown", || terminal.screen(80, 24).lines.join("\n").contains("xxxxxx"));
    let shown = terminal.screen(80, 24).lines.join("\n");
    assert!(shown.contains("session-"), "nothing was cleared:\n{shown}");
    go(&project);
    let (code, written) = terminal.end();
    assert_eq!(code, 0, "{written}");
    assert!(!written.contains("mine\u{7}") && !written.contains('\u{202e}'), "{written}");
}

#[test]
fn through_a_pipe_there_are_only_lines() {
    let project = waiting_tasks(2);
    go(&project);
    let ran = project.run(&["execute", "1", "--agents", "2", "--yes"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stdout.contains("at work"), "{ran:?}");
    assert_eq!(ran.stdout.matches("  started  ").count(), 2, "{ran:?}");
    assert_eq!(ran.stdout.matches("  done  ").count(), 2, "{ran:?}");
}

/// Every line as what it is, and how often there is each event.
fn events(ran: &Ran) -> (Vec<Value>, BTreeMap<String, usize>) {
    let lines = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    let mut counts = BTreeMap::new();
    for line in &lines {
        assert_eq!(line["version"], 1);
        let event = line["data"]["event"].as_str().unwrap_or("error");
        *counts.entry(event.to_owned()).or_default() += 1;
    }
    (lines, counts)
}

#[test]
fn a_program_is_told_everything_that_happens() {
    let project = project(&[
        "run: 'echo one; sleep 1.5; echo two; echo three; echo a > a'",
        "run: 'echo broken; exit 3', requires: [task-001]",
    ]);
    let ran = project.run(&["execute", "1", "--yes", "--json"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    let (lines, counts) = events(&ran);
    let count = |event: &str| counts.get(event).copied().unwrap_or(0);
    for (event, often) in
        [("begun", 1), ("claimed", 4), ("started", 4), ("done", 1), ("failed", 2), ("blocked", 1)]
    {
        assert_eq!(count(event), often, "{event}: {counts:?}");
    }
    let first = &lines[0]["data"];
    assert_eq!((&first["event"], &first["whole"]["state"]), (&"begun".into(), &"running".into()));
    let said: Vec<&str> = lines
        .iter()
        .filter(|line| line["data"]["event"] == "said")
        .map(|line| line["data"]["attempt"]["last"].as_str().unwrap())
        .collect();
    assert_eq!(said, ["one", "three", "broken", "broken", "broken"], "two was said too soon after");
    let blocked = lines.iter().find(|line| line["data"]["event"] == "blocked").unwrap();
    assert!(blocked["data"]["reason"].as_str().unwrap().contains("code 3"), "{blocked}");
    let log = blocked["data"]["attempt"]["log"].as_str().unwrap();
    assert_eq!(fs::read_to_string(log).unwrap(), "broken\n");
    let [ended, error] = &lines[lines.len() - 2..] else { panic!("too few lines") };
    assert_eq!(ended["data"]["whole"]["state"], "waiting");
    assert_eq!(ended["data"]["whole"]["tasks_done"], 1);
    assert_eq!((&error["kind"], &error["error"]["code"]), (&"error".into(), &"stuck".into()));
}

#[test]
fn a_program_is_told_that_a_session_is_stopped() {
    let project = waiting_tasks(1);
    let child = begun(&project, &["execute", "1", "--yes", "--json"]);
    wait_until("it runs", || status(&project, "1.1") == "in_progress");
    sleep(Duration::from_millis(700));
    signal(&child, Signal::INT);
    sleep(Duration::from_millis(300));
    signal(&child, Signal::INT);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{ran:?}");
    let (lines, counts) = events(&ran);
    let told = ["draining", "stopping", "stopped", "ended", "error"].map(|event| counts[event]);
    assert_eq!(told, [1; 5], "{counts:?}");
    assert!(lines.iter().all(|line| line["kind"] == "execution" || line["kind"] == "error"));
}

#[test]
fn what_an_attempt_printed_can_be_read_while_it_prints() {
    let project = project(&[
        "run: 'printf \"one\\n\\033[31mtwo\\n\"; until [ -e \"$HOME/go\" ]; do sleep 0.1; done; \
         echo three; echo a > a'",
    ]);
    let none = project.run(&["session", "log"]);
    assert_eq!((none.code, none.stderr.contains("nothing was tried yet")), (2, true), "{none:?}");
    let child = begun(&project, &["execute", "1", "--yes"]);
    let log = || project.run(&["session", "log", "1.1"]).stdout;
    wait_until("it has printed", || log() == "one\n\u{1b}[31mtwo\n");
    let follower = begun(&project, &["session", "log", "--follow"]);
    let terminal = on(&project, 80, 24, &["session", "log", "1.1", "-f"]);
    wait_until("it follows", || terminal.written().contains("two"));
    go(&project);
    let (code, shown) = terminal.end();
    assert_eq!((code, shown.as_str()), (0, "one\r\n\\u{1b}[31mtwo\r\nthree\r\n"));
    let followed = Ran::from(follower.wait_with_output().unwrap());
    assert_eq!(followed.stdout, "one\n\u{1b}[31mtwo\nthree\n");
    assert_eq!(Ran::from(child.wait_with_output().unwrap()).code, 0);

    let session = project.json(&["session", "show"])["data"].clone();
    let attempt = session["attempts"][0]["id"].as_str().unwrap();
    let id = session["id"].as_str().unwrap();
    let whole = project.ok(&["session", "log", attempt, "--session", id]);
    assert_eq!(whole, followed.stdout);
    for (args, said) in [
        (&["session", "log", "1.2"][..], "there are logs of task-001-001"),
        (&["session", "log", "nothing"], "neither a task nor an attempt"),
        (&["session", "log", "--session", "session-20200101-001"], "there is no session"),
    ] {
        let ran = project.run(args);
        assert_eq!((ran.code, ran.stderr.contains(said)), (2, true), "{ran:?}");
    }
}

#[test]
fn a_runner_that_prints_without_end_is_read_and_its_log_is_bounded() {
    let project = project(&[
        "run: 'head -c 20000000 /dev/zero | tr \"\\\\0\" x; echo; yes | head -n 100000; echo end; echo a > a', \
         verify: ['echo verified']",
    ]);
    let mut command = project.command(&["execute", "1", "--yes"]);
    let ran = Ran::from(command.env("MILESTONE_EXECUTE_LOG_LIMIT", "1MB").output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    let session = project.json(&["session", "show"])["data"].clone();
    assert_eq!(session["attempts"][0]["last"], "end", "all of it was read");
    let log = fs::read_to_string(session["attempts"][0]["log"].as_str().unwrap()).unwrap();
    assert!(log.len() < 1_100_000 && log.ends_with("`execute.log_limit` is reached\n"));
    assert_eq!(log.lines().count(), 2);
}

#[test]
fn an_agents_log_is_shown_as_what_it_says() {
    let project = project(&["runner: claude"]);
    let bin = project.home().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let said = r#"#!/bin/sh
cat > /dev/null
echo '{"type":"system","session_id":"abc"}'
echo '{"type":"assistant","message":{"content":[{"type":"text","text":"I look\u001b[31m at it"}]}}'
echo 'no json'
echo '{"type":"assistant","message":{"content":[{"type":"tool_use","name":"Bash","input":{"command":"ls"}}]}}'
echo a > a
echo '{"type":"result","subtype":"success","is_error":false,"result":"Done.","total_cost_usd":0.5,"num_turns":2,"usage":{"input_tokens":10,"output_tokens":5}}'
"#;
    let claude = bin.join("claude");
    fs::write(&claude, said).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&claude, executable).unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let mut command = project.command(&["execute", "1", "--yes", "--json"]);
    let ran = Ran::from(command.env("PATH", &path).output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    let (lines, _) = events(&ran);
    let used = lines.iter().rfind(|line| line["data"]["event"] == "used").unwrap();
    assert_eq!(used["data"]["attempt"]["cost"], 500_000, "{used}");
    assert_eq!(project.ok(&["session", "log"]).lines().count(), 5);
    let (code, shown) = on(&project, 80, 24, &["session", "log", "1.1"]).end();
    assert_eq!(code, 0, "{shown}");
    let shown: Vec<&str> = shown.lines().collect();
    assert_eq!(shown[..3], ["I look[31m at it", "no json", "Bash ls"], "{shown:?}");
}
