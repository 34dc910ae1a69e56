//! What a project's size has to do with where it is kept: looked at after every change.

use std::collections::BTreeSet;

use jiff::Timestamp;
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::views::scale::{OpenWork, Scale};
use milestone_store::scale::{Detector, Seen, carry_out, look};

use crate::app::App;
use crate::errors::Failure;
use crate::output;

/// Once the answer is out. A look that fails takes nothing back: the next command takes another.
pub fn look_after(app: &App) {
    if let Some(Ok(Some(told))) = app.take_seen().map(|seen| grow(app, seen)) {
        output::warn(&told);
    }
}

/// Looks, and does what follows from it; what a person is to be told is the answer.
fn grow(app: &App, seen: Seen) -> Result<Option<String>, Failure> {
    let opened = app.opened()?;
    let detector = Detector::new(&opened.place, &opened.config)?;
    let everything = Scope::Graph(BTreeSet::new());
    let count = || app.read(&everything).map(|snapshot| OpenWork::of(&snapshot));
    let looked = look(&detector, seen, Timestamp::now(), count)?;
    Ok(carry_out(&detector, &looked)?)
}

/// The same look, from all open work, that changes nothing.
pub fn explained(app: &App, snapshot: &Snapshot) -> Result<Scale, Failure> {
    let opened = app.opened()?;
    let detector = Detector::new(&opened.place, &opened.config)?;
    let count = || Ok::<_, Failure>(OpenWork::of(snapshot));
    let looked = look(&detector, Seen::all(snapshot), Timestamp::now(), count)?;
    Ok(looked.explain(&detector))
}
