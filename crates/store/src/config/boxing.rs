//! What executions are shut in, and how much is kept of what they print.

use std::path::PathBuf;

use serde_json::Value;

use super::{Config, boolean, text};

pub(super) const BOX: &str = "execute.box";
pub(super) const BOX_NETWORK: &str = "execute.box_network";
pub(super) const BOX_WRITABLE: &str = "execute.box_writable";
pub(super) const LOG_LIMIT: &str = "execute.log_limit";

/// A megabyte, and what a log is at most: more than that is no log.
const MB: u64 = 1024 * 1024;
const LOG_MB_MAX: u64 = 1024 * 1024;

/// Whether what is executed is to be shut in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoxWish {
    Off,
    On,
    /// Where a box can be made.
    Auto,
}

impl Config {
    pub fn box_wish(&self) -> BoxWish {
        wish(self.raw(BOX)).unwrap_or(BoxWish::On)
    }

    pub fn box_network(&self) -> bool {
        boolean(self.raw(BOX_NETWORK)).unwrap_or(false)
    }

    /// What can be written to from in the box beside what is a task's own; `~` is this home.
    pub fn box_writable(&self, home: Option<&std::path::Path>) -> Vec<PathBuf> {
        let paths = paths(self.raw(BOX_WRITABLE)).unwrap_or_default().into_iter();
        let at_home = |path: String| match path.strip_prefix("~/") {
            Some(below) => home.map(|home| home.join(below)),
            None => Some(PathBuf::from(path)),
        };
        paths.filter_map(at_home).collect()
    }

    /// So many bytes are kept of what an attempt prints.
    pub fn log_limit(&self) -> u64 {
        size(self.raw(LOG_LIMIT)).unwrap_or(64 * MB)
    }
}

/// An amount of bytes such as `64MB`.
pub(super) fn size(value: &Value) -> Result<u64, String> {
    let text = text(value);
    let wrong = || format!("`{text}` is no size from 1MB to 1024GB; write one such as 64MB or 2GB");
    let digits = text.trim().trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.trim().parse().map_err(|_| wrong())?;
    let unit = match text.trim()[digits.len()..].trim().to_ascii_uppercase().as_str() {
        "MB" => 1,
        "GB" => 1024,
        _ => return Err(wrong()),
    };
    let size = number.checked_mul(unit).filter(|size| (1..=LOG_MB_MAX).contains(size));
    size.map(|size| size * MB).ok_or_else(wrong)
}

pub(super) fn wish(value: &Value) -> Result<BoxWish, String> {
    match text(value).as_str() {
        "auto" => Ok(BoxWish::Auto),
        text => match boolean(value) {
            Ok(true) => Ok(BoxWish::On),
            Ok(false) => Ok(BoxWish::Off),
            Err(_) => Err(format!("`{text}` is none of on, off, auto")),
        },
    }
}

/// Whole paths; the root of everything is none that a box could leave open.
pub(super) fn paths(value: &Value) -> Result<Vec<String>, String> {
    let wrong = |path: &str| {
        format!("`{path}` is no path such as /srv/cache or ~/.cargo, and it is not to be all of /")
    };
    let listed = match value {
        Value::Array(listed) => listed.iter().map(text).collect(),
        one => vec![text(one)],
    };
    let is_whole = |path: &str| {
        let steps = PathBuf::from(path);
        let goes_up = steps.components().any(|step| step == std::path::Component::ParentDir);
        let below = path.strip_prefix("~/").or(path.strip_prefix('/')).unwrap_or_default();
        !goes_up && !below.trim_matches(['/', '.']).is_empty()
    };
    match listed.iter().find(|path| !is_whole(path)) {
        Some(path) => Err(wrong(path)),
        None => Ok(listed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_says_its_unit() {
        let read = |text: &str| size(&text.into()).ok();
        assert_eq!(read("64MB"), Some(64 * MB));
        assert_eq!(read(" 2 gb "), Some(2 * 1024 * MB));
        for wrong in ["64", "0MB", "1KB", "MB", "1025GB", "99999999999999999999MB", "-1MB"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
    #[test]
    fn a_box_is_wished_for_in_plain_words() {
        let read = |text: &str| wish(&text.into()).ok();
        let on = (Some(BoxWish::On), Some(BoxWish::Off), Some(BoxWish::Auto), None);
        assert_eq!((read("on"), read("off"), read("auto"), read("maybe")), on);
        let good = |value: Value| paths(&value).is_ok();
        assert!(good(vec!["~/.cargo", "/srv/cache"].into()) && good("~/.npm".into()));
        for wrong in ["/", "~/", "cache", "../x", "/srv/../etc", "//", "/.", ""] {
            assert!(!good(vec![wrong].into()), "{wrong}");
        }
    }
}
