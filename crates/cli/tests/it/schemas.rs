//! What `--json` prints, held against the schemas that the program itself publishes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread::{self, sleep};
use std::time::Duration;

use serde_json::{Value, json};

use crate::closed;
use crate::environment::Environment;

/// They print a script or a page for one program, whatever else is asked for.
const WITHOUT_DOCUMENT: [&str; 1] = ["completions"];

/// A project whose every printed document is judged.
struct Judged {
    project: Environment,
    schemas: BTreeMap<String, Value>,
    kinds: BTreeSet<String>,
    run: Vec<String>,
}

impl Judged {
    fn new() -> Self {
        Self {
            project: Environment::new(),
            schemas: BTreeMap::new(),
            kinds: BTreeSet::new(),
            run: Vec::new(),
        }
    }

    /// Runs it with `--json`, and gives the last document; none if nothing had to be printed.
    fn say(&mut self, line: &str) -> Value {
        let args: Vec<&str> = line.split(' ').collect();
        let ran = self.project.run(&[&args, &["--json"][..]].concat());
        self.run.push(line.to_owned());
        let mut last = Value::Null;
        for text in ran.stdout.lines() {
            last = serde_json::from_str(text).unwrap_or_else(|e| panic!("{line}: {e}: {ran:?}"));
            self.judge(line, &last);
        }
        assert!(ran.code == 0 || last.is_object(), "{line} fails and does not say why: {ran:?}");
        last
    }

    fn ok(&mut self, line: &str) -> Value {
        let document = self.say(line);
        assert!(document["error"].is_null() && document.is_object(), "{line}: {document}");
        document["data"].clone()
    }

    fn refused(&mut self, line: &str) {
        let document = self.say(line);
        assert_eq!(document["kind"], "error", "{line}: {document}");
    }

    fn judge(&mut self, line: &str, document: &Value) {
        let kind = document["kind"].as_str().unwrap_or_else(|| panic!("{line}: {document}"));
        let project = &self.project;
        let schema = self.schemas.entry(kind.to_owned()).or_insert_with(|| schema(project, kind));
        let wrong = closed::wrong(schema, document);
        assert!(wrong.is_empty(), "{line}:\n{}\n{document:#}", wrong.join("\n"));
        self.kinds.insert(kind.to_owned());
    }

    fn look(&mut self) {
        for line in LOOKS {
            self.say(line);
        }
    }

    fn look_in_every_way(&mut self) {
        self.look();
        for line in OTHER_LOOKS {
            self.say(line);
        }
    }
}

fn schema(project: &Environment, kind: &str) -> Value {
    let kept = ["milestone", "config", "event", "template"].contains(&kind);
    let printed: &[&str] = if kept { &["--printed"] } else { &[] };
    let text = project.ok(&[&["schema", kind], printed].concat());
    serde_json::from_str(&text).unwrap()
}

/// What shows how things stand.
const LOOKS: [&str; 27] = [
    "list",
    "list --all",
    "show 1",
    "show 1 --schedule",
    "show 1.1 --schedule",
    "show 2 --schedule",
    "show 2.1 --schedule",
    "search login",
    "next",
    "condition list",
    "status",
    "update --comprehensive",
    "update 1 --comprehensive",
    "update --forecast --workers 2",
    "update --release-ready",
    "update --release-notes",
    "update --health-check",
    "update --diagnostics",
    "status --chart burn-down",
    "status --chart gantt",
    "status --chart graph",
    "status 1 --chart graph",
    "task log 1.1",
    "watch --since start --once",
    "doctor",
    "storage status",
    "storage explain",
];

/// Other ways to look, which show no other kinds of things.
const OTHER_LOOKS: [&str; 25] = [
    "list --archived",
    "list --status in_progress",
    "show 1.1",
    "show 3 --schedule",
    "show 99",
    "show current",
    "search nothingatall",
    "search",
    "next 1",
    "next --limit 1",
    "status 1",
    "status 99",
    "update",
    "update --dependencies",
    "update --conflicts",
    "update --upcoming",
    "update --performance",
    "update --resources",
    "update --velocity",
    "update --system-health",
    "update --validate-config",
    "status 1 --chart gantt",
    "status --chart gantt --format svg",
    "config get",
    "template list",
];

const FIRST: &str = "\
id: milestone-001
title: Login
description: People sign in
status: in_progress
priority: high
labels: [auth]
assignee: ada
owner: Ben
start: 2026-01-05
due: 2026-02-01
buffer: 20
release: v1
duration: 2w
goals: [people can log in]
learning_goals: [how tokens expire, {text: what sessions cost, done: true}]
composition: {features: 80, debt: 20}
features: [Sign in, {name: Reset, priority: low, stories: [forgotten password]}]
dependencies:
  conditions: [approved]
  external: [A certificate, {name: The domain, status: done, contact: Cem}]
provides: [login_there]
phases:
  - {name: design, approval: true, weight: 2, activities: [draw], deliverables: [a picture]}
  - build
tasks:
  - {id: task-001, title: Design the login, phase: design, estimate: 4h, kind: design}
  - {id: task-002, title: Build the login, phase: build, estimate: 2d, requires: [task-001],
     resources: [src/auth/], labels: [api], verify: [cargo test], due: 2026-01-20}
  - {id: task-003, title: Tell people, estimate: 1h, resources: [src/auth/], due: 2026-01-10}
  - {id: task-004, title: Write it down, estimate: 1h, conditions: [never], start: 2031-01-01}
  - {id: task-005, title: Ask around, estimate: {optimistic: 1h, likely: 2h, pessimistic: 1d}}
criteria:
  - people can log in
  - {text: it is safe, kind: quality, check: 'true'}
deliverables: [The page, {name: The guide, path: docs/guide.md, provides: [guide]}]
risks:
  - the provider changes
  - {text: too slow, probability: high, impact: high, mitigation: measure}
success_metrics: {quantitative: [99%]}
communication: {frequency: weekly, reviews: {planning: 2026-01-05}}
required_resources: {human: [{name: Ada, role: builder, effort: 2w}]}
next_steps: [announce it]
";

const SECOND: &str = "\
id: milestone-002
title: Reports
due: 2031-06-01
dependencies: {requires: [milestone-001, milestone-077], conditions: [login_there]}
tasks:
  - {id: task-001, title: Draw reports, estimate: 2d}
  - {id: task-002, title: Send reports, requires: [task-001, task-001-002], estimate: 1w}
";

/// A project with something of everything: past, present and trouble; looked at on the way.
fn rich(look: fn(&mut Judged)) -> Judged {
    let mut all = Judged::new();
    all.project.write(1, FIRST);
    all.project.write(2, SECOND);
    all.ok("init");
    all.ok("condition set approved --reason agreed");
    look(&mut all);
    let text = fs::read_to_string(all.project.document(1)).unwrap();
    all.project.write(1, &text.replace("[A certificate, ", "["));
    all.ok("task note 1.1 beginning");
    all.ok("task start 1.1");
    all.ok("task progress 1.1 40");
    all.ok("task block 1.1 --reason paper");
    look(&mut all);
    all.ok("task unblock 1.1");
    all.ok("task done 1.1");
    all.ok("request-changes 1 design --reason more");
    look(&mut all);
    all.refused("task start 1.2");
    all.ok("task reopen 1.1");
    all.ok("task done 1.1");
    all.ok("approve 1 design");
    claims(&mut all, look);
    all.ok("task fail 1.5 --reason tired");
    all.ok("task cancel 1.4 --reason unneeded");
    all
}

/// One that runs, one that has ended, one that was given back.
fn claims(all: &mut Judged, look: fn(&mut Judged)) {
    let claimed = all.ok("task claim 1.2 --lease 1h");
    let fence = claimed["fence"].as_u64().unwrap();
    all.ok(&format!("task renew 1.2 --fence {fence} --lease 2h"));
    all.refused("task renew 1.2");
    all.refused("task claim 1.2");
    all.refused("task claim 1.3");
    all.ok("task claim 1.5");
    all.ok("task release 1.5 --reason later --fence 1");
    all.ok("task claim 1.5 --lease 1s");
    look(all);
    sleep(Duration::from_millis(1100));
    look(all);
}

fn a_place_without_a_project() -> Judged {
    let mut all = Judged::new();
    all.look_in_every_way();
    all.refused("nosuchverb");
    all.refused("task add");
    all.ok("plan Login --dry-run");
    all.refused("config get nothing");
    all.ok("integrate");
    all.refused("integrate claude");
    all.ok("integrate claude --dry-run");
    all.refused("integrate claude editor --yes");
    all.ok("schema --list");
    all.ok("init");
    all.ok("integrate claude editor --yes");
    all.ok("integrate claude --remove --yes");
    all.look();
    all
}

fn work_in_every_state() -> Judged {
    let mut all = rich(Judged::look);
    all.ok("update 1 --status paused --reason holiday");
    all.ok("update 1 --status in_progress");
    all.ok("update 1 --unset buffer");
    all.ok("update 2 --due 2032-01-01 --priority low");
    all.look();
    all.ok("task add 1 Polish --estimate 2h --requires 1.2");
    all.ok("task set 1.6 --priority high --assignee ben");
    all.ok("task move 1.6 2");
    all.ok("task add 2 Surplus");
    all.ok("task remove 2.4");
    all.refused("task remove 1.1");
    all.refused("reject 1 build --reason no");
    all.ok("condition clear approved");
    all.ok("config set planning.buffer 20");
    all.ok("config get planning.buffer");
    all.ok("config validate");
    all.refused("config set planning.buffer much");
    all.ok("template new ours --from 1");
    all.refused("template new ours");
    all.ok("template show ours");
    all.ok("template show api");
    all.ok("template apply research 2");
    all.ok("plan Payments:_checkout_and_refunds --kiro-workflow --approval-required");
    all.ok("plan Portal --task One|4h --task Two|2h --criterion works --due 2031-01-01");
    all.refused("plan");
    all.look_in_every_way();
    all
}

fn work_that_is_closed_and_filed_away() -> Judged {
    let mut all = rich(|_| ());
    all.refused("archive 1");
    all.refused("criterion check 1 2");
    all.ok("criterion check 1 2 --yes");
    all.ok("criterion add 1 fast --kind quality");
    all.ok("criterion met 1 3 --evidence measured");
    all.refused("criterion met 1 9 --evidence none");
    let edited = edited(&all.project);
    all.judge("edit 1", &edited);
    all.run.push("edit 1".into());
    all.refused("edit 1");
    all.refused("reject 1 build --reason no");
    all.ok("task done 1.2 --fence 1");
    for task in ["1.3", "1.5"] {
        all.ok(&format!("task reopen {task}"));
        all.ok(&format!("task done {task}"));
    }
    all.ok("archive 1 --evidence 1=seen --lesson measure --capture-insights --release v1");
    all.ok("archive --batch");
    all.look_in_every_way();
    all.ok("update --release-notes=v1");
    all.ok("update --release-ready=v1");
    all.refused("task start 1.1");
    let file = all.project.home().join("backup.tar").display().to_string();
    all.ok("storage optimize");
    all.ok("storage migrate sqlite");
    all.ok("storage migrate files");
    all.ok(&format!("storage backup --out {file}"));
    all.ok(&format!("storage verify {file}"));
    all.refused(&format!("storage restore {file}"));
    all.ok(&format!("storage restore {file} --yes"));
    all.refused("storage verify /nowhere.tar");
    let pages = all.project.home().join("man").display().to_string();
    all.ok(&format!("man --out {pages}"));
    all.ok("doctor --fix");
    all
}

/// What an edit of the document prints.
fn edited(project: &Environment) -> Value {
    let mut edit = project.command(&["edit", "1", "--json"]);
    let ran = edit.env("EDITOR", "sed -i s/Login/Sign-in/").output().unwrap();
    serde_json::from_slice(&ran.stdout).unwrap()
}

fn documents_that_are_broken() -> Judged {
    let mut all = rich(|_| ());
    let cyclic = SECOND.replace("milestone-077", "milestone-003");
    all.project.write(2, &cyclic);
    let third = "id: milestone-003\ntitle: Third\ncolour: blue\n\
                 dependencies: {requires: [milestone-002]}\ntasks: [{id: task-001, title: A}]\n";
    all.project.write(3, third);
    all.look();
    all.project.write(4, "id: milestone-004\ntitle: [\n");
    all.project.write(5, "id: milestone-005\ntitle: Wrong\nstatus: sideways\n");
    all.look();
    let text = fs::read_to_string(all.project.document(1)).unwrap();
    all.project.write(1, &text.replacen("status: in_progress", "status: completed", 1));
    all.look();
    fs::remove_file(all.project.document(2)).unwrap();
    all.look();
    all.say("doctor --fix");
    all.refused("update 4 --due 2031-01-01");
    fs::write(all.project.project().join(".milestones/config.yaml"), "claims: {lease: soon}\n")
        .unwrap();
    all.look_in_every_way();
    all
}

fn gates_that_are_refused() -> Judged {
    let mut all = Judged::new();
    all.project.write(1, &FIRST.replace("[A certificate, ", "["));
    all.ok("init");
    all.ok("condition set approved");
    all.refused("approve 1 design");
    all.ok("task done 1.1");
    all.ok("reject 1 design --reason no");
    all.look();
    all
}

fn work_that_is_executed() -> Judged {
    let mut all = Judged::new();
    all.project.write(
        1,
        "id: milestone-001\ntitle: Work\ntasks:\n  - {id: task-001, title: T, run: 'echo one', effect: none}\n",
    );
    all.ok("init");
    all.ok("execute 1 --dry-run");
    all.refused("execute 1");
    all.refused("worker --repo /nowhere/at/all --once");
    all.ok("execute 1 --yes");
    all.ok("execute 1 --ci-integration");
    let report = all.project.home().join("report.xml").display().to_string();
    fs::write(&report, "<testsuite><testcase name='a'><failure/></testcase></testsuite>").unwrap();
    all.ok(&format!("ci report {report} --milestone 1"));
    all.refused("ci report nowhere.xml --task 1.1");
    all.ok("session list");
    all.ok("session show");
    all.ok("agent list");
    all.refused("agent stop 1.1");
    all.ok("session log 1.1");
    all.refused("session log 1.9");
    all
}

fn work_in_streams() -> Judged {
    let mut all = Judged::new();
    // Right by itself, and not once it is together with the rest.
    let verify = "verify: ['git log -1 --format=%s | grep -q Begin']";
    all.project = crate::execute::project(&[&format!("run: 'echo a > a', {verify}")]);
    all.ok("execute 1 --dry-run --coordination hierarchical");
    all.refused("execute 1 --coordination hierarchical --yes");
    all.ok("session show");
    all.ok("agent list");
    all.refused("execute 1 --accept other");
    all.ok("execute 1 --accept single");
    all.ok("execute 1 --resume");
    all
}

/// Every command that can be run, in words.
fn verbs(project: &Environment, path: &str) -> Vec<String> {
    let words = path.split(' ').filter(|word| !word.is_empty());
    let help = project.ok(&words.chain(["--help"]).collect::<Vec<_>>());
    let Some((_, commands)) = help.split_once("\nCommands:\n") else {
        return vec![path.to_owned()];
    };
    let lines = commands.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names.flat_map(|name| verbs(project, format!("{path} {name}").trim())).collect()
}

#[test]
fn everything_that_is_printed_is_as_its_schema_says() {
    let scenarios = [
        a_place_without_a_project,
        work_in_every_state,
        work_that_is_closed_and_filed_away,
        documents_that_are_broken,
        gates_that_are_refused,
        work_that_is_executed,
        work_in_streams,
    ];
    let all: Vec<Judged> = thread::scope(|scope| {
        let started = scenarios.map(|scenario| scope.spawn(scenario));
        started.into_iter().map(|scenario| scenario.join().unwrap()).collect()
    });
    let run: Vec<&String> = all.iter().flat_map(|judged| &judged.run).collect();
    let project = &all[0].project;
    let unrun = verbs(project, "").into_iter().filter(|verb| {
        let is = |line: &String| {
            line.strip_prefix(verb).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        !WITHOUT_DOCUMENT.contains(&verb.as_str()) && !run.iter().any(|line| is(line))
    });
    assert_eq!(unrun.collect::<Vec<_>>(), [""; 0], "commands whose documents are not judged");
    let kinds: BTreeSet<&String> = all.iter().flat_map(|judged| &judged.kinds).collect();
    let listed = project.json(&["schema", "--list"])["data"]["schemas"].clone();
    let printed = listed.as_array().unwrap().iter().filter(|schema| schema["printed"] == true);
    let names = printed.map(|schema| schema["name"].as_str().unwrap());
    let unseen = names.filter(|name| !kinds.contains(&(*name).to_owned()));
    assert_eq!(unseen.collect::<Vec<_>>(), [""; 0], "kinds that nothing printed");
}

#[test]
fn a_schema_refuses_what_is_not_printed() {
    let project = Environment::new();
    project.write(1, FIRST);
    project.ok(&["init"]);
    let schema = schema(&project, "status");
    let printed = project.json(&["status"]);
    assert_eq!(closed::wrong(&schema, &printed), [""; 0]);
    let spoilt = [
        ("/data/milestones/0/nothing", json!(1)),
        ("/data/milestones/0/id", json!("1")),
        ("/data/milestones/0/status", json!("doing")),
        ("/data/totals/tasks", json!(-1)),
        ("/data/today", json!("tomorrow")),
        ("/data/milestones/0/pace/state", json!("slow")),
        ("/kind", json!("list")),
        ("/extra", json!(null)),
    ];
    for (place, value) in spoilt {
        let mut other = printed.clone();
        let (parent, key) = place.rsplit_once('/').unwrap();
        other.pointer_mut(parent).unwrap()[key] = value;
        let wrong = closed::wrong(&schema, &other);
        assert!(!wrong.is_empty(), "{place}");
    }
    let mut less = printed;
    less["data"].as_object_mut().unwrap().shift_remove("today");
    assert!(!closed::wrong(&schema, &less).is_empty());
}
