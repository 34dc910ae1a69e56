mod cases;
mod generate;
mod hostile;
mod oracle;
mod property;
mod random;

/// How many times a test runs: few every time, many when `MILESTONE_FULL` asks for it.
fn rounds(quick: u64, full: u64) -> u64 {
    if std::env::var_os("MILESTONE_FULL").is_some() { full } else { quick }
}
