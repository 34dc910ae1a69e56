//! The clock that judges leases on one host: it runs while the machine sleeps, nobody sets it,
//! and it starts again with every boot.

use std::fs;
use std::sync::OnceLock;

use rustix::time::{ClockId, clock_gettime};

/// A moment of one boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootTime {
    pub boot: String,
    pub millis: u64,
}

pub fn now() -> BootTime {
    #[cfg(target_os = "linux")]
    let clock = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    let time = clock_gettime(clock);
    if crate::planted::has("wall-clock-leases") {
        let wall = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0);
        return BootTime { boot: boot(), millis: wall };
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let millis = u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000;
    BootTime { boot: boot(), millis: seconds * 1000 + millis }
}

/// What tells this boot from every other one.
pub fn boot() -> String {
    static BOOT: OnceLock<String> = OnceLock::new();
    let read = || fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    BOOT.get_or_init(|| read().trim().to_owned()).clone()
}
