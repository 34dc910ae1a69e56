//! Agents of the configuration: what they are told, what they may use, and how they go on.

use std::fs;

use crate::environment::Environment;
use crate::execute::{git, in_branch, project, status};

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
