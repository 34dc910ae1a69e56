//! Whoever obeys every hint our errors print loses nothing (P14).
//!
//! A project is damaged in some way, commands are run on it, and every step that an error or a
//! problem suggests is taken literally. Whatever the documents said after the damage must still be
//! there: in a document, in the history, or in `data/kept/`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::environment::Environment;

/// xorshift: enough to choose from lists, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap()
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.roll(of.len())]
    }
}

fn project() -> Environment {
    let project = Environment::new();
    project.ok(&["plan", "First thing", "--task", "Alpha | 4h", "--task", "Beta | after 1"]);
    project.ok(&["plan", "Second thing", "--task", "Gamma", "--dependencies", "1"]);
    project.ok(&["plan", "Third thing", "--task", "Delta", "--criterion", "It holds"]);
    project.ok(&["task", "start", "1.1"]);
    project.ok(&["task", "claim", "3.1", "--actor", "agent"]);
    for (number, comment) in [(1, "# remember the first"), (2, "# remember the second")] {
        let text = fs::read_to_string(project.document(number)).unwrap();
        project.write(number, &text.replacen("tasks:", &format!("{comment}\ntasks:"), 1));
    }
    project.ok(&["list"]);
    project
}

/// One way in which a project comes to harm.
fn damage(project: &Environment, dice: &mut Dice) -> String {
    let number = 1 + u32::try_from(dice.roll(3)).unwrap();
    let text = fs::read_to_string(project.document(number)).unwrap_or_default();
    let folder = project.project().join(".milestones");
    let kind = dice.roll(12);
    match kind {
        0 => project.write(number, &text[..text.len() / 2]),
        1 => project.write(number, &text.replacen("title:", "title", 1)),
        2 => project.write(number, &format!("<<<<<<< ours\n{text}=======\n{text}>>>>>>> theirs\n")),
        3 => project.write(number, &text.replace("status: pending", "status: completed")),
        4 => project.write(number, &text.replacen("tasks:", "due: soon\ntasks:", 1)),
        5 => project.write(number, &format!("{text}dependencies: {{requires: [milestone-099]}}\n")),
        6 => fs::remove_file(project.document(number)).unwrap_or_default(),
        7 => fs::remove_dir_all(folder.join("data")).unwrap_or_default(),
        8 => damage_history(&folder.join(format!("history/milestone-{number:03}"))),
        9 => {
            let copy = folder.join(format!("completed/milestone-{number:03}.yaml"));
            fs::write(copy, &text).unwrap();
        }
        10 => project.write(number, &text.replacen("uid:", "uid: 0", 1)),
        _ => project.write(number, &text.replace("status:", "status: nonsense #")),
    }
    format!("damage {kind} of milestone {number}")
}

fn damage_history(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("ada", "eve", 1)).unwrap();
    }
}

/// Everything that is said anywhere: in documents, kept texts and history.
fn everything(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.push_str(&everything(&path));
        } else {
            all.push_str(&String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()));
            all.push('\n');
        }
    }
    all
}

/// What must not be lost: titles and comments that the documents show.
fn facts(project: &Environment) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for number in 1..=4 {
        let text = fs::read_to_string(project.document(number)).unwrap_or_default();
        for line in text.lines().map(str::trim) {
            if let Some(title) = line.trim_start_matches("- ").strip_prefix("title: ") {
                facts.insert(title.trim_matches('"').to_owned());
            }
            if line.starts_with("# ") {
                facts.insert(line.to_owned());
            }
        }
    }
    facts
}

/// The commands that a text suggests, with what they leave open filled in.
fn suggested(text: &str) -> Vec<Vec<String>> {
    let quoted = text.split('`').skip(1).step_by(2);
    let commands = quoted.filter_map(|command| command.strip_prefix("milestone "));
    let fill = |word: &str| match word {
        "ID" | "N" => "1".to_owned(),
        "TEXT" | "REASON" => "because".to_owned(),
        word => word.trim_matches('"').to_owned(),
    };
    commands.map(|command| command.split(' ').map(fill).collect()).collect()
}

const COMMANDS: [&[&str]; 14] = [
    &["list"],
    &["show", "1"],
    &["next"],
    &["doctor"],
    &["task", "done", "1.2"],
    &["task", "done", "3.1"],
    &["task", "add", "1", "Epsilon"],
    &["update", "1", "--status", "completed"],
    &["archive", "2"],
    &["task", "remove", "1.1"],
    &["task", "claim", "3.1"],
    &["criterion", "met", "3", "9", "--evidence", "x"],
    &["task", "set", "1.1", "--requires", "2.1"],
    &["doctor", "--fix"],
];

fn obey(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let project = project();
    let mut log = vec![damage(&project, &mut dice)];
    let before = facts(&project);
    for _ in 0..4 {
        let mut next =
            vec![dice.pick(&COMMANDS).iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()];
        for _ in 0..3 {
            let Some(command) = next.pop() else { break };
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            let ran = project.run(&words);
            log.push(format!("{command:?} -> {} {}{}", ran.code, ran.stderr, ran.stdout));
            assert!(!ran.stderr.contains("panicked") && ran.code != 101, "seed {seed}: {log:#?}");
            if ran.code != 0 || ran.stderr.contains("hint") {
                next.extend(suggested(&format!("{}{}", ran.stderr, ran.stdout)));
            }
        }
    }
    let after = everything(&project.project().join(".milestones"));
    let lost: Vec<&String> = before.iter().filter(|fact| !after.contains(fact.as_str())).collect();
    assert!(lost.is_empty(), "seed {seed} lost {lost:?}: {log:#?}");
}

#[test]
fn whoever_obeys_every_hint_loses_nothing() {
    let seeds = if std::env::var_os("MILESTONE_FULL").is_some() { 200 } else { 20 };
    for seed in 1..=seeds {
        obey(seed);
    }
}
