//! `milestone`: plans, runs, watches and closes milestones of software work.

mod app;
mod args;
mod commands;
mod completing;
mod editing;
mod errors;
mod git;
mod growing;
mod happening;
mod identity;
mod integration;
mod kinds;
mod output;
mod progress;
mod render;
mod target;
mod teller;
mod trust;

fn main() -> std::process::ExitCode {
    app::main()
}
