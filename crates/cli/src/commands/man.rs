//! `milestone man`: the help as man pages.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::args::whole;
use crate::errors::Failure;
use crate::output;

/// Print the help as a man page, or write all man pages
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone man | man -l -
  milestone man task claim | man -l -
  milestone man --out ~/.local/share/man/man1")]
pub struct ManArgs {
    /// The command it is about
    #[arg(value_name = "VERB", conflicts_with = "out")]
    verb: Vec<String>,
    /// Write the page of every command into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn run(app: &App, args: &ManArgs) -> Result<(), Failure> {
    let command = whole();
    match &args.out {
        Some(folder) => write(app, &command, folder),
        None => output::raw(&page(below(&command, &args.verb)?)),
    }
}

/// The command that these words name, one below the other.
pub fn below<'a>(command: &'a Command, verb: &[String]) -> Result<&'a Command, Failure> {
    verb.iter().try_fold(command, |command, name| {
        command.find_subcommand(name).ok_or_else(|| {
            let called = command.get_bin_name().unwrap_or_else(|| command.get_name());
            Failure::usage(
                format!("`{called}` has no command `{name}`"),
                format!("see what it has: `{called} --help`"),
            )
        })
    })
}

fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// How pages write an apostrophe that can be copied.
const APOSTROPHE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

fn page(command: &Command) -> String {
    let man = Man::new(command.clone())
        .title(name(command).to_uppercase())
        .source(concat!("milestone ", env!("CARGO_PKG_VERSION")))
        .manual("Milestone");
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim_start().to_owned();
    let mut page = Vec::new();
    // Writing to memory cannot fail.
    let _ = man.render_title(&mut page);
    let _ = man.render_name_section(&mut page);
    page.extend(as_it_stands("SYNOPSIS", &usage).into_bytes());
    let _ = man.render_description_section(&mut page);
    let _ = man.render_options_section(&mut page);
    if command.has_subcommands() {
        let _ = man.render_subcommands_section(&mut page);
    }
    if let Some(help) = command.get_after_help() {
        let help = help.to_string().replace("Examples:\n", "");
        page.extend(as_it_stands("EXAMPLES", &help).into_bytes());
    }
    // What every section brings for itself is said once, for all of them.
    format!("{APOSTROPHE}{}", String::from_utf8_lossy(&page).replace(APOSTROPHE, ""))
}

/// A section whose lines stay as they are.
fn as_it_stands(heading: &str, text: &str) -> String {
    let mut section = format!(".SH {heading}\n.nf\n");
    for line in text.trim_end().lines() {
        let line = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
        // A line that begins with a point would be taken for an instruction.
        section.push_str(if line.starts_with('.') { "\\&" } else { "" });
        section.push_str(&line);
        section.push('\n');
    }
    section + ".fi\n"
}

/// Where the pages are.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Pages {
    folder: String,
    pages: Vec<String>,
}

fn write(app: &App, command: &Command, folder: &Path) -> Result<(), Failure> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Failure::Io { doing: "write", path, source }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let mut written = Vec::new();
    for command in all(command) {
        let file = folder.join(format!("{}.1", name(command)));
        fs::write(&file, page(command)).map_err(failed(&file))?;
        written.push(file.display().to_string());
    }
    let pages = Pages { folder: folder.display().to_string(), pages: written };
    app.out.done(&pages, &pages.pages.join("\n"), |page| {
        page.say(pages.pages.len()).say(" man pages are in ").say(folder.display()).say(".").end();
    })
}

/// A command and everything below it that people are told of.
fn all(command: &Command) -> Vec<&Command> {
    let told = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
    let shown = command.get_subcommands().filter(told);
    std::iter::once(command).chain(shown.flat_map(all)).collect()
}
