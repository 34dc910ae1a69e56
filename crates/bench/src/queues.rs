//! The same queue of jobs on one PostgreSQL server, emptied one job at a time by ours, by raw SQL
//! and by queue libraries of other languages: see `queues/` beside the sources.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use milestone_store::pointer::StoreKind;
use postgres::config::Host;
use postgres::{Client, NoTls};

use crate::claims::{claim_and_complete, named};
use crate::crew::{Done, WORKERS, at_once};
use crate::measure::{Programs, middle};
use crate::report::{Row, Target};
use crate::sample::Sample;
use crate::{Options, Result, generate, say};

/// Longer than the slowest takes with all its jobs.
const LONG: Duration = Duration::from_mins(10);

const RAW: &str = "raw SKIP LOCKED";

/// A queue library: how its driver is started, in the folder into which it was installed.
struct Library {
    name: String,
    program: PathBuf,
    driver: &'static str,
}

pub fn measure(programs: &Programs, options: &Options, folder: &Path) -> Result<Vec<Row>> {
    let Some(server) = &programs.server else { return Ok(Vec::new()) };
    let libraries = installed(programs, server)?;
    let mut rows = Vec::new();
    for workers in WORKERS {
        let mut ours = Vec::new();
        let mut others = vec![Vec::new(); libraries.len() + 1];
        // They take turns, so that a busy moment of the machine meets all.
        for round in 0..options.rounds() {
            say(&format!("queues: {workers} at once, round {}", round + 1));
            let here = folder.join(format!("queue-{workers}-{round}"));
            ours.push(own(programs, &here, workers, options.jobs)?);
            others[0].push(raw(server, folder, workers, options.jobs)?);
            for (library, figures) in libraries.iter().zip(&mut others[1..]) {
                figures.push(library.work(server, workers, options.jobs)?);
            }
        }
        let names = std::iter::once(RAW).chain(libraries.iter().map(|library| &*library.name));
        for (name, figures) in names.zip(&others) {
            let figure = middle(ours.iter().copied());
            let row = Row::new(&named(workers), "postgres", options.jobs, figure);
            let share = if name == RAW { 0.5 } else { 1.0 };
            let floor = middle(figures.iter().copied());
            rows.push(row.above(name, floor).held_to(Target::Share(share)));
        }
    }
    Ok(rows)
}

/// Ours: a project of jobs, through the one door that every command goes through.
fn own(programs: &Programs, folder: &Path, workers: usize, jobs: usize) -> Result<f64> {
    let (mut sample, _) = Sample::make(programs, folder, &generate::jobs(jobs))?;
    sample.move_to(programs, StoreKind::Postgres)?;
    if let Some(server) = &programs.server {
        Client::connect(server, NoTls)?.batch_execute("ANALYZE")?;
    }
    let done = at_once(workers, LONG, || {
        let project = sample.project()?;
        Ok(move || Ok(claim_and_complete(&project)?.is_some()))
    })?;
    all_done(&done, jobs)
}

fn all_done(done: &Done, jobs: usize) -> Result<f64> {
    if usize::try_from(done.count)? == jobs {
        Ok(done.claims_and_completions())
    } else {
        Err(format!("{} of {jobs} jobs were done", done.count).into())
    }
}

/// Raw SQL by `pgbench`, with prepared statements: a queue that knows no rules.
fn raw(server: &str, folder: &Path, workers: usize, jobs: usize) -> Result<f64> {
    let mut client = Client::connect(server, NoTls)?;
    client.batch_execute(&format!(
        "DROP TABLE IF EXISTS bench_queue; \
         CREATE TABLE bench_queue (id BIGINT PRIMARY KEY, state BIGINT NOT NULL, body TEXT NOT NULL); \
         INSERT INTO bench_queue SELECT n, 0, repeat(md5(n::text), 12) FROM generate_series(1, {jobs}) n; \
         CREATE INDEX bench_queue_state ON bench_queue (state, id); ANALYZE bench_queue"
    ))?;
    let script = folder.join("claim-and-complete.sql");
    std::fs::write(
        &script,
        "UPDATE bench_queue SET state = 1 WHERE id = (SELECT id FROM bench_queue WHERE state = 0 \
         ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id \\gset\n\
         UPDATE bench_queue SET state = 2 WHERE id = :id;\n",
    )?;
    let each = (jobs / workers).to_string();
    let clients = workers.to_string();
    let threads = processes(workers).to_string();
    let mut command = Command::new("pgbench");
    command.args(["-n", "-M", "prepared", "-c", &clients, "-j", &threads, "-t", &each, "-f"]);
    command.arg(&script).stdin(Stdio::null());
    let output = reach(&mut command, server)?.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let left: i64 =
        client.query_one("SELECT count(*) FROM bench_queue WHERE state <> 2", &[])?.get(0);
    if !output.status.success() || left > 0 {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("pgbench left {left} of {jobs} jobs: {why}").into());
    }
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = "));
    let tps = tps.and_then(|rest| rest.split(' ').next()).ok_or("pgbench says how many")?;
    Ok(tps.parse::<f64>()? * 2.0)
}

/// Tells a program of PostgreSQL's own where the server is, without showing the password.
fn reach<'a>(command: &'a mut Command, server: &str) -> Result<&'a mut Command> {
    let config: postgres::Config = server.parse()?;
    if let Some(Host::Tcp(host)) = config.get_hosts().first() {
        command.env("PGHOST", host);
    }
    if let Some(port) = config.get_ports().first() {
        command.env("PGPORT", port.to_string());
    }
    if let Some(password) = config.get_password() {
        command.env("PGPASSWORD", String::from_utf8_lossy(password).as_ref());
    }
    let user = config.get_user().unwrap_or("postgres");
    Ok(command.env("PGUSER", user).env("PGDATABASE", config.get_dbname().unwrap_or(user)))
}

/// Installs the libraries beside what is built; one that cannot be installed is left out, aloud.
fn installed(programs: &Programs, server: &str) -> Result<Vec<Library>> {
    let folder = programs.folder.join("queues");
    let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("queues/install");
    say("queues: installing the libraries");
    if !Command::new(install).arg(&folder).stdin(Stdio::null()).status()?.success() {
        say("queues: not all could be installed, and those are left out");
    }
    let mut libraries = Vec::new();
    for (program, driver) in
        [("node", "graphile.mjs"), ("python/bin/python", "procrastinate_queue.py")]
    {
        let mut library = Library { name: String::new(), program: folder.join(program), driver };
        match library.prepare(server, 1) {
            Ok(name) => {
                library.name = name;
                libraries.push(library);
            }
            Err(error) => say(&format!("queues: {driver} is left out: {error}")),
        }
    }
    Ok(libraries)
}

/// A started driver that waits to be told to begin.
struct Waiting {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Library {
    fn command(&self, server: &str, what: &str, count: usize) -> Result<Command> {
        let folder = self.program.ancestors().find(|folder| folder.join(self.driver).exists());
        let folder = folder.ok_or("it is not installed")?;
        let mut command = Command::new(&self.program);
        command.arg(self.driver).arg(what).arg(count.to_string()).current_dir(folder);
        command.env("DATABASE_URL", server);
        Ok(command)
    }

    /// Fills its queue, and answers what it is and of which version.
    fn prepare(&self, server: &str, jobs: usize) -> Result<String> {
        let output = self.command(server, "prepare", jobs)?.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Claims and completions a second, from the word to begin to the last one's `done`.
    fn work(&self, server: &str, workers: usize, jobs: usize) -> Result<f64> {
        self.prepare(server, jobs)?;
        let processes = processes(workers);
        let started: Result<Vec<Waiting>> =
            (0..processes).map(|_| self.start(server, workers / processes)).collect();
        let mut waiting = started?;
        for driver in &mut waiting {
            driver.expect("ready")?;
        }
        let began = Instant::now();
        for driver in &mut waiting {
            driver.to.write_all(b"go\n")?;
            driver.to.flush()?;
        }
        let mut count = 0;
        for driver in &mut waiting {
            count += driver.expect("done")?.parse::<u32>()?;
        }
        let done = Done { count, seconds: began.elapsed().as_secs_f64() };
        for driver in waiting {
            let Waiting { mut child, to, .. } = driver;
            drop(to);
            child.wait()?;
        }
        all_done(&done, jobs)
    }

    fn start(&self, server: &str, workers: usize) -> Result<Waiting> {
        let mut command = self.command(server, "work", workers)?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let to = child.stdin.take().ok_or("a driver listens")?;
        let from = BufReader::new(child.stdout.take().ok_or("a driver speaks")?);
        Ok(Waiting { child, to, from })
    }
}

impl Waiting {
    /// The next line, which begins with this word; what stands after it.
    fn expect(&mut self, word: &str) -> Result<String> {
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        let rest = line.strip_prefix(word).ok_or_else(|| format!("{word} is not {line:?}"))?;
        Ok(rest.trim().to_owned())
    }
}

/// Languages that run on one core by process are given a process for each core.
fn processes(workers: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Each has as many workers as any other.
    (1..=cores.min(workers)).rev().find(|processes| workers.is_multiple_of(*processes)).unwrap_or(1)
}
