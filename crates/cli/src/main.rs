//! `milestone`: plans, runs, watches and closes milestones of software work.

mod app;
mod args;
mod attempt;
mod ci;
mod commands;
mod completing;
mod editing;
mod errors;
mod growing;
mod happening;
mod identity;
mod integration;
mod kinds;
mod output;
mod progress;
mod pushing;
mod render;
mod signals;
mod target;
mod teller;
mod trust;

fn main() -> std::process::ExitCode {
    app::main()
}
