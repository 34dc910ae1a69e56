//! Bugs that tests plant on purpose, to see that they are found. Without the feature there are
//! none, and the compiler removes every trace of them.

/// Whether this bug is in the program now.
#[cfg(not(feature = "planted-bugs"))]
pub const fn planted(_bug: &str) -> bool {
    false
}

#[cfg(feature = "planted-bugs")]
pub use with_bugs::{plant, planted, with};

#[cfg(feature = "planted-bugs")]
mod with_bugs {
    use std::cell::RefCell;

    thread_local! {
        // One thread's, so that tests beside it keep a sound program.
        static BUG: RefCell<Option<String>> = const { RefCell::new(None) };
    }

    /// Whether this bug is in the program now.
    pub fn planted(bug: &str) -> bool {
        BUG.with_borrow(|planted| planted.as_deref() == Some(bug))
    }

    /// Plants a bug for the rest of this thread.
    pub fn plant(bug: Option<String>) {
        BUG.set(bug);
    }

    /// Runs something with a bug in the program.
    pub fn with<T>(bug: &str, run: impl FnOnce() -> T) -> T {
        /// Takes the bug out again, also when the test it was planted for fails.
        struct Sound;

        impl Drop for Sound {
            fn drop(&mut self) {
                plant(None);
            }
        }

        plant(Some(bug.to_owned()));
        let _sound = Sound;
        run()
    }
}
