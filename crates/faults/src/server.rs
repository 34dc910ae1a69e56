//! PostgreSQL under test: a server of our own that may be killed, and copies of projects in one
//! that is shared.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::run::tool;
use crate::store::{Database, Kept, POINTER, Store};

/// How long a server may take until it lets somebody in.
const READY_MAX: Duration = Duration::from_secs(30);
const READY_PAUSE: Duration = Duration::from_millis(20);

/// Nobody: the server refuses to run as root.
const UNPRIVILEGED: &str = "65534";

const PROJECT_FILE: &str = "config/milestone-config.yaml";

/// Everything of a project but the project itself, whose number is another one.
const TABLES: [&str; 7] = [
    "milestone_counter",
    "milestone_document",
    "milestone_task",
    "milestone_edge",
    "milestone_condition",
    "milestone_claim",
    "milestone_event",
];

/// Gives a copied folder a copy of what it has on the server, too, so that it shares nothing with
/// the one that it was copied from.
pub fn own_project(folder: &Path, url: Option<&str>) -> Result<(), String> {
    let kept = Kept::of(folder).unwrap_or_default();
    if kept.store != Store::Postgres {
        return Ok(());
    }
    let mut database = Database::postgres(url.ok_or("nobody said where the server is")?)?;
    let uuid = uuid::Uuid::now_v7().to_string();
    let old = &kept.project;
    let made = database.rows(&format!(
        "INSERT INTO milestone_project (uuid, epoch, moved_to, given) \
         SELECT '{uuid}', epoch, moved_to, given FROM milestone_project WHERE uuid = '{old}' \
         RETURNING id, (SELECT id FROM milestone_project WHERE uuid = '{old}')"
    ))?;
    let [ids] = made.as_slice() else { return Err(format!("the server has no project {old}")) };
    for table in TABLES {
        let columns = database.rows(&format!(
            "SELECT string_agg(column_name, ', ') FROM information_schema.columns \
             WHERE table_name = '{table}' AND column_name NOT IN ('project', 'seq', 'tx')"
        ))?;
        let columns = &columns[0][0];
        let order = if table == "milestone_event" { " ORDER BY seq" } else { "" };
        database.rows(&format!(
            "INSERT INTO {table} (project, {columns}) SELECT {}, {columns} FROM {table} \
             WHERE project = {}{order}",
            ids[0], ids[1]
        ))?;
    }
    for file in [POINTER, PROJECT_FILE] {
        let path = folder.join(file);
        let text = fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
        fs::write(&path, text.replace(old, &uuid)).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(())
}

/// A server of one run.
pub struct Server {
    home: PathBuf,
    binaries: PathBuf,
    port: u16,
    child: Option<Child>,
    pub url: String,
}

/// Where the programs of a server are, if they are anywhere.
pub fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let known = versions.map(|version| version.path().join("bin"));
    let known = known.chain(["/usr/local/bin", "/usr/bin"].map(PathBuf::from));
    let given = std::env::var_os("PGBIN").map(PathBuf::from);
    given.into_iter().chain(known).find(|folder| folder.join("initdb").exists())
}

impl Server {
    /// Makes a server with an empty database, and starts it.
    pub fn make(home: &Path) -> Result<Self, String> {
        let binaries = binaries().ok_or("PostgreSQL is not installed")?;
        fs::create_dir_all(home).map_err(|error| error.to_string())?;
        let password = uuid::Uuid::now_v7().simple().to_string();
        let secret = home.join("password");
        fs::write(&secret, &password).map_err(|error| error.to_string())?;
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        drop(listener);
        let url = format!("postgres://milestone:{password}@127.0.0.1:{port}/postgres");
        let mut server = Self { home: home.to_owned(), binaries, port, child: None, url };
        if geteuid().is_root() {
            tool(&["chown", "-R", UNPRIVILEGED, &home.display().to_string()])?;
        }
        let mut initdb = server.command("initdb");
        initdb.arg("-D").arg(home.join("data")).args(["-U", "milestone", "--no-sync"]);
        initdb.args(["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"]);
        initdb.arg(format!("--pwfile={}", secret.display())).stdout(Stdio::null());
        let made = initdb.status().map_err(|error| error.to_string())?;
        if !made.success() {
            return Err("initdb failed".into());
        }
        server.start()?;
        Ok(server)
    }

    fn command(&self, program: &str) -> Command {
        let path = self.binaries.join(program);
        let mut command = if geteuid().is_root() {
            let mut command = Command::new("setpriv");
            let ids = [format!("--reuid={UNPRIVILEGED}"), format!("--regid={UNPRIVILEGED}")];
            command.args(ids).args(["--clear-groups", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(&self.home).stdin(Stdio::null());
        command
    }

    /// Starts it, as often as it takes until the one before is gone, and waits until it is ready.
    pub fn start(&mut self) -> Result<(), String> {
        let began = Instant::now();
        while began.elapsed() < READY_MAX {
            if self.child.as_mut().is_none_or(|child| child.try_wait().is_ok_and(|it| it.is_some()))
            {
                self.child = Some(self.launch()?);
            }
            if Database::postgres(&self.url).is_ok() {
                return Ok(());
            }
            std::thread::sleep(READY_PAUSE);
        }
        Err("the server does not come up".into())
    }

    fn launch(&self) -> Result<Child, String> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.home.join("log"));
        let log = log.map_err(|error| error.to_string())?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.home.join("data")).args(["-p", &self.port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"] {
            command.args(["-c", setting]);
        }
        command.args(["-c", "max_connections=100"]).stdout(Stdio::null()).stderr(log);
        command.spawn().map_err(|error| error.to_string())
    }

    /// Ends it at once: by itself, without a word to anybody, or by the kernel.
    pub fn kill(&mut self, signal: Signal) {
        let Some(mut child) = self.child.take() else { return };
        let _ = kill_process(Pid::from_child(&child), signal);
        let _ = child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill(Signal::QUIT);
    }
}
