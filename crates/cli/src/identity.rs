//! Who is asking: `--actor`, else git's user, else the login name.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Git's configuration is read, and git itself is not started: that alone would take longer than
/// the whole command.
pub fn default_actor(project: &Path) -> String {
    let files = git_files(project);
    let from_git = files.iter().find_map(|file| user_name(&fs::read_to_string(file).ok()?));
    let login = || ["USER", "LOGNAME"].iter().find_map(|name| env::var(name).ok());
    let named = from_git.or_else(login).or_else(account).filter(|name| !name.trim().is_empty());
    named.unwrap_or_else(|| "somebody".to_owned())
}

/// The name of the account that runs this process, where the environment does not say.
fn account() -> Option<String> {
    let own = fs::metadata("/proc/self").ok()?.uid().to_string();
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id == own).then(|| name.to_owned())
    })
}

/// The most particular first.
fn git_files(project: &Path) -> Vec<PathBuf> {
    let home = env::var_os("HOME").map(PathBuf::from);
    let xdg = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let xdg = xdg.or_else(|| Some(home.as_ref()?.join(".config")));
    let own = project.join(".git/config");
    let users = home.map(|home| home.join(".gitconfig"));
    [Some(own), users, xdg.map(|folder| folder.join("git/config"))].into_iter().flatten().collect()
}

/// `name` in the section `[user]`; includes are not followed.
fn user_name(text: &str) -> Option<String> {
    let mut in_user = false;
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            in_user = section.trim_end_matches(']').trim().eq_ignore_ascii_case("user");
        } else if let (true, Some((key, value))) = (in_user, line.split_once('=')) {
            let value = value.split([';', '#']).next().unwrap_or(value).trim().trim_matches('"');
            if key.trim().eq_ignore_ascii_case("name") && !value.is_empty() {
                found = Some(value.to_owned());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_found_as_git_writes_it() {
        let cases = [
            ("[user]\n\tname = Ada Lovelace\n\temail = a@b\n", Some("Ada Lovelace")),
            ("[core]\nname = no\n[user]\nname=\"Bo\" # me\n", Some("Bo")),
            ("[user \"x\"]\nname = no\n", None),
            ("[USER]\nName = A\n[user]\nname = B\n", Some("B")),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(user_name(text).as_deref(), expected, "{text}");
        }
    }
}
