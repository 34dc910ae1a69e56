//! P10: people save documents while the program writes them, in the ways editors do.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use super::{Harness, Outcome, report};
use crate::ask::Ask;
use crate::ledger::{End, Entry};
use crate::project::Scene;
use crate::random::Random;
use crate::report::Report;
use crate::run::{micros, tool};

const EDITS_IN_A_RUN: u64 = 5;

pub fn run(harness: &Harness) -> Report {
    let runs = harness.runs(200, 10_000).div_ceil(EDITS_IN_A_RUN);
    let traced = tool(&["strace", "-V"]).is_ok();
    // They mostly wait for documents to come to rest.
    harness.each(report("P10", "edits"), runs, harness.jobs * 3, |harness, root, mut random| {
        let scene = harness.scene(root);
        let mut edits = 0;
        let wrong = one(&scene, traced, &mut random, &mut edits).err().unwrap_or_default();
        (Outcome::new(edits, wrong), Some(scene))
    })
}

fn one(
    scene: &Scene,
    traced: bool,
    random: &mut Random,
    edits: &mut u64,
) -> Result<(), Vec<String>> {
    scene.furnish().map_err(|error| vec![error])?;
    while *edits < EDITS_IN_A_RUN {
        *edits += 1;
        let text = format!("edit {edits} {}", random.below(1_000_000));
        let style = Style::any(random);
        let told = format!("{style:?}");
        let wrong = match random.below(3) {
            0 => after_a_kill(scene, &text, random),
            1 if traced => while_it_writes(scene, &text, style, random),
            _ => beside_commands(scene, &text, style, random),
        };
        let wrong: Vec<String> = wrong.into_iter().chain(scene.settle_and_verify()).collect();
        if !wrong.is_empty() {
            return Err(std::iter::once(told).chain(wrong).collect());
        }
    }
    Ok(())
}

/// How an editor saves.
#[derive(Debug, Clone, Copy)]
enum Style {
    /// A new file takes the place of the old one.
    Rename,
    /// Cut to nothing and written at once.
    Truncate,
    /// Cut to nothing, written by halves, with so many milliseconds between them.
    Slow(u64),
    /// The file was opened before anything else happened, and is written to at last.
    Held,
}

impl Style {
    fn any(random: &mut Random) -> Self {
        match random.below(4) {
            0 => Self::Rename,
            1 => Self::Truncate,
            2 => Self::Slow(20 + random.below(80)),
            _ => Self::Held,
        }
    }
}

/// Somebody who has the document open and saves it some time later.
struct Editor {
    file: File,
    text: String,
    style: Style,
}

impl Editor {
    fn open(scene: &Scene, says: &str, style: Style) -> Result<Self, String> {
        let path = document(scene);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| error.to_string())?;
        Ok(Self { file, text: described(&text, says), style })
    }

    fn save(mut self, scene: &Scene, says: &str) {
        let started = micros();
        let path = document(scene);
        let text = self.text.as_bytes();
        let saved = match self.style {
            Style::Rename => {
                let draft = scene.root.join("editor's draft");
                fs::write(&draft, text).and_then(|()| fs::rename(&draft, &path))
            }
            Style::Truncate => fs::write(&path, text),
            Style::Slow(millis) => by_halves(&path, text, millis),
            Style::Held => self
                .file
                .set_len(0)
                .and_then(|()| self.file.rewind())
                .and_then(|()| self.file.write_all(text)),
        };
        saved.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        scene.keep(Entry {
            actor: format!("hand {says}"),
            ask: Ask::Edit { milestone: "milestone-001".into(), text: says.to_owned() },
            started,
            ended: micros(),
            end: End::Exit(0),
            stdout: String::new(),
            stderr: String::new(),
        });
    }
}

fn document(scene: &Scene) -> std::path::PathBuf {
    scene.folder().join("active/milestone-001.yaml")
}

fn by_halves(path: &Path, text: &[u8], millis: u64) -> std::io::Result<()> {
    let (first, second) = text.split_at(text.len() / 2);
    let mut file = OpenOptions::new().write(true).truncate(true).open(path)?;
    file.write_all(first)?;
    std::thread::sleep(Duration::from_millis(millis));
    file.write_all(second)
}

/// The same text with another description.
fn described(text: &str, says: &str) -> String {
    let others = text.lines().filter(|line| !line.starts_with("description:"));
    let with = others.flat_map(|line| {
        let says = line.starts_with("title:").then(|| format!("description: {says}"));
        std::iter::once(line.to_owned()).chain(says)
    });
    with.collect::<Vec<_>>().join("\n") + "\n"
}

/// A command that writes to the document being edited.
fn ask(random: &mut Random) -> Ask {
    let task = "task-001-001".to_owned();
    let token = random.below(1_000_000);
    match random.below(3) {
        0 => Ask::Add { milestone: "milestone-001".into(), title: format!("beside {token}") },
        1 => Ask::Set { task, title: format!("another {token}") },
        _ => Ask::AddCriterion { milestone: "milestone-001".into(), text: format!("so {token}") },
    }
}

/// Whoever recovers finds a document that is neither the old nor the new one.
fn after_a_kill(scene: &Scene, says: &str, random: &mut Random) -> Vec<String> {
    scene.act_killed(ask(random), random);
    match Editor::open(scene, says, Style::Rename) {
        Ok(editor) => editor.save(scene, says),
        Err(error) => return vec![error],
    }
    Vec::new()
}

/// The document is saved while a command replaces it, which takes longer than it should.
fn while_it_writes(scene: &Scene, says: &str, style: Style, random: &mut Random) -> Vec<String> {
    let editor = match Editor::open(scene, says, style) {
        Ok(editor) => editor,
        Err(error) => return vec![error],
    };
    let inject = "inject=rename,renameat2:delay_enter=15000";
    let wrapper = ["strace", "-f", "-o", "/dev/null", "-e", "trace=rename,renameat2", "-e", inject];
    let program = scene.program.wrapped(&wrapper.map(str::to_owned));
    let running = program.start(&scene.root, ask(random), &scene.actor());
    std::thread::sleep(Duration::from_millis(random.below(160)));
    editor.save(scene, says);
    scene.keep(running.finish(false));
    Vec::new()
}

fn beside_commands(scene: &Scene, says: &str, style: Style, random: &mut Random) -> Vec<String> {
    let editor = match Editor::open(scene, says, style) {
        Ok(editor) => editor,
        Err(error) => return vec![error],
    };
    let pause = Duration::from_millis(random.below(60));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(pause);
            editor.save(scene, says);
        });
        for _ in 0..=random.below(3) {
            scene.act(ask(random));
        }
    });
    Vec::new()
}
