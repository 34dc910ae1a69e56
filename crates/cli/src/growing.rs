//! What a project's size has to do with where it is kept: looked at after every change.

use std::collections::BTreeSet;

use jiff::Timestamp;
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::views::scale::{OpenWork, Scale};
use milestone_store::moving;
use milestone_store::place::Place;
use milestone_store::pointer::StoreKind;
use milestone_store::scale::{Detector, Looked, Seen, carry_out, look, note_failure};

use crate::app::{App, Opened};
use crate::errors::Failure;
use crate::output;
use crate::progress::Bar;

/// Once the answer is out. A look that fails takes nothing back: the next command takes another.
pub fn look_after(app: &App) {
    if let Some(Ok(told)) = app.take_seen().map(|seen| grow(app, seen)) {
        told.iter().for_each(|told| output::warn(told));
    }
}

/// Looks, and does what follows from it; what a person is to be told is the answer.
fn grow(app: &App, seen: Seen) -> Result<Vec<String>, Failure> {
    let opened = app.opened()?;
    let detector = Detector::new(&opened.place, &opened.config)?;
    let everything = Scope::Graph(BTreeSet::new());
    let count = || app.read(&everything).map(|snapshot| OpenWork::of(&snapshot));
    let looked = look(&detector, seen, Timestamp::now(), count)?;
    let mut told: Vec<String> = carry_out(&detector, &looked)?.into_iter().collect();
    if let Some(to) = looked.move_to() {
        told.extend(moved(opened, &detector, &looked, to)?);
    }
    Ok(told)
}

/// Moves the project to where it belongs by now, and says so in a line.
fn moved(
    opened: &Opened,
    detector: &Detector<'_>,
    looked: &Looked,
    to: StoreKind,
) -> Result<Option<String>, Failure> {
    let why = &looked.decision.why;
    let bar = Bar::new();
    // What was wished for stays written as it was.
    let place = Place { pinned: false, ..opened.place.clone() };
    let moved = moving::move_to(&place, to, &|doing, done, of| bar.show(doing, done, of));
    bar.end();
    match moved {
        // Another command has moved it meanwhile, and has said so.
        Ok(None) => Ok(None),
        Ok(Some(moved)) => {
            let now = Detector::new(&opened.place, &opened.config)?;
            let work = looked.work();
            let looked = look(&now, Seen::All(work), Timestamp::now(), || Ok::<_, Failure>(work))?;
            carry_out(&now, &looked)?;
            let (from, to) = (moved.from.word(), moved.to.word());
            Ok(Some(format!(
                "{why}: the project has moved from {from} to {to}; nothing else changes"
            )))
        }
        Err(error) => {
            note_failure(detector, &error.to_string(), Timestamp::now())?;
            Ok(Some(format!("{why}: it was to move to {}, and cannot: {error}", to.word())))
        }
    }
}

/// The same look, from all open work, that changes nothing.
pub fn explained(app: &App, snapshot: &Snapshot) -> Result<Scale, Failure> {
    let opened = app.opened()?;
    let detector = Detector::new(&opened.place, &opened.config)?;
    let count = || Ok::<_, Failure>(OpenWork::of(snapshot));
    let looked = look(&detector, Seen::all(snapshot), Timestamp::now(), count)?;
    Ok(looked.explain(&detector))
}
