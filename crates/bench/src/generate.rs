//! Projects to measure on: seeded, so that everybody measures on the same ones.

use std::fs;
use std::io;
use std::path::Path;

use milestone_domain::document::{Criterion, Milestone, Risk, Task};
use milestone_domain::ids::{MilestoneId, Reference, TaskId, Uid};
use milestone_domain::status::{MilestoneStatus, TaskStatus};
use milestone_store::files::text;
use uuid::Uuid;

use crate::random::Random;

/// Tasks of one milestone.
pub const TASKS_PER_MILESTONE: usize = 20;

const WORDS: [&str; 16] = [
    "login", "token", "cache", "index", "schema", "worker", "report", "session", "parser", "queue",
    "invoice", "search", "export", "policy", "upload", "router",
];
const ESTIMATES: [&str; 6] = ["1h", "2h", "4h", "1d", "2d", "90m"];

/// The documents of a project of `tasks` tasks, in order of their numbers.
pub fn documents(tasks: usize, seed: u64) -> Vec<Milestone> {
    let mut random = Random::new(seed);
    let count = tasks.div_ceil(TASKS_PER_MILESTONE).max(1);
    let sizes = (0..count).map(|at| (tasks - at * TASKS_PER_MILESTONE).min(TASKS_PER_MILESTONE));
    sizes.enumerate().map(|(at, size)| milestone(at, size, count, &mut random)).collect()
}

/// Milestones that are done and filed away, with numbers after those of other documents.
pub fn filed_away(count: usize, after: usize) -> Vec<Milestone> {
    let mut random = Random::new(11);
    let filed = (after..after + count).map(|at| {
        let mut milestone = Milestone::new(MilestoneId(number(at)), &phrase("Had", &mut random));
        milestone.uid = Some(uid(number(at)));
        milestone.description = Some(sentence(&mut random));
        milestone.status = MilestoneStatus::Completed;
        milestone.tasks =
            (0..3).map(|n| task(0, n, MilestoneStatus::Completed, &mut random)).collect();
        milestone.archived = true;
        milestone
    });
    filed.collect()
}

/// Tasks that wait for nothing, as the jobs of a queue.
pub fn jobs(count: usize) -> Vec<Milestone> {
    let mut documents = documents(count, 7);
    for milestone in &mut documents {
        milestone.status = MilestoneStatus::InProgress;
        milestone.dependencies.requires.clear();
        milestone.provides.clear();
        for task in &mut milestone.tasks {
            task.status = TaskStatus::Pending;
            task.requires.clear();
            task.conditions.clear();
            task.resources.clear();
        }
    }
    documents
}

fn uid(id: u32) -> Uid {
    Uid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(id)))
}

fn milestone(at: usize, size: usize, count: usize, random: &mut Random) -> Milestone {
    let id = number(at);
    let mut milestone = Milestone::new(MilestoneId(id), &phrase("Milestone about", random));
    milestone.uid = Some(uid(id));
    milestone.description = Some(sentence(random));
    milestone.goals = (0..2).map(|_| phrase("Better", random)).collect();
    milestone.status = status(at, count);
    // Requirements point backwards, so that there is no cycle and the first part can be finished.
    let earlier = (0..random.below(3)).map(|_| random.below(at.max(1)));
    let requires = if at == 0 { Vec::new() } else { earlier.collect() };
    milestone.dependencies.requires = references(requires);
    milestone.tasks = (0..size).map(|n| task(at, n, milestone.status, random)).collect();
    milestone.criteria = (0..2).map(|_| Criterion::from(phrase("There is a", random))).collect();
    milestone.risks = vec![Risk::from(phrase("We may lack the", random))];
    if random.one_in(20) && milestone.status == MilestoneStatus::Planned {
        milestone.provides = vec![format!("ready-{id}")];
        if let Some(task) = milestone.tasks.first_mut() {
            task.conditions = vec![format!("ready-{}", number(random.below(count)))];
        }
    }
    milestone
}

/// The first fifth is finished, the next tenth is being worked on.
fn status(at: usize, count: usize) -> MilestoneStatus {
    match at * 10 / count {
        0 | 1 if count > 1 => MilestoneStatus::Completed,
        2 if count > 1 => MilestoneStatus::InProgress,
        _ => MilestoneStatus::Planned,
    }
}

fn references(earlier: Vec<usize>) -> Vec<Reference> {
    let mut ids: Vec<u32> = earlier.into_iter().map(number).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(|id| Reference::Milestone(MilestoneId(id))).collect()
}

fn task(at: usize, n: usize, of: MilestoneStatus, random: &mut Random) -> Task {
    let mut task = Task::new(number(n), &phrase("Build the", random));
    task.description = Some(sentence(random));
    task.estimate = serde_json::from_value(ESTIMATES[random.below(6)].into()).ok();
    task.requires = (0..random.below(3))
        .filter(|_| n > 0)
        .map(|_| Reference::Own(number(random.below(n))))
        .collect();
    task.requires.sort_unstable();
    task.requires.dedup();
    if at > 0 && random.one_in(10) {
        let other = MilestoneId(number(random.below(at)));
        task.requires.push(Reference::Task(TaskId::new(other, 1)));
    }
    if random.one_in(5) {
        task.resources =
            vec![format!("src/{}/{}.rs", WORDS[random.below(16)], WORDS[random.below(16)])];
    }
    task.labels = (0..random.below(2)).map(|_| WORDS[random.below(16)].to_owned()).collect();
    if of == MilestoneStatus::Completed || (of == MilestoneStatus::InProgress && n == 0) {
        task.status = TaskStatus::Completed;
    }
    task
}

fn number(at: usize) -> u32 {
    u32::try_from(at + 1).unwrap_or(u32::MAX)
}

fn phrase(start: &str, random: &mut Random) -> String {
    format!("{start} {} {}", WORDS[random.below(16)], WORDS[random.below(16)])
}

fn sentence(random: &mut Random) -> String {
    let words: Vec<_> = (0..16).map(|_| WORDS[random.below(16)]).collect();
    format!("It is about {}.", words.join(" "))
}

/// Writes the documents as people do, comments and all, into a new repository.
pub fn write(repository: &Path, documents: &[Milestone]) -> io::Result<()> {
    let root = repository.join(".milestones");
    fs::create_dir_all(repository.join(".git"))?;
    fs::write(repository.join(".git/HEAD"), "ref: refs/heads/main\n")?;
    for folder in ["active", "completed"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::create_dir_all(root.join("config"))?;
    fs::write(root.join("config/milestone-config.yaml"), "scale_override: files\n")?;
    for document in documents {
        let text =
            text::write(document, true).replacen("tasks:", "# What is to be done.\ntasks:", 1);
        let folder = if document.archived { "completed" } else { "active" };
        fs::write(root.join(folder).join(document.id.file_name()), text)?;
    }
    Ok(())
}
