//! What executing costs beside the work itself. The floor is the same git, from a plain shell.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use milestone_store::pointer::StoreKind;

use crate::measure::{Programs, milliseconds};
use crate::report::{Row, Target};
use crate::{Options, Result, say};

const SLOTS: [usize; 4] = [1, 4, 16, 64];

/// How many tasks are done for one figure, for each slot and at most.
const TASKS_A_SLOT: usize = 16;
const TASKS_MAX: usize = 64;

/// The milestone with which memory is looked at.
const TASKS_OF_LARGE: usize = 10_000;
const LARGE_FOR: Duration = Duration::from_secs(30);
const MEGABYTES: f64 = 200.0;

const IDLE_FOR: Duration = Duration::from_secs(30);
const IDLE_MILLISECONDS: f64 = 300.0;

/// A document is believed once nobody has written to it for a moment.
const SETTLES_IN: Duration = Duration::from_millis(300);

/// What a task does: its fields, and what a plain shell has to do for the same.
#[derive(Clone, Copy)]
struct Work {
    name: &'static str,
    fields: &'static str,
    plain: &'static str,
}

const NOTHING: Work = Work {
    name: "a task without an effect",
    fields: "run: 'true', effect: none",
    plain: "sh -c true",
};

const CHANGE: Work = Work {
    name: "a task that changes a file",
    fields: "run: 'echo a > \"$MILESTONE_TASK\"'",
    plain: "sh -c \"echo a > f$n\" && git add -A && git commit -qm \"$n\" && \
            tree=$(git merge-tree --write-tree refs/heads/all HEAD) && \
            next=$(git commit-tree -p refs/heads/all -m \"$n\" $tree) && \
            git update-ref refs/heads/all $next",
};

pub fn measure(programs: &Programs, options: &Options, folder: &Path) -> Result<Vec<Row>> {
    let folder = folder.join("engine");
    let mut rows = Vec::new();
    for work in [NOTHING, CHANGE] {
        let plain = plain(&folder, work)?;
        for store in programs.stores() {
            for slots in SLOTS {
                say(&format!("engine: {}, {}, {slots} slots", work.name, store.word()));
                let count = (slots * TASKS_A_SLOT).min(TASKS_MAX);
                let place = Place::make(programs, &folder, store, &vec![work.fields; count])?;
                let millis = place.finished(programs, slots)? / whole(count);
                rows.push(row(work, store, slots, millis, plain));
                if slots == 1 {
                    let name = format!("{}, from its claim to its record", work.name);
                    let own = Row::new(&name, store.word(), count, millis);
                    rows.push(own.above("plain shell", plain));
                }
            }
        }
    }
    let wanted = if options.seconds < 5 { LARGE_FOR / 5 } else { LARGE_FOR };
    rows.push(memory(programs, &folder, wanted)?);
    rows.push(idle(programs, &folder)?);
    Ok(rows)
}

fn row(work: Work, store: StoreKind, slots: usize, millis: f64, plain: f64) -> Row {
    let name = format!("tasks a second, {}, {slots} slots", work.name);
    let row = Row::new(&name, store.word(), 0, 1000.0 / millis);
    row.above("plain shell, one by one", 1000.0 / plain).held_to(Target::Rate)
}

fn whole(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Milliseconds for one task in a plain shell.
fn plain(folder: &Path, work: Work) -> Result<f64> {
    say(&format!("engine: {}, in a plain shell", work.name));
    let root = repository(folder)?;
    git(&root, &["branch", "all"])?;
    let script = format!(
        "set -e; n=0; while [ $n -lt {TASKS_A_SLOT} ]; do n=$((n+1)); \
         git worktree add -q --no-track -b b$n ../plain-$n main; \
         (cd ../plain-$n && {}) ; git worktree remove --force ../plain-$n; done",
        work.plain
    );
    let started = Instant::now();
    let status = Command::new("sh").args(["-c", &script]).current_dir(&root).status()?;
    let taken = milliseconds(started);
    fs::remove_dir_all(&root)?;
    if status.success() { Ok(taken / whole(TASKS_A_SLOT)) } else { Err("the floor failed".into()) }
}

fn repository(folder: &Path) -> Result<PathBuf> {
    let root = folder.join("project");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    fs::create_dir_all(&root)?;
    git(&root, &["init", "-q", "-b", "main"])?;
    git(&root, &["config", "user.name", "Ada"])?;
    git(&root, &["config", "user.email", "ada@example.org"])?;
    git(&root, &["commit", "-q", "--allow-empty", "-m", "Begin"])?;
    Ok(root)
}

fn git(root: &Path, words: &[&str]) -> Result<()> {
    let status = Command::new("git").args(words).current_dir(root).status()?;
    if status.success() { Ok(()) } else { Err(format!("git {words:?} failed").into()) }
}

/// A repository with one milestone.
struct Place {
    root: PathBuf,
}

impl Place {
    fn make(programs: &Programs, folder: &Path, store: StoreKind, tasks: &[&str]) -> Result<Self> {
        let place = Self { root: repository(folder)? };
        place.ok(programs, &["init"])?;
        let mut text = "id: milestone-001\ntitle: Work\ntasks:\n".to_owned();
        for (number, task) in (1..).zip(tasks) {
            writeln!(text, "  - {{id: task-{number:03}, title: Task {number}, {task}}}")?;
        }
        fs::write(place.root.join(".milestones/active/milestone-001.yaml"), text)?;
        sleep(SETTLES_IN);
        place.ok(programs, &["config", "set", "scale_override", store.word()])?;
        match store {
            StoreKind::Files => place.ok(programs, &["list"])?,
            store => place.ok(programs, &["storage", "migrate", store.word()])?,
        }
        Ok(place)
    }

    fn command(&self, programs: &Programs, words: &[&str]) -> Command {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let mut command = programs.command("milestone", &words, &self.root);
        let home = self.root.with_extension("home");
        command.env("HOME", &home).env("XDG_STATE_HOME", home.join("state"));
        command.stdout(Stdio::null());
        command
    }

    fn ok(&self, programs: &Programs, words: &[&str]) -> Result<()> {
        let status = self.command(programs, words).stderr(Stdio::null()).status()?;
        if status.success() { Ok(()) } else { Err(format!("milestone {words:?} failed").into()) }
    }

    fn session(&self, programs: &Programs, slots: usize) -> Result<Session> {
        let slots = slots.to_string();
        let words = ["execute", "1", "--agents", &slots, "--yes"];
        let child = self.command(programs, &words).stderr(Stdio::null()).spawn()?;
        Ok(Session { child })
    }

    /// Milliseconds until all of it is done.
    fn finished(&self, programs: &Programs, slots: usize) -> Result<f64> {
        let started = Instant::now();
        let status = self.session(programs, slots)?.child.wait()?;
        let taken = milliseconds(started);
        if status.success() { Ok(taken) } else { Err("a session failed".into()) }
    }
}

/// One that is ended with whatever measures it.
struct Session {
    child: Child,
}

impl Session {
    fn file(&self, name: &str) -> Result<String> {
        Ok(fs::read_to_string(format!("/proc/{}/{name}", self.child.id()))?)
    }

    /// The most memory that it ever had, in MB.
    fn peak(&self) -> Result<f64> {
        let status = self.file("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kilobytes.ok_or("no peak")?.parse::<f64>()? / 1024.0)
    }

    /// Milliseconds of processor time so far. The kernel counts in hundredths of a second.
    fn processor(&self) -> Result<f64> {
        let stat = self.file("stat")?;
        let (_, fields) = stat.rsplit_once(") ").ok_or("no fields")?;
        let mut fields = fields.split(' ').skip(11);
        let mut ticks = || -> Result<f64> { Ok(fields.next().ok_or("no times")?.parse()?) };
        Ok((ticks()? + ticks()?) * 10.0)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn memory(programs: &Programs, folder: &Path, time: Duration) -> Result<Row> {
    say("engine: memory with 64 slots");
    let tasks = vec![NOTHING.fields; TASKS_OF_LARGE];
    let place = Place::make(programs, folder, StoreKind::Sqlite, &tasks)?;
    let session = place.session(programs, 64)?;
    sleep(time);
    let name = format!("peak memory of a session, 64 slots, {} s", time.as_secs());
    let row = Row::new(&name, "sqlite", TASKS_OF_LARGE, session.peak()?);
    Ok(row.held_to(Target::Megabytes(MEGABYTES)))
}

fn idle(programs: &Programs, folder: &Path) -> Result<Row> {
    say("engine: a session with nothing to do");
    let place = Place::make(programs, folder, StoreKind::Files, &["run: 'sleep 120'"])?;
    let session = place.session(programs, 1)?;
    sleep(Duration::from_secs(5));
    let before = session.processor()?;
    sleep(IDLE_FOR);
    let name = format!("processor time of an idle session, {} s", IDLE_FOR.as_secs());
    let row = Row::new(&name, "files", 1, session.processor()? - before);
    Ok(row.held_to(Target::Milliseconds(IDLE_MILLISECONDS)))
}
