//! Which conditions each milestone that is filed away provides, so that open work that waits for
//! one finds who provides it without every document of the archive being read.
//!
//! Only for speed, and believed of a document as long as its file is the one that was read.

use std::collections::{BTreeMap, BTreeSet};

use milestone_domain::ids::MilestoneId;
use milestone_domain::snapshot::{Outline, Part};
use serde::{Deserialize, Serialize};

use super::archive::{COMPLETED, Folder, Providers, document_of};
use super::cache::{is_racy, now};
use super::disk::{Disk, Stamp};
use super::sealed::{recall, remember};
use super::{Files, load};
use crate::{Reading, Result};

pub const PLACE: &str = "temp/provided";
const FORM: &[u8] = concat!("milestone provided ", env!("CARGO_PKG_VERSION"), " 1\n").as_bytes();

#[derive(Debug)]
pub struct Provided {
    entries: BTreeMap<MilestoneId, Entry>,
    changed: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    document: Stamp,
    /// When it was looked at, in nanoseconds of wall time.
    looked: i128,
    conditions: Vec<String>,
}

impl Provided {
    pub fn read(disk: &Disk) -> Result<Self> {
        let entries = recall(disk, PLACE, FORM)?.unwrap_or_default();
        Ok(Self { entries, changed: false })
    }

    /// Whether it is known what the document in this file provides.
    pub fn knows(&self, id: MilestoneId, document: &Stamp) -> bool {
        let known = self.entries.get(&id);
        known.is_some_and(|known| known.document == *document && !is_racy(document, known.looked))
    }

    /// Keeps what a document provides that was in this file before it was read.
    pub fn put(&mut self, outline: &Outline, document: Stamp) {
        let conditions = outline.provisions().map(|(name, ..)| name.to_owned()).collect();
        let entry = Entry { document, looked: now(), conditions };
        self.entries.insert(outline.id, entry);
        self.changed = true;
    }

    pub fn forget(&mut self, id: MilestoneId) {
        self.changed |= self.entries.remove(&id).is_some();
    }

    /// Keeps what is still there, and answers who provides what.
    pub fn save(mut self, disk: &Disk, there: &BTreeMap<MilestoneId, Stamp>) -> Providers {
        let before = self.entries.len();
        self.entries.retain(|id, _| there.contains_key(id));
        if self.changed || self.entries.len() < before {
            remember(disk, PLACE, FORM, &self.entries);
        }
        let mut providers = Providers::new();
        for (id, entry) in self.entries {
            for condition in entry.conditions {
                providers.entry(condition).or_default().insert(id);
            }
        }
        providers
    }
}

impl Files {
    /// What is filed away and provides any of these conditions.
    pub(super) fn providers(
        &self,
        awaited: &BTreeSet<String>,
        reading: &mut Reading,
    ) -> Result<BTreeSet<MilestoneId>> {
        let Some(folder) = Folder::look(&self.disk, COMPLETED)? else { return Ok(BTreeSet::new()) };
        let among = |providers: &Providers| {
            let providers = awaited.iter().filter_map(|name| providers.get(name));
            providers.flatten().copied().collect()
        };
        if let Some(known) = self.archive(|archive| archive.provided(&folder).map(among))? {
            return Ok(known);
        }
        let (providers, certain) = self.read_providers(reading)?;
        let found = among(&providers);
        if certain {
            self.archive(|archive| archive.put_provided(&self.disk, folder, providers))?;
        }
        Ok(found)
    }

    /// Reads the documents that are not the ones that were read before. Answers who provides what,
    /// and whether nothing was wrong: what is, is named until it is mended.
    fn read_providers(&self, reading: &mut Reading) -> Result<(Providers, bool)> {
        let mut provided = Provided::read(&self.disk)?;
        let mut certain = true;
        let there = self.archived_stamps()?;
        for (id, stamp) in &there {
            if provided.knows(*id, stamp) {
                continue;
            }
            if let Some(outline) = self.read_once(*id, reading)? {
                provided.put(&outline, *stamp);
            } else {
                provided.forget(*id);
                certain = false;
            }
        }
        Ok((provided.save(&self.disk, &there), certain))
    }

    /// The outline of a document of which nothing else is wanted; nothing where something is wrong
    /// with the document, which is in the reading then.
    fn read_once(&self, id: MilestoneId, reading: &mut Reading) -> Result<Option<Outline>> {
        if let Ok(Some(outlined)) = load::outline(&self.disk, id, &self.watched.borrow()) {
            return Ok(Some(outlined.outline));
        }
        if reading.snapshot.outlines.contains_key(&id) {
            return Ok(None);
        }
        let clean = self.read_document(id, reading)?.is_some_and(|loaded| loaded.clean);
        let snapshot = &mut reading.snapshot;
        snapshot.documents.remove(&id);
        snapshot.versions.remove(&Part::Milestone(id));
        Ok(if clean { snapshot.outlines.remove(&id) } else { None })
    }

    fn archived_stamps(&self) -> Result<BTreeMap<MilestoneId, Stamp>> {
        let stamps = self.disk.stamps(COMPLETED)?.into_iter();
        let stamp_of = |(name, stamp): (String, _)| Some((document_of(&name)?, stamp));
        Ok(stamps.filter_map(stamp_of).collect())
    }
}
