//! A short program that is waited for: fed, listened to, and ended when it takes too long.

use std::io::{self, Read, Write};
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// What a program that ended said.
#[derive(Debug)]
pub struct Said {
    pub exit: Option<i32>,
    pub out: Vec<u8>,
    pub err: String,
}

impl Said {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).trim_end().to_owned()
    }

    /// The parts between zeros.
    pub fn parts(&self) -> Vec<String> {
        let parts = self.out.split(|byte| *byte == 0).filter(|part| !part.is_empty());
        parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect()
    }
}

/// Feeds and listens to a program until it ends. One that leads a process group of its own is killed,
/// with all of that group, when its time is up.
pub fn attend(mut child: Child, input: Option<&[u8]>, limit: Option<Duration>) -> io::Result<Said> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        let out = scope.spawn(|| heard(stdout));
        let err = scope.spawn(|| heard(stderr));
        scope.spawn(move || {
            // One that ends without having read all of it says itself why.
            let _ = stdin.zip(input).map(|(mut stdin, input)| stdin.write_all(input));
        });
        let status = ended(&mut child, limit)?;
        let unread = |_| io::Error::other("what it said could not be read");
        let out = out.join().map_err(unread)??;
        let err = err.join().map_err(unread)??;
        Ok(Said { exit: status.code(), out, err: String::from_utf8_lossy(&err).into_owned() })
    })
}

fn heard(from: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        from.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn ended(child: &mut Child, limit: Option<Duration>) -> io::Result<ExitStatus> {
    let Some(limit) = limit else { return child.wait() };
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(10));
    }
    let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL)?;
    }
    child.wait()
}
