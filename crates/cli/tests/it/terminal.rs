//! A real pseudo-terminal, and what somebody would see on it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

/// A terminal with a program on it that has it for itself.
pub struct Terminal {
    side: File,
    pub child: Child,
    before: Termios,
    written: Arc<Mutex<Vec<u8>>>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Terminal {
    /// Starts a command in a session whose terminal this is.
    pub fn with(command: &Command, columns: u16, rows: u16) -> Self {
        Self::of("xterm-256color", command, columns, rows)
    }

    /// The same on a terminal of another kind.
    pub fn of(kind: &str, command: &Command, columns: u16, rows: u16) -> Self {
        let side = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&side).unwrap();
        unlockpt(&side).unwrap();
        let name = ptsname(&side, Vec::new()).unwrap().into_string().unwrap();
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        let other = open();
        resize(&other, columns, rows);
        let before = tcgetattr(&other).unwrap();
        let mut started = Command::new("setsid");
        started.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        started.current_dir(command.get_current_dir().unwrap()).env_clear();
        let given = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        started.envs(given).env("TERM", kind);
        started.stdin(Stdio::from(open())).stdout(Stdio::from(open())).stderr(Stdio::from(open()));
        let child = started.spawn().unwrap();
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut from = File::from(side.try_clone().unwrap());
        let to = Arc::clone(&written);
        let reader = thread::spawn(move || {
            // Held open, so that nothing is lost when the program ends.
            let _other = other;
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = from.read(&mut bytes) {
                to.lock().unwrap().extend_from_slice(&bytes[..read]);
                if to.lock().unwrap().ends_with(END) {
                    return;
                }
            }
        });
        Self { side: File::from(side), child, before, written, reader: Some(reader) }
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        resize(&self.side, columns, rows);
    }

    /// Somebody types this.
    pub fn press(&mut self, keys: &[u8]) {
        self.side.write_all(keys).unwrap();
    }

    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// What stands on the screen now, without what has scrolled away.
    pub fn screen(&self, columns: usize, rows: usize) -> Screen {
        let mut screen = Screen::new(columns, rows);
        screen.take(&self.written());
        screen
    }

    /// Waits for the end: its exit code, and everything that was written. The terminal must be as
    /// it was.
    pub fn end(mut self) -> (i32, String) {
        let code = self.child.wait().unwrap().code().unwrap();
        let after = tcgetattr(self.side.as_fd()).unwrap();
        assert_eq!(format!("{after:?}"), format!("{:?}", self.before));
        // What we write to the other end comes after all that was written there.
        let name = ptsname(&self.side, Vec::new()).unwrap().into_string().unwrap();
        File::options().write(true).open(name).unwrap().write_all(END).unwrap();
        self.reader.take().unwrap().join().unwrap();
        let written = self.written();
        (code, written.trim_end_matches('\u{4}').to_owned())
    }
}

impl Drop for Terminal {
    /// A test that fails leaves nothing running.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const END: &[u8] = b"\x04\x04\x04\x04";

fn resize(of: impl std::os::fd::AsFd, columns: u16, rows: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(of, size).unwrap();
}

/// What a terminal makes of what is written to it; it knows no more than it has to, and panics at
/// anything else.
pub struct Screen {
    pub lines: Vec<String>,
    pub scrolled: Vec<String>,
    row: usize,
    column: usize,
    columns: usize,
    rows: usize,
}

impl Screen {
    pub fn new(columns: usize, rows: usize) -> Self {
        let lines = vec![String::new(); rows];
        Self { lines, scrolled: Vec::new(), row: 0, column: 0, columns, rows }
    }

    /// Everything from the first line that scrolled away to the last that stands there.
    pub fn all(&self) -> Vec<String> {
        let all = self.scrolled.iter().chain(&self.lines).map(|line| line.trim_end().to_owned());
        let mut all: Vec<String> = all.collect();
        while all.last().is_some_and(String::is_empty) {
            all.pop();
        }
        all
    }

    pub fn take(&mut self, text: &str) {
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '\r' => self.column = 0,
                '\n' => self.down(),
                '\u{1b}' => {
                    assert_eq!(rest.next(), Some('['), "an escape that is not known");
                    let mut number = String::new();
                    let end = loop {
                        match rest.next().unwrap() {
                            c @ ('0'..='9' | ';') => number.push(c),
                            c => break c,
                        }
                    };
                    self.act(end, &number);
                }
                c if c.is_control() => panic!("{c:?} acts on a terminal"),
                c => self.put(c),
            }
        }
    }

    fn act(&mut self, end: char, number: &str) {
        match end {
            'A' => self.row = self.row.saturating_sub(number.parse().unwrap_or(1)),
            'K' => {
                assert_eq!(number, "2");
                self.lines[self.row].clear();
            }
            'm' => {}
            other => panic!("{other} with {number} is not known"),
        }
    }

    fn down(&mut self) {
        self.row += 1;
        if self.row == self.rows {
            self.scrolled.push(self.lines.remove(0));
            self.lines.push(String::new());
            self.row -= 1;
        }
    }

    fn put(&mut self, c: char) {
        if self.column == self.columns {
            self.column = 0;
            self.down();
        }
        let mut line: Vec<char> = self.lines[self.row].chars().collect();
        line.resize(line.len().max(self.column + 1), ' ');
        line[self.column] = c;
        self.lines[self.row] = line.into_iter().collect();
        self.column += 1;
    }
}
