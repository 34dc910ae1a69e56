//! What can go wrong around a session, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use milestone_domain::ids::MilestoneId;
use milestone_store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("could not {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("{milestone} is being executed already, by {by}")]
    Running { milestone: MilestoneId, by: String },
    #[error("a record could not be written: {message}")]
    Form { message: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EngineError {
    pub fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    pub fn form(error: &serde_json::Error) -> Self {
        Self::Form { message: error.to_string() }
    }
}
