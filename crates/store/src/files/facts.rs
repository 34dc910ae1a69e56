//! What the file store knows about itself.

use milestone_domain::event::EVENT_VERSION;
use milestone_domain::views::storage::{BackupFile, Formats, Journal, Size, StoreFacts};

use super::disk::Disk;
use super::{Files, backup, lock};
use crate::Result;
use crate::pointer::StoreKind;

/// The version of documents that say none.
const DOCUMENT_VERSION: u32 = 1;

/// What is shown as one figure, and the folders that it stands for.
const PARTS: [(&str, &[&str]); 5] = [
    ("documents", &["active", "completed"]),
    ("history", &["history"]),
    ("settings, templates and deliverables", &["config", "templates", "deliverables"]),
    ("what only this clone has (data)", &["data"]),
    ("caches (temp)", &["temp"]),
];

impl Files {
    /// Without changing anything, and without waiting for writers.
    pub fn facts(&self) -> Result<StoreFacts> {
        let journal = if self.quiet()?.is_some() { Journal::Applied } else { Journal::Waiting };
        let mut sizes = Vec::new();
        for (what, folders) in PARTS {
            let mut size = Size { what, files: 0, bytes: 0 };
            for folder in folders {
                add_up(&self.disk, folder, &mut size)?;
            }
            sizes.push(size);
        }
        Ok(StoreFacts {
            store: StoreKind::Files.word(),
            place: self.disk.path("").display().to_string().trim_end_matches('/').to_owned(),
            archived_milestones: self.filed_away()?.len(),
            events: self.events_recorded()?,
            sizes,
            journal,
            held_by: lock::held_by(&self.disk),
            formats: Formats {
                document: DOCUMENT_VERSION,
                event: EVENT_VERSION,
                backup: backup::VERSION,
            },
            last_backup: self.last_backup()?,
        })
    }

    /// Every line of the history, but for the first one of each segment.
    fn events_recorded(&self) -> Result<usize> {
        let mut events = 0;
        for stream in self.disk.names("history")? {
            for name in self.disk.names(&format!("history/{stream}"))? {
                let bytes =
                    self.disk.read(&format!("history/{stream}/{name}"))?.unwrap_or_default();
                let lines = bytes.split(|byte| *byte == b'\n').count().saturating_sub(1);
                events += lines.saturating_sub(1);
            }
        }
        Ok(events)
    }

    fn last_backup(&self) -> Result<Option<BackupFile>> {
        let Some(name) = backup::kept(&self.disk)?.pop() else { return Ok(None) };
        let place = format!("{}/{name}", backup::FOLDER);
        let Some(stamp) = self.disk.stamp(&place)? else { return Ok(None) };
        let file = self.disk.path(&place).display().to_string();
        let made_at = jiff::Timestamp::from_nanosecond(stamp.modified).ok();
        Ok(Some(BackupFile { file, bytes: stamp.size, made_at }))
    }
}

fn add_up(disk: &Disk, folder: &str, size: &mut Size) -> Result<()> {
    for name in disk.names(folder)? {
        let place = format!("{folder}/{name}");
        match disk.kind(&place)? {
            Some(kind) if kind.is_dir() => add_up(disk, &place, size)?,
            Some(_) => {
                size.files += 1;
                size.bytes += disk.stamp(&place)?.map_or(0, |stamp| stamp.size);
            }
            None => {}
        }
    }
    Ok(())
}
