//! Which store keeps a project: one small file that is replaced as a whole.
//!
//! A clone without one keeps its project in files. It is a shortcut for everybody else's store: a
//! store that was left says so itself, too.

use milestone_domain::ids::Uid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Result;
use crate::error::StoreError;
use crate::files::disk::Disk;

const PLACE: &str = "data/store";
const CLONE: &str = "data/clone";

/// What keeps a project.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    #[default]
    Files,
    Sqlite,
    Postgres,
}

impl StoreKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// The next larger one.
    #[must_use]
    pub fn above(self) -> Self {
        match self {
            Self::Files => Self::Sqlite,
            Self::Sqlite | Self::Postgres => Self::Postgres,
        }
    }
}

impl std::fmt::Display for StoreKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// Where a project is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    pub store: StoreKind,
    /// Which project of the database it is.
    pub project: Uid,
}

/// Where a project has gone, as the store says it that it has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    pub to: Pointer,
    /// The clone that moved it: its files are nobody else's.
    pub by: Uid,
}

/// What this clone is told from others by.
pub fn clone_id(disk: &Disk) -> Result<Uid> {
    if let Some(bytes) = disk.read(CLONE)? {
        let id = std::str::from_utf8(&bytes).ok().and_then(|text| Uuid::try_parse(text).ok());
        return id.map(Uid).ok_or_else(|| StoreError::Corrupt {
            path: disk.path(CLONE),
            message: "it does not say which clone this is".into(),
        });
    }
    let id = Uuid::now_v7();
    disk.replace_synced(CLONE, id.to_string().as_bytes())?;
    Ok(Uid(id))
}

pub fn read(disk: &Disk) -> Result<Option<Pointer>> {
    let Some(bytes) = disk.read(PLACE)? else { return Ok(None) };
    let pointer = serde_json::from_slice(&bytes);
    // Without it nobody knows where the truth is, so none is made up.
    pointer.map(Some).map_err(|error| StoreError::Corrupt {
        path: disk.path(PLACE),
        message: format!("it does not say where the project is kept: {error}"),
    })
}

pub fn write(disk: &Disk, pointer: &Pointer) -> Result<()> {
    let text = serde_json::to_string(pointer).unwrap_or_default();
    disk.replace_synced(PLACE, text.as_bytes())
}
