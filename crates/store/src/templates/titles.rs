//! Titles as people write them, the template that each is planned with, and how many tasks it gets.

use milestone_domain::document::Milestone;
use milestone_domain::ids::MilestoneId;
use milestone_domain::planning::template::Template;
use milestone_domain::planning::{self, Choice, Proposal, Request};

use super::Templates;

fn proposal(title: &str) -> Proposal {
    let shelf = Templates::built_in();
    let templates: Vec<&Template> = shelf.all().map(|held| &held.template).collect();
    let said = Milestone::new(MilestoneId(0), title);
    planning::propose(Request { said, template: Choice::ByWords, workflow: None }, &templates)
}

const PLANS: &[(&str, &str, usize)] = &[
    // As the product's own guide writes them.
    ("Implement user authentication system", "feature", 8),
    ("Implement user dashboard", "feature", 7),
    ("API Development", "api", 7),
    ("Payment System", "feature", 8),
    ("Add user preferences", "feature", 7),
    ("Authentication System", "feature", 8),
    ("User Dashboard", "frontend", 7),
    ("API Integration", "api", 7),
    ("Platform Architecture", "phase-research", 8),
    ("Integration Layer", "api", 7),
    // Small things stay small.
    ("Fix typo in README", "quick-win", 2),
    ("Fix typo in the payment page", "quick-win", 2),
    ("Rename a variable", "quick-win", 2),
    ("Quick script for backups", "quick-win", 2),
    ("Hotfix: checkout rounds wrong", "bug-fix", 3),
    ("Fix crash when the cart is empty", "bug-fix", 3),
    ("Login fails with umlauts", "bug-fix", 3),
    ("Simple contact form", "frontend", 4),
    // One for each kind of work.
    ("Add dark mode to the settings page", "frontend", 7),
    ("GraphQL endpoint for orders", "api", 7),
    ("Migrate to PostgreSQL", "infrastructure", 9),
    ("Set up CI", "pipeline", 7),
    ("Terraform modules for the network", "project-infrastructure", 8),
    ("MCP server for our wiki", "project-mcp-server", 9),
    ("Policy as code for the cloud", "project-policy", 9),
    ("API documentation", "project-documentation", 7),
    ("Document the REST API", "project-documentation", 7),
    ("Evaluate vector databases", "research", 6),
    ("Investigate slow API endpoints", "research", 6),
    ("Speed up search", "improvement", 5),
    ("Refactor the parser", "improvement", 5),
    ("Update dependencies", "phase-maintenance", 7),
    ("Learn Kubernetes", "personal-learning", 6),
    ("Conference talk about Rust", "personal-portfolio", 7),
    ("Sprint 2: billing", "sprint-core-feature", 8),
    ("Phase 1: Research", "phase-research", 8),
    ("Foundation of the new project", "phase-foundation", 8),
    // In parts.
    ("Portal with login, password reset and profile page", "feature", 9),
    ("Bugs: crash on save, lost focus and wrong totals", "bug-fix", 3),
    // What is changed, taken away, released, looked at, or no software at all.
    ("Upgrade React", "improvement", 5),
    ("Refactor payment", "improvement", 5),
    ("Improve checkout", "improvement", 5),
    ("Delete the legacy login API", "removal", 5),
    ("Deprecate version 1 of the API", "removal", 5),
    ("Don't add login", "removal", 5),
    ("Remove dark mode", "removal", 5),
    (
        "Migrate to PostgreSQL 16 with no downtime, including stored procedures and triggers",
        "infrastructure",
        9,
    ),
    (
        "Migrate to PostgreSQL 16 with no downtime, including procedures, triggers and views",
        "infrastructure",
        9,
    ),
    ("Fehler beim Login beheben", "bug-fix", 3),
    ("Benutzerhandbuch schreiben", "project-documentation", 7),
    ("Suche bauen", "feature", 7),
    ("Kubernetes-Cluster aufsetzen", "infrastructure", 8),
    ("Suche verbessern", "improvement", 5),
    ("Login, Suche und Profil bauen", "feature", 9),
    ("Hire two backend engineers", "general", 4),
    ("Fix the documentation", "project-documentation", 7),
    ("Decide on a database", "research", 6),
    ("Add unit tests for parser", "tests", 4),
    ("Buy coffee, milk and sugar", "general", 6),
    ("Release v2.0", "release", 7),
    ("Security audit", "audit", 6),
    ("Review the login code", "audit", 6),
    ("CI pipeline: lint, test and deploy", "pipeline", 9),
    ("Mobile app for iOS and Android, with push, offline mode and chat", "frontend", 9),
    ("asdf", "general", 4),
    ("Improve performance: search, checkout and login", "improvement", 7),
    ("Test coverage", "tests", 4),
    ("Login without password", "feature", 7),
    // Anything else, in any language and shape.
    ("Zahlungssystem einführen", "feature", 7),
    ("Umzug in das neue Büro", "general", 4),
    ("Q3", "general", 4),
    ("🚀🚀🚀", "general", 4),
    ("日本語の対応", "general", 4),
    ("---", "general", 4),
];

#[test]
fn titles_get_the_plans_that_people_expect() {
    let mut wrong = Vec::new();
    for &(title, template, tasks) in PLANS {
        let proposal = proposal(title);
        let chosen = proposal.template.unwrap().name;
        let made = &proposal.draft.milestone.tasks;
        if (chosen.as_str(), made.len()) != (template, tasks) {
            let scored = proposal.scope.matches.iter();
            let scored: Vec<_> = scored.map(|m| (&m.template, m.score, &m.words)).collect();
            wrong.push(format!("{title}: {chosen}, {} tasks; {scored:?}", made.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tasks_say_what_a_person_would_say() {
    for (title, expected, unexpected) in [
        ("Upgrade React", "Upgrade React, behind the tests", "the change"),
        ("Speed up search", "Agree on a target for search", "the change"),
        ("Refactor payment", "Refactor payment, behind the tests", "the change"),
        ("Improve checkout", "Improve checkout, behind the tests", "the change"),
        ("Delete the legacy login API", "Find what uses legacy login API", "Build"),
        ("Don't add login", "Don't add login", "Build"),
        ("Remove dark mode", "Remove dark mode", "Sketch"),
        (
            "Migrate to PostgreSQL 16 with no downtime, including stored procedures and triggers",
            "Migrate to PostgreSQL 16",
            "Set up",
        ),
        ("Suche bauen", "Suche bauen", "Build"),
        ("Fehler beim Login beheben", "Find the cause, and mend it", "Build"),
        ("Benutzerhandbuch schreiben", "Benutzerhandbuch schreiben", "Write Benutzer"),
        ("Kubernetes-Cluster aufsetzen", "Kubernetes-Cluster aufsetzen", "Set up"),
        ("Login, Suche und Profil bauen", "Suche bauen", "Build"),
        ("Hire two backend engineers", "Hire two backend engineers", "contract"),
        ("Fix the documentation", "Fix the documentation", "Reproduce"),
        ("Decide on a database", "Try out database", "Decide on"),
        ("Add unit tests for parser", "Write unit tests for parser", "Design"),
        ("Buy coffee, milk and sugar", "Buy milk", "Build"),
        ("Release v2.0", "Release v2.0", "the change"),
        ("Security audit", "Carry out security audit", "Build"),
        ("CI pipeline: lint, test and deploy", "Set up lint", "Rehearse"),
        (
            "Mobile app for iOS and Android, with push, offline mode and chat",
            "Sketch Mobile app for iOS and Android",
            "Android,",
        ),
        ("asdf", "Work on asdf", "Build"),
        ("🚀", "Do the work", "Build"),
    ] {
        let milestone = proposal(title).draft.milestone;
        let titles: Vec<&str> = milestone.tasks.iter().map(|task| task.title.as_str()).collect();
        assert!(titles.contains(&expected), "{title}: {titles:?}");
        assert!(titles.iter().all(|one| !one.contains(unexpected)), "{title}: {titles:?}");
    }
}

#[test]
fn the_longest_title_makes_titles_that_fit() {
    for title in ["word ".repeat(99), "x".repeat(500), "é".repeat(500)] {
        let milestone = proposal(&title).draft.milestone;
        assert!(milestone.tasks.iter().all(|task| task.title.chars().count() <= 500));
        assert!(milestone.checked().is_ok());
    }
}

#[test]
fn planning_twice_gives_the_same() {
    for title in ["Payment System", "a, b and c", "Whatever"] {
        let (one, other) = (proposal(title), proposal(title));
        assert_eq!(one.draft, other.draft);
        assert_eq!(one.scope, other.scope);
    }
}
