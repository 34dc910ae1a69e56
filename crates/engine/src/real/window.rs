//! What can be seen of a session while it runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use milestone_domain::event::AttemptId;

use super::Shared;
use crate::core::Attempt;
use crate::runners::{Heard, Used};
use crate::session::{StreamState, Tried};

/// A view into a session, for whoever shows it. It holds nothing up.
#[derive(Clone)]
pub struct Window(pub(super) Arc<Shared>);

/// The newest of what a runner has said; the session's own record is a little behind.
#[derive(Debug, Clone)]
pub(super) struct Newest {
    at: Timestamp,
    last: Option<String>,
    used: Used,
}

impl Window {
    /// The attempts that are under way, as they stand now.
    pub fn under_way(&self) -> Vec<Tried> {
        let newest: BTreeMap<AttemptId, Option<Newest>> =
            self.0.flying().iter().map(|(id, flying)| (*id, flying.newest.clone())).collect();
        let session = self.0.session();
        let tried = session.attempts.iter().filter(|tried| newest.contains_key(&tried.id));
        tried.map(|tried| now(tried, newest.get(&tried.id).and_then(Option::as_ref))).collect()
    }

    /// The streams that are verified or reviewed now, and what was last said there.
    pub fn judged(&self) -> Vec<(StreamState, Option<String>)> {
        let session = self.0.session();
        let judged = session.streams.iter().filter(|stream| stream.state.is_judged()).cloned();
        let judged: Vec<StreamState> = judged.collect();
        drop(session);
        let flying = self.0.flying();
        let with_said = |stream: StreamState| {
            let looker = self.0.looker(&self.0.folder_of(&stream.name)).id;
            let newest = flying.get(&looker).and_then(|flying| flying.newest.as_ref());
            let said = newest.and_then(|newest| newest.last.clone());
            (stream, said)
        };
        judged.into_iter().map(with_said).collect()
    }

    /// One attempt, over or not.
    pub fn tried(&self, attempt: AttemptId) -> Option<Tried> {
        let newest = self.0.flying().get(&attempt).and_then(|flying| flying.newest.clone());
        let session = self.0.session();
        let tried = session.attempts.iter().find(|tried| tried.id == attempt)?;
        Some(now(tried, newest.as_ref()))
    }

    /// How many tasks are done, and how many are not.
    pub fn counts(&self) -> (usize, usize) {
        let session = self.0.session();
        (session.tasks_done, session.tasks_open)
    }

    /// What all attempts of the session cost, in millionths of a US dollar, where it is known.
    pub fn cost(&self) -> Option<u64> {
        let under_way: BTreeMap<AttemptId, Option<u64>> =
            self.under_way().into_iter().map(|tried| (tried.id, tried.used.cost)).collect();
        let session = self.0.session();
        let known = session
            .attempts
            .iter()
            .filter_map(|tried| under_way.get(&tried.id).copied().flatten().or(tried.used.cost));
        let reviews = session.streams.iter().filter_map(|stream| stream.used.cost);
        known.chain(reviews).reduce(u64::saturating_add)
    }

    pub fn title(&self, attempt: AttemptId) -> String {
        let flying = self.0.flying();
        flying.get(&attempt).map(|flying| flying.title.clone()).unwrap_or_default()
    }
}

/// An attempt with what was said since the session last took it in.
fn now(tried: &Tried, newest: Option<&Newest>) -> Tried {
    let mut tried = tried.clone();
    if let Some(newest) = newest {
        tried.heard = Some(newest.at);
        tried.last = newest.last.clone().or(tried.last);
        tried.used = newest.used;
    }
    tried
}

impl Shared {
    /// Some print thousands of lines a second: each is noticed here, and now and then told.
    pub(super) fn notice(&self, attempt: Attempt, heard: &Heard, used: Used) {
        self.with(attempt, |flying| {
            let at = Timestamp::now();
            match &mut flying.newest {
                Some(newest) if newest.last == heard.last => {
                    (newest.at, newest.used) = (at, used);
                }
                newest => {
                    *newest = Some(Newest { at, last: heard.last.clone(), used });
                }
            }
        });
    }
}
