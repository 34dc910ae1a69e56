//! Forges: where a branch that was pushed becomes a request that others review.
//!
//! Each is asked through the program that its users have installed and signed in with; it is started
//! from a list of words, in the person's own environment, and asks nobody anything.

mod address;
mod asking;

use std::path::{Path, PathBuf};

use serde_json::Value;

pub use address::Address;

use crate::attended::Said;
use crate::git::without_credentials;
use asking::ask;

/// What is to be reviewed.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub title: &'a str,
    pub body: &'a str,
    /// The branch that was pushed.
    pub branch: &'a str,
    /// The branch that it is to come into.
    pub base: &'a str,
}

/// A request that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    pub url: String,
    /// Whether it was there already.
    pub was_there: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    #[error("{program} could not be started: {source}")]
    NotStarted { program: &'static str, source: std::io::Error },
    #[error("{program} took too long, and was ended")]
    TooLong { program: &'static str },
    #[error("{program} said: {said}")]
    Refused { program: &'static str, said: String },
    #[error("{program} said something that is not understood: {said}")]
    Unexpected { program: &'static str, said: String },
}

type Result<T> = std::result::Result<T, ForgeError>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    GitHub,
    GitLab,
    Gitea,
}

impl Kind {
    /// By its host alone: nobody is asked, and no host is guessed at.
    fn of(host: &str) -> Option<Self> {
        let has = |name: &str| host.split('.').any(|label| label.contains(name));
        match host {
            "codeberg.org" => Some(Self::Gitea),
            _ if has("github") => Some(Self::GitHub),
            _ if has("gitlab") => Some(Self::GitLab),
            _ if has("gitea") || has("forgejo") => Some(Self::Gitea),
            _ => None,
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::GitHub => "gh",
            Self::GitLab => "glab",
            Self::Gitea => "tea",
        }
    }
}

/// A repository on a forge, as seen from a clone of it.
#[derive(Debug, Clone)]
pub struct Forge<'a> {
    kind: Kind,
    address: &'a Address,
    remote: &'a str,
    /// The clone.
    folder: &'a Path,
}

impl<'a> Forge<'a> {
    /// The forge that a remote is on, if it is one of those whose program is known here.
    pub fn of(address: &'a Address, remote: &'a str, folder: &'a Path) -> Option<Self> {
        let kind = Kind::of(address.host()?)?;
        Some(Self { kind, address, remote, folder })
    }

    pub fn program(&self) -> &'static str {
        self.kind.program()
    }

    /// The program with which it is asked, where it is installed.
    pub fn installed(&self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut places = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
        places.find_map(|folder| {
            Some(folder.join(self.program())).filter(|file| crate::runners::is_program(file))
        })
    }

    /// The request for a branch: the one that is open, or a new one.
    pub fn request(&self, program: &Path, request: &Request<'_>) -> Result<Open> {
        if let Some(url) = self.open_request(program, request.branch)? {
            return Ok(Open { url, was_there: true });
        }
        // One reads the body, the others take it as a word.
        let input = (self.kind == Kind::GitHub).then_some(request.body);
        let said = self.ask(program, &self.creating(request), input)?;
        let url = address_in(&said.text()).or_else(|| address_in(&said.err));
        let url = url.ok_or_else(|| self.unexpected(&said.text()))?;
        Ok(Open { url, was_there: false })
    }

    /// The words with which a person makes the request; its body is in a file.
    pub fn by_hand(&self, request: &Request<'_>, body: &Path) -> String {
        let own = Request { body: "", ..request.clone() };
        let mut words = self.creating(&own);
        let body = quoted(&body.to_string_lossy());
        words.truncate(words.len().saturating_sub(2));
        let text = match self.kind {
            Kind::GitHub => format!("--body-file {body}"),
            Kind::GitLab | Kind::Gitea => format!("--description \"$(cat {body})\""),
        };
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        format!("{} {} {text}", self.program(), words.join(" "))
    }

    fn open_request(&self, program: &Path, branch: &str) -> Result<Option<String>> {
        let repository = self.repository();
        let words: Vec<&str> = match self.kind {
            Kind::GitHub => vec![
                "pr",
                "list",
                "--repo",
                &repository,
                "--head",
                branch,
                "--state",
                "open",
                "--limit",
                "1",
                "--json",
                "url",
            ],
            Kind::GitLab => vec![
                "mr",
                "list",
                "--repo",
                &repository,
                "--source-branch",
                branch,
                "--output",
                "json",
            ],
            Kind::Gitea => vec![
                "pulls",
                "list",
                "--repo",
                &repository,
                "--remote",
                self.remote,
                "--state",
                "open",
                "--limit",
                "100",
                "--fields",
                "head,url",
                "--output",
                "json",
            ],
        };
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        let text = self.ask(program, &words, None)?.text();
        let listed: Value = match text.is_empty() {
            true => Value::Array(Vec::new()),
            false => serde_json::from_str(&text).map_err(|_| self.unexpected(&text))?,
        };
        let listed = listed.as_array().ok_or_else(|| self.unexpected(&text))?;
        let (key, is_ours): (_, &dyn Fn(&Value) -> bool) = match self.kind {
            Kind::GitHub => ("url", &|_| true),
            Kind::GitLab => ("web_url", &|_| true),
            // It lists them all; those of other clones have their owner before the name.
            Kind::Gitea => ("url", &|one| one["head"] == branch),
        };
        let url = |one: &Value| one[key].as_str().map(str::to_owned);
        Ok(listed.iter().find(|one| is_ours(one)).and_then(url))
    }

    /// What makes a request. The last two words are about its body.
    fn creating(&self, request: &Request<'_>) -> Vec<String> {
        let repository = self.repository();
        let Request { title, body, branch, base } = *request;
        let words: Vec<&str> = match self.kind {
            Kind::GitHub => {
                let own = ["pr", "create", "--repo", &repository, "--head", branch, "--base", base];
                own.into_iter().chain(["--title", title, "--body-file", "-"]).collect()
            }
            Kind::GitLab => {
                let own = ["mr", "create", "--repo", &repository, "--source-branch", branch];
                let own = own.into_iter().chain(["--target-branch", base, "--yes"]);
                own.chain(["--title", title, "--description", body]).collect()
            }
            Kind::Gitea => {
                let own = ["pulls", "create", "--repo", &repository, "--remote", self.remote];
                let own = own.into_iter().chain(["--head", branch, "--base", base]);
                own.chain(["--title", title, "--description", body]).collect()
            }
        };
        words.into_iter().map(str::to_owned).collect()
    }

    /// How the program names the repository.
    fn repository(&self) -> String {
        let (host, path) = (self.address.host().unwrap_or_default(), self.address.path());
        match self.kind {
            Kind::GitHub => format!("{host}/{path}"),
            Kind::GitLab => format!("https://{host}/{path}"),
            Kind::Gitea => path.to_owned(),
        }
    }

    fn ask(&self, program: &Path, words: &[String], input: Option<&str>) -> Result<Said> {
        let name = self.program();
        let said = ask(program, words, input, self.folder)
            .map_err(|source| ForgeError::NotStarted { program: name, source })?;
        match said.exit {
            Some(0) => Ok(said),
            None => Err(ForgeError::TooLong { program: name }),
            Some(_) => Err(ForgeError::Refused { program: name, said: first_words(&said.err) }),
        }
    }

    fn unexpected(&self, said: &str) -> ForgeError {
        ForgeError::Unexpected { program: self.program(), said: first_words(said) }
    }
}

fn first_words(said: &str) -> String {
    const CHARS_MAX: usize = 300;
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let said: String = lines.collect::<Vec<_>>().join("; ").chars().take(CHARS_MAX).collect();
    if said.is_empty() { "nothing".to_owned() } else { without_credentials(&said) }
}

/// The last address that a text names.
fn address_in(text: &str) -> Option<String> {
    let mut words = text.split_whitespace().rev();
    words
        .find(|word| word.starts_with("https://") || word.starts_with("http://"))
        .map(str::to_owned)
}

/// A word as a shell takes it for one.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forge_is_known_by_its_host() {
        for (host, kind) in [
            ("github.com", Some(Kind::GitHub)),
            ("github.example.org", Some(Kind::GitHub)),
            ("gitlab.com", Some(Kind::GitLab)),
            ("my-gitlab.example.org", Some(Kind::GitLab)),
            ("codeberg.org", Some(Kind::Gitea)),
            ("forgejo.example.org", Some(Kind::Gitea)),
            ("git.example.org", None),
            ("example.org", None),
        ] {
            assert_eq!(Kind::of(host), kind, "{host}");
        }
    }

    #[test]
    fn what_a_person_is_to_type_is_only_words() {
        let address = Address::parse("git@github.com:ada/project.git");
        let forge = Forge::of(&address, "origin", Path::new("/")).unwrap();
        let request = Request {
            title: "It's $(rm -rf ~) `x`",
            body: "B",
            branch: "milestone/milestone-001",
            base: "main",
        };
        assert_eq!(
            forge.by_hand(&request, Path::new("/a b/body.md")),
            "gh pr create --repo github.com/ada/project --head milestone/milestone-001 --base main \
             --title 'It'\\''s $(rm -rf ~) `x`' --body-file '/a b/body.md'"
        );
    }

    #[test]
    fn the_address_of_a_request_is_the_last_that_is_said() {
        let said = "Creating\n!5 T\n https://gitlab.com/a/b/-/merge_requests/5\n";
        assert_eq!(address_in(said).unwrap(), "https://gitlab.com/a/b/-/merge_requests/5");
        assert_eq!(address_in("done"), None);
    }
}
