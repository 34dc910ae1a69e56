//! P5: a holder is stopped past its lease, another one finishes, the first one goes on.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Harness, Outcome, report};
use crate::ask::{Ask, Proof};
use crate::ledger::{End, Entry, Said};
use crate::project::Scene;
use crate::random::Random;
use crate::report::Report;

const LEASE: &str = "1s";
const PAST_THE_LEASE: Duration = Duration::from_millis(1_100);

pub fn run(harness: &Harness) -> Report {
    // They mostly sleep.
    let runs = harness.runs(20, 1_000);
    harness.each(report("P5", "pauses"), runs, harness.jobs * 5, |harness, root, mut random| {
        let scene = harness.scene(root);
        let wrong = one(&scene, &mut random).err().unwrap_or_default();
        (Outcome::new(1, wrong), Some(scene))
    })
}

fn one(scene: &Scene, random: &mut Random) -> Result<(), Vec<String>> {
    scene.furnish().map_err(|error| vec![error])?;
    let task = "task-001-001".to_owned();
    let claim = || Ask::Claim { task: task.clone(), lease: LEASE.into() };
    let entry = scene.must(claim()).map_err(|error| vec![error])?;
    let proof = entry.proof().ok_or_else(|| vec![format!("no proof in {:?}", entry.stdout)])?;
    let late = late_asks(&task, &proof);
    let mut holder = Holder::start(scene, &late).map_err(|error| vec![error.to_string()])?;
    holder.signal(Signal::STOP);
    std::thread::sleep(PAST_THE_LEASE + Duration::from_millis(random.below(300)));
    let mut wrong = takeover(scene, &task, random);
    holder.go(scene);
    for (ask, actor) in &late {
        let entry = Holder::answer(scene, ask, actor);
        let entry = scene.keep(entry);
        if entry.said() != Said::Refused {
            wrong.push(format!(
                "after its lease: {:?}: {:?} {}",
                entry.ask, entry.end, entry.stderr
            ));
        }
    }
    holder.wait();
    wrong.extend(scene.settle_and_verify());
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Another one claims, and mostly finishes as well.
fn takeover(scene: &Scene, task: &str, random: &mut Random) -> Vec<String> {
    let again = scene.act(Ask::Claim { task: task.to_owned(), lease: "10m".into() });
    let Some(second) = again.proof() else {
        return vec![format!("a lapsed claim cannot be taken over: {}", again.stderr)];
    };
    if random.percent(25) {
        return Vec::new();
    }
    let done = Ask::Done { task: task.to_owned(), proof: Some(second) };
    scene.must(done).err().into_iter().collect()
}

fn late_asks(task: &str, proof: &Proof) -> Vec<(Ask, String)> {
    let task = || task.to_owned();
    let proof = || Some(proof.clone());
    let asks = [
        proof().map(|proof| Ask::Renew { task: task(), lease: "1m".into(), proof }),
        Some(Ask::Done { task: task(), proof: proof() }),
        Some(Ask::Progress { task: task(), percent: 50, proof: proof() }),
        Some(Ask::Note { task: task(), text: "from the stale one".into(), proof: proof() }),
        Some(Ask::Fail { task: task(), reason: "stale".into(), proof: proof() }),
        Some(Ask::Block { task: task(), reason: "stale".into(), proof: proof() }),
        Some(Ask::Release { task: task(), proof: proof() }),
    ];
    let asks = asks.into_iter().flatten();
    asks.zip(1..).map(|(ask, n)| (ask, format!("stale-{n}"))).collect()
}

/// A script that holds the claim and, once told to, goes on as if it still had it.
struct Holder {
    child: Child,
}

impl Holder {
    fn start(scene: &Scene, asks: &[(Ask, String)]) -> std::io::Result<Self> {
        let mut script = "until [ -e go ]; do sleep 0.01; done\n".to_owned();
        for (ask, actor) in asks {
            let command = scene.program.command(&scene.root, ask, actor);
            let words = std::iter::once(command.get_program()).chain(command.get_args());
            let words: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
            let line =
                format!("{} >{actor}.out 2>{actor}.err; echo $? >{actor}.code\n", words.join(" "));
            script.push_str(&line);
        }
        let mut command = Command::new("sh");
        command.args(["-c", &script]).current_dir(&scene.root).env("MILESTONE_ROOT", &scene.root);
        command.envs(scene.program.environment.iter().map(|(name, value)| (name, value)));
        let child = command.stdin(Stdio::null()).spawn()?;
        Ok(Self { child })
    }

    fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    fn go(&mut self, scene: &Scene) {
        let _ = fs::write(scene.root.join("go"), "");
        self.signal(Signal::CONT);
        // All of its requests begin after this moment.
        self.wait();
    }

    fn wait(&mut self) {
        let until = Instant::now() + Duration::from_mins(1);
        while Instant::now() < until && self.child.try_wait().is_ok_and(|status| status.is_none()) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn answer(scene: &Scene, ask: &Ask, actor: &str) -> Entry {
        let read = |end: &str| read(&scene.root.join(format!("{actor}.{end}")));
        let code = read("code").trim().parse().unwrap_or(-1);
        let now = crate::run::micros();
        Entry {
            actor: actor.to_owned(),
            ask: ask.clone(),
            started: now,
            ended: now,
            end: End::Exit(code),
            stdout: read("out"),
            stderr: read("err"),
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
