//! What keeps a project under test, found out without the program's own reader.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Where the harness learns of a server on which it may make and break what it likes.
pub const TEST_URL: &str = "MILESTONE_TEST_DATABASE_URL";

/// Where the program learns of its server.
pub const PROGRAM_URL: &str = "MILESTONE_DATABASE_URL";

/// Which store keeps a project, and which project of it that is.
pub const POINTER: &str = "data/store";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Store {
    #[default]
    Files,
    Sqlite,
    Postgres,
}

impl Store {
    pub const ALL: [Self; 3] = [Self::Files, Self::Sqlite, Self::Postgres];

    pub fn word(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|store| store.word() == word)
    }

    /// Whether documents and history are kept current beside it.
    pub fn mirrors(self) -> bool {
        self == Self::Sqlite
    }
}

/// Where the project of a folder is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Kept {
    pub store: Store,
    pub project: String,
}

impl Kept {
    pub fn of(folder: &Path) -> Result<Self, String> {
        match fs::read(folder.join(POINTER)) {
            Err(_) => Ok(Self::default()),
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| format!("{POINTER}: {error}"))
            }
        }
    }
}

impl Kept {
    /// The database of a project that is kept in SQLite.
    pub fn sqlite_file(&self) -> String {
        format!("data/milestones-{}.db", self.project.replace('-', ""))
    }
}

/// A connection of the checker's own: every value comes as text.
pub enum Database {
    Sqlite(rusqlite::Connection),
    Postgres(Box<postgres::Client>),
}

impl Database {
    /// The database of a project, unless it is kept in files.
    pub fn open(folder: &Path, kept: &Kept, url: Option<&str>) -> Result<Option<Self>, String> {
        match kept.store {
            Store::Files => Ok(None),
            Store::Sqlite => Self::sqlite(&folder.join(kept.sqlite_file())).map(Some),
            Store::Postgres => {
                let url = url.ok_or("nobody said where the server is")?;
                Self::postgres(url).map(Some)
            }
        }
    }

    /// Read-only: looking must not finish what the program has to finish.
    pub fn sqlite(file: &Path) -> Result<Self, String> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let opened = rusqlite::Connection::open_with_flags(file, flags);
        opened.map(Self::Sqlite).map_err(|error| format!("{}: {error}", file.display()))
    }

    pub fn postgres(url: &str) -> Result<Self, String> {
        let client = postgres::Client::connect(url, postgres::NoTls);
        client.map(|client| Self::Postgres(Box::new(client))).map_err(|error| error.to_string())
    }

    pub fn rows(&mut self, sql: &str) -> Result<Vec<Vec<String>>, String> {
        match self {
            Self::Sqlite(connection) => {
                sqlite_rows(connection, sql).map_err(|error| format!("{sql}: {error}"))
            }
            Self::Postgres(client) => {
                let said = client.simple_query(sql).map_err(|error| format!("{sql}: {error}"))?;
                let rows = said.into_iter().filter_map(|message| match message {
                    postgres::SimpleQueryMessage::Row(row) => Some(row),
                    _ => None,
                });
                let text = |row: &postgres::SimpleQueryRow, column| {
                    row.get(column).unwrap_or_default().to_owned()
                };
                Ok(rows.map(|row| (0..row.len()).map(|at| text(&row, at)).collect()).collect())
            }
        }
    }
}

fn sqlite_rows(connection: &rusqlite::Connection, sql: &str) -> rusqlite::Result<Vec<Vec<String>>> {
    use rusqlite::types::ValueRef;
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query(())?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Integer(number) => number.to_string(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                _ => String::new(),
            })
        };
        all.push((0..columns).map(text).collect::<rusqlite::Result<_>>()?);
    }
    Ok(all)
}
