//! Searching without reading every document: what of each can be found is kept in `temp/search`.

use std::collections::BTreeSet;

use milestone_domain::event::Stream;
use milestone_domain::ids::MilestoneId;
use milestone_domain::search::{Place, Query, Searchable, search};

use super::cache::{Cache, SEARCHABLE};
use super::load::{self, Loaded};
use super::recent::Watched;
use super::{Files, history};
use crate::{Result, Searched};

impl Files {
    pub(super) fn search_once(&self, query: &Query) -> Result<Searched> {
        self.watched.replace(Watched::list(&self.disk)?);
        let (open, archived) = (self.open_milestones()?, self.filed_away()?);
        let ids: BTreeSet<MilestoneId> = match query.filter.place {
            Place::Open => open.clone(),
            Place::Archived => archived.clone(),
            Place::All => open.union(&archived).copied().collect(),
        };
        let mut searched = Searched::default();
        let mut cache = Cache::read(&self.disk, &SEARCHABLE)?;
        let (mut kept, mut passing) = (Vec::new(), Vec::new());
        for id in ids {
            if self.is_kept(id, &mut cache)? {
                kept.push(id);
            } else {
                passing.extend(self.searchable(id, &mut cache, &mut searched)?);
            }
        }
        cache.retain(|id| open.contains(&id) || archived.contains(&id));
        cache.save(&self.disk);
        let kept = kept.iter().filter_map(|id| cache.kept(*id));
        let documents: Vec<Searchable<'_>> = kept.chain(passing).collect();
        searched.found = search(query, &documents);
        Ok(searched)
    }

    fn is_kept(&self, id: MilestoneId, cache: &mut Cache) -> Result<bool> {
        for (place, _) in load::places(id) {
            if let Some(stamp) = self.disk.stamp(&place)? {
                return cache.is_fresh(&self.disk, id, &place, stamp);
            }
        }
        Ok(false)
    }

    /// Reads a document and its history, for what of them can be found.
    fn searchable(
        &self,
        id: MilestoneId,
        cache: &mut Cache,
        searched: &mut Searched,
    ) -> Result<Option<Searchable<'static>>> {
        let stamps = load::places(id).map(|(place, _)| self.disk.stamp(&place));
        let Some(loaded) = load::load(&self.disk, id, &self.watched.borrow())? else {
            return Ok(None);
        };
        searched.noticed.extend(loaded.noticed.iter().cloned());
        searched.problems.extend(loaded.problems.iter().cloned());
        let Loaded { milestone: Some(milestone), text, clean, .. } = loaded else {
            return Ok(None);
        };
        let history = history::read(&self.disk, Stream::Milestone(id), milestone.uid)?;
        let searchable = Searchable::of(&milestone, &history.events);
        let [active, completed] = stamps;
        if let (true, Some(text), Some(stamp)) = (clean, text, active?.or(completed?)) {
            cache.put(&self.disk, id, stamp, &text, &searchable)?;
        }
        Ok(Some(searchable))
    }
}
