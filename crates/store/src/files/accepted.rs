//! What this clone has accepted of each document: which text, and which history.
//!
//! Only memory: without it, the fold of the history says the same, more slowly.

use milestone_domain::document::Milestone;
use milestone_domain::event::Stream;
use milestone_domain::past::Trail;
use milestone_domain::snapshot::{Conditions, Outline};
use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::history::{Own, Sizes};
use super::sealed::{seal, unseal};
use crate::error::StoreError;

/// Another program's memory, or that of another form, is not read.
const FORM: &[u8] = concat!("milestone accepted ", env!("CARGO_PKG_VERSION"), " 6\n").as_bytes();

pub const FOLDER: &str = "data/accepted";

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Accepted {
    /// Fingerprint of the text.
    pub text: String,
    /// The text says exactly what the history does: nothing in it is refused or unknown.
    pub exact: bool,
    pub segments: Sizes,
    /// The database beside which this stands tells more than these segments do.
    pub untold: bool,
    pub own: Option<Own>,
    /// The folded conditions; of the project's own stream only.
    pub conditions: Conditions,
    /// The outline of an exact text, so that whoever waits for this milestone need not read it.
    /// As bytes, because the document's own reader has no use for it.
    #[serde(with = "serde_bytes")]
    outline: Vec<u8>,
    /// How far it was day by day, as far as these segments tell it; in the same way.
    #[serde(with = "serde_bytes")]
    trail: Vec<u8>,
}

fn place(stream: Stream) -> String {
    format!("{FOLDER}/{stream}")
}

impl Accepted {
    pub fn read(disk: &Disk, stream: Stream) -> Result<Option<Self>, StoreError> {
        // One that cannot be read is only forgotten.
        let bytes = match disk.read(&place(stream)) {
            Err(StoreError::Corrupt { .. } | StoreError::Outside { .. }) => None,
            read => read?,
        };
        Ok(bytes.and_then(|bytes| unseal(FORM, &bytes)))
    }

    pub fn write(&self, disk: &Disk, stream: Stream) -> Result<(), StoreError> {
        disk.replace(&place(stream), &seal(FORM, self).unwrap_or_default())
    }

    pub fn outline(&self) -> Option<Outline> {
        let outline = self.exact.then(|| postcard::from_bytes(&self.outline).ok());
        outline.flatten()
    }

    pub fn trail(&self) -> Option<Trail> {
        postcard::from_bytes(&self.trail).ok()
    }

    pub fn set_trail(&mut self, trail: &Trail) {
        self.trail = postcard::to_stdvec(trail).unwrap_or_default();
    }

    /// Remembers what an exact text says, if that is all there is to say about it.
    pub fn set_outline(&mut self, milestone: Option<&Milestone>) {
        let outline = milestone.map(|milestone| postcard::to_stdvec(&Outline::of(milestone)));
        self.outline = outline.and_then(Result::ok).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use milestone_domain::document::Task;
    use milestone_domain::ids::MilestoneId;

    use super::*;

    /// Bytes do not say what they mean: when this fails, count up the number in `FORM`.
    #[test]
    fn the_form_is_the_one_that_its_number_stands_for() {
        let mut accepted = Accepted { text: "t".into(), exact: true, ..Accepted::default() };
        let mut milestone = Milestone::new(MilestoneId(7), "T");
        milestone.tasks = vec![Task::new(1, "A")];
        accepted.set_outline(Some(&milestone));
        let mut trail = Trail::default();
        trail.note(jiff::Timestamp::UNIX_EPOCH, &milestone);
        accepted.set_trail(&trail);
        let body = postcard::to_stdvec(&accepted).unwrap();
        assert_eq!((body.len(), crc32fast::hash(&body)), (86, 2_313_502_219));
    }
}
