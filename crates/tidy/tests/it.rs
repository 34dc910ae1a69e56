//! What the compiler and clippy do not check: sizes, boundaries, licences, and that documentation
//! points at things that exist.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the repository has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The files below a folder with one of these endings, built ones left out.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && name != ".git" {
                found.extend(files(&path, endings));
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<(String, String)> {
    let root = root();
    let named = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        (name, fs::read_to_string(path).unwrap())
    };
    files(&root.join("crates"), &[".rs"]).into_iter().map(named).collect()
}

/// The part of a source file before its tests.
fn product(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(text)
}

fn is_test(name: &str) -> bool {
    name.contains("/tests/") || name.ends_with("tests.rs") || name.contains("/benches/")
}

fn nothing(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn files_stay_readable() {
    let long =
        sources().into_iter().filter(|(name, _)| !is_test(name)).filter_map(|(name, text)| {
            let lines = product(&text).lines().count();
            (lines > 700).then(|| format!("{name}: {lines} lines"))
        });
    nothing("files of more than 700 lines without their tests", &long.collect::<Vec<_>>());
}

#[test]
fn lines_fit_the_page() {
    let mut wide = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| !is_test(name)) {
        for (line, number) in product(text).lines().zip(1..) {
            // A string that is one text may be longer; everything else is formatted.
            if line.chars().count() > 110 && !line.contains('"') {
                wide.push(format!("{name}:{number}"));
            }
        }
    }
    nothing("lines that do not fit", &wide);
}

#[test]
fn nothing_is_left_for_later() {
    let marks = ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!(", "#[allow(", "#[ignore"];
    let mut found = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| !name.starts_with("crates/tidy/")) {
        for (line, number) in text.lines().zip(1..) {
            found.extend(
                marks
                    .iter()
                    .filter(|mark| line.contains(**mark))
                    .map(|m| format!("{name}:{number}: {m}")),
            );
        }
    }
    nothing("marks that have no place in main", &found);
}

#[test]
fn every_source_file_says_what_it_is() {
    let silent =
        sources().into_iter().filter(|(name, text)| !is_test(name) && !text.starts_with("//!"));
    nothing(
        "files without a `//!` line at their top",
        &silent.map(|(name, _)| name).collect::<Vec<_>>(),
    );
}

#[test]
fn programs_are_started_in_few_places_and_git_in_one() {
    let starting = [
        "crates/engine/src/git/run.rs",
        // A forge's own program, with which the person has signed in.
        "crates/engine/src/forge/asking.rs",
        // A runner's process, and its parent.
        "crates/engine/src/process.rs",
        "crates/engine/src/keeper.rs",
        // A person's editor, and the check of a criterion that a person asks for.
        "crates/cli/src/commands/edit.rs",
        "crates/cli/src/commands/criterion.rs",
    ];
    let outside = ["crates/faults/", "crates/bench/", "crates/tidy/"];
    let is_outside = |name: &str| outside.iter().any(|place| name.starts_with(place));
    let sources: Vec<_> =
        sources().into_iter().filter(|(name, _)| !is_test(name) && !is_outside(name)).collect();
    let starts = |text: &str| {
        let mut lines = product(text).lines();
        lines.any(|line| line.contains("std::process::") && line.contains("Command"))
    };
    let elsewhere = sources
        .iter()
        .filter(|(name, text)| starts(text) && !starting.contains(&name.as_str()))
        .map(|(name, _)| name.clone());
    nothing("code that starts programs", &elsewhere.collect::<Vec<_>>());
    let git = sources
        .iter()
        .filter(|(name, text)| name != starting[0] && product(text).contains("new(\"git\")"))
        .map(|(name, _)| name.clone());
    nothing("code that starts git", &git.collect::<Vec<_>>());
}

/// Of all platforms, so on a fresh machine cargo fetches what only the others need.
fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn licences_may_be_shipped() {
    let allowed = [
        "MIT",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "Zlib",
        "Unicode-3.0",
        "Unlicense",
        "CC0-1.0",
        "BSL-1.0",
        "MIT-0",
    ];
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let bad = packages.iter().filter_map(|package| {
        let licence = package["license"].as_str().unwrap_or("none").replace('/', " OR ");
        // One choice is enough, and every part of it must be allowed.
        let ok = licence.split(" OR ").any(|choice| {
            let parts = choice.trim_matches(['(', ')', ' ']).split(" AND ");
            parts.map(|part| part.trim_matches(['(', ')', ' '])).all(|part| allowed.contains(&part))
        });
        (!ok).then(|| format!("{} {}: {licence}", package["name"], package["version"]))
    });
    nothing("licences that are not on the list", &bad.collect::<Vec<_>>());
}

#[test]
fn the_binary_has_each_dependency_once() {
    // Two versions of a crate in what is shipped cost size and say that an update is due; those
    // that others force on us are named here.
    let forced = [
        "hashbrown",
        // By the driver for PostgreSQL.
        "base64",
        "fallible-iterator",
        // By what encrypts its connections.
        "getrandom",
    ];
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "-p",
            "milestone",
            "-e",
            "normal",
            "--prefix",
            "none",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let mut words = line.split(' ');
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            versions.entry(name.to_owned()).or_default().insert(version.to_owned());
        }
    }
    let twice = versions.iter().filter(|(name, v)| v.len() > 1 && !forced.contains(&name.as_str()));
    nothing(
        "dependencies that are there twice",
        &twice.map(|(n, v)| format!("{n}: {v:?}")).collect::<Vec<_>>(),
    );
}

#[test]
fn the_domain_depends_on_nothing_that_could_reach_out() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let domain = packages.iter().find(|package| package["name"] == "milestone-domain").unwrap();
    let normal = domain["dependencies"].as_array().unwrap().iter().filter(|d| d["kind"].is_null());
    let names: BTreeSet<&str> =
        normal.map(|dependency| dependency["name"].as_str().unwrap()).collect();
    let known = ["jiff", "schemars", "serde", "serde_json", "thiserror", "uuid"];
    assert_eq!(names, known.into_iter().collect());
}

#[test]
fn links_in_the_documentation_lead_somewhere() {
    let root = root();
    let mut broken = Vec::new();
    for path in files(&root, &[".md"]) {
        let text = fs::read_to_string(&path).unwrap();
        for part in text.split("](").skip(1) {
            let target = part.split([')', '#', ' ']).next().unwrap_or_default();
            let local =
                !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:");
            if local && !path.parent().unwrap().join(target).exists() {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    nothing("links that lead nowhere", &broken);
}

#[test]
fn the_architecture_names_files_that_exist() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let missing = text.split('`').skip(1).step_by(2).filter(|quoted| {
        let file = quoted.ends_with(".rs") && quoted.contains('/');
        file && !quoted.contains('*') && !exists(quoted)
    });
    nothing("files that are not there", &missing.map(str::to_owned).collect::<Vec<_>>());
}

fn exists(file: &str) -> bool {
    let crates = root().join("crates");
    crates.join(file).exists()
        || ["domain/src", "store/src", "engine/src", "cli/src"]
            .iter()
            .any(|place| crates.join(place).join(file).exists())
}
