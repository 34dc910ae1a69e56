//! Starting a forge's program. It is the person's own, signed in as they are.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::attended::{Said, attend};
use crate::git::OF_ONE_REPOSITORY;

/// One that takes longer waits for somebody.
const ASKING_MAX: Duration = Duration::from_mins(2);

/// Nobody is there to answer, and nobody sees colours.
const QUIET: [(&str, &str); 5] = [
    ("GH_PROMPT_DISABLED", "1"),
    ("GH_NO_UPDATE_NOTIFIER", "1"),
    ("NO_PROMPT", "1"),
    ("NO_COLOR", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
];

/// Runs it to its end; what could not be waited for has no exit.
pub fn ask(program: &Path, words: &[String], input: Option<&str>, at: &Path) -> io::Result<Said> {
    let mut command = Command::new(program);
    command.args(words).current_dir(at).envs(QUIET);
    for name in OF_ONE_REPOSITORY {
        command.env_remove(name);
    }
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    attend(command.spawn()?, input.map(str::as_bytes), Some(ASKING_MAX))
}
