//! A server that a test may do anything to.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Who runs the server where the tests run as root, which it refuses.
const NOBODY: u32 = 65_534;

/// The password that no message may repeat.
pub const PASSWORD: &str = "hunter2-7f3a";

/// Stopped, and gone with all it holds, when it is dropped.
pub struct Server {
    home: TempDir,
    pub port: u16,
    settings: Vec<String>,
    running: Option<Child>,
}

fn binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders.extend(std::env::var_os("PGBIN").map(PathBuf::from));
    let found = folders.into_iter().rev().find(|folder| folder.join("initdb").exists());
    found.expect("PostgreSQL is not here: install it (Debian: postgresql)")
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    pub fn start(settings: &[&str]) -> Self {
        let home = TempDir::with_prefix("milestone-server-").unwrap();
        fs::write(home.path().join("password"), PASSWORD).unwrap();
        let mut server = Self {
            home,
            port: free_port(),
            settings: settings.iter().map(ToString::to_string).collect(),
            running: None,
        };
        server.give(&["password"]);
        let mut initdb = server.command("initdb");
        let data = server.data();
        initdb.arg("-D").arg(&data).args(["-U", "milestone", "--auth=scram-sha-256"]);
        initdb.arg("--pwfile").arg(server.home.path().join("password"));
        initdb.args(["--encoding=UTF8", "--no-locale", "--no-sync"]);
        assert!(initdb.stdout(Stdio::null()).status().unwrap().success());
        server.resume();
        server
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Puts a file where the server reads it.
    pub fn put(&self, name: &str, text: &str) -> PathBuf {
        let file = self.home.path().join(name);
        fs::write(&file, text).unwrap();
        self.give(&[name]);
        file
    }

    /// Lets the user that runs the server have some of the files, and the folder they are in.
    fn give(&self, names: &[&str]) {
        use std::os::unix::fs::PermissionsExt as _;
        let home = self.home.path();
        for file in names.iter().map(|name| home.join(name)).chain([home.to_owned()]) {
            if is_root() {
                std::os::unix::fs::chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
            }
            let mode = if file.is_dir() { 0o755 } else { 0o600 };
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(binaries().join(program));
        command.current_dir(self.home.path()).stdin(Stdio::null());
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    pub fn set(&mut self, settings: &[&str]) {
        self.settings.extend(settings.iter().map(ToString::to_string));
    }

    /// Starts it again, and waits until it lets people in.
    pub fn resume(&mut self) {
        self.run();
        let started = Instant::now();
        while !self.is_ready() {
            assert!(started.elapsed() < Duration::from_mins(1), "{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn run(&mut self) {
        let file = self.home.path().join("log");
        let log = fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string(), "-k"]);
        command.arg(self.home.path()).args(["-c", "listen_addresses=127.0.0.1,::1"]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let command = command.stdout(log.try_clone().unwrap()).stderr(log);
        self.running = Some(command.spawn().unwrap());
    }

    fn is_ready(&self) -> bool {
        let tried = tokio_postgres::Config::clone(&self.url().parse().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(tried.connect(tokio_postgres::NoTls)).is_ok()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    pub fn url(&self) -> String {
        self.url_of("milestone", PASSWORD, "127.0.0.1")
    }

    pub fn url_of(&self, user: &str, password: &str, host: &str) -> String {
        format!("postgres://{user}:{password}@{host}:{}/postgres", self.port)
    }

    /// All of its processes at once, as when the host loses power.
    pub fn kill(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        let children = children(running.id());
        let _ = running.kill();
        children.into_iter().for_each(|child| signal(child, rustix::process::Signal::KILL));
        let _ = running.wait();
        // What they held in memory together is released by the last of them.
        std::thread::sleep(Duration::from_millis(100));
    }

    pub fn signal_all(&self, what: rustix::process::Signal) {
        let Some(running) = &self.running else { return };
        let all = children(running.id()).into_iter().chain([running.id()]);
        all.for_each(|process| signal(process, what));
    }

    /// Somebody else at the same server.
    pub fn psql(&self, sql: &str) -> String {
        Self::psql_as(&self.url(), &["-c", sql]).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    pub fn psql_as(url: &str, arguments: &[&str]) -> Result<String, String> {
        let mut psql = Command::new(binaries().join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]).args(arguments).arg(url);
        let output = psql.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stderr)),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal_all(rustix::process::Signal::CONT);
        self.kill();
    }
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

fn signal(process: u32, what: rustix::process::Signal) {
    let process = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw);
    let _ = rustix::process::kill_process(process.unwrap(), what);
}

/// The processes that this one has started.
fn children(of: u32) -> Vec<u32> {
    let tasks = Path::new("/proc").join(of.to_string()).join("task").join(of.to_string());
    let listed = fs::read_to_string(tasks.join("children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}
