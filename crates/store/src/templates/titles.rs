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
    ("Implement user authentication system", "feature", 9),
    ("Implement user dashboard", "feature", 8),
    ("API Development", "api", 8),
    ("Payment System", "feature", 9),
    ("Add user preferences", "feature", 8),
    ("Authentication System", "feature", 9),
    ("User Dashboard", "frontend", 7),
    ("API Integration", "api", 8),
    ("Platform Architecture", "phase-research", 8),
    ("Integration Layer", "api", 8),
    // Small things stay small.
    ("Fix typo in README", "quick-win", 2),
    ("Fix typo in the payment page", "quick-win", 2),
    ("Rename a variable", "quick-win", 2),
    ("Quick script for backups", "quick-win", 2),
    ("Hotfix: checkout rounds wrong", "bug-fix", 3),
    ("Fix crash when the cart is empty", "bug-fix", 4),
    ("Login fails with umlauts", "bug-fix", 4),
    ("Simple contact form", "frontend", 4),
    // One for each kind of work.
    ("Add dark mode to the settings page", "frontend", 7),
    ("GraphQL endpoint for orders", "api", 8),
    ("Migrate to PostgreSQL", "infrastructure", 9),
    ("Set up CI", "pipeline", 7),
    ("Terraform modules for the network", "project-infrastructure", 8),
    ("MCP server for our wiki", "project-mcp-server", 9),
    ("Policy as code for the cloud", "project-policy", 9),
    ("API documentation", "project-documentation", 7),
    ("Document the REST API", "project-documentation", 7),
    ("Evaluate vector databases", "research", 6),
    ("Investigate slow API endpoints", "investigation", 6),
    ("Speed up search", "improvement", 7),
    ("Refactor the parser", "improvement", 7),
    ("Update dependencies", "phase-maintenance", 7),
    ("Learn Kubernetes", "personal-learning", 6),
    ("Conference talk about Rust", "personal-portfolio", 7),
    ("Sprint 2: billing", "sprint-core-feature", 8),
    ("Phase 1: Research", "phase-research", 8),
    ("Foundation of the new project", "phase-foundation", 8),
    // In parts.
    ("Portal with login, password reset and profile page", "feature", 10),
    ("Bugs: crash on save, lost focus and wrong totals", "bug-fix", 6),
    // What is changed, taken away, released, looked at, or no software at all.
    ("Upgrade React", "upgrade", 8),
    ("Refactor payment", "improvement", 7),
    ("Improve checkout", "improvement", 7),
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
    ("Fehler beim Login beheben", "bug-fix", 4),
    ("Benutzerhandbuch schreiben", "project-documentation", 7),
    ("Suche bauen", "feature", 8),
    ("Kubernetes-Cluster aufsetzen", "infrastructure", 8),
    ("Suche verbessern", "improvement", 7),
    ("Login, Suche und Profil bauen", "feature", 10),
    ("Hire two backend engineers", "general", 5),
    ("Fix the documentation", "project-documentation", 7),
    ("Decide on a database", "research", 6),
    ("Add unit tests for parser", "tests", 4),
    ("Buy coffee, milk and sugar", "general", 7),
    ("Release v2.0", "release", 7),
    ("Security audit", "audit", 6),
    ("Review the login code", "audit", 6),
    ("CI pipeline: lint, test and deploy", "pipeline", 9),
    ("Mobile app for iOS and Android, with push, offline mode and chat", "frontend", 9),
    ("asdf", "general", 5),
    ("Improve performance: search, checkout and login", "improvement", 9),
    ("Test coverage", "tests", 4),
    ("Login without password", "feature", 8),
    // What users can do in the end is a feature, whatever its verb.
    ("Users can delete their account", "feature", 8),
    ("As a user I want to filter my orders by date", "feature", 8),
    ("Enable users to reset their password", "feature", 8),
    ("Benutzer können Rechnungen als PDF herunterladen", "feature", 8),
    ("Users see wrong totals in invoices", "bug-fix", 4),
    // Data, models, security, services of others, texts.
    ("Import legacy orders", "data-migration", 9),
    ("Migrate customer data from MySQL to PostgreSQL", "data-migration", 9),
    ("Data pipeline from Kafka to the warehouse", "data-pipeline", 9),
    ("Train a model to classify support tickets", "model", 9),
    ("Harden the login", "security", 7),
    ("Rotate all secrets", "security", 7),
    ("Integrate Stripe", "integration", 9),
    ("Write a blog post about Rust lifetimes", "writing", 7),
    ("Upgrade from Django 3 to 5", "upgrade", 8),
    ("Launch the beta", "release", 7),
    ("Set up monitoring and alerting", "infrastructure", 8),
    ("Deploy to production with zero downtime", "infrastructure", 8),
    ("Split the monolith into services", "improvement", 7),
    ("Make the test suite faster", "improvement", 7),
    ("GDPR compliance: export, deletion and consent", "feature", 10),
    ("CLI tool for log analysis", "feature", 8),
    ("Slack bot for stand-ups", "feature", 8),
    ("Choose a message queue", "research", 6),
    ("Plan my wedding", "general", 5),
    (
        "Build a multi-tenant SaaS platform where companies can manage their employees, track \
         working time, approve vacation requests and export payroll data, with audit logs",
        "feature",
        12,
    ),
    // A German verb wherever it stands.
    ("Zahlungssystem einführen für den Webshop", "feature", 8),
    ("Fehler beim Login beheben, der nach dem Update auftritt", "bug-fix", 4),
    ("Wir wollen die Suche verbessern", "improvement", 7),
    ("Füge Exportfunktion hinzu", "feature", 8),
    ("Erstelle eine REST-API für Bestellungen", "api", 8),
    ("Verbessere die Suche", "improvement", 7),
    // Anything else, in any language and shape.
    ("Zahlungssystem einführen", "feature", 8),
    ("Umzug in das neue Büro", "general", 5),
    ("Q3", "general", 5),
    ("🚀🚀🚀", "general", 5),
    ("日本語の対応", "general", 5),
    ("---", "general", 5),
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
        ("Upgrade React", "Upgrade React", "the change"),
        ("Speed up search", "Agree on a target for the search", "the change"),
        ("Refactor payment", "Refactor payment", "the change"),
        ("Improve checkout", "Improve checkout", "the change"),
        ("Delete the legacy login API", "Find what uses the legacy login API", "Build"),
        ("Don't add login", "Don't add login", "Build"),
        ("Remove dark mode", "Remove dark mode", "Sketch"),
        (
            "Migrate to PostgreSQL 16 with no downtime, including stored procedures and triggers",
            "Migrate to PostgreSQL 16",
            "Set up",
        ),
        ("Suche bauen", "Suche bauen", "Build"),
        ("Fehler beim Login beheben", "Find the cause, and fix it", "Build"),
        ("Benutzerhandbuch schreiben", "Benutzerhandbuch schreiben", "Write Benutzer"),
        ("Kubernetes-Cluster aufsetzen", "Kubernetes-Cluster aufsetzen", "Set up"),
        ("Login, Suche und Profil bauen", "Suche bauen", "Build"),
        ("Hire two backend engineers", "Hire two backend engineers", "contract"),
        ("Fix the documentation", "Fix the documentation", "Reproduce"),
        ("Decide on a database", "Try out the two or three best options", "Decide on"),
        ("Add unit tests for parser", "Write unit tests for parser", "Design"),
        ("Buy coffee, milk and sugar", "Buy milk", "Build"),
        ("Release v2.0", "Release v2.0", "the change"),
        ("Security audit", "Write the report, the worst first", "Build"),
        ("CI pipeline: lint, test and deploy", "Set up lint", "Rehearse"),
        (
            "Mobile app for iOS and Android, with push, offline mode and chat",
            "Sketch the mobile app for iOS and Android and show it to a user",
            "Android,",
        ),
        ("asdf", "Work on asdf", "Build"),
        ("🚀", "Do the work", "Build"),
        ("Add a dark mode", "Build the dark mode", "Build dark mode"),
        ("API Development", "Build the API", "api"),
        ("Users can delete their account", "Build the feature", "uses"),
        (
            "Split the monolith into services",
            "Agree on a target for the monolith",
            "target for the monolith into",
        ),
        ("Bugs: crash on save, lost focus and wrong totals", "Fix lost focus", "Build"),
        ("Füge Exportfunktion hinzu", "Exportfunktion hinzufügen", "Build"),
        ("Verbessere die Suche", "Suche verbessern", "Verbessere"),
        ("Plan my wedding", "Plan my wedding", "planen"),
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
