//! A runner that a configuration describes.
//!
//! A command is a list of arguments, and what a placeholder stands for is put into the one
//! argument it stands in: no shell ever sees it, so no text can become another command.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::limits;
use super::reading::{answer, cost, event, first_line, line, number, text};
use super::{BUILT_IN, Ended, Heard, Job, Launch, LaunchError, Runner, by_code};

/// What Linux takes as one argument, its closing zero not counted.
const ARGUMENT_MAX: usize = 128 * 1024 - 1;

/// What begins so is set by us: an attempt's right to write, among others.
const OUR_VARIABLES: &str = "MILESTONE_";

/// A runner as a configuration has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The program and its arguments, with `{prompt}`, `{prompt_file}`, `{model}` and `{worktree}`.
    pub command: Vec<String>,
    /// The same for an attempt that goes on in an old session, with `{handle}` too.
    pub resume: Option<Vec<String>>,
    /// The model, for a task that names none.
    pub model: Option<String>,
    #[serde(default)]
    pub stdin: Stdin,
    /// Variables that are set.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Variables that it gets from our own environment.
    #[serde(default)]
    pub passes_on: Vec<String>,
    #[serde(default)]
    pub reads: Reads,
    /// Where things stand in each line, if it prints JSON.
    pub json: Option<Json>,
}

/// What it reads from its standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stdin {
    #[default]
    Nothing,
    Prompt,
}

/// What it prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    /// Text for people; its last line that says something is its answer.
    #[default]
    Lines,
    /// One JSON object a line.
    Json,
}

/// JSON pointers into a line, such as `/usage/input_tokens`. A later line's value replaces an
/// earlier one's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Json {
    pub progress: Option<String>,
    pub handle: Option<String>,
    pub tokens_in: Option<String>,
    pub tokens_out: Option<String>,
    /// In US dollars.
    pub cost: Option<String>,
    pub result: Option<String>,
    /// A text that is there only if it failed: why.
    pub error: Option<String>,
}

/// What is wrong with a configured runner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomError {
    #[error("`{name}` is a runner that is built in; give yours another name")]
    BuiltIn { name: String },
    #[error("the runner `{name}` is not described as a runner is: {message}")]
    Form { name: String, message: String },
    #[error("the name of the runner `{name}` is not made of letters, digits, `-` and `_`")]
    Name { name: String },
    #[error("`{key}` of the runner `{name}` has no program in it")]
    NoProgram { name: String, key: &'static str },
    #[error("`{key}` of the runner `{name}` makes a program of a placeholder: {program}")]
    ProgramOfPlaceholder { name: String, key: &'static str, program: String },
    #[error("`{key}` of the runner `{name}` has an unknown placeholder: {{{placeholder}}}")]
    UnknownPlaceholder { name: String, key: &'static str, placeholder: String },
    #[error("`command` of the runner `{name}` has {{handle}}, which only `resume` can have")]
    HandleTooEarly { name: String },
    #[error(
        "the runner `{name}` never gets its prompt: name {{prompt}} or {{prompt_file}} in `{key}`, or set `stdin: prompt`"
    )]
    NoPrompt { name: String, key: &'static str },
    #[error(
        "the runner `{name}` has `resume`, but nothing says what its session is called: set `reads: json` and `json.handle`"
    )]
    NoHandle { name: String },
    #[error("the runner `{name}` sets `{variable}`, which is not a variable it may set")]
    Variable { name: String, variable: String },
    #[error("`json` of the runner `{name}` goes with `reads: json`, and the other way round")]
    JsonAlone { name: String },
    #[error(
        "`json.{key}` of the runner `{name}` is not a JSON pointer such as /usage/total: {pointer}"
    )]
    Pointer { name: String, key: &'static str, pointer: String },
}

/// What an argument is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Prompt,
    PromptFile,
    Model,
    Handle,
    Worktree,
}

impl Placeholder {
    const ALL: [Self; 5] =
        [Self::Prompt, Self::PromptFile, Self::Model, Self::Handle, Self::Worktree];

    fn word(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::PromptFile => "prompt_file",
            Self::Model => "model",
            Self::Handle => "handle",
            Self::Worktree => "worktree",
        }
    }
}

/// A piece of an argument: text as it stands, or the word in braces.
enum Piece<'a> {
    Text(&'a str),
    Word(&'a str),
}

/// A text cut at `{word}`. Other braces are text, so that an argument may be JSON.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut searched = 0;
    while let Some(open) = rest[searched..].find('{').map(|at| searched + at) {
        let inside = &rest[open + 1..];
        let end =
            inside.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(inside.len());
        if end == 0 || !inside[end..].starts_with('}') {
            searched = open + 1;
            continue;
        }
        found.extend([Piece::Text(&rest[..open]), Piece::Word(&inside[..end])]);
        rest = &inside[end + 1..];
        searched = 0;
    }
    found.push(Piece::Text(rest));
    found
}

fn words(template: &[String]) -> impl Iterator<Item = &str> {
    template.iter().flat_map(|argument| pieces(argument)).filter_map(|piece| match piece {
        Piece::Word(word) => Some(word),
        Piece::Text(_) => None,
    })
}

fn names(template: &[String], placeholder: Placeholder) -> bool {
    words(template).any(|word| word == placeholder.word())
}

/// A configured runner in which nothing is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Custom {
    name: String,
    program: String,
    settings: Settings,
}

impl Custom {
    pub fn new(name: &str, settings: Settings) -> Result<Self, CustomError> {
        check_name(name)?;
        check_template(name, "command", &settings.command, settings.stdin)?;
        if names(&settings.command, Placeholder::Handle) {
            return Err(CustomError::HandleTooEarly { name: name.to_owned() });
        }
        if let Some(resume) = &settings.resume {
            check_template(name, "resume", resume, settings.stdin)?;
            if settings.json.as_ref().is_none_or(|json| json.handle.is_none()) {
                return Err(CustomError::NoHandle { name: name.to_owned() });
            }
        }
        check_variables(name, &settings)?;
        check_json(name, &settings)?;
        let program = settings.command.first().cloned().unwrap_or_default();
        Ok(Self { name: name.to_owned(), program, settings })
    }

    fn template(&self, job: &Job<'_>) -> &[String] {
        match (&self.settings.resume, job.resume) {
            (Some(resume), Some(_)) => resume,
            _ => &self.settings.command,
        }
    }

    fn value<'a>(&'a self, word: &str, job: &Job<'a>) -> Result<&'a str, LaunchError> {
        let known = Placeholder::ALL.into_iter().find(|known| known.word() == word);
        let (what, value) = match known {
            Some(Placeholder::Prompt) => ("prompt", Some(job.prompt)),
            Some(Placeholder::PromptFile) => ("prompt's file", Some(job.prompt_file)),
            Some(Placeholder::Model) => ("model", job.model.or(self.settings.model.as_deref())),
            Some(Placeholder::Handle) => ("session", job.resume),
            Some(Placeholder::Worktree) => ("worktree", Some(job.worktree)),
            None => ("placeholder that is known", None),
        };
        value.ok_or_else(|| LaunchError::Missing { runner: self.name.clone(), what })
    }

    /// What was put in is not looked at again: a prompt may say `{model}`.
    fn filled(&self, argument: &str, job: &Job<'_>) -> Result<String, LaunchError> {
        let mut filled = String::new();
        for piece in pieces(argument) {
            filled.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Word(word) => self.value(word, job)?,
            });
        }
        if filled.len() > ARGUMENT_MAX {
            let (runner, length) = (self.name.clone(), filled.len());
            return Err(LaunchError::ArgumentTooLong { runner, length, most: ARGUMENT_MAX });
        }
        Ok(filled)
    }
}

fn check_name(name: &str) -> Result<(), CustomError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(fits) {
        return Err(CustomError::Name { name: name.to_owned() });
    }
    if BUILT_IN.contains(&name) {
        return Err(CustomError::BuiltIn { name: name.to_owned() });
    }
    Ok(())
}

fn check_template(
    name: &str,
    key: &'static str,
    template: &[String],
    stdin: Stdin,
) -> Result<(), CustomError> {
    let name = || name.to_owned();
    let program = template.first().filter(|program| !program.trim().is_empty());
    let program = program.ok_or_else(|| CustomError::NoProgram { name: name(), key })?;
    if words(std::slice::from_ref(program)).next().is_some() {
        let program = program.clone();
        return Err(CustomError::ProgramOfPlaceholder { name: name(), key, program });
    }
    let unknown = words(template).find(|word| Placeholder::ALL.iter().all(|p| p.word() != *word));
    if let Some(placeholder) = unknown.map(str::to_owned) {
        return Err(CustomError::UnknownPlaceholder { name: name(), key, placeholder });
    }
    let is_told = stdin == Stdin::Prompt
        || names(template, Placeholder::Prompt)
        || names(template, Placeholder::PromptFile);
    if is_told { Ok(()) } else { Err(CustomError::NoPrompt { name: name(), key }) }
}

fn check_variables(name: &str, settings: &Settings) -> Result<(), CustomError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_wrong = |variable: &&String| {
        variable.is_empty() || !variable.chars().all(fits) || variable.starts_with(OUR_VARIABLES)
    };
    match settings.environment.keys().chain(&settings.passes_on).find(is_wrong) {
        Some(variable) => {
            Err(CustomError::Variable { name: name.to_owned(), variable: variable.clone() })
        }
        None => Ok(()),
    }
}

fn check_json(name: &str, settings: &Settings) -> Result<(), CustomError> {
    let name = || name.to_owned();
    if settings.json.is_some() != (settings.reads == Reads::Json) {
        return Err(CustomError::JsonAlone { name: name() });
    }
    for (key, pointer) in settings.json.iter().flat_map(Json::pointers) {
        if !pointer.starts_with('/') {
            let pointer = pointer.to_owned();
            return Err(CustomError::Pointer { name: name(), key, pointer });
        }
    }
    Ok(())
}

impl Json {
    fn pointers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("progress", &self.progress),
            ("handle", &self.handle),
            ("tokens_in", &self.tokens_in),
            ("tokens_out", &self.tokens_out),
            ("cost", &self.cost),
            ("result", &self.result),
            ("error", &self.error),
        ];
        all.into_iter().filter_map(|(key, pointer)| Some((key, pointer.as_deref()?)))
    }

    fn hear(&self, event: &Value, heard: &mut Heard) {
        for (key, pointer) in self.pointers() {
            let said = || text(event, pointer);
            match key {
                "progress" => heard.last = said().and_then(first_line).or(heard.last.take()),
                "handle" => heard.handle = said().map(str::to_owned).or(heard.handle.take()),
                "tokens_in" => {
                    heard.used.tokens_in = number(event, pointer).or(heard.used.tokens_in);
                }
                "tokens_out" => {
                    heard.used.tokens_out = number(event, pointer).or(heard.used.tokens_out);
                }
                "cost" => heard.used.cost = cost(event, pointer).or(heard.used.cost),
                "result" => heard.answer = said().map(answer).or(heard.answer.take()),
                _ => {
                    if let Some(reason) = said() {
                        heard.limited = limits::in_words(reason);
                        heard.ended = Some(Ended::Failed(line(reason)));
                    }
                }
            }
        }
    }
}

impl Runner for Custom {
    fn name(&self) -> &str {
        &self.name
    }

    fn program(&self) -> &str {
        &self.program
    }

    fn launch(&self, job: &Job<'_>) -> Result<Launch, LaunchError> {
        let template = self.template(job);
        let mut filled = Vec::new();
        for argument in template {
            filled.push(self.filled(argument, job)?);
        }
        let mut arguments = filled.into_iter();
        Ok(Launch {
            program: arguments.next().unwrap_or_default(),
            arguments: arguments.chain(job.extra.iter().cloned()).collect(),
            environment: self.settings.environment.clone().into_iter().collect(),
            stdin: (self.settings.stdin == Stdin::Prompt).then(|| job.prompt.to_owned()),
            prompt_file: names(template, Placeholder::PromptFile),
            passes_on: self.settings.passes_on.clone(),
        })
    }

    fn hear(&self, text: &str, heard: &mut Heard) {
        if let Some(json) = &self.settings.json {
            if let Some(event) = event(text, heard) {
                json.hear(&event, heard);
            }
            return;
        }
        let said = line(text);
        if !said.is_empty() {
            heard.answer = Some(said.clone());
            heard.last = Some(said);
        }
    }

    fn continues(&self) -> bool {
        self.settings.resume.is_some()
    }

    fn ended(&self, heard: &Heard, code: Option<i32>) -> Ended {
        match &heard.ended {
            Some(failed @ Ended::Failed(_)) => failed.clone(),
            _ => by_code(heard, code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::job;
    use super::*;
    use serde_json::json;

    fn custom(settings: Value) -> Result<Custom, CustomError> {
        Custom::new("mine", serde_json::from_value(settings).unwrap())
    }

    #[test]
    fn a_placeholder_stays_inside_its_argument() {
        let mine = custom(json!({
            "command": ["agent", "--say={prompt}", "{worktree}", "{\"a\": {}}", "{model}{model}"],
            "environment": { "MODE": "quiet" },
        }))
        .unwrap();
        let job = Job { model: Some("big"), ..job("a b; rm -rf {model} \"$(x)\"") };
        let launch = mine.launch(&job).unwrap();
        assert_eq!(launch.program, "agent");
        let expected = ["--say=a b; rm -rf {model} \"$(x)\"", "/the/tree", "{\"a\": {}}", "bigbig"];
        assert_eq!(launch.arguments, expected);
        assert!(!launch.prompt_file);
        assert_eq!(launch.environment, [("MODE".to_owned(), "quiet".to_owned())]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let mine = custom(json!({ "command": ["a", "{prompt}", "{model}"] })).unwrap();
        let missing = LaunchError::Missing { runner: "mine".into(), what: "model" };
        assert_eq!(mine.launch(&job("x")), Err(missing));
        let long = "x".repeat(ARGUMENT_MAX + 1);
        let mine = custom(json!({ "command": ["a", "{prompt}"] })).unwrap();
        assert!(matches!(mine.launch(&job(&long)), Err(LaunchError::ArgumentTooLong { .. })));
        assert!(mine.launch(&job(&long[1..])).is_ok());
        let mine = custom(json!({ "command": ["a", "{prompt_file}"] })).unwrap();
        let launch = mine.launch(&job(&long)).unwrap();
        assert!(launch.prompt_file && launch.arguments == ["/the/prompt"]);
    }

    #[test]
    fn a_session_goes_on_with_the_other_command() {
        let mine = custom(json!({
            "command": ["a"], "resume": ["a", "--session", "{handle}"], "stdin": "prompt",
            "reads": "json", "json": { "handle": "/id" },
        }))
        .unwrap();
        assert!(mine.continues());
        assert_eq!(mine.launch(&job("x")).unwrap().arguments, Vec::<String>::new());
        let launch = mine.launch(&Job { resume: Some("7"), ..job("x") }).unwrap();
        assert_eq!(launch.arguments, ["--session", "7"]);
        assert_eq!(launch.stdin.as_deref(), Some("x"));
    }

    #[test]
    fn lines_of_json_are_read_where_the_pointers_say() {
        let mine = custom(json!({
            "command": ["a", "{prompt}"], "reads": "json",
            "json": {
                "progress": "/doing", "handle": "/id", "tokens_in": "/use/in",
                "tokens_out": "/use/out", "cost": "/usd", "result": "/answer", "error": "/why",
            },
        }))
        .unwrap();
        let mut heard = Heard::default();
        for line in [
            r#"{"id":"s","doing":"reads"}"#,
            "not JSON",
            r#"{"doing":"writes\nmore","use":{"in":5,"out":1},"usd":0.5}"#,
            r#"{"use":{"in":9},"answer":"done"}"#,
        ] {
            mine.hear(line, &mut heard);
        }
        assert_eq!(heard.handle.as_deref(), Some("s"));
        assert_eq!(heard.last.as_deref(), Some("writes"));
        assert_eq!(heard.answer.as_deref(), Some("done"));
        assert_eq!(heard.complaint.as_deref(), Some("not JSON"));
        let used = heard.used;
        assert_eq!((used.tokens_in, used.tokens_out, used.cost), (Some(9), Some(1), Some(500_000)));
        assert_eq!(mine.ended(&heard, Some(0)), Ended::Succeeded);
        mine.hear(r#"{"why":"rate limit"}"#, &mut heard);
        assert_eq!(mine.ended(&heard, Some(0)), Ended::Failed("rate limit".into()));
        assert!(heard.limited.is_some());
    }

    #[test]
    fn what_is_wrong_with_one_is_named() {
        let name = || "mine".to_owned();
        for (settings, error) in [
            (json!({ "command": [] }), CustomError::NoProgram { name: name(), key: "command" }),
            (json!({ "command": [" "] }), CustomError::NoProgram { name: name(), key: "command" }),
            (
                json!({ "command": ["{prompt}"] }),
                CustomError::ProgramOfPlaceholder {
                    name: name(),
                    key: "command",
                    program: "{prompt}".into(),
                },
            ),
            (
                json!({ "command": ["a", "{promt}"] }),
                CustomError::UnknownPlaceholder {
                    name: name(),
                    key: "command",
                    placeholder: "promt".into(),
                },
            ),
            (json!({ "command": ["a"] }), CustomError::NoPrompt { name: name(), key: "command" }),
            (
                json!({ "command": ["a", "{prompt}", "{handle}"] }),
                CustomError::HandleTooEarly { name: name() },
            ),
            (
                json!({ "command": ["a", "{prompt}"], "resume": ["a", "{prompt}"] }),
                CustomError::NoHandle { name: name() },
            ),
            (
                json!({ "command": ["a", "{prompt}"], "environment": { "MILESTONE_FENCE": "1" } }),
                CustomError::Variable { name: name(), variable: "MILESTONE_FENCE".into() },
            ),
            (
                json!({ "command": ["a", "{prompt}"], "passes_on": ["A=B"] }),
                CustomError::Variable { name: name(), variable: "A=B".into() },
            ),
            (
                json!({ "command": ["a", "{prompt}"], "reads": "json" }),
                CustomError::JsonAlone { name: name() },
            ),
            (
                json!({ "command": ["a", "{prompt}"], "reads": "json", "json": { "cost": "usd" } }),
                CustomError::Pointer { name: name(), key: "cost", pointer: "usd".into() },
            ),
        ] {
            assert_eq!(custom(settings.clone()), Err(error), "{settings}");
        }
        let unknown = json!({ "command": ["a", "{prompt}"], "shell": true });
        assert!(serde_json::from_value::<Settings>(unknown).is_err());
        let fine = || serde_json::from_value(json!({ "command": ["a", "{prompt}"] })).unwrap();
        let built_in = CustomError::BuiltIn { name: "claude".into() };
        assert_eq!(Custom::new("claude", fine()), Err(built_in));
        assert_eq!(Custom::new("a b", fine()), Err(CustomError::Name { name: "a b".into() }));
    }
}
