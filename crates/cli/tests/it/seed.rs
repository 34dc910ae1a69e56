//! The guide that this program was asked for with, read from top to bottom: every command of it
//! that needs neither agents nor a database, typed as it stands there, does what it says.

use std::fs;

use serde_json::Value;

use crate::environment::{Environment, Ran};

/// The project of one reader of the guide.
struct Reader(Environment);

impl Reader {
    fn new() -> Self {
        Self(Environment::new())
    }

    /// Types `/milestone/VERB ...` as the guide has it, and expects that it works.
    fn types(&self, line: &str) -> Ran {
        let ran = self.tries(line);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
        ran
    }

    fn tries(&self, line: &str) -> Ran {
        let args = words(line.strip_prefix("/milestone/").unwrap_or(line));
        self.0.run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn says(&self, line: &str, parts: &[&str]) {
        let ran = self.types(line);
        for part in parts {
            assert!(ran.stdout.contains(part), "{line}: {part} in {}", ran.stdout);
        }
    }

    fn show(&self, id: &str) -> Value {
        self.0.json(&["show", id])["data"].clone()
    }

    /// Does all of a milestone's work, as agents would.
    fn finish(&self, id: &str) {
        for task in self.show(id)["tasks"].as_array().unwrap() {
            self.0.ok(&["task", "start", task["id"].as_str().unwrap()]);
            self.0.ok(&["task", "done", task["id"].as_str().unwrap()]);
        }
        for criterion in self.show(id)["document"]["criteria"].as_array().into_iter().flatten() {
            let number = criterion["id"].to_string();
            self.0.ok(&["criterion", "met", id, &number, "--evidence", "seen"]);
        }
    }
}

/// A line as a shell would split it, as far as the guide goes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn getting_started() {
    let reader = Reader::new();
    let planned = reader.types(r#"/milestone/plan "Implement user authentication system""#);
    assert_eq!(planned.stdout, "milestone-001\n");
    // The scope is analysed, the work broken down, and a file is made in active/.
    for part in ["scope", "template", "finish", "Risks"] {
        assert!(planned.stderr.contains(part), "{part}: {}", planned.stderr);
    }
    assert!(reader.0.document(1).is_file());
    assert!(reader.show("milestone-001")["tasks"].as_array().unwrap().len() > 3);
    reader.says("/milestone/update", &["0%", "milestone-001", "expected", "What to do about it"]);
}

#[test]
fn the_documents_of_the_guide_are_read_as_they_stand() {
    let reader = Reader::new();
    reader.0.write(
        1,
        "# .milestones/active/milestone-001.yaml\nid: milestone-001\n\
         title: \"User Authentication System\"\nstatus: \"planned\"\ntasks:\n  - id: task-001\n    \
         title: \"Design authentication flow\"\n    status: \"pending\"\n  - id: task-002\n    \
         title: \"Implement login API\"\n    status: \"pending\"\ndependencies:\n  requires: []\n\
         progress:\n  percentage: 0\n  tasks_completed: 0\n",
    );
    reader
        .0
        .write(2, "id: milestone-002\ntitle: B\ndependencies:\n  requires: [\"milestone-001\"]\n");
    reader.0.write(
        3,
        "id: milestone-003\ntitle: C\ndependencies:\n  requires: [\"milestone-001\", \
         \"milestone-002\"]\n  conditions:\n    - \"database_schema_complete\"\n    \
         - \"api_specification_approved\"\n",
    );
    reader.says("/milestone/update --dependencies", &["database_schema_complete", "milestone-002"]);
    reader.0.ok(&["task", "done", "task-001-001"]);
    let text = fs::read_to_string(reader.0.document(1)).unwrap();
    assert!(text.contains("percentage: 50\n  tasks_completed: 1"), "{text}");
}

#[test]
fn planning_commands() {
    let reader = Reader::new();
    for line in [
        r#"/milestone/plan "Implement user dashboard""#,
        r#"/milestone/plan "Add user preferences""#,
        r#"/milestone/plan "Authentication System" "#,
        r#"/milestone/plan "API Development" --duration "2 weeks" --dependencies "milestone-001,milestone-003""#,
        r#"/milestone/plan "Payment System" --kiro-workflow --approval-required"#,
        r#"/milestone/plan "User Dashboard" --dependencies "milestone-001""#,
        r#"/milestone/plan "Platform Architecture" --kiro-workflow --duration "4 weeks""#,
        r#"/milestone/plan "Security Framework" --kiro-workflow --dependencies "milestone-001""#,
        r#"/milestone/plan "Integration Layer" --kiro-workflow --dependencies "milestone-001,milestone-002""#,
    ] {
        reader.types(line);
    }
    let api = reader.show("milestone-004");
    let required: Vec<_> = api["requires"].as_array().unwrap().iter().map(|r| &r["id"]).collect();
    assert_eq!(required, ["milestone-001", "milestone-003"]);
    let payment = reader.show("milestone-005");
    let names: Vec<_> =
        payment["phases"].as_array().unwrap().iter().map(|phase| &phase["name"]).collect();
    assert_eq!(names, ["design", "spec", "task", "execute"]);
    let paths = payment["document"]["deliverables"].to_string();
    for file in [
        "architecture.md",
        "api-spec.yaml",
        "technical-spec.md",
        "test-plan.md",
        "implementation-plan.md",
        "implementation-summary.md",
        "test-results.md",
    ] {
        assert!(paths.contains(file), "{file}: {paths}");
    }
    // Work of a later phase waits until somebody approves the design.
    let waiting = reader.0.ok(&["next", "5"]);
    assert!(waiting.contains("waits for the approval of phase design"), "{waiting}");
}

#[test]
fn monitoring_commands() {
    let reader = Reader::new();
    reader.types(r#"/milestone/plan "Authentication System""#);
    reader.types(r#"/milestone/plan "API Integration" --dependencies "milestone-001""#);
    reader.0.ok(&["task", "start", "1.1"]);
    reader.says("/milestone/update milestone-001", &["milestone-001", "Being worked on"]);
    reader.says("/milestone/update milestone-current", &["milestone-001"]);
    reader.says("/milestone/update --dependencies --conflicts", &["requires milestone-001"]);
    reader.says("/milestone/update --performance", &["throughput", "efficiency", "estimates"]);
    reader.says("/milestone/update --resources", &["ada", "Load over"]);
    reader.says("/milestone/update --velocity", &["Velocity"]);
    reader.says("/milestone/update --comprehensive", &["Critical path", "Forecast", "Performance"]);
    reader.says("/milestone/update --dependencies --upcoming", &["Ready next", "Dependencies"]);
}

#[test]
fn archiving_and_a_release() {
    let reader = Reader::new();
    for title in ["Rename a button", "Fix a typo", "Rename a label", "Rename a page"] {
        reader.types(&format!(r#"/milestone/plan "{title}""#));
    }
    assert_eq!(reader.tries("/milestone/archive milestone-001").code, 5, "nothing is done yet");
    reader.finish("milestone-001");
    reader.types("/milestone/archive milestone-001 --capture-insights");
    for id in ["milestone-002", "milestone-003"] {
        reader.finish(id);
    }
    reader.types("/milestone/archive milestone-002,milestone-003");
    let completed = reader.0.project().join(".milestones/completed");
    let mut files: Vec<_> =
        fs::read_dir(completed).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["milestone-001.yaml", "milestone-002.yaml", "milestone-003.yaml"]);
    assert_eq!(reader.tries("/milestone/update --release-ready").code, 1);
    reader.finish("milestone-004");
    reader.says("/milestone/update --release-ready", &["ready"]);
    reader.types(r#"/milestone/archive --batch --release "v1.2.0""#);
    reader.says("/milestone/update --release-notes", &["# v1.2.0", "## Rename a page"]);
}

#[test]
fn troubleshooting() {
    let reader = Reader::new();
    reader.types(r#"/milestone/plan "Add user preferences""#);
    let folder = reader.0.project().join(".milestones");
    // As the guide has it: `echo ... >> milestone-config.yaml`, more than once.
    let settings = folder.join("config/milestone-config.yaml");
    let mut text = fs::read_to_string(&settings).unwrap_or_default();
    text += "scale_override: database\nscale_override: database\n";
    fs::write(&settings, text).unwrap();
    let warned = reader.types("/milestone/update");
    assert!(warned.stderr.contains("scale_override"), "{}", warned.stderr);
    for folder in ["sessions/agents", "temp"].map(|name| folder.join(name)) {
        let _ = fs::remove_dir_all(folder);
    }
    reader.says("/milestone/update --agents", &["No agents"]);
    reader.says("/milestone/update --health-check", &["pass", "documents"]);
    reader.says("/milestone/update --validate-config", &["Every setting can be used"]);
    reader.says("/milestone/update --diagnostics", &["\"version\""]);
    reader.says("/milestone/update --system-health", &["disk", "memory"]);
}

/// What is not there yet says so by its name.
#[test]
fn what_is_not_built_yet_is_refused_by_name() {
    let reader = Reader::new();
    reader.types(r#"/milestone/plan "Add user preferences""#);
    let refused = reader.tries("/milestone/update milestone-001 --deployment-status");
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("`--deployment-status`"), "{}", refused.stderr);
}
