//! P3: every system call of every verb fails in every way that it can.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::{Harness, Outcome, report, skipped};
use crate::ask::Ask;
use crate::ledger::Said;
use crate::project::{Scene, VERBS};
use crate::random::Random;
use crate::report::Report;
use crate::run::tool;
use crate::store::{PROGRAM_URL, Store};

/// The calls that touch a project's files.
const CALLS: &str = "openat,read,pread64,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,\
unlink,unlinkat,mkdir,mkdirat,ftruncate,link,linkat,getdents64,statx,newfstatat,lstat,stat,flock,\
chmod,fchmod,sendto,recvfrom";

/// How many faults the quick run tries, spread over all that there are.
const QUICK: u64 = 120;
const QUICK_ON_THE_WIRE: u64 = 60;

/// Limits on the size of files, which make writes short, for each verb.
const LIMITS: u64 = 4;

/// After so many commands without one in which a verb works, something is wrong.
const ACTS_MAX: u32 = 500;

#[derive(Debug, Clone)]
enum Fault {
    /// At the so-many-th call of a name: what happens instead.
    Call { call: String, when: u64, inject: &'static str },
    /// No file may grow beyond so many bytes: a write is cut short there.
    Limit(u64),
    /// The disk has so many bytes left, and is cleared up afterwards.
    Full(u64),
}

impl Fault {
    fn kind(&self) -> (&str, &'static str) {
        match self {
            Self::Call { call, inject, .. } => (call, inject),
            Self::Limit(_) => ("a file", "limit"),
            Self::Full(_) => ("a disk", "full"),
        }
    }
}

/// What talks to a server.
const WIRE: [&str; 2] = ["sendto", "recvfrom"];

pub fn run(harness: &Harness) -> Report {
    let mut verbs: Vec<&str> = VERBS.to_vec();
    verbs.dedup();
    verbs.extend(moves(harness));
    injected(harness, "P3", &verbs, QUICK, |_| true)
}

/// The connection breaks at every message of a few commands, those after which the server has done
/// what it was asked for included.
pub fn run_on_the_wire(harness: &Harness) -> Report {
    let breaks = |fault: &Fault| match fault {
        Fault::Call { call, inject, .. } => {
            WIRE.contains(&call.as_str()) && *inject == "error=ECONNRESET"
        }
        _ => false,
    };
    injected(
        harness,
        "P12-answers",
        &["task claim", "task note", "plan"],
        QUICK_ON_THE_WIRE,
        breaks,
    )
}

fn injected(
    harness: &Harness,
    name: &'static str,
    verbs: &[&str],
    quick: u64,
    wanted: impl Fn(&Fault) -> bool,
) -> Report {
    if tool(&["strace", "-V"]).is_err() {
        return skipped(name, "strace is not installed".into());
    }
    let place = harness.place(&format!("{name}-fixtures"));
    let fixtures = match fixtures(harness, &place, verbs) {
        Ok(fixtures) => fixtures,
        Err(error) => return broken(name, vec![error], &place),
    };
    let full_disks = mounted(&place.join("trial")).and_then(|()| unmounted(&place.join("trial")));
    let full_disks = full_disks.is_ok();
    let mut planned: Vec<(usize, Fault)> = Vec::new();
    for (index, fixture) in fixtures.iter().enumerate() {
        match faults(harness, fixture, full_disks) {
            Ok(faults) => {
                let faults = faults.into_iter().filter(&wanted);
                planned.extend(faults.map(|fault| (index, fault)));
            }
            Err(error) => return broken(name, vec![error], &place),
        }
    }
    let all = planned.len();
    if !harness.full {
        let wanted = usize::try_from(harness.runs(quick, quick)).unwrap_or(1);
        planned = of_every_kind(planned, wanted, &mut Random::new(harness.seed));
    }
    let report = one_by_one(harness, name, &planned, fixtures);
    let _ = fs::remove_dir_all(&place);
    let remark = format!("of {all} that there are");
    Report { remarks: vec![remark], ..report }
}

/// So many of them, of every kind as many: most calls read, and what matters is often what writes.
fn of_every_kind(
    planned: Vec<(usize, Fault)>,
    wanted: usize,
    random: &mut Random,
) -> Vec<(usize, Fault)> {
    let mut kinds: BTreeMap<(String, &str), Vec<(usize, Fault)>> = BTreeMap::new();
    for (index, fault) in planned {
        let (call, inject) = fault.kind();
        kinds.entry((call.to_owned(), inject)).or_default().push((index, fault));
    }
    let mut chosen = Vec::new();
    while chosen.len() < wanted && !kinds.is_empty() {
        for faults in kinds.values_mut() {
            let at = random.below(faults.len() as u64);
            chosen.push(faults.swap_remove(usize::try_from(at).unwrap_or(0)));
        }
        kinds.retain(|_, faults| !faults.is_empty());
    }
    chosen.truncate(wanted);
    chosen
}

fn one_by_one(
    harness: &Harness,
    name: &'static str,
    planned: &[(usize, Fault)],
    fixtures: Vec<Fixture>,
) -> Report {
    let fixtures = Mutex::new(fixtures);
    let runs = planned.len() as u64;
    harness.each(report(name, "faults"), runs, harness.jobs, |_, root, mut random| {
        let run = root.to_string_lossy().rsplit('-').next().and_then(|run| run.parse().ok());
        let (index, fault) = &planned[run.unwrap_or(0_usize)];
        let (scene, ask) = {
            let fixtures = fixtures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let fixture = &fixtures[*index];
            if matches!(fault, Fault::Full(_))
                && let Err(error) = mounted(root)
            {
                return (Outcome::new(0, vec![error]), None);
            }
            (fixture.scene.copied(root), fixture.ask.clone())
        };
        let wrong = one(&scene, ask, fault, &mut random);
        if let Fault::Full(_) = fault {
            put_back(&scene, !wrong.is_empty());
        }
        (Outcome::new(1, wrong), Some(scene))
    })
}

/// The ways out of this store.
fn moves(harness: &Harness) -> impl Iterator<Item = &'static str> {
    let server = harness.program.value(PROGRAM_URL).is_some();
    let ways = [
        (Store::Files, "move to files"),
        (Store::Sqlite, "move to sqlite"),
        (Store::Postgres, "move to postgres"),
    ];
    let here = harness.store;
    let others =
        ways.into_iter().filter(move |(to, _)| *to != here && (*to != Store::Postgres || server));
    others.map(|(_, verb)| verb)
}

fn broken(name: &'static str, what: Vec<String>, kept: &Path) -> Report {
    let kept = kept.to_owned();
    let exceptions = vec![crate::report::Exception { run: 0, what, kept }];
    Report { exceptions, ..report(name, "faults") }
}

/// A verb, and a project in which it does something.
struct Fixture {
    scene: Scene,
    ask: Ask,
}

fn fixtures(harness: &Harness, place: &Path, verbs: &[&str]) -> Result<Vec<Fixture>, String> {
    let scene = harness.scene(&place.join("project"));
    let mut random = Random::new(harness.seed);
    scene.furnish()?;
    let mut fixtures = Vec::new();
    if harness.store == Store::Files {
        let empty = Scene::new(&place.join("empty"), &harness.program);
        fixtures.push(Fixture { scene: empty, ask: Ask::Init });
    }
    for verb in verbs {
        let root = place.join(verb.replace(' ', "-"));
        let found = (0..ACTS_MAX).find_map(|_| {
            let found = scene.ask_for(verb, &mut random).filter(|ask| works(&scene, ask, &root));
            if found.is_none() {
                scene.act(scene.next_ask(&mut random));
            }
            found
        });
        let ask = found.ok_or_else(|| format!("no project came about in which {verb} works"))?;
        fixtures.push(Fixture { scene: scene.copied(&root), ask });
    }
    Ok(fixtures)
}

/// Tries it on a copy.
fn works(scene: &Scene, ask: &Ask, root: &Path) -> bool {
    let entry = scene.copied(root).act(ask.clone());
    let _ = fs::remove_dir_all(root);
    entry.said() == Said::Kept
}

/// Every fault that can happen to this command, found by watching it once.
fn faults(harness: &Harness, fixture: &Fixture, full_disks: bool) -> Result<Vec<Fault>, String> {
    let root = fixture.scene.root.with_extension("watched");
    let watched = fixture.scene.copied(&root);
    let log = root.with_extension("calls");
    let trace = format!("trace={CALLS}");
    let wrapper = ["strace", "-f", "-y", "-s", "0", "-o", &log.display().to_string(), "-e", &trace]
        .map(str::to_owned);
    let program = harness.program.wrapped(&wrapper);
    let entry = program.run(&watched.root, fixture.ask.clone(), "watched");
    let calls = fs::read_to_string(&log).map_err(|error| error.to_string())?;
    let _ = fs::remove_dir_all(&root);
    if entry.said() != Said::Kept {
        return Err(format!("{:?} does not work here: {}", entry.ask, entry.stderr));
    }
    let mut random = Random::part(harness.seed, entry.ended);
    let mut limits: Vec<Fault> = (0..LIMITS).map(|_| Fault::Limit(random.below(30_000))).collect();
    if full_disks {
        limits.extend((0..LIMITS).map(|_| Fault::Full(random.below(15) * 4_096)));
    }
    Ok(calls_of(&calls, &root.display().to_string()).chain(limits).collect())
}

fn calls_of(log: &str, root: &str) -> impl Iterator<Item = Fault> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut first = None;
    for line in log.lines() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if first.get_or_insert(pid) != &pid || call.contains(' ') {
            continue;
        }
        let when = counts.entry(call.to_owned()).or_default();
        *when += 1;
        let network = WIRE.contains(&call);
        if !rest.contains(root) && !network {
            continue;
        }
        let mut injects =
            vec!["signal=KILL", if network { "error=ECONNRESET" } else { "error=EIO" }];
        let writes = ["write", "pwrite64"].contains(&call);
        if writes
            || ["openat", "rename", "renameat2", "mkdir", "ftruncate", "fsync", "fdatasync"]
                .contains(&call)
        {
            injects.push("error=ENOSPC");
        }
        if writes {
            injects.push("retval=0");
        }
        faults.extend(injects.into_iter().map(|inject| {
            let (call, when) = (call.to_owned(), *when);
            Fault::Call { call, when, inject }
        }));
    }
    faults.into_iter()
}

/// A small disk of its own.
fn mounted(root: &Path) -> Result<(), String> {
    fs::create_dir_all(root).map_err(|error| error.to_string())?;
    let root = root.display().to_string();
    tool(&["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", &root]).map(drop)
}

fn unmounted(root: &Path) -> Result<(), String> {
    tool(&["umount", &root.display().to_string()]).map(drop)
}

/// Takes the small disk away, and leaves what was on it if that is worth a look.
fn put_back(scene: &Scene, keep: bool) {
    let aside = scene.root.with_extension("kept");
    if keep {
        scene.copied(&aside).write_ledger();
    }
    if let Err(error) = unmounted(&scene.root) {
        eprintln!("{error}");
    }
    if keep {
        let _ = fs::remove_dir(&scene.root);
        let _ = fs::rename(aside, &scene.root);
    }
}

/// Fills the disk up to so many bytes. Answers what fills it.
fn filled(root: &Path, left: u64) -> Result<PathBuf, String> {
    let free = rustix::fs::statvfs(root).map_err(|error| error.to_string())?;
    let free = free.f_bavail * free.f_frsize;
    let filler = root.join("filler");
    let bytes = vec![b'x'; usize::try_from(free.saturating_sub(left)).unwrap_or(0)];
    fs::write(&filler, bytes).map_err(|error| error.to_string())?;
    Ok(filler)
}

fn one(scene: &Scene, ask: Ask, fault: &Fault, random: &mut Random) -> Vec<String> {
    let wrapper: Vec<String> = match fault {
        Fault::Call { call, when, inject } => {
            let inject = format!("inject={call}:{inject}:when={when}");
            let trace = format!("trace={call}");
            ["strace", "-f", "-o", "/dev/null", "-e", &trace, "-e", &inject]
                .map(str::to_owned)
                .to_vec()
        }
        Fault::Full(_) => Vec::new(),
        Fault::Limit(bytes) => {
            let script = "trap '' XFSZ; exec prlimit --fsize=\"$0\" -- \"$@\"";
            ["sh", "-c", script, &bytes.to_string()].map(str::to_owned).to_vec()
        }
    };
    let filler = match fault {
        Fault::Full(left) => filled(&scene.root, *left),
        _ => Err(String::new()),
    };
    let program = scene.program.wrapped(&wrapper);
    let running = program.start(&scene.root, ask, &scene.actor());
    let entry = scene.keep(running.finish(true));
    if let Ok(filler) = filler {
        let _ = fs::remove_file(filler);
    }
    // What comes next is a reader or a writer, and neither needs a person.
    let mut wrong = Vec::new();
    if matches!(entry.ask, Ask::Init) {
        wrong.extend(scene.must(Ask::Init).err());
    }
    if random.percent(50) {
        wrong.extend(scene.must(Ask::List).err());
    }
    wrong.extend(scene.settle_and_verify());
    if !wrong.is_empty() {
        let told = entry.stderr.trim();
        wrong.insert(0, format!("{fault:?} in {:?}: {:?} {told}", entry.ask, entry.end));
    }
    wrong
}
