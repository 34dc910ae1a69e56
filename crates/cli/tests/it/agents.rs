//! Agents of the configuration: what they are told, what they may use, and how they go on.

use std::fs;

use crate::environment::Environment;
use crate::execute::{begun, git, in_branch, project, status, wait_until};

/// What a project's settings say, beside the rest.
fn configure(project: &Environment, settings: &str) {
    let file = project.project().join(".milestones/config/milestone-config.yaml");
    let before = fs::read_to_string(&file).unwrap_or_default();
    fs::write(&file, format!("{before}\n{settings}")).unwrap();
}

/// An agent that is a shell script which reads what it is told.
fn agent(project: &Environment, script: &str) {
    fs::write(project.home().join("agent.sh"), script).unwrap();
    let path = project.home().join("agent.sh");
    let json = r"json: {handle: /id, cost: /usd, tokens_out: /out, result: /answer}";
    configure(
        project,
        &format!(
            "runners:\n  mine:\n    command: [sh, {0}]\n    resume: [sh, {0}, '{{handle}}']\n    \
             stdin: prompt\n    reads: json\n    {json}\n",
            path.display()
        ),
    );
}

fn execute(project: &Environment, more: &[&str]) -> crate::environment::Ran {
    let words = ["execute", "1", "--yes", "--runner", "mine"];
    project.run(&[&words[..], more].concat())
}

#[test]
fn an_agent_of_the_configuration_is_agreed_to_with_its_command() {
    let project = project(&["description: x"]);
    agent(&project, "cat > told; echo '{\"answer\":\"done\"}'\n");
    let refused = project.run(&["execute", "1", "--runner", "mine"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.stderr.contains("agent.sh"), "it names the command: {}", refused.stderr);
    let ran = execute(&project, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(in_branch(&project, "told").contains("# Task task-001-001: Task 1"));
    // Another command under the same name is another one to agree to.
    project.write(2, "id: milestone-002\ntitle: More\ntasks: [{id: task-001, title: A}]\n");
    agent(&project, "cat > /dev/null; touch elsewhere\n");
    let file = project.project().join(".milestones/config/milestone-config.yaml");
    let text =
        fs::read_to_string(&file).unwrap().replace("reads: json", "reads: json\n    model: x");
    fs::write(&file, text).unwrap();
    let refused = project.run(&["execute", "2", "--runner", "mine"]);
    assert_eq!(refused.code, 5, "{refused:?}");
}

#[test]
fn what_did_not_do_is_gone_on_with() {
    let project = project(&["verify: ['test -e second']"]);
    agent(
        &project,
        "cat > ../told-$MILESTONE_FENCE; echo '{\"id\":\"s1\"}'\n\
         if [ \"$1\" = s1 ]; then test -e first && touch second; else touch first; fi\n\
         echo '{\"answer\":\"done\"}'\n",
    );
    let ran = execute(&project, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    in_branch(&project, "first");
    let log = git(&project, &["log", "--format=%s", "milestone/milestone-001"]);
    assert_eq!(log.lines().count(), 2, "one commit a task: {log}");
    let session = project.json(&["session", "show"]);
    let last = session["data"]["attempts"].as_array().unwrap().last().unwrap().clone();
    let prompt = last["log"].as_str().unwrap().replace(".log", ".prompt.md");
    let told = fs::read_to_string(prompt).unwrap();
    assert!(told.contains("What is here already") && told.contains("git diff "), "{told}");
    assert!(told.contains("`test -e second` ended with 1"), "{told}");
}

#[test]
fn a_task_that_has_used_its_budget_is_for_a_person() {
    let project = project(&["description: x"]);
    configure(&project, "execute: {task_cost: 0.50}\n");
    agent(&project, "echo '{\"usd\":0.75}'; sleep 60\n");
    let ran = execute(&project, &[]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert_eq!(status(&project, "1.1"), "blocked");
    assert!(ran.stderr.contains("$0.75 of $0.50"), "{}", ran.stderr);
}

#[test]
fn a_session_that_has_used_its_budget_begins_nothing_more() {
    let project = project(&["description: x", "requires: [task-001]"]);
    agent(&project, "touch f$MILESTONE_TASK; echo '{\"usd\":2,\"answer\":\"done\"}'\n");
    let ran = execute(&project, &["--budget", "1.50"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("$2.00 of $1.50"), "{}", ran.stderr);
    assert_eq!(
        (status(&project, "1.1"), status(&project, "1.2")),
        ("completed".into(), "pending".into())
    );
    let again = execute(&project, &["--resume", "--budget", "1.50"]);
    assert_eq!(again.code, 5, "what was used before counts: {again:?}");
    let more = execute(&project, &["--resume", "--budget", "10"]);
    assert_eq!(more.code, 0, "{more:?}");
}

#[test]
fn whoever_says_nothing_or_takes_too_long_is_stopped() {
    let project = project(&["run: 'sleep 60'", "run: 'while :; do echo on; sleep 0.1; done'"]);
    configure(&project, "execute: {silence: 1s, attempt_time: 3s, attempts: 1}\n");
    let ran = project.run(&["execute", "1", "--yes", "--agents", "2"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stdout.contains("it said nothing for 1 s"), "{}", ran.stdout);
    assert!(ran.stdout.contains("it took longer than 3 s"), "{}", ran.stdout);
    assert_eq!(
        (status(&project, "1.1"), status(&project, "1.2")),
        ("blocked".into(), "blocked".into())
    );
}

#[test]
fn a_project_says_itself_what_agents_are_told() {
    let project = project(&["description: x"]);
    agent(&project, "cat > told; echo '{\"answer\":\"done\"}'\n");
    configure(&project, "execute: {prompt: prompt.md}\n");
    fs::write(project.project().join("prompt.md"), "Do {{title}} and {{nothing}}.").unwrap();
    let refused = execute(&project, &[]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("{{nothing}}"), "{}", refused.stderr);
    fs::write(project.project().join("prompt.md"), "Do {{title}} well.").unwrap();
    assert_eq!(execute(&project, &[]).code, 0);
    assert_eq!(in_branch(&project, "told"), "Do Task 1 well.");
}

/// The roles of the one session that there is.
fn roles(project: &Environment) -> Vec<serde_json::Value> {
    let agents = project.json(&["agent", "list"]);
    agents["data"]["sessions"][0]["roles"].as_array().cloned().unwrap_or_default()
}

fn works_at(project: &Environment, task: &str) -> bool {
    roles(project).iter().any(|role| {
        role["role"] == "task executor" && role["task"] == task && role["state"] == "working"
    })
}

#[test]
fn another_terminal_sees_who_works_and_stops_one_of_them() {
    let project = project(&["run: 'echo at work; while :; do sleep 0.1; done'", "run: 'touch b'"]);
    let mut session = begun(&project, &["execute", "1", "--yes", "--agents", "2"]);
    wait_until("it works", || works_at(&project, "task-001-001"));
    let all = roles(&project);
    let names: Vec<_> = all.iter().map(|role| role["role"].as_str().unwrap()).collect();
    let five = [
        "task executor",
        "progress monitor",
        "git integration",
        "dependency validator",
        "blocker detector",
    ];
    assert!(five.iter().all(|role| names.contains(role)), "{names:?}");
    wait_until("its line is seen", || project.ok(&["update", "--agents"]).contains("at work"));
    let saved = project.json(&["execute", "1", "--save-session"]);
    assert_eq!((&saved["kind"], &saved["data"]["state"]), (&"session".into(), &"running".into()));
    project.ok(&["agent", "stop", "1.1"]);
    assert_eq!(session.wait().unwrap().code(), Some(5));
    assert_eq!(
        (status(&project, "1.1"), status(&project, "1.2")),
        ("blocked".into(), "completed".into())
    );
    let nobody = project.run(&["agent", "stop", "1.1"]);
    assert_eq!(nobody.code, 2, "{nobody:?}");
}

#[test]
fn what_failed_is_tried_again_when_somebody_says_so() {
    let project =
        project(&["run: 'test -e $HOME/ready && touch a'", "run: 'while :; do sleep 0.1; done'"]);
    configure(&project, "execute: {attempts: 1}\n");
    let mut session = begun(&project, &["execute", "1", "--yes", "--agents", "2"]);
    wait_until("it failed", || status(&project, "1.1") == "blocked");
    fs::write(project.home().join("ready"), "").unwrap();
    let told = project.run(&["execute", "1", "--restart-agents"]);
    assert!(told.stderr.contains("Free again: task-001-001"), "{told:?}");
    wait_until("it is done", || status(&project, "1.1") == "completed");
    assert!(works_at(&project, "task-001-002"), "whoever works is left alone");
    project.ok(&["agent", "stop", "1.2"]);
    session.wait().unwrap();
    // Without a session nothing is started; what was left to a person is free.
    let told = project.run(&["execute", "1", "--restart-agents"]);
    assert!(told.stderr.contains("nothing was started"), "{told:?}");
    assert_eq!(status(&project, "1.2"), "pending");
    let saved = project.json(&["execute", "1", "--save-session"]);
    assert_eq!(saved["data"]["state"], "waiting");
}

#[test]
fn somebody_is_told_once_of_what_is_in_the_way() {
    let project = project(&["run: 'exit 3'"]);
    let told = project.home().join("told");
    configure(
        &project,
        &format!(
            "execute:\n  attempts: 1\n  on_blocker: ['echo $MILESTONE_BLOCKED_TASK \
             $MILESTONE_SEVERITY >> {0}; cat >> {0}; echo >> {0}']\n",
            told.display()
        ),
    );
    let refused = project.run(&["execute", "1"]);
    assert!(refused.stderr.contains("escalation: echo"), "{refused:?}");
    project.run(&["execute", "1", "--yes"]);
    project.run(&["execute", "1", "--yes", "--resume"]);
    let told = fs::read_to_string(told).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, "task-001-001 high"), "{told}");
    let blocker: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!((&blocker["kind"], &blocker["holds_up"]), (&"failed".into(), &0.into()));
}
