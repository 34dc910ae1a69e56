//! What the log of a CI makes of lines that are written in its own way.
//!
//! Whatever a document says is data in such a line and can be nothing else: each host has its own
//! signs that end a value, and each is written as the host says it has to be.

use std::fmt::Write as _;

use crate::render::page::clean;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    GitHub,
    GitLab,
    Azure,
    /// One that says nothing of itself, or that has no such lines.
    Other,
}

impl Host {
    /// Which one it is, by the variables that each sets.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let is_set = |name: &str| {
            variable(name).is_some_and(|value| !value.is_empty() && value.to_lowercase() != "false")
        };
        if is_set("GITHUB_ACTIONS") {
            Self::GitHub
        } else if is_set("GITLAB_CI") {
            Self::GitLab
        } else if is_set("TF_BUILD") {
            Self::Azure
        } else {
            Self::Other
        }
    }

    /// The beginning of lines that belong together. The name is a word, the time in seconds.
    pub fn group(self, name: &str, title: &str, at: i64) -> String {
        match self {
            Self::GitHub => format!("::group::{}\n", github_data(title)),
            Self::GitLab => {
                format!("\u{1b}[0Ksection_start:{at}:{name}\r\u{1b}[0K{}\n", clean(title))
            }
            Self::Azure => format!("##[group]{}\n", azure_data(title)),
            Self::Other => String::new(),
        }
    }

    pub fn end_group(self, name: &str, at: i64) -> String {
        match self {
            Self::GitHub => "::endgroup::\n".to_owned(),
            Self::GitLab => format!("\u{1b}[0Ksection_end:{at}:{name}\r\u{1b}[0K\n"),
            Self::Azure => "##[endgroup]\n".to_owned(),
            Self::Other => String::new(),
        }
    }

    /// Something that went wrong, where the host shows such things.
    pub fn error(self, title: &str, message: &str) -> String {
        match self {
            Self::GitHub => {
                format!("::error title={}::{}\n", github_property(title), github_data(message))
            }
            Self::Azure => {
                let message = azure_data(&format!("{title}: {message}"));
                format!("##vso[task.logissue type=error]{message}\n")
            }
            Self::GitLab | Self::Other => {
                let mut text = format!("error: {}: ", clean(title));
                for (number, line) in message.lines().enumerate() {
                    let before = if number == 0 { "" } else { "  " };
                    let _ = writeln!(text, "{before}{}", clean(line));
                }
                text
            }
        }
    }
}

/// Lines stay lines; whatever else acts is shown as what it is.
fn lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

fn github_data(text: &str) -> String {
    lines(text).replace('%', "%25").replace('\n', "%0A")
}

fn github_property(text: &str) -> String {
    github_data(text).replace(':', "%3A").replace(',', "%2C")
}

fn azure_data(text: &str) -> String {
    lines(text).replace('%', "%AZP25").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "50% ::error::x\n::set-env name=A::b, c\r##vso[task.x]\u{1b}[2J";

    #[test]
    fn a_host_is_known_by_its_variables() {
        let host = |set: &[(&str, &str)]| {
            Host::of(|name| {
                set.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(host(&[("GITHUB_ACTIONS", "true"), ("CI", "true")]), Host::GitHub);
        assert_eq!(host(&[("GITLAB_CI", "true")]), Host::GitLab);
        assert_eq!(host(&[("TF_BUILD", "True")]), Host::Azure);
        assert_eq!(host(&[("CI", "true"), ("GITHUB_ACTIONS", "false")]), Host::Other);
        assert_eq!(host(&[("GITLAB_CI", "")]), Host::Other);
    }

    #[test]
    fn nothing_that_a_document_says_is_a_command_of_the_host() {
        assert_eq!(
            Host::GitHub.error(HOSTILE, HOSTILE),
            "::error title=50%25 %3A%3Aerror%3A%3Ax%0A%3A\\u{3a}set-env name=A%3A%3Ab%2C \
             c\\r##vso\\u{5b}task.x]\\u{1b}[2J::50%25 ::error::x%0A:\\u{3a}set-env name=A::b, \
             c\\r##vso\\u{5b}task.x]\\u{1b}[2J\n"
        );
        assert_eq!(
            Host::Azure.error("T", HOSTILE),
            "##vso[task.logissue type=error]T: 50%AZP25 ::error::x%0A:\\u{3a}set-env \
             name=A::b, c\\r##vso\\u{5b}task.x]\\u{1b}[2J\n"
        );
        for host in [Host::GitLab, Host::Other] {
            let said = host.error(HOSTILE, HOSTILE);
            assert!(!said.contains('\u{1b}') && !said.contains('\r'), "{said:?}");
            assert!(said.lines().all(|line| !line.trim_start().starts_with("::")), "{said:?}");
        }
        for host in [Host::GitHub, Host::Azure, Host::Other] {
            assert!(host.group("m", HOSTILE, 1).lines().count() <= 1);
        }
    }

    #[test]
    fn lines_that_belong_together_are_marked_as_each_host_wants() {
        assert_eq!(Host::GitHub.group("m", "Work", 7), "::group::Work\n");
        assert_eq!(
            Host::GitLab.group("m", "Work", 7),
            "\u{1b}[0Ksection_start:7:m\r\u{1b}[0KWork\n"
        );
        assert_eq!(Host::GitLab.end_group("m", 8), "\u{1b}[0Ksection_end:8:m\r\u{1b}[0K\n");
        assert_eq!(Host::Azure.group("m", "Work", 7), "##[group]Work\n");
        assert_eq!(Host::Other.group("m", "Work", 7), "");
    }
}
