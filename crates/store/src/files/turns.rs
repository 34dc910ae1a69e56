//! Turns to write, and reading beside those who have one.

use std::time::{Duration, Instant};

use super::journal::{self, Applied};
use super::lock::Lock;
use super::{Files, boot};
use crate::error::StoreError;
use crate::planted;
use crate::{Result, Store as _, Turn};

/// How often a reading that a writer disturbed is repeated before it waits for the lock.
const READ_TRIES: u32 = 3;

/// How long it then looks for a moment without a writer, before it waits like one.
const READ_BESIDE_MAX: Duration = Duration::from_secs(2);
const READ_PAUSE: Duration = Duration::from_millis(2);

impl Files {
    /// Runs `read` on a state that no writer touched meanwhile.
    pub(super) fn undisturbed<T>(&self, read: impl Fn() -> Result<T>) -> Result<T> {
        if self.turns.get() > 0 {
            return read();
        }
        for _ in 0..READ_TRIES {
            if let Some(result) = self.read_quietly(&read)? {
                return result;
            }
        }
        // Whoever writes much, as a move does, has the lock for long, and files at rest in between.
        let started = Instant::now();
        while started.elapsed() < READ_BESIDE_MAX.min(self.lock_wait) {
            match self.turn_within(Duration::ZERO) {
                Err(StoreError::Busy { .. }) => {}
                turn => return self.read_in(turn, read),
            }
            std::thread::sleep(READ_PAUSE);
            if let Some(result) = self.read_quietly(&read)? {
                return result;
            }
        }
        self.read_in(self.turn(0), read)
    }

    /// What was read if nobody wrote meanwhile.
    fn read_quietly<T>(&self, read: &impl Fn() -> Result<T>) -> Result<Option<Result<T>>> {
        let Some(before) = self.quiet()? else { return Ok(None) };
        let result = read();
        Ok((self.quiet()?.as_ref() == Some(&before)).then_some(result))
    }

    fn read_in<T>(
        &self,
        turn: Result<Box<dyn Turn + '_>>,
        read: impl Fn() -> Result<T>,
    ) -> Result<T> {
        match turn {
            Ok(_turn) => read(),
            // Where the lock cannot be had because nothing can be written, what the journal still
            // has to say is laid over what the files say.
            Err(StoreError::Io { .. }) => {
                let applied = Applied::read(&self.disk)?;
                self.disk.set_overlay(journal::overlay(&self.disk, applied.as_ref())?);
                read()
            }
            Err(error) => Err(error),
        }
    }

    /// Takes this process's turn, or says who has it once the wait is over.
    pub(crate) fn turn_within(&self, wait: Duration) -> Result<Box<dyn Turn + '_>> {
        if self.turns.get() == 0 {
            if self.disk.stamp("data")?.is_none() {
                self.disk.make_folder("data")?;
                self.disk.keep_private("data")?;
            }
            self.disk.make_folder("data")?;
            let lock = Lock::acquire(&self.disk, wait)?;
            self.turn.replace(Some(lock));
            if let Err(error) = self.check_place().and_then(|()| self.recovered()) {
                self.turn.replace(None);
                return Err(error);
            }
            if !planted::has("drafts-kept") {
                self.disk.sweep_drafts();
            }
        }
        self.turns.set(self.turns.get() + 1);
        Ok(Box::new(FilesTurn { files: self }))
    }

    /// The state of the journal if nothing waits to be applied.
    pub(super) fn quiet(&self) -> Result<Option<(u64, u64)>> {
        let applied = Applied::read(&self.disk)?;
        let length = journal::length(&self.disk)?;
        Ok(match applied {
            None if length == 0 => Some((0, 0)),
            Some(applied) if applied.journal == length && applied.boot == boot::boot() => {
                Some((applied.seq, length))
            }
            _ => None,
        })
    }

    /// Finishes what somebody left open, before anything is read or written under the lock.
    pub(super) fn recovered(&self) -> Result<()> {
        if self.quiet()?.is_none() && !planted::has("recovery-skipped") {
            journal::recover(&self.disk, Applied::read(&self.disk)?, &boot::boot())?;
        }
        Ok(())
    }
}

/// Held while a command has its turn; taking it again within the same process costs nothing.
struct FilesTurn<'a> {
    files: &'a Files,
}

impl Turn for FilesTurn<'_> {}

impl Drop for FilesTurn<'_> {
    fn drop(&mut self) {
        let turns = self.files.turns.get() - 1;
        self.files.turns.set(turns);
        if turns == 0 {
            self.files.exact.borrow_mut().clear();
            self.files.turn.replace(None);
        }
    }
}
