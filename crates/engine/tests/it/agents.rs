//! The real agents, started as a runner says and talking to a scripted endpoint.
//!
//! They are looked for in the folder that `MILESTONE_TEST_CLIS` names; where it is not set, or
//! one of them is not there, its test says so and is over.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use milestone_engine::runners::{self, Configured, Ended, Heard, Job, Kind, Limit, Runner};
use serde_json::json;

use crate::endpoint::{ANSWER, Endpoint, Script};

/// The first start of some of them takes this long on a machine with much else to do.
const MOST: Duration = Duration::from_mins(2);

/// A folder for an agent to work in, a worktree as the engine makes them, and a home of its own.
struct Place {
    _folder: tempfile::TempDir,
    home: PathBuf,
    tree: PathBuf,
    /// Where another attempt works.
    next: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (home, main, tree) = (root.join("home"), root.join("main"), root.join("tree"));
        let next = root.join("next");
        for made in [&home, &main] {
            fs::create_dir(made).unwrap();
        }
        git(&main, &["init", "--quiet"]);
        git(&main, &["commit", "--quiet", "--allow-empty", "--message", "begin"]);
        git(&main, &["worktree", "add", "--quiet", tree.to_str().unwrap()]);
        git(&main, &["worktree", "add", "--quiet", next.to_str().unwrap()]);
        Self { _folder: folder, home, tree, next }
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
    let done = Command::new("git").current_dir(folder).args(who).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// The agents' folder, if this one is in it.
fn clis(program: &str) -> Option<OsString> {
    let folder = env::var_os("MILESTONE_TEST_CLIS").filter(|folder| !folder.is_empty());
    let found = folder.filter(|folder| runners::installed(folder).contains(&program));
    if found.is_none() {
        println!("skipped: MILESTONE_TEST_CLIS names no folder with {program} in it");
    }
    found
}

fn runner(name: &str) -> Box<dyn Runner> {
    match Configured::default().runner(name) {
        Some(Kind::Process(runner)) => runner,
        _ => panic!("{name} is no process"),
    }
}

/// Starts an agent and hears it to its end, or until `is_enough`.
fn run(
    runner: &dyn Runner,
    job: &Job<'_>,
    place: &Place,
    variables: &[(&str, String)],
    is_enough: fn(&Heard) -> bool,
) -> (Heard, Ended) {
    let launch = runner.launch(job).unwrap();
    let mut path = clis(runner.program()).unwrap();
    path.push(":");
    path.push(env::var_os("PATH").unwrap());
    let mut child = Command::new(&launch.program)
        .args(&launch.arguments)
        .current_dir(job.worktree)
        .env_clear()
        .env("PATH", path)
        .env("HOME", &place.home)
        .envs(launch.environment)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(launch.stdin.unwrap().as_bytes()).unwrap();
    let (heard, printed) = hear(runner, &mut child, is_enough);
    let _ = child.kill();
    let code = child.wait().unwrap().code();
    println!("{printed}");
    let ended = runner.ended(&heard, code);
    (heard, ended)
}

fn hear(runner: &dyn Runner, child: &mut Child, is_enough: fn(&Heard) -> bool) -> (Heard, String) {
    let (sender, lines) = mpsc::channel();
    read(child.stdout.take().unwrap(), sender.clone());
    read(child.stderr.take().unwrap(), sender);
    let began = Instant::now();
    let (mut heard, mut printed) = (Heard::default(), String::new());
    while let Ok(line) = lines.recv_timeout(MOST.saturating_sub(began.elapsed())) {
        runner.hear(&line, &mut heard);
        printed.push_str(&line);
        printed.push('\n');
        if is_enough(&heard) {
            break;
        }
    }
    // What was still to be said is over in a moment, if the process is.
    while child.try_wait().unwrap().is_none() && !is_enough(&heard) && began.elapsed() < MOST {
        thread::sleep(Duration::from_millis(20));
    }
    (heard, printed)
}

fn read(stream: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        let mut read = BufReader::new(stream).lines().map_while(Result::ok);
        read.all(|line| lines.send(line).is_ok())
    });
}

fn job<'a>(tree: &'a Path, resume: Option<&'a str>, model: Option<&'a str>) -> Job<'a> {
    Job {
        prompt: "Write hello.txt.",
        prompt_file: "",
        worktree: tree.to_str().unwrap(),
        writable: &[],
        run: None,
        resume,
        model,
        extra: &[],
    }
}

/// The variables with which an agent finds the endpoint; some need a file in their home.
fn variables(agent: &str, url: &str, home: &Path) -> Vec<(&'static str, String)> {
    let key = || "no-key".to_owned();
    match agent {
        "claude" => vec![("ANTHROPIC_API_KEY", key()), ("ANTHROPIC_BASE_URL", url.to_owned())],
        "codex" => {
            fs::create_dir_all(home.join(".codex")).unwrap();
            let provider = "name = \"scripted\"\nenv_key = \"CODEX_API_KEY\"\nwire_api = \"responses\"\nrequest_max_retries = 0\nstream_max_retries = 0";
            let config = format!(
                "model_provider = \"scripted\"\n[model_providers.scripted]\nbase_url = \"{url}/v1\"\n{provider}\n"
            );
            fs::write(home.join(".codex/config.toml"), config).unwrap();
            vec![("CODEX_API_KEY", key())]
        }
        "gemini" => {
            fs::create_dir_all(home.join(".gemini")).unwrap();
            let settings = json!({
                "security": { "auth": { "selectedType": "gemini-api-key" } },
                "privacy": { "usageStatisticsEnabled": false },
            });
            fs::write(home.join(".gemini/settings.json"), settings.to_string()).unwrap();
            vec![("GEMINI_API_KEY", key()), ("GOOGLE_GEMINI_BASE_URL", url.to_owned())]
        }
        _ => {
            let model = json!({ "name": "m", "limit": { "context": 100_000, "output": 1000 } });
            let provider = json!({
                "npm": "@ai-sdk/openai-compatible",
                "options": { "baseURL": format!("{url}/v1"), "apiKey": "no-key" },
                "models": { "m": model },
            });
            let config = json!({ "small_model": "x/m", "provider": { "x": provider } });
            vec![("OPENCODE_CONFIG_CONTENT", config.to_string())]
        }
    }
}

/// It writes a file, says so, and goes on in its session when it is asked to.
fn works_and_goes_on(agent: &str, model: Option<&str>) {
    if clis(agent).is_none() {
        return;
    }
    let place = Place::new();
    let endpoint = Endpoint::start(Script::Works, &place.tree);
    let variables = variables(agent, &endpoint.url(), &place.home);
    let runner = runner(agent);
    let begin =
        |tree, resume| run(&*runner, &job(tree, resume, model), &place, &variables, |_| false);
    let (first, ended) = begin(&place.tree, None);
    assert_eq!(ended, Ended::Succeeded, "{first:?}");
    assert_eq!(fs::read_to_string(place.tree.join("hello.txt")).unwrap(), "hello\n");
    assert_eq!(first.answer.as_deref(), Some(ANSWER));
    let used = runner.used(first.used, runners::Used::default());
    assert_eq!((used.tokens_in, used.tokens_out), (Some(200), Some(40)));

    if !runner.continues() {
        return;
    }
    assert!(first.handle.is_some());
    // Every attempt has a worktree of its own, and the session goes on in that.
    let (second, ended) = begin(&place.next, first.handle.as_deref());
    assert_eq!((ended, &second.handle), (Ended::Succeeded, &first.handle));
    let used = runner.used(second.used, first.used);
    assert_eq!((used.tokens_in, used.tokens_out), (Some(100), Some(20)));
}

fn says_that_it_is_limited(agent: &str, model: Option<&str>) {
    if clis(agent).is_none() {
        return;
    }
    let place = Place::new();
    let endpoint = Endpoint::start(Script::IsAskedTooMuch, &place.tree);
    let variables = variables(agent, &endpoint.url(), &place.home);
    let job = job(&place.tree, None, model);
    let limited = |heard: &Heard| heard.limited.is_some();
    let (heard, _) = run(&*runner(agent), &job, &place, &variables, limited);
    assert_eq!(heard.limited.map(|limited| limited.by), Some(Limit::Rate), "{heard:?}");
}

#[test]
fn claude_works_and_goes_on() {
    works_and_goes_on("claude", None);
}

#[test]
fn claude_says_that_it_is_limited() {
    says_that_it_is_limited("claude", None);
}

#[test]
fn codex_works_and_goes_on() {
    works_and_goes_on("codex", Some("scripted"));
}

#[test]
fn codex_says_that_it_is_limited() {
    says_that_it_is_limited("codex", Some("scripted"));
}

#[test]
fn opencode_works_and_goes_on() {
    works_and_goes_on("opencode", Some("x/m"));
}

#[test]
fn opencode_says_that_it_is_limited() {
    says_that_it_is_limited("opencode", Some("x/m"));
}

#[test]
fn gemini_works_and_goes_on() {
    works_and_goes_on("gemini", Some("gemini-2.5-pro"));
}

#[test]
fn gemini_says_that_it_is_limited() {
    says_that_it_is_limited("gemini", Some("gemini-2.5-pro"));
}
