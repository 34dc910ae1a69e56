//! P2: the power fails under an ext4 of our own, and what was not on the disk is gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Harness, Outcome, report, skipped};
use crate::execution::{self, BRANCH, Session, git};
use crate::project::Scene;
use crate::random::Random;
use crate::report::Report;
use crate::run::tool;

const CUTS_IN_A_RUN: u64 = 5;

/// More than are done before one.
const TASKS_FOR_A_CUT: u64 = 8;
const AGENTS: usize = 4;

/// `EXT4_IOC_SHUTDOWN` with `NOLOGFLUSH`: nothing that waits is written, not even the file
/// system's own journal.
const SHUTDOWN: &str = "import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

/// Gives the rest of the line another boot's id.
const OTHER_BOOT: &str = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";

pub fn run(harness: &Harness) -> Report {
    cuts(harness, "P2", true)
}

/// A disk that is taken away and comes back while the system goes on: the boot's id, by which a
/// cut is known, stays what it was.
pub fn run_in_the_same_boot(harness: &Harness) -> Report {
    cuts(harness, "P2-same-boot", false)
}

fn cuts(harness: &Harness, name: &'static str, reboots: bool) -> Report {
    if let Err(error) = possible(harness) {
        return skipped(name, format!("no loop mounts here ({error})"));
    }
    let runs = harness.runs(20, 2_000).div_ceil(CUTS_IN_A_RUN);
    // One at a time: a namespace of one run would keep the disk of another one mounted.
    harness.each(report(name, "cuts"), runs, 1, |_, root, mut random| {
        let mut machine = Machine::new(root);
        let mut cuts = 0;
        let scene = harness.scene(&machine.inside.join("project"));
        let wrong = match machine.begin(&mut random) {
            Ok(()) => {
                one(&mut machine, scene, reboots, &mut random, &mut cuts).err().unwrap_or_default()
            }
            Err(error) => vec![error],
        };
        machine.end(!wrong.is_empty());
        (Outcome::new(cuts, wrong), None)
    })
}

fn possible(harness: &Harness) -> Result<(), String> {
    let place = harness.place("P2-trial");
    let mut machine = Machine::new(&place);
    let tried = machine.begin(&mut Random::new(0)).and_then(|()| machine.cut());
    machine.end(false);
    let _ = fs::remove_dir_all(&place);
    tried
}

/// Sessions work on the disk, and a task that the store says is done has its commit.
pub fn run_with_git(harness: &Harness) -> Report {
    if let Err(error) = possible(harness) {
        return skipped("P2-git", format!("no loop mounts here ({error})"));
    }
    let cuts = if harness.full { 500 } else { harness.runs(CUTS_IN_A_RUN, CUTS_IN_A_RUN) };
    let runs = cuts.div_ceil(CUTS_IN_A_RUN);
    harness.each(report("P2-git", "cuts"), runs, 1, |harness, root, mut random| {
        let mut machine = Machine::new(root);
        let mut done = 0;
        let scene = harness.scene(&machine.inside.join("project"));
        let tried = machine.begin(&mut random).map_err(|error| vec![error]);
        let tried = tried.and_then(|()| {
            with_git(&mut machine, scene, cuts.min(CUTS_IN_A_RUN), &mut random, &mut done)
        });
        machine.end(tried.is_err());
        (Outcome::new(done, tried.err().unwrap_or_default()), None)
    })
}

fn with_git(
    machine: &mut Machine,
    mut scene: Scene,
    cuts: u64,
    random: &mut Random,
    done: &mut u64,
) -> Result<(), Vec<String>> {
    let text = |error: String| vec![error];
    fs::create_dir_all(&scene.root).map_err(|error| vec![error.to_string()])?;
    let tasks = (1..=cuts * TASKS_FOR_A_CUT).map(|n| format!("run: 'echo {n} > f{n}'"));
    execution::prepare(&scene, &[], &tasks.collect::<Vec<_>>()).map_err(text)?;
    // The person's own repository was not made this very moment.
    tool(&["sync", "-f", &scene.root.display().to_string()]).map_err(text)?;
    while *done < cuts {
        let mut session = Session::start(&scene, AGENTS, &[]).map_err(text)?;
        std::thread::sleep(Duration::from_millis(300 + random.below(1_200)));
        let before = execution::with_status(&scene, "completed").map_err(text)?;
        tool(&["python3", "-c", SHUTDOWN, &machine.inside.display().to_string()]).map_err(text)?;
        session.kill();
        machine.unmount().map_err(text)?;
        machine.mount().map_err(text)?;
        *done += 1;
        scene.program = scene.program.wrapped(&machine.reboot());
        let wrong = lost(&scene, &before);
        if !wrong.is_empty() {
            let told = format!("after cut {done}, {}", machine.options);
            return Err(std::iter::once(told).chain(wrong).collect());
        }
    }
    execution::finish(&scene, AGENTS)?;
    let wrong = lost(&scene, &[]);
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// What was done before and is not now, and what is said to be done and is not in the branch.
fn lost(scene: &Scene, before: &[String]) -> Vec<String> {
    let now = match execution::with_status(scene, "completed") {
        Ok(now) => now,
        Err(error) => return vec![error],
    };
    let forgotten = before.iter().filter(|task| !now.contains(task));
    let mut wrong: Vec<String> = forgotten.map(|task| format!("{task} is not done now")).collect();
    for task in &now {
        let number = task.trim_start_matches("1.");
        let file = git(&scene.root, &["show", &format!("{BRANCH}:f{number}")]);
        if file.as_deref() != Ok(format!("{number}\n").as_str()) {
            wrong.push(format!("{task} is done, and its file says {file:?}"));
        }
    }
    wrong.extend(git(&scene.root, &["fsck", "--full", "--no-dangling"]).err());
    wrong
}

/// A disk of its own, and which boot it is.
struct Machine {
    root: PathBuf,
    inside: PathBuf,
    options: &'static str,
    boot: u32,
    mounted: bool,
}

impl Machine {
    fn new(root: &Path) -> Self {
        let (root, inside) = (root.to_owned(), root.join("disk"));
        Self { root, inside, options: "loop", boot: 0, mounted: false }
    }

    fn image(&self) -> String {
        self.root.join("image").display().to_string()
    }

    fn begin(&mut self, random: &mut Random) -> Result<(), String> {
        fs::create_dir_all(&self.inside).map_err(|error| error.to_string())?;
        let file = fs::File::create(self.image()).map_err(|error| error.to_string())?;
        file.set_len(96 * 1024 * 1024).map_err(|error| error.to_string())?;
        // How eagerly the system writes by itself decides what a cut leaves behind.
        self.options = ["loop", "loop,commit=1", "loop,nodelalloc,commit=1"][random.index(3)];
        tool(&["mkfs.ext4", "-q", "-F", &self.image()])?;
        self.mount()
    }

    fn mount(&mut self) -> Result<(), String> {
        let inside = self.inside.display().to_string();
        tool(&["mount", "-t", "ext4", "-o", self.options, &self.image(), &inside])?;
        self.mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> Result<(), String> {
        self.mounted = false;
        let device = self.device();
        let inside = self.inside.display().to_string();
        // What was started there may take a moment to end.
        let mut unmounted = tool(&["umount", &inside]);
        for _ in 0..100 {
            if unmounted.is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
            unmounted = tool(&["umount", &inside]);
        }
        unmounted?;
        // Any mount namespace that was made meanwhile, by whomever, keeps the disk mounted until
        // it ends, and with it the state in which no power is.
        let living = |device: &String| Path::new("/sys/fs/ext4").join(device).exists();
        for _ in 0..100 {
            if !device.as_ref().is_some_and(living) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err("the disk stays mounted in somebody's namespace".to_owned())
    }

    /// The loop device behind the mount, such as `loop3`.
    fn device(&self) -> Option<String> {
        let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
        let inside = self.inside.display().to_string();
        let mut mounts = mounts.lines().map(|line| line.split(' '));
        let device = mounts.find_map(|mut words| {
            let device = words.next()?;
            (words.next()? == inside).then(|| device.to_owned())
        });
        device?.strip_prefix("/dev/").map(str::to_owned)
    }

    /// The power fails and comes back.
    fn cut(&mut self) -> Result<(), String> {
        tool(&["python3", "-c", SHUTDOWN, &self.inside.display().to_string()])?;
        self.unmount()?;
        self.mount()
    }

    /// The wrapper that makes the next commands run in another boot.
    fn reboot(&mut self) -> Vec<String> {
        self.boot += 1;
        let file = self.root.join("boot").display().to_string();
        let id = format!("00000000-0000-4000-8000-{:012}\n", self.boot);
        fs::write(&file, id).unwrap_or_else(|error| panic!("{file}: {error}"));
        ["unshare", "-m", "sh", "-c", OTHER_BOOT, &file].map(str::to_owned).to_vec()
    }

    fn end(&mut self, keep: bool) {
        if self.mounted {
            if keep {
                let (from, to) = (self.inside.join("project"), self.root.join("project"));
                let _ = tool(&["cp", "-a", &from.display().to_string(), &to.display().to_string()]);
            }
            let _ = self.unmount();
        }
    }
}

fn one(
    machine: &mut Machine,
    mut scene: Scene,
    reboots: bool,
    random: &mut Random,
    cuts: &mut u64,
) -> Result<(), Vec<String>> {
    let text = |error: String| vec![error];
    fs::create_dir_all(&scene.root).map_err(|error| vec![error.to_string()])?;
    scene.furnish().map_err(text)?;
    while *cuts < CUTS_IN_A_RUN {
        for _ in 0..=random.below(8) {
            scene.act(scene.next_ask(random));
        }
        if random.percent(30) {
            std::thread::sleep(Duration::from_millis(random.below(1_500)));
        }
        // A command is under way when it happens, or none is.
        let running = random.percent(50).then(|| scene.start(scene.next_ask(random)));
        if running.is_some() {
            std::thread::sleep(Duration::from_micros(random.below(10_000)));
        }
        tool(&["python3", "-c", SHUTDOWN, &machine.inside.display().to_string()]).map_err(text)?;
        if let Some(mut running) = running {
            running.kill();
            scene.keep(running.finish(true));
        }
        machine.unmount().map_err(text)?;
        machine.mount().map_err(text)?;
        *cuts += 1;
        if reboots {
            scene.program = scene.program.wrapped(&machine.reboot());
        }
        let wrong = scene.settle_and_verify();
        if !wrong.is_empty() {
            scene.write_ledger();
            let told = format!("after cut {cuts}, {}", machine.options);
            return Err(std::iter::once(told).chain(wrong).collect());
        }
    }
    Ok(())
}
