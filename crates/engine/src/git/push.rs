//! Giving a milestone's branch to a remote: the one call that a person makes through us.
//!
//! It is made as if they had typed it: with their environment, what they have set up to sign in, and
//! their own `pre-push` hook, which may be what keeps them from pushing or what brings large files
//! along. What the repository's settings could make more of it is switched off, and nothing is
//! ever forced.

use std::time::Duration;

use milestone_domain::ids::MilestoneId;

use super::Repository;
use super::error::Result;
use super::names;
use super::run::Said;

/// A hook may run tests; more than this waits for somebody.
pub const PUSHING_MAX: Duration = Duration::from_mins(10);

/// The ways to a remote that start no program of the repository's choice.
pub(super) const PROTOCOLS: [&str; 5] = ["https", "http", "ssh", "git", "file"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    Done,
    /// The remote, the hook or the way there said no; nothing was changed anywhere.
    Refused(String),
}

impl Repository {
    /// Where a remote of this name is, for whoever pushes to it; none where there is none.
    pub fn remote(&self, name: &str) -> Result<Option<String>> {
        let asked = ["remote", "get-url", "--push", "--", name];
        let said = self.git(&asked).accepting(&[0, 2, 128]).run()?;
        let url = said.text().lines().next().unwrap_or_default().to_owned();
        Ok(Some(url).filter(|url| said.exit == Some(0) && !url.is_empty()))
    }

    /// Pushes the branch of a milestone under its own name. What is there already is fine.
    pub fn push(&self, remote: &str, milestone: MilestoneId) -> Result<Pushed> {
        let branch = names::milestone_branch(milestone);
        let refspec = format!("{branch}:{branch}");
        let words = [
            "push",
            "--porcelain",
            "--no-follow-tags",
            "--recurse-submodules=no",
            "--no-force",
            "--",
            remote,
            &refspec,
        ];
        let mut call = self.git(&words).by_the_person(PUSHING_MAX);
        for protocol in PROTOCOLS {
            call = call.setting(format!("protocol.{protocol}.allow=always"));
        }
        let said = call.once()?;
        if said.exit == Some(0) {
            return Ok(Pushed::Done);
        }
        let mut lines = reasons(&said);
        if said.exit.is_none() {
            lines.insert(0, format!("it took longer than {} minutes", PUSHING_MAX.as_secs() / 60));
        }
        Ok(Pushed::Refused(shortened(lines)))
    }
}

/// What was refused stands among what is printed; everything else is said.
pub(super) fn reasons(said: &Said) -> Vec<String> {
    let refused = said.text();
    let refused = refused.lines().filter_map(|line| line.strip_prefix("!\t"));
    let said_more = said.err.lines().map(str::trim).filter(|line| !line.is_empty());
    let said_more = said_more.filter(|line| !line.starts_with("hint:"));
    refused.chain(said_more).map(without_credentials).collect()
}

pub(super) fn shortened(mut lines: Vec<String>) -> String {
    const LINES_MAX: usize = 6;
    lines.truncate(LINES_MAX);
    if lines.is_empty() { "it gave no reason".to_owned() } else { lines.join("; ") }
}

/// A text without what stands before `@` in any address: it may be a password, or a token.
pub fn without_credentials(text: &str) -> String {
    let mut parts = text.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c == '/' || c.is_whitespace() || matches!(c, '\'' | '"'));
        let (place, rest) = part.split_at(end.unwrap_or(part.len()));
        let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
        clean.extend(["://", place, rest]);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_to_nobody() {
        for (said, told) in [
            ("to https://ada:secret@host/x.git failed", "to https://host/x.git failed"),
            ("'https://token@host': a@b", "'https://host': a@b"),
            ("https://u:p@h@host/x and ssh://git@h/y", "https://host/x and ssh://h/y"),
            ("git@host:x", "git@host:x"),
        ] {
            assert_eq!(without_credentials(said), told);
        }
    }
}
