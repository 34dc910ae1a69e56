//! Hand edits and program writes both survive (P10).
//!
//! Simulated editors save the same document in all the ways real ones do, while eight writers
//! change other fields of it. Every edit that was saved whole and every write that was
//! acknowledged must be there in the end.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use milestone_domain::change::{FieldChange, Path as Field};
use milestone_domain::command::{Command, Credential};
use milestone_domain::document::{Criterion, Milestone, Task};
use milestone_domain::event::Event;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::snapshot::Scope;
use milestone_domain::status::{CriterionKind, TaskStatus};
use milestone_store::moving::move_to;
use milestone_store::pointer::StoreKind;
use milestone_store::{Difference, Error, EventFilter, Project, StoreError, StoreErrorClass};

use crate::support::{Chance, all, change_task, count, decided, open, place, project, seed};

const M1: MilestoneId = MilestoneId(1);
const WRITERS: usize = 8;

/// Longer than a document that looks unfinished is waited for.
const REST: Duration = Duration::from_millis(2500);

/// A document as a person writes one: comments everywhere, and something below the tasks.
fn document() -> String {
    let mut text = "\
# The login milestone
id: milestone-001
title: \"Login\"   # for now
status: planned
labels:
  - start
# Tasks, in the order in which we think of them
tasks:
"
    .to_owned();
    for number in 1..=WRITERS + 1 {
        text += &format!(
            "  - id: task-{number:03}\n    title: Part {number}   # part {number}\n    status: pending\n"
        );
    }
    text + "# below the tasks\nprogress: {percentage: 0, tasks_completed: 0}\n"
}

/// What was saved whole by hand.
#[derive(Debug, Default)]
struct ByHand {
    labels: Vec<String>,
    comments: Vec<String>,
    tasks: Vec<String>,
}

/// A person with an editor.
struct Editor {
    file: PathBuf,
    chance: Chance,
    saved: ByHand,
    number: usize,
}

impl Editor {
    fn work(mut self, edits: usize) -> ByHand {
        for _ in 0..edits {
            self.edit();
            std::thread::sleep(self.chance.millis(20, 700));
        }
        self.saved
    }

    fn edit(&mut self) {
        // Some open the file early and write to it much later, whatever became of its name.
        let held = self
            .chance
            .one_in(6)
            .then(|| OpenOptions::new().read(true).write(true).open(&self.file).unwrap());
        let text = fs::read_to_string(&self.file).unwrap();
        if self.chance.one_in(3) || held.is_some() {
            std::thread::sleep(self.chance.millis(1, 500));
        }
        let text = self.changed(&text);
        let kind = self.chance.within(0, 5);
        match (held, kind) {
            (Some(mut file), _) => {
                file.seek(SeekFrom::Start(0)).unwrap();
                file.write_all(text.as_bytes()).unwrap();
                file.set_len(text.len() as u64).unwrap();
            }
            (None, 0) => fs::write(&self.file, &text).unwrap(),
            (None, 1) => {
                let temp = self.file.with_extension("yaml.swp");
                fs::write(&temp, &text).unwrap();
                fs::rename(&temp, &self.file).unwrap();
            }
            (None, 2) => self.slowly(&text),
            (None, 3) => {
                let half = self.chance.within(0, text.len());
                fs::write(&self.file, &text.as_bytes()[..half]).unwrap();
                std::thread::sleep(self.chance.millis(1, 400));
                fs::write(&self.file, &text).unwrap();
            }
            (None, _) => {
                let file = OpenOptions::new().write(true).truncate(true).open(&self.file).unwrap();
                file.write_all_at(text.as_bytes(), 0).unwrap();
            }
        }
    }

    fn slowly(&mut self, text: &str) {
        let mut file = OpenOptions::new().write(true).truncate(true).open(&self.file).unwrap();
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let chunk = self.chance.within(1, 400).min(rest.len());
            file.write_all(&rest[..chunk]).unwrap();
            rest = &rest[chunk..];
            if self.chance.one_in(2) {
                std::thread::sleep(self.chance.millis(1, 80));
            }
        }
    }

    /// The text with one or two things of a person's in it.
    fn changed(&mut self, text: &str) -> String {
        let bom = text.starts_with('\u{feff}');
        let crlf = text.contains("\r\n");
        let plain = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let mut lines: Vec<String> = plain.lines().map(str::to_owned).collect();
        self.number += 1;
        let n = self.number;
        match self.chance.within(0, 4) {
            0 => self.label(&mut lines, n),
            1 => self.comment(&mut lines, n),
            2 => self.task(&mut lines, n),
            _ => {
                self.label(&mut lines, n);
                self.comment(&mut lines, n);
            }
        }
        // Now and then the file changes its ways.
        let crlf = crlf ^ self.chance.one_in(12);
        let bom = bom ^ self.chance.one_in(12);
        let end = if crlf { "\r\n" } else { "\n" };
        let text: String = lines.iter().flat_map(|line| [line.as_str(), end]).collect();
        if bom { format!("\u{feff}{text}") } else { text }
    }

    fn label(&mut self, lines: &mut Vec<String>, n: usize) {
        let at = lines.iter().position(|line| line.starts_with("labels:")).unwrap();
        let end = lines[at + 1..].iter().position(|line| !line.starts_with("  - ")).unwrap();
        lines.insert(at + 1 + end, format!("  - hand-{n}"));
        self.saved.labels.push(format!("hand-{n}"));
    }

    fn comment(&mut self, lines: &mut Vec<String>, n: usize) {
        let tasks: Vec<usize> =
            (0..lines.len()).filter(|at| lines[*at].starts_with("  - id: task")).collect();
        let at = tasks[self.chance.within(0, tasks.len())];
        match self.chance.within(0, 3) {
            0 => lines.insert(at, format!("  # remark-{n}.")),
            1 => lines[at + 1] += &format!(" # remark-{n}."),
            _ => lines.insert(0, format!("# remark-{n}.")),
        }
        self.saved.comments.push(format!("remark-{n}."));
    }

    /// A new task gets the number after the last one that this person sees.
    fn task(&mut self, lines: &mut Vec<String>, n: usize) {
        let number = |line: &String| line.strip_prefix("  - id: task-")?.trim().parse().ok();
        let last: u32 = lines.iter().filter_map(number).max().unwrap();
        let begin = lines.iter().position(|line| line.starts_with("tasks:")).unwrap();
        let end = lines[begin + 1..]
            .iter()
            .position(|line| !line.starts_with(' ') && !line.starts_with('-'))
            .map_or(lines.len(), |end| begin + 1 + end);
        lines.insert(end, format!("  - id: task-{:03}", last + 1));
        lines.insert(end + 1, format!("    title: By hand {n}."));
        self.saved.tasks.push(format!("By hand {n}."));
    }
}

/// What a writer was told is kept.
#[derive(Debug, Default)]
struct Acknowledged {
    status: Option<TaskStatus>,
    assignee: Option<String>,
    notes: Vec<String>,
    tasks: Vec<String>,
    refused: BTreeMap<&'static str, usize>,
}

/// A writer that changes fields of a task of its own, through a project of its own.
struct Writer {
    root: PathBuf,
    number: u32,
    chance: Chance,
    done: Acknowledged,
}

impl Writer {
    fn work(mut self, stop: &AtomicBool) -> Acknowledged {
        let project = open(&self.root);
        let mut n = 0;
        while !stop.load(Ordering::Relaxed) {
            n += 1;
            self.write(&project, n);
            std::thread::sleep(self.chance.millis(10, 200));
        }
        self.done
    }

    fn write(&mut self, project: &Project, n: usize) {
        let task = TaskId::new(M1, self.number);
        let name = format!("{}-{n}", self.number);
        match self.chance.within(0, 8) {
            0 => {
                let draft = Box::new(Task::new(0, &format!("Program {name}.")));
                if self.run(project, &Command::AddTask { milestone: M1, draft }) {
                    self.done.tasks.push(format!("Program {name}."));
                }
            }
            1 | 2 => {
                let text = format!("note {name}.");
                let credential = Credential::default();
                if self.run(project, &Command::Note { task, text: text.clone(), credential }) {
                    self.done.notes.push(text);
                }
            }
            3..=5 => {
                let path = format!("tasks/task-{:03}/assignee", self.number);
                let change = FieldChange {
                    path: path.parse::<Field>().unwrap(),
                    before: None,
                    after: Some(name.clone().into()),
                };
                if self.run(project, &Command::Amend { milestone: M1, changes: vec![change] }) {
                    self.done.assignee = Some(name);
                }
            }
            _ => {
                let to = match self.done.status {
                    Some(TaskStatus::InProgress) => TaskStatus::Completed,
                    Some(TaskStatus::Completed) => TaskStatus::Pending,
                    _ => TaskStatus::InProgress,
                };
                let credential = Credential::default();
                if self.run(project, &Command::ChangeTask { task, to, reason: None, credential }) {
                    self.done.status = Some(to);
                }
            }
        }
    }

    fn run(&mut self, project: &Project, command: &Command) -> bool {
        let code = match project.execute(command, &format!("writer-{}", self.number)) {
            Ok(_) => return true,
            // A half-saved document is nobody's to write to; such a command is tried again.
            Err(Error::Refused(refusal)) if refusal.code() == "unreadable" => refusal.code(),
            Err(Error::Store(error)) if error.class() == StoreErrorClass::Conflict => error.code(),
            Err(error) => {
                println!("writer {}: {command:?}: {error}", self.number);
                "error"
            }
        };
        *self.done.refused.entry(code).or_default() += 1;
        false
    }
}

/// One document, one editor, eight writers.
fn scene(root: &Path, seed: u64, edits: usize) -> (ByHand, Vec<Acknowledged>) {
    let first = project(root);
    let file = root.join("active/milestone-001.yaml");
    fs::write(&file, document()).unwrap();
    let adopted = all(&first);
    assert_eq!(adopted.problems, []);
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (2..)
        .take(WRITERS)
        .map(|number| {
            let chance = Chance::new(seed, u64::from(number));
            let (root, done) = (root.to_owned(), Acknowledged::default());
            let (writer, stop) = (Writer { root, number, chance, done }, Arc::clone(&stop));
            std::thread::spawn(move || writer.work(&stop))
        })
        .collect();
    let chance = Chance::new(seed, 1);
    let editor = Editor { file, chance, saved: ByHand::default(), number: 0 };
    let saved = editor.work(edits);
    stop.store(true, Ordering::Relaxed);
    (saved, writers.into_iter().map(|writer| writer.join().unwrap()).collect())
}

/// Everything that is not as it should be after a scene.
fn lost(root: &Path, saved: &ByHand, written: &[Acknowledged]) -> Vec<String> {
    std::thread::sleep(REST);
    let project = open(root);
    let snapshot = all(&project);
    let mut lost: Vec<String> =
        snapshot.problems.iter().map(|problem| format!("problem {problem:?}")).collect();
    let Some(milestone) = snapshot.documents.get(&M1) else {
        lost.push("the document".into());
        return lost;
    };
    let text = fs::read_to_string(root.join("active/milestone-001.yaml")).unwrap();
    let titles: Vec<&str> = milestone.tasks.iter().map(|task| task.title.as_str()).collect();
    let gone = |title: &&String| titles.iter().filter(|there| *there == title).count() != 1;
    lost.extend(saved.labels.iter().filter(|l| !milestone.labels.contains(l)).cloned());
    lost.extend(saved.comments.iter().filter(|comment| !text.contains(*comment)).cloned());
    let times = |title: &&String| titles.iter().filter(|there| *there == title).count();
    let missing = saved.tasks.iter().filter(gone);
    lost.extend(missing.map(|title| format!("{title} is there {} times", times(&title))));
    for comment in ["# The login milestone", "# for now", "# Tasks, in the order", "# below the"] {
        if !text.contains(comment) {
            lost.push(format!("comment {comment}"));
        }
    }
    let events = project.events(None, &EventFilter::default(), usize::MAX).unwrap().events;
    let notes: Vec<&str> = events
        .iter()
        .filter_map(|event| match &event.event {
            Event::TaskNoted { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    for (writer, number) in written.iter().zip(2..) {
        lost.extend(writer.tasks.iter().filter(gone).cloned());
        lost.extend(writer.notes.iter().filter(|n| !notes.contains(&n.as_str())).cloned());
        let Some(task) = milestone.task(number) else {
            lost.push(format!("task {number}"));
            continue;
        };
        let status = writer.status.unwrap_or(TaskStatus::Pending);
        if task.status != status {
            lost.push(format!("task {number} is {:?}, not {status:?}", task.status));
        }
        if task.assignee != writer.assignee {
            lost.push(format!("task {number}: {:?}, not {:?}", task.assignee, writer.assignee));
        }
    }
    lost.extend(out_of_order(milestone));
    lost.extend(unlike_history(&project, milestone));
    lost
}

fn out_of_order(milestone: &Milestone) -> Option<String> {
    let own: Vec<u32> =
        milestone.tasks.iter().map(|task| task.id.number).filter(|n| *n <= 9).collect();
    (!own.is_sorted()).then(|| format!("the order of the tasks: {own:?}"))
}

/// The history tells the same story: without the clone's own memory the document reads the same.
fn unlike_history(project: &Project, milestone: &Milestone) -> Option<String> {
    let snapshot = project.read(&Scope::Milestone(M1), "reader").unwrap();
    (snapshot.documents.get(&M1) != Some(milestone)).then(|| "the second reading".to_owned())
}

#[test]
fn hand_edits_and_program_writes_both_survive() {
    let seed = seed("hand_edits_and_program_writes_both_survive");
    let scenes = 10_u64;
    let edits = count(500, 10_000).div_ceil(10);
    let started = Instant::now();
    let threads: Vec<_> = (0..scenes)
        .map(|scene| {
            std::thread::spawn(move || {
                let temp = tempfile::tempdir().unwrap();
                let seed = seed.wrapping_add(scene * 1000);
                let (saved, written) = self::scene(temp.path(), seed, edits);
                let lost = lost(temp.path(), &saved, &written);
                let refused = written.iter().flat_map(|w| w.refused.clone());
                println!("scene {scene}: refused {:?}", refused.collect::<Vec<_>>());
                let writes: usize = written.iter().map(|w| w.notes.len() + w.tasks.len()).sum();
                println!("scene {scene}: {edits} edits, {writes} notes and tasks, lost {lost:#?}");
                if !lost.is_empty() && std::env::var_os("MILESTONE_KEEP").is_some() {
                    println!("kept in {}", temp.keep().display());
                }
                lost.len()
            })
        })
        .collect();
    let lost: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    println!("{:?}", started.elapsed());
    assert_eq!(lost, 0);
}

/// A document in which the program has finished a task since it was opened.
fn opened(root: &Path) -> (Project, PathBuf, String) {
    let project = project(root);
    let file = root.join("active/milestone-001.yaml");
    fs::write(&file, document()).unwrap();
    let _ = all(&project);
    let text = fs::read_to_string(&file).unwrap();
    (project, file, text)
}

fn finish(project: &Project, number: u32) {
    project.execute(&change_task(M1, number, TaskStatus::Completed), "ada").unwrap();
}

#[test]
fn a_comment_from_an_editor_that_was_opened_earlier_takes_nothing_back() {
    let temp = tempfile::tempdir().unwrap();
    let (project, file, text) = opened(temp.path());
    finish(&project, 2);
    fs::write(&file, format!("# a remark\n{text}")).unwrap();
    let milestone = &all(&project).documents[&M1];
    assert_eq!(milestone.task(2).unwrap().status, TaskStatus::Completed);
    let now = fs::read_to_string(&file).unwrap();
    assert!(now.starts_with("# a remark\n") && now.contains("status: completed"), "{now}");
}

/// What was held for a change that was refused is not the text that the next one is written over.
#[test]
fn beside_a_database_a_refused_change_leaves_nothing_behind() {
    let temp = tempfile::tempdir().unwrap();
    let (project, file, text) = opened(temp.path());
    move_to(&place(temp.path()), StoreKind::Sqlite, &|_, _, _| ()).unwrap();
    let store = place(temp.path()).open().unwrap();
    let before = store.read(&Scope::Milestone(M1)).unwrap().snapshot;
    finish(&project, 2);
    let late = decided(&before, &change_task(M1, 3, TaskStatus::InProgress));
    assert!(matches!(store.commit(&late), Err(StoreError::Stale)));
    fs::write(&file, format!("# a remark\n{text}")).unwrap();
    std::thread::sleep(REST);
    let noticed = store.read(&Scope::Milestone(M1)).unwrap().noticed;
    let [noticed] = &noticed[..] else { panic!("{noticed:?}") };
    assert_eq!(noticed.what, Difference::Stale);
    store.accept(noticed).unwrap();
    let now = fs::read_to_string(&file).unwrap();
    assert!(now.starts_with("# a remark\n") && now.contains("status: completed"), "{now}");
}

#[test]
fn tasks_that_a_person_and_the_program_added_at_once_are_both_there() {
    let temp = tempfile::tempdir().unwrap();
    let (project, file, text) = opened(temp.path());
    let draft = Box::new(Task::new(0, "Program"));
    project.execute(&Command::AddTask { milestone: M1, draft }, "ada").unwrap();
    let by_hand = "  - id: task-010\n    title: By hand # mine\n# below the tasks";
    fs::write(&file, text.replace("# below the tasks", by_hand)).unwrap();
    let milestone = &all(&project).documents[&M1];
    assert_eq!(milestone.task(10).unwrap().title, "Program");
    assert_eq!(milestone.task(11).unwrap().title, "By hand");
    assert!(fs::read_to_string(&file).unwrap().contains("# mine"));
}

#[test]
fn a_save_into_a_file_that_was_replaced_is_taken_in_with_its_comments() {
    let temp = tempfile::tempdir().unwrap();
    let (project, file, text) = opened(temp.path());
    let held = OpenOptions::new().write(true).open(&file).unwrap();
    finish(&project, 2);
    let text = text.replace("  - start", "  - start\n  - late") + "# the end\n";
    held.write_all_at(text.as_bytes(), 0).unwrap();
    held.set_len(text.len() as u64).unwrap();
    let milestone = &all(&project).documents[&M1];
    assert_eq!(milestone.labels, ["start", "late"]);
    assert_eq!(milestone.task(2).unwrap().status, TaskStatus::Completed);
    assert!(fs::read_to_string(&file).unwrap().contains("# the end"));
}

#[test]
fn what_a_half_save_took_away_the_whole_one_puts_back() {
    let temp = tempfile::tempdir().unwrap();
    let (project, file, _) = opened(temp.path());
    finish(&project, 9);
    let before = all(&project).documents[&M1].clone();
    let text = fs::read_to_string(&file).unwrap();
    let half = text.find("  - id: task-008").unwrap();
    fs::write(&file, &text[..half]).unwrap();
    std::thread::sleep(Duration::from_millis(1_100));
    assert_eq!(all(&project).documents[&M1].tasks.len(), 7);
    fs::write(&file, format!("{text}# whole\n")).unwrap();
    let after = &all(&project).documents[&M1];
    assert_eq!(after.task(9), before.task(9), "with what the program had written");
    assert_eq!(after.tasks.len(), 9);
}

#[test]
fn a_remark_between_tasks_outlives_what_is_written_above_it() {
    for remark in ["  # between.\n", "# between.\n", "    # between.\n"] {
        let temp = tempfile::tempdir().unwrap();
        let (project, file, _) = opened(temp.path());
        finish(&project, 2);
        let text = fs::read_to_string(&file).unwrap();
        let with = text.replace("  - id: task-003", &format!("{remark}  - id: task-003"));
        fs::write(&file, with).unwrap();
        let _ = all(&project);
        project.execute(&change_task(M1, 2, TaskStatus::Pending), "ada").unwrap();
        let now = fs::read_to_string(&file).unwrap();
        assert!(now.contains("# between."), "{remark:?}: {now}");
        finish(&project, 2);
        assert!(fs::read_to_string(&file).unwrap().contains("# between."), "{remark:?}");
    }
}

#[test]
fn a_late_save_counts_although_the_document_has_grown_at_its_end_since() {
    let temp = tempfile::tempdir().unwrap();
    let project = project(temp.path());
    let mut draft = Milestone::new(M1, "Login");
    draft.tasks = vec![Task::new(1, "Part 1")];
    project.execute(&Command::Plan { draft: Box::new(draft) }, "ada").unwrap();
    let path = temp.path().join("active/milestone-001.yaml");
    let opened = fs::read_to_string(&path).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    // Written at the end of the document, behind everything that the editor knows.
    let criterion = Criterion {
        id: None,
        text: "It works".into(),
        kind: CriterionKind::Success,
        check: None,
        met: None,
    };
    let add = Command::AddCriterion { milestone: M1, draft: Box::new(criterion) };
    project.execute(&add, "ada").unwrap();
    let saved = opened.replace("Part 1", "The first part");
    file.set_len(0).unwrap();
    file.write_all_at(saved.as_bytes(), 0).unwrap();
    std::thread::sleep(REST);
    let snapshot = project.read(&Scope::Milestone(M1), "ada").unwrap();
    let document = &snapshot.documents[&M1];
    assert_eq!(document.tasks[0].title, "The first part");
    assert_eq!(document.criteria.len(), 1);
}

#[test]
fn what_was_refused_together_with_an_error_counts_once_that_is_mended() {
    let temp = tempfile::tempdir().unwrap();
    let (project, file, text) = opened(temp.path());
    // The one is fine, the other is not: neither counts.
    let unknown = "# part 3\n    requires: [task-077]\n";
    let wrong = text.replace("  - start", "  - start\n  - by-hand").replace("# part 3\n", unknown);
    fs::write(&file, wrong).unwrap();
    assert!(!all(&project).problems.is_empty());
    finish(&project, 2);
    let now = fs::read_to_string(&file).unwrap();
    assert!(now.contains("by-hand") && now.contains(unknown), "{now}");
    fs::write(&file, now.replace(unknown, "# part 3\n")).unwrap();
    let snapshot = all(&project);
    assert_eq!(snapshot.problems, []);
    assert_eq!(snapshot.documents[&M1].labels, ["start", "by-hand"]);
    assert!(fs::read_to_string(&file).unwrap().contains("by-hand"));
}

/// A typing error in a key makes another key of it, which the program keeps until it is mended.
#[test]
fn a_mistyped_key_is_mended_by_hand() {
    let temp = tempfile::tempdir().unwrap();
    let project = project(temp.path());
    let file = temp.path().join("active/milestone-001.yaml");
    let save = |text: &str| {
        fs::write(&file, text).unwrap();
        let snapshot = all(&project);
        snapshot.documents[&M1].task(1).unwrap().estimate
    };
    let line = "    title: Part 1   # part 1\n";
    let estimated = document().replace(line, &format!("{line}    estimate: 4h\n"));
    assert!(save(&estimated).is_some());
    let estimated = fs::read_to_string(&file).unwrap();
    let mistyped = estimated.replace("estimate", "estimte");
    assert_eq!(save(&mistyped), None);
    // Taken back at once, as an undo does.
    assert!(save(&estimated).is_some());
    assert_eq!(fs::read_to_string(&file).unwrap(), estimated);
    assert_eq!(save(&mistyped), None);
    std::thread::sleep(Duration::from_millis(2_500));
    // Mended together with something else.
    let mended = estimated.replace("\"Login\"", "\"Log-in\"");
    assert!(save(&mended).is_some());
    assert_eq!(fs::read_to_string(&file).unwrap(), mended);
    assert_eq!(all(&project).documents[&M1].title, "Log-in");
}
