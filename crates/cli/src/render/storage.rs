//! Where a project is kept, and its backups.

use milestone_domain::views::storage::{Journal, Share, StorageStatus};
use milestone_store::files::backup::Manifest;

use super::page::Page;
use super::table::{Table, cell};
use super::{style, words};

pub fn status(page: &mut Page, status: &StorageStatus) {
    let (facts, open) = (&status.facts, status.open_milestones);
    page.styled(style::HEAD, facts.store);
    page.say("; ").say(share(open, "milestones"));
    page.say(", ").say(share(status.open_tasks, "tasks")).end();
    page.say("In ").say(&facts.place).end();
    page.say(words::count(facts.archived_milestones, "archived milestone"));
    page.say(", ").say(words::count(facts.events, "recorded event")).end();
    page.heading("On disk");
    let mut table = Table::new(&["", "", ""]);
    for size in &facts.sizes {
        table.row(vec![
            cell(style::PLAIN, size.what),
            cell(style::PLAIN, words::bytes(size.bytes)),
            cell(style::DIM, words::count(size.files, "file")),
        ]);
    }
    table.print(page);
    page.heading("State");
    match facts.journal {
        Journal::Applied => page.say("The journal is applied: nothing is left to finish."),
        Journal::Waiting => page.say("The journal waits: the next command finishes what it says."),
    };
    page.end();
    match &facts.held_by {
        Some(holder) => page.say("Being written by ").say(holder).say("."),
        None => page.say("Nobody is writing."),
    };
    page.end();
    let formats = facts.formats;
    page.say(format!(
        "Formats: document {}, event {}, backup {}.",
        formats.document, formats.event, formats.backup
    ));
    page.end();
    last_backup(page, status);
    if status.outgrown {
        page.styled(style::WARN, "Large: ");
        page.say("a larger store would be quicker; nothing stops working. See ");
        page.styled(style::HINT, "milestone storage explain").end();
    }
}

fn share(share: Share, what: &str) -> String {
    match share.of {
        Some(of) => format!("{} of {of} open {what}", share.count),
        None => format!("{} open {what}", share.count),
    }
}

fn last_backup(page: &mut Page, status: &StorageStatus) {
    match &status.facts.last_backup {
        Some(backup) => {
            let at = backup.made_at.map(|at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string());
            page.say("Last backup: ").say(at.unwrap_or_default());
            page.say(format!(", {}", words::bytes(backup.bytes))).end();
            page.say("  ").styled(style::ID, &backup.file).end();
        }
        None => {
            page.say("No backup here yet. Make one: ");
            page.styled(style::HINT, "milestone storage backup").end();
        }
    }
}

pub fn contents(page: &mut Page, manifest: &Manifest) {
    page.say("Made ").say(manifest.made_at.strftime("%Y-%m-%d %H:%M:%SZ")).say(": ");
    page.say(words::count(manifest.documents("active"), "open milestone")).say(", ");
    page.say(words::count(manifest.documents("completed"), "archived milestone")).say(", ");
    page.say(words::count(manifest.files.len(), "file")).say(", ");
    page.say(words::bytes(manifest.bytes())).end();
    for place in &manifest.left_out {
        page.styled(style::WARN, "Left out").say(", because it is no file: ").say(place).end();
    }
}

pub fn restored(page: &mut Page, folder: &str, manifest: &Manifest, before: Option<&str>) {
    page.say("Put back in ").styled(style::ID, folder).end();
    contents(page, manifest);
    if let Some(before) = before {
        page.say("What was here before is kept, whole, in ").styled(style::ID, before).end();
        page.say("Git takes that folder for new files: keep it out of commits.").end();
    }
}

pub fn claims_ended(page: &mut Page, count: usize) {
    if count > 0 {
        page.say(words::count(count, "claim"))
            .say(" ended; whoever held one is refused now.")
            .end();
    }
}
