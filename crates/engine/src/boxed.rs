//! The box in which a runner may be shut in: it can write to what is its own and to nothing else.
//!
//! Made by bubblewrap. The keeper stays outside, so that whatever was started still ends with the
//! session: all that runs in a box are its descendants, and end with the box.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::log::Log;
use crate::process::{self, Lifeline, Start};

const PROGRAM: &str = "bwrap";

/// Folders of which a box has its own, empty: what others leave there is not its business, and in
/// `/run` are the sockets of services that would do for it what it may not.
const OWN: [&str; 3] = ["/tmp", "/var/tmp", "/run"];

/// Where names of hosts are looked up; it may lie in a folder that is hidden.
const RESOLVER: &str = "/etc/resolv.conf";

/// A way to make boxes that works here.
#[derive(Debug, Clone)]
pub struct Boxes {
    network: bool,
    /// What may be written to beside what is a task's own.
    writable: Vec<PathBuf>,
}

/// What one box is made for.
pub(crate) struct Inside<'a> {
    pub runner: &'a str,
    /// The folder it works in.
    pub folder: &'a Path,
    /// The project's `.milestones` folder.
    pub root: &'a Path,
    pub project: &'a Path,
    /// The folder of git that all worktrees share, and the attempt's branch.
    pub git: Option<(&'a Path, String)>,
}

/// A command around another one.
pub(crate) struct Wrapped {
    pub program: String,
    pub arguments: Vec<String>,
}

impl Boxes {
    /// Tries one; an error that says why none can be made.
    pub fn tried(keeper: &[OsString], network: bool, writable: &[PathBuf]) -> Result<Self, String> {
        let boxes = Self { network, writable: writable.to_vec() };
        let root = Path::new("/");
        let mut arguments = boxes.walls();
        arguments.extend(["--", "true"].map(str::to_owned));
        let environment: BTreeMap<OsString, OsString> =
            std::env::var_os("PATH").map(|path| ("PATH".into(), path)).into_iter().collect();
        let start = Start {
            keeper,
            program: PROGRAM,
            arguments: &arguments,
            environment: &environment,
            folder: root,
            stdin: "",
        };
        let nowhere = File::options().append(true).open("/dev/null");
        let log = nowhere.and_then(|file| Log::of(file, 0));
        let mut log = log.map_err(|error| error.to_string())?;
        let mut said = String::new();
        let ended = process::run(&start, &Lifeline::default(), &mut log, &mut |line| {
            line.clone_into(&mut said);
        });
        match ended {
            Ok(Some(0)) => Ok(boxes),
            Ok(_) if said.is_empty() => Err(format!("{PROGRAM} does not work here")),
            Ok(_) => Err(said),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What a box is good for, and what it is not, in one line.
    pub fn covers(&self) -> String {
        let network = if self.network { "the network" } else { "no network" };
        let more = match self.writable.len() {
            0 => String::new(),
            1 => ", and 1 path of execute.box_writable".to_owned(),
            paths => format!(", and {paths} paths of execute.box_writable"),
        };
        format!(
            "in a box: what runs can write to its worktree and branch, to git's objects, to \
             .milestones and to what its agent keeps in your home{more}; it can read all that you \
             can, and has {network}"
        )
    }

    /// The same command, in a box.
    pub(crate) fn around(&self, start: &Start<'_>, inside: &Inside<'_>) -> Wrapped {
        let mut arguments = self.walls();
        let mut shown = vec![inside.project.to_owned()];
        shown.extend(inside.git.iter().map(|(common, _)| (*common).to_owned()));
        shown.extend(home());
        shown.extend(variable(start, "PATH").iter().flat_map(std::env::split_paths));
        shown.push(RESOLVER.into());
        for path in shown.iter().filter_map(|path| path.canonicalize().ok()) {
            if OWN.iter().any(|own| path.starts_with(own) && path != Path::new(own)) {
                mount(&mut arguments, "--ro-bind", &path);
            }
        }
        for path in self.open(start, inside).iter().filter_map(|path| path.canonicalize().ok()) {
            mount(&mut arguments, "--bind", &path);
        }
        for path in shut(inside).iter().filter_map(|path| path.canonicalize().ok()) {
            mount(&mut arguments, "--ro-bind", &path);
        }
        let folder = inside.folder.canonicalize();
        let folder = folder.unwrap_or_else(|_| inside.folder.to_owned());
        let folder = folder.to_string_lossy().into_owned();
        arguments.extend(["--chdir".to_owned(), folder, "--".to_owned(), start.program.to_owned()]);
        arguments.extend(start.arguments.iter().cloned());
        Wrapped { program: PROGRAM.to_owned(), arguments }
    }

    /// What is the same for all: everything to be read, nothing to be written, processes of its
    /// own, and no rights beyond those of this user.
    fn walls(&self) -> Vec<String> {
        let mut words =
            vec!["--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc"];
        words.extend(["--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev"]);
        words.extend(["--proc", "/proc"]);
        words.extend(OWN.iter().flat_map(|own| ["--tmpfs", own]));
        words.extend(["--setenv", "TMPDIR", "/tmp"]);
        if !self.network {
            words.push("--unshare-net");
        }
        words.into_iter().map(str::to_owned).collect()
    }

    /// What may be written to.
    fn open(&self, start: &Start<'_>, inside: &Inside<'_>) -> Vec<PathBuf> {
        let mut paths = vec![inside.root.to_owned()];
        if let (Some((common, branch)), Some(admin)) = (&inside.git, admin(inside.folder)) {
            paths.push(common.join("objects"));
            paths.push(admin);
            // Git makes a branch by a file beside it. The folder holds attempts' branches only.
            let folder = Path::new(branch).parent().unwrap_or(Path::new(branch));
            for folder in [common.join(folder), common.join("logs").join(folder)] {
                // Where it cannot be made, a commit in the box fails and says so.
                let _ = fs::create_dir_all(&folder);
                paths.push(folder);
            }
        }
        paths.extend(kept_by(inside.runner, start));
        paths.extend(self.writable.iter().cloned());
        // Last, so that nothing that is shown above it hides it.
        paths.push(inside.folder.to_owned());
        paths
    }
}

fn mount(arguments: &mut Vec<String>, how: &str, path: &Path) {
    let path = path.to_string_lossy().into_owned();
    arguments.extend([how.to_owned(), path.clone(), path]);
}

/// What is not to be changed within what is open: it says where git is, and so what a git outside
/// of the box would do; and the project's settings, of which the box is one.
fn shut(inside: &Inside<'_>) -> Vec<PathBuf> {
    let settings = inside.root.join("config");
    let _ = fs::create_dir_all(&settings);
    let mut paths = vec![settings];
    if let Some(admin) = admin(inside.folder).filter(|_| inside.git.is_some()) {
        paths.push(inside.folder.join(".git"));
        paths.extend(["commondir", "gitdir", "config.worktree"].map(|name| admin.join(name)));
    }
    paths
}

/// Git's own folder of a worktree.
fn admin(worktree: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(worktree.join(".git")).ok()?;
    let path = PathBuf::from(text.trim().strip_prefix("gitdir: ")?);
    Some(worktree.join(path))
}

/// Where an agent keeps its settings, its sessions and what lets it in; only what is there.
fn kept_by(runner: &str, start: &Start<'_>) -> Vec<PathBuf> {
    let (named, below): (&[&str], &[&str]) = match runner {
        "claude" => (&["CLAUDE_CONFIG_DIR"], &[".claude", ".claude.json"]),
        "codex" => (&["CODEX_HOME"], &[".codex"]),
        "gemini" => (&[], &[".gemini"]),
        "opencode" => (
            &[],
            &[
                ".config/opencode",
                ".local/share/opencode",
                ".local/state/opencode",
                ".cache/opencode",
            ],
        ),
        _ => (&[], &[]),
    };
    let named = named.iter().filter_map(|name| variable(start, name)).map(PathBuf::from);
    let below = home().into_iter().flat_map(|home| below.iter().map(move |path| home.join(path)));
    named.chain(below).collect()
}

/// A variable as the command is to see it.
fn variable(start: &Start<'_>, name: &str) -> Option<OsString> {
    start.environment.get(&OsString::from(name)).cloned()
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute())
}
