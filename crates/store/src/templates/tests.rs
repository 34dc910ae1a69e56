use std::fs;

use milestone_domain::document::Milestone;
use milestone_domain::effort::Estimate;
use milestone_domain::ids::MilestoneId;
use milestone_domain::planning::estimates::spoken;
use milestone_domain::planning::scope::Size;
use milestone_domain::planning::template::Each;
use milestone_domain::planning::{self, Choice, Request, Workflow};

use super::*;

fn project() -> tempfile::TempDir {
    let project = tempfile::tempdir().unwrap();
    crate::files::make(project.path(), false).unwrap();
    project
}

fn put(project: &tempfile::TempDir, name: &str, text: &str) {
    fs::create_dir_all(project.path().join(FOLDER)).unwrap();
    fs::write(project.path().join(FOLDER).join(name), text).unwrap();
}

fn load(project: &tempfile::TempDir) -> Templates {
    Templates::load(project.path()).unwrap()
}

#[test]
fn every_template_of_the_program_can_be_read() {
    let templates = Templates::built_in();
    assert_eq!(templates.broken().values().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
    assert_eq!(templates.all().count(), BUILT_IN.len());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    assert_eq!(fs::read_dir(folder).unwrap().count(), BUILT_IN.len(), "each file is listed");
}

#[test]
fn every_template_of_the_program_is_worth_having() {
    for Held { template, .. } in Templates::built_in().all() {
        let name = &template.name;
        assert!(template.about.len() > 20 && !template.about.ends_with('.'), "{name}");
        assert!(!template.criteria.is_empty() && template.tasks.len() > 2, "{name}");
        assert_eq!(template.words.is_empty(), name == planning::GENERAL, "{name}");
        for task in &template.tasks {
            assert!(task.kind.is_some(), "{name}: {}", task.title);
            let Some(Estimate::ThreePoint(points)) = task.estimate else {
                panic!("{name}: {} is not estimated with three points", task.title)
            };
            assert!(
                points.optimistic() < points.likely() && points.likely() < points.pessimistic()
            );
            for figure in [points.optimistic(), points.likely(), points.pessimistic()] {
                assert_eq!(spoken(figure), figure, "{name}: {}", task.title);
            }
            assert!(task.title.contains("{part}") <= (task.each == Some(Each::Part)), "{name}");
        }
        assert!(!template.risks.is_empty() || name == planning::GENERAL, "{name}: no risk");
        for risk in &template.risks {
            let said = risk.probability.is_some() && risk.impact.is_some();
            assert!(said && risk.mitigation.is_some(), "{name}: {}", risk.text);
        }
        if let Some(span) = template.duration {
            let effort = template.effort();
            assert!(span.from <= effort && effort <= span.to, "{name} is {effort} of work");
        }
    }
}

#[test]
fn every_template_has_a_word_of_its_own_and_is_chosen_by_it() {
    let templates = Templates::built_in();
    let all: Vec<&Template> = templates.all().map(|held| &held.template).collect();
    for template in all.iter().filter(|template| template.name != planning::GENERAL) {
        let chosen = |word: &String| {
            let scope = planning::scope::Scope::of(word, None, &all);
            scope.matches.first().is_some_and(|best| best.template == template.name)
        };
        assert!(template.words.keys().any(chosen), "{}", template.name);
    }
}

#[test]
fn the_template_to_begin_with_makes_sense() {
    let made = read("our-api", "our-api.yaml", skeleton("our-api").as_bytes()).unwrap();
    assert_eq!(made.title, "Our api");
    assert_eq!(made.words.keys().collect::<Vec<_>>(), ["our api"]);
}

#[test]
fn every_template_makes_a_milestone_that_the_rules_allow_in_every_size() {
    let templates = Templates::built_in();
    for Held { template, .. } in templates.all() {
        for (title, size) in [
            ("Something", Size::Normal),
            ("Quick something", Size::Small),
            ("Whole platform with login, reset and profile page", Size::Large),
        ] {
            for workflow in [None, Some(Workflow { approval: true })] {
                let said = Milestone::new(MilestoneId(0), title);
                let request = Request { said, template: Choice::Named(template), workflow };
                let proposal = planning::propose(request, &[]);
                assert_eq!(proposal.scope.size, size);
                let made = decided(&proposal.draft.command());
                assert!(made.tasks.len() <= 20, "{}: {}", template.name, made.tasks.len());
                assert!(!made.tasks.is_empty());
                for task in &made.tasks {
                    assert!(!task.title.contains(['{', '}']), "{}: {}", template.name, task.title);
                    assert_eq!(task.phase.is_some(), workflow.is_some(), "{}", task.title);
                }
            }
        }
    }
}

fn decided(command: &milestone_domain::command::Command) -> Milestone {
    let project =
        crate::Project::new(Box::new(crate::memory::Memory::default()), jiff::tz::TimeZone::UTC);
    let outcome = project.execute(command, "ada").unwrap();
    outcome.snapshot.documents.values().next().unwrap().clone()
}

/// What people type for `--duration`, and what is then asked of each task.
#[test]
fn a_duration_gives_every_task_a_round_estimate_and_is_met() {
    let templates = Templates::built_in();
    for Held { template, .. } in templates.all() {
        for duration in ["2d", "3d", "1w", "2w", "3w", "4w", "2 months", "6 months"] {
            let mut said = Milestone::new(MilestoneId(0), "Something");
            said.duration = Some(duration.parse().unwrap());
            let request = Request { said, template: Choice::Named(template), workflow: None };
            let milestone = planning::propose(request, &[]).draft.milestone;
            let mut total = 0;
            for task in &milestone.tasks {
                let Some(Estimate::ThreePoint(points)) = task.estimate else {
                    panic!("three points")
                };
                let figures = [points.optimistic(), points.likely(), points.pessimistic()];
                assert!(figures.is_sorted(), "{}: {figures:?}", task.title);
                assert!(
                    figures.iter().all(|one| spoken(*one) == *one),
                    "{}: {figures:?}",
                    task.title
                );
                total += task.estimate.map_or(0, |estimate| estimate.expected().minutes());
            }
            let asked = milestone.duration.unwrap().minutes();
            assert!(
                total.abs_diff(asked) * 20 <= asked,
                "{}: {total} minutes for {asked}",
                template.name
            );
        }
    }
}

#[test]
fn phases_say_nothing_twice() {
    let templates = Templates::built_in();
    let all: Vec<&Template> = templates.all().map(|held| &held.template).collect();
    let said = Milestone::new(MilestoneId(0), "Platform Architecture");
    let workflow = Some(Workflow { approval: false });
    let request = Request { said, template: Choice::ByWords, workflow };
    let milestone = planning::propose(request, &all).draft.milestone;
    let tasks: Vec<_> = milestone
        .tasks
        .iter()
        .map(|task| format!("{}: {}", task.phase.as_deref().unwrap_or_default(), task.title))
        .collect();
    assert_eq!(
        tasks,
        [
            "design: Write down what the project is for and what it must do",
            "design: Survey technologies and what others did",
            "design: Try out the riskiest choices in spikes",
            "design: Assess the risks, and what is done about each",
            "design: Write down the architecture of the platform",
            "design: Specify the interfaces to the outside",
            "spec: Specify what it must do",
            "spec: Write the test plan",
            "task: Write the implementation plan",
            "execute: Set up the development environment",
            "execute: Build and test the platform as specified",
            "execute: Write down what was built and how it tested",
        ]
    );
}

#[test]
fn a_projects_own_template_wins_and_stays_as_written() {
    let project = project();
    let text = "# ours\nname: api\ntitle: Our API\nabout: Ours\ntasks: [{title: Do it}]\n";
    put(&project, "api.yaml", text);
    put(&project, "notes.txt", "no template");
    let templates = load(&project);
    let api = templates.get("api").unwrap();
    assert_eq!((api.template.title.as_str(), api.text.as_str(), api.own), ("Our API", text, true));
    assert_eq!(templates.all().count(), BUILT_IN.len());
}

#[test]
fn a_broken_template_is_named_with_its_place_and_hides_only_itself() {
    let head = "title: T\nabout: A\n";
    for (text, said) in [
        ("name: api\ntitle: [\n", "templates/api.yaml:2:"),
        (
            &format!("name: api\n{head}colour: red\n"),
            "templates/api.yaml:4:9: a template has no key `colour`",
        ),
        (&format!("name: api\n{head}tasks:\n  - {{title: A, colour: red}}\n"), "api.yaml:5:"),
        (&format!("name: other\n{head}"), "api.yaml:1:"),
        (&format!("name: api\n{head}tasks:\n  - title: A\n    requires: [b]\n"), "api.yaml:6:"),
        (
            &format!("name: api\n{head}tasks: [{{key: a, title: A, requires: [a]}}]\n"),
            "in the end it requires itself",
        ),
        (&format!("name: api\n{head}words: {{api: 10}}\n"), "a word speaks with 1 to 9"),
    ] {
        let project = project();
        put(&project, "api.yaml", text);
        put(&project, "mine.yaml", &format!("name: mine\n{head}"));
        let mut templates = load(&project);
        let error = templates.take_broken("api").unwrap().to_string();
        assert!(error.contains(said), "{error}");
        assert!(templates.get("api").is_none() && templates.get("mine").is_some());
    }
}

#[test]
fn nothing_is_read_or_written_through_a_link() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("x.yaml"), "name: x\ntitle: T\nabout: A\n").unwrap();
    let project = project();
    put(&project, "mine.yaml", "name: mine\ntitle: T\nabout: A\n");
    std::os::unix::fs::symlink(
        outside.path().join("x.yaml"),
        project.path().join("templates/x.yaml"),
    )
    .unwrap();
    let templates = load(&project);
    assert!(matches!(templates.broken()["x"], StoreError::Outside { .. }));
    assert!(templates.get("mine").is_some());
    assert!(!make(project.path(), "x", "name: x\n").unwrap());

    let linked = self::project();
    std::os::unix::fs::symlink(outside.path(), linked.path().join("templates")).unwrap();
    assert!(matches!(Templates::load(linked.path()), Err(StoreError::Outside { .. })));
    assert!(matches!(make(linked.path(), "y", "name: y\n"), Err(StoreError::Outside { .. })));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn a_template_is_made_once_and_reads_back_as_it_was() {
    let project = project();
    for Held { template, .. } in Templates::built_in().all() {
        let text = write(template);
        let name = &template.name;
        assert!(make(project.path(), name, &text).unwrap());
        assert!(!make(project.path(), name, "other").unwrap());
        assert_eq!(load(&project).get(name).unwrap().template, *template);
    }
    let left = fs::read_dir(project.path().join("data")).unwrap();
    let drafts = left
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("draft"));
    assert_eq!(drafts.count(), 0);
}
