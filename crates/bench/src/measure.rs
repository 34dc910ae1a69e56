//! Timing of whole processes.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{Programs, Result};

/// Milliseconds of each run.
#[derive(Default)]
pub struct Times(Vec<f64>);

impl Times {
    pub fn push(&mut self, milliseconds: f64) {
        self.0.push(milliseconds);
    }

    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// Runs a program in a folder until it has ended, and answers how many milliseconds that took.
pub fn run(program: &Path, words: &[impl AsRef<OsStr>], folder: &Path) -> Result<f64> {
    let mut command = Command::new(program);
    command.args(words).current_dir(folder).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let status = command.status()?;
    let taken = started.elapsed().as_secs_f64() * 1000.0;
    if !status.success() {
        let words: Vec<_> = words.iter().map(|word| word.as_ref().to_string_lossy()).collect();
        return Err(format!(
            "{} {} failed in {}",
            program.display(),
            words.join(" "),
            folder.display()
        )
        .into());
    }
    Ok(taken)
}

/// What a program prints.
pub fn output(program: &Path, words: &[impl AsRef<OsStr>], folder: &Path) -> Result<String> {
    let output =
        Command::new(program).args(words).current_dir(folder).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What one run of a program needed besides time.
pub struct Usage {
    /// Peak memory in MB.
    pub peak: f64,
    /// Milliseconds of processor time, which other programs disturb less than they disturb waiting.
    pub processor: f64,
}

pub fn usage(programs: &Programs, name: &str, words: &[String], folder: &Path) -> Result<Usage> {
    let mut all = vec![programs.path(name).into_os_string()];
    all.extend(words.iter().map(Into::into));
    let figures = output(&programs.path("peak"), &all, folder)?;
    let (kilobytes, microseconds) = figures.trim().split_once(' ').ok_or("two figures")?;
    let thousandth = |figure: &str| figure.parse::<f64>().map(|figure| figure / 1000.0);
    Ok(Usage { peak: thousandth(kilobytes)? / 1.024, processor: thousandth(microseconds)? })
}
