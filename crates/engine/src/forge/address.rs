//! Where a remote is, without anything that could be a secret.

use std::fmt;

/// The address of a remote: a host and a path on it, or a place on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: Option<String>,
    path: String,
}

impl Address {
    /// Reads an address as git does. Whoever signs in with it is left out.
    pub fn parse(url: &str) -> Self {
        if let Some((scheme, rest)) = url.split_once("://") {
            let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
            if scheme == "file" {
                return Self { host: None, path: format!("/{path}") };
            }
            return Self::on(place, path);
        }
        // `host:path`, unless it is a path in which a colon stands later.
        match url.split_once(':') {
            Some((place, path)) if !place.contains('/') && !place.is_empty() => {
                Self::on(place, path)
            }
            _ => Self { host: None, path: url.to_owned() },
        }
    }

    fn on(place: &str, path: &str) -> Self {
        let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
        let host = host.split_once(':').map_or(host, |(host, _)| host);
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        Self { host: Some(host.to_lowercase()), path: path.to_owned() }
    }

    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{host}/{}", self.path),
            None => f.write_str(&self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_git_reads_it_and_shown_without_a_secret() {
        for (url, shown) in [
            ("https://ada:secret@github.com/ada/project.git", "github.com/ada/project"),
            ("https://token@GitHub.com/ada/project", "github.com/ada/project"),
            ("ssh://git@gitlab.com:2222/group/sub/project.git", "gitlab.com/group/sub/project"),
            ("git@codeberg.org:ada/project.git", "codeberg.org/ada/project"),
            ("https://host/x?token=secret", "host/x"),
            ("/srv/project.git", "/srv/project.git"),
            ("../other", "../other"),
            ("file:///srv/project.git", "/srv/project.git"),
        ] {
            assert_eq!(Address::parse(url).to_string(), shown, "{url}");
        }
    }
}
