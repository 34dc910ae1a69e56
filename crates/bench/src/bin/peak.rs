//! Runs a program and prints its peak memory in KB.
//!
//! A small process of its own, because a child begins with the peak of what it was started from.

#![expect(clippy::print_stdout, reason = "the figure is what it is for")]

use std::io;
use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};

fn main() -> io::Result<()> {
    let mut words = std::env::args_os().skip(1);
    let program = words.next().ok_or_else(|| io::Error::other("which program?"))?;
    Command::new(program).args(words).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    println!("{}", getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss());
    Ok(())
}
