//! The few colours there are. Nothing is said by colour alone.

use anstyle::{AnsiColor, Style};

pub const PLAIN: Style = Style::new();
pub const HEAD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const ID: Style = AnsiColor::Cyan.on_default();
pub const GOOD: Style = AnsiColor::Green.on_default();
pub const WARN: Style = AnsiColor::Yellow.on_default().bold();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What was looked for; where there is no colour, it is marked by signs.
pub const FOUND: Style = AnsiColor::Yellow.on_default().bold().underline();
pub const HINT: Style = AnsiColor::Cyan.on_default().bold();
