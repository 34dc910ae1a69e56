//! What can go wrong between a decision and the disk.

use std::io;
use std::path::{Path, PathBuf};

use milestone_domain::ids::MilestoneId;
use milestone_domain::refusal::Refusal;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("no milestone project in {} or above it", .from.display())]
    NoProject { from: PathBuf },
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("the project is being written by {holder}; waited {waited_ms} ms")]
    Busy { holder: String, waited_ms: u64 },
    #[error("{file}:{line}:{column}: {message}")]
    Unreadable { file: String, line: u64, column: u64, message: String },
    #[error("{milestone} is being saved by another program; it did not come to rest")]
    BeingSaved { milestone: MilestoneId },
    #[error("{}: {message}", .path.display())]
    Corrupt { path: PathBuf, message: String },
    /// What was read is no longer so; deciding again on what is there now is safe.
    #[error("the project changed while this command was being decided")]
    Stale,
    /// The disk or the server did not say whether the change is there.
    #[error("saving the change was cut short, so it may or may not be there: {0}")]
    OutcomeUnknown(io::Error),
    #[error("{} would lead out of the project", .path.display())]
    Outside { path: PathBuf },
    #[error("{setting}: {message}")]
    Configuration { setting: String, message: String },
    #[error("the edit of {file} cannot be written so that it reads back as meant: {message}")]
    Unfaithful { file: String, message: String },
    #[error("the cursor is of another time: what it followed is gone")]
    Gone,
    #[error("{} belongs to another user ({owner}), and so does what is written there", .path.display())]
    ForeignOwner { path: PathBuf, owner: u32 },
    #[error("{} is not a backup that can be put back: {message}", .path.display())]
    BadBackup { path: PathBuf, message: String },
    #[error("{} is there already, and is not written over", .path.display())]
    Exists { path: PathBuf },
    #[error("{what}: {message}")]
    Database { what: String, message: String },
    /// What had begun on it is gone, and may be tried again on a new one.
    #[error("no connection to {0}")]
    ConnectionLost(String),
    /// It can be read.
    #[error("{what} takes no writes: {message}")]
    ReadOnly { what: String, message: String },
    #[error("the database has no project {uuid}")]
    NoSuchProject { uuid: String },
    #[error("the database's schema is {schema}; this program knows {known} at most")]
    NewerSchema { schema: i64, known: u32 },
    #[error("the database was not made by this program: {message}")]
    ForeignSchema { message: String },
    #[error("a row of {table} cannot be read: {message}")]
    BadRow { table: &'static str, message: String },
    #[error("this project is kept in PostgreSQL, and no URL says where that is")]
    NoUrl,
    #[error("the project has left the database for {store} in another clone of it")]
    LeftForClone { store: &'static str },
    #[error("the copy is not the same as the project: {what} differs")]
    CopyDiffers { what: String },
    /// The project is kept elsewhere by now; whoever opens it again finds it there.
    #[error("the project has moved to another store")]
    Moved,
    /// The project has no place of its own at the moment.
    #[error("a restore was interrupted: the project as it was before is in {}", .aside.display())]
    RestoreInterrupted { aside: PathBuf },
}

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The class of a store's error, which is also what its exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorClass {
    NotFound,
    Conflict,
    Unreachable,
    Unreadable,
    Usage,
}

impl StoreError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    /// A stable name for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoProject { .. } => "no_project",
            Self::Io { .. } => "io",
            Self::Busy { .. } => "busy",
            Self::Unreadable { .. } => "unreadable",
            Self::BeingSaved { .. } => "being_saved",
            Self::Corrupt { .. } => "corrupt",
            Self::Stale => "stale",
            Self::OutcomeUnknown(_) => "outcome_unknown",
            Self::Outside { .. } => "outside",
            Self::Configuration { .. } => "configuration",
            Self::Unfaithful { .. } => "unfaithful_edit",
            Self::Gone => "gone",
            Self::ForeignOwner { .. } => "foreign_owner",
            Self::BadBackup { .. } => "bad_backup",
            Self::Exists { .. } => "exists",
            Self::RestoreInterrupted { .. } => "restore_interrupted",
            Self::Database { .. } => "database",
            Self::ConnectionLost(_) => "connection_lost",
            Self::ReadOnly { .. } => "read_only",
            Self::NoSuchProject { .. } => "no_such_project",
            Self::NewerSchema { .. } => "newer_schema",
            Self::ForeignSchema { .. } => "foreign_schema",
            Self::BadRow { .. } => "bad_row",
            Self::Moved => "moved",
            Self::NoUrl => "no_database_url",
            Self::LeftForClone { .. } => "left_for_clone",
            Self::CopyDiffers { .. } => "copy_differs",
        }
    }

    pub fn class(&self) -> StoreErrorClass {
        match self {
            Self::NoProject { .. }
            | Self::RestoreInterrupted { .. }
            | Self::NoSuchProject { .. } => StoreErrorClass::NotFound,
            Self::Busy { .. }
            | Self::BeingSaved { .. }
            | Self::Stale
            | Self::Gone
            | Self::Moved => StoreErrorClass::Conflict,
            Self::Io { .. }
            | Self::OutcomeUnknown(_)
            | Self::ForeignOwner { .. }
            | Self::Database { .. }
            | Self::ReadOnly { .. }
            | Self::NoUrl
            | Self::LeftForClone { .. }
            | Self::ConnectionLost(_) => StoreErrorClass::Unreachable,
            Self::CopyDiffers { .. }
            | Self::NewerSchema { .. }
            | Self::ForeignSchema { .. }
            | Self::BadRow { .. }
            | Self::Unreadable { .. }
            | Self::Corrupt { .. }
            | Self::Outside { .. }
            | Self::BadBackup { .. }
            | Self::Unfaithful { .. } => StoreErrorClass::Unreadable,
            Self::Configuration { .. } | Self::Exists { .. } => StoreErrorClass::Usage,
        }
    }

    /// One step that is safe to take. None of them removes, overwrites or forces anything.
    pub fn next(&self) -> String {
        match self {
            Self::NoProject { .. } => "make one here: `milestone init`".into(),
            Self::Io { .. } => {
                "nothing was changed; see whether the disk is full, read-only or somebody else's, \
                 then try again"
                    .into()
            }
            Self::Busy { .. } => "nothing was changed; try again in a moment".into(),
            Self::Unreadable { file, .. } => format!("mend {file} in an editor, then try again"),
            Self::BeingSaved { .. } => "finish saving it, then try again".into(),
            Self::Corrupt { .. } | Self::BadRow { .. } => {
                "see what is wrong, without changing anything: `milestone doctor`".into()
            }
            Self::Stale | Self::Moved => "nothing was changed; try again".into(),
            Self::Database { .. } | Self::ConnectionLost(_) => {
                "nothing was changed; see whether the server runs and lets you in, then try again"
                    .into()
            }
            Self::ReadOnly { .. } => {
                "nothing was changed; reading works: try again where or when it may be written"
                    .into()
            }
            Self::NoUrl => "say where it is: `export MILESTONE_DATABASE_URL=postgres://…`, or \
                 `milestone config set storage.postgres_url URL`"
                .into(),
            Self::LeftForClone { .. } => {
                "pull from git what that clone has pushed; this one then works in its files".into()
            }
            Self::CopyDiffers { .. } => {
                "nothing was moved; see what is wrong: `milestone doctor`".into()
            }
            Self::NoSuchProject { .. } => {
                "see where this project is kept: `milestone storage status`".into()
            }
            Self::NewerSchema { .. } => {
                "nothing was changed; use the newer version of milestone that wrote it".into()
            }
            Self::ForeignSchema { .. } => {
                "nothing was changed; name another database, or another schema of this one".into()
            }
            Self::OutcomeUnknown(_) => {
                "look before you repeat it: `milestone show` says what is there".into()
            }
            Self::Outside { .. } => "replace the link by a real folder or file".into(),
            Self::Configuration { .. } => {
                "see every value and its source: `milestone config get`".into()
            }
            Self::Unfaithful { .. } => {
                "nothing was changed; make this edit by hand: `milestone edit ID`".into()
            }
            Self::Gone => "follow again from the beginning: `milestone watch --since start`".into(),
            Self::BadBackup { .. } => {
                "nothing was changed; see which backups there are: `milestone storage status`"
                    .into()
            }
            Self::Exists { .. } => "nothing was written; name another file".into(),
            Self::RestoreInterrupted { aside } => format!(
                "put it back: `mv {} {}`; or restore again, which keeps it, too",
                aside.display(),
                aside.with_file_name(crate::discover::FOLDER).display()
            ),
            Self::ForeignOwner { .. } => {
                "run it as that user, or have the folder given to you".into()
            }
        }
    }
}
