//! Timing of whole processes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use milestone_store::pointer::StoreKind;

use crate::Result;

/// Where the measured programs are: beside this one. And the server, if there is one.
pub struct Programs {
    pub folder: PathBuf,
    pub server: Option<String>,
}

impl Programs {
    /// Those that can be measured here, in the order in which a project grows into them.
    pub fn stores(&self) -> impl Iterator<Item = StoreKind> {
        let server = self.server.as_ref().map(|_| StoreKind::Postgres);
        [StoreKind::Files, StoreKind::Sqlite].into_iter().chain(server)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn command(&self, name: &str, words: &[String], folder: &Path) -> Command {
        let mut command = Command::new(self.path(name));
        command.args(words).current_dir(folder).stdin(Stdio::null());
        for ours in ["MILESTONE_ROOT", "MILESTONE_ACTOR", "MILESTONE_FENCE", "MILESTONE_ATTEMPT"] {
            command.env_remove(ours);
        }
        if let Some(server) = &self.server {
            command.env("MILESTONE_DATABASE_URL", server);
        }
        command
    }

    /// Runs a program until it has ended, and answers how many milliseconds that took.
    pub fn run(&self, name: &str, words: &[String], folder: &Path) -> Result<f64> {
        let mut command = self.command(name, words, folder);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let started = Instant::now();
        let status = command.status()?;
        let taken = milliseconds(started);
        if !status.success() {
            // Once more, to be told why.
            let why = self.output(name, words, folder).err().map(|why| why.to_string());
            let (words, folder) = (words.join(" "), folder.display());
            return Err(
                format!("{name} {words} failed in {folder}: {}", why.unwrap_or_default()).into()
            );
        }
        Ok(taken)
    }

    /// What a program prints.
    pub fn output(&self, name: &str, words: &[String], folder: &Path) -> Result<String> {
        let output = self.command(name, words, folder).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a program below the one that looks at memory and processor time.
    pub fn usage(&self, name: &str, words: &[String], folder: &Path) -> Result<Usage> {
        let mut all = vec![self.path(name).to_string_lossy().into_owned()];
        all.extend_from_slice(words);
        let figures = self.output("peak", &all, folder)?;
        let (kilobytes, microseconds) = figures.trim().split_once(' ').ok_or("two figures")?;
        let thousandth = |figure: &str| figure.parse::<f64>().map(|figure| figure / 1000.0);
        Ok(Usage { peak: thousandth(kilobytes)? / 1.024, processor: thousandth(microseconds)? })
    }
}

/// What one run of a program needed besides time.
pub struct Usage {
    /// Peak memory in MB.
    pub peak: f64,
    /// Milliseconds of processor time, which other programs disturb less than they disturb waiting.
    pub processor: f64,
}

/// Milliseconds of each run, and how long a trivial program took just before it.
#[derive(Default)]
pub struct Times(Vec<(f64, f64)>);

impl Times {
    pub fn push(&mut self, milliseconds: f64) {
        self.push_after(0.0, milliseconds);
    }

    pub fn push_after(&mut self, trivial: f64, milliseconds: f64) {
        self.0.push((trivial, milliseconds));
    }

    /// Of the quiet runs: that half before which a trivial program was quicker.
    pub fn median(&self) -> f64 {
        let quiet = middle(self.0.iter().map(|(trivial, _)| *trivial));
        middle(self.0.iter().filter(|(trivial, _)| *trivial <= quiet).map(|(_, taken)| *taken))
    }
}

pub fn middle(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

pub fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_a_busy_machine_do_not_count() {
        let mut times = Times::default();
        for (trivial, taken) in [(1.0, 4.0), (9.0, 90.0), (1.0, 5.0), (8.0, 80.0), (1.0, 6.0)] {
            times.push_after(trivial, taken);
        }
        assert!((times.median() - 5.0).abs() < 1e-9);
    }
}
