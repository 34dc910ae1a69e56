//! Runs a program and prints its peak memory in KB and its processor time in microseconds.
//!
//! A small process of its own, because a child begins with the peak of what it was started from.

#![expect(clippy::print_stdout, reason = "the figure is what it is for")]

use std::io;
use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

fn main() -> io::Result<()> {
    let mut words = std::env::args_os().skip(1);
    let program = words.next().ok_or_else(|| io::Error::other("which program?"))?;
    Command::new(program).args(words).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = usage.user_time() + usage.system_time();
    println!("{} {}", usage.max_rss(), time.num_microseconds());
    Ok(())
}
