//! What is in a project, as one number for each of its parts: two stores that have the same are
//! the same, whatever order they keep things in.

use std::collections::BTreeMap;

use milestone_domain::event::Recorded;
use milestone_domain::snapshot::{Claim, Given};

use crate::error::StoreError;
use crate::{Portion, Result};

type Hash = [u8; 32];

#[derive(Default)]
pub struct Digest {
    parts: BTreeMap<String, Hash>,
    given: Given,
}

impl Digest {
    pub fn add(&mut self, portion: &Portion) {
        match portion {
            Portion::Given(given) => self.given = std::mem::take(&mut self.given).with(given),
            Portion::Document { milestone, .. } => {
                let mut tree = milestone.tree();
                tree.sort_all_objects();
                self.put(milestone.id.to_string(), &tree.to_string());
            }
            Portion::Event(recorded) => self.put(recorded.id.to_string(), &said(recorded)),
            Portion::Claim { claim, .. } => {
                // How long its lease still is changes while one looks.
                let claim = Claim { seconds_left: None, ..claim.clone() };
                let said = serde_json::to_string(&claim).unwrap_or_default();
                self.put(format!("the claim of {}", claim.task), &said);
            }
        }
    }

    fn put(&mut self, name: String, said: &str) {
        self.parts.insert(name, *blake3::hash(said.as_bytes()).as_bytes());
    }

    pub fn compare(&self, other: &Self) -> Result<()> {
        if crate::planted::has("digest-not-compared") {
            return Ok(());
        }
        let differs = |what: &str| Err(StoreError::CopyDiffers { what: what.to_owned() });
        if self.given != other.given {
            return differs("what was given before a restore");
        }
        let all = self.parts.keys().chain(other.parts.keys());
        match all.into_iter().find(|name| self.parts.get(*name) != other.parts.get(*name)) {
            Some(name) => differs(name),
            None => Ok(()),
        }
    }
}

fn said(recorded: &Recorded) -> String {
    let mut said = serde_json::to_value(recorded).unwrap_or_default();
    said.sort_all_objects();
    said.to_string()
}
