//! Settings of executions.

use serde_json::Value;

use super::{Config, text};

pub(super) const LOG_LIMIT: &str = "execute.log_limit";

/// A megabyte, and what a log is at most: more than that is no log.
const MB: u64 = 1024 * 1024;
const LOG_MB_MAX: u64 = 1024 * 1024;

impl Config {
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
}
