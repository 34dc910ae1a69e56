//! What whoever watches tells the process: Ctrl-C, and its like.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use milestone_engine::core::Input;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::errors::Failure;

/// Listens for as long as the process lives, whatever session runs.
pub struct Signals {
    heard: Arc<(Mutex<Heard>, Condvar)>,
}

#[derive(Default)]
struct Heard {
    last: Option<Input>,
    session: Option<Sender<Input>>,
}

impl Signals {
    /// The first Ctrl-C lets what runs end; any other word that the process is to end stops it.
    pub fn begin() -> Result<Self, Failure> {
        let signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]);
        let mut signals = signals.map_err(|source| Failure::Io {
            doing: "listen",
            path: "signals".into(),
            source,
        })?;
        let this = Self { heard: Arc::default() };
        let heard = Arc::clone(&this.heard);
        thread::spawn(move || {
            for signal in &mut signals {
                let mut said = locked(&heard.0);
                let is_first = said.last.is_none();
                let input = if signal == SIGINT && is_first { Input::Drain } else { Input::Stop };
                if let Some(session) = &said.session {
                    // One that is over hears nothing.
                    let _ = session.send(input.clone());
                }
                said.last = Some(input);
                heard.1.notify_all();
            }
        });
        Ok(this)
    }

    /// From now on a session is told; at once, if it was said before.
    pub fn hand_to(&self, session: Sender<Input>) {
        let mut said = locked(&self.heard.0);
        if let Some(last) = &said.last {
            let _ = session.send(last.clone());
        }
        said.session = Some(session);
    }

    /// Waits, and says whether it is to end.
    pub fn is_over_after(&self, wait: Duration) -> bool {
        let said = locked(&self.heard.0);
        let waited = self.heard.1.wait_timeout_while(said, wait, |said| said.last.is_none());
        let (said, _) = waited.unwrap_or_else(PoisonError::into_inner);
        said.last.is_some()
    }
}

fn locked(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
