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

#[test]
fn titles_get_the_plans_that_people_expect() {
    let mut wrong = Vec::new();
    for (title, template, tasks) in [
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
        ("Set up CI", "infrastructure", 8),
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
        // Anything else, in any language and shape.
        ("Zahlungssystem einführen", "general", 4),
        ("Umzug in das neue Büro", "general", 4),
        ("Q3", "general", 4),
        ("🚀🚀🚀", "general", 4),
        ("日本語の対応", "general", 4),
        ("---", "general", 4),
    ] {
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
