//! After a command that wrote and was acknowledged, nothing of an interrupted one is left.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use milestone_store::files::disk::fingerprint;
use serde_json::Value;

use super::{Project, names};

pub(super) fn check(project: &Project<'_>, wrong: &mut Vec<String>) {
    for folder in ["", "data", "temp", "config", "data/claims", "data/accepted"] {
        let drafts = names(&project.folder.join(folder)).into_iter();
        let drafts = drafts.filter(|name| name.contains("draft") || name.contains("tmp"));
        wrong.extend(drafts.map(|name| format!("left over: {folder}/{name}")));
    }
    late_saves(project, wrong);
    journal(project, wrong);
    log(project, wrong);
}

/// A replaced file that says something new, although nobody has one open.
fn late_saves(project: &Project<'_>, wrong: &mut Vec<String>) {
    let folder = project.folder.join("data/recent");
    for name in names(&folder) {
        let Ok(metadata) = fs::metadata(folder.join(&name)) else { continue };
        // A power cut took what it said; it is not looked at again.
        let bytes = fs::read(folder.join(&name)).unwrap_or_default();
        if bytes.is_empty() || bytes.contains(&0) {
            continue;
        }
        let modified =
            i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        let now = format!("{modified}.{}.{}", metadata.size(), fingerprint(&bytes));
        if name.splitn(3, '.').nth(2) != Some(now.as_str()) {
            wrong.push(format!("left over: data/recent/{name} waits to be taken in"));
        }
    }
}

/// Whole from end to end, and all of it applied.
fn journal(project: &Project<'_>, wrong: &mut Vec<String>) {
    let bytes = fs::read(project.folder.join("data/journal")).unwrap_or_default();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let record = rest.split_at_checked(8).and_then(|(header, body)| {
            let length = u32::from_le_bytes(header[..4].try_into().ok()?) as usize;
            let sum = u32::from_le_bytes(header[4..].try_into().ok()?);
            let (body, after) = body.split_at_checked(length)?;
            (crc32fast::hash(body) == sum).then_some(after)
        });
        let Some(after) = record else {
            wrong.push(format!("data/journal: torn {} bytes before its end", rest.len()));
            break;
        };
        rest = after;
    }
    let applied = fs::read(project.folder.join("data/applied")).unwrap_or_default();
    let applied: Value = serde_json::from_slice(&applied).unwrap_or_default();
    if applied["journal"] != bytes.len() {
        let said = &applied["journal"];
        wrong.push(format!("data/applied: says {said}, the journal has {} bytes", bytes.len()));
    }
}

/// Everybody who follows sees every event once.
fn log(project: &Project<'_>, wrong: &mut Vec<String>) {
    let text = fs::read_to_string(project.folder.join("data/events.log")).unwrap_or_default();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines() {
        let parts: Vec<&str> = line.split(' ').collect();
        let [id, stream, segment, offset] = parts[..] else {
            wrong.push(format!("data/events.log: no event: {line}"));
            continue;
        };
        *seen.entry(id).or_default() += 1;
        let place = project.streams.get(stream).and_then(|stream| stream.places.get(id));
        let said = offset.parse().map(|offset| (segment.to_owned(), offset));
        if place != said.as_ref().ok() {
            wrong.push(format!("data/events.log: {id} is not where this says: {line}"));
        }
    }
    for id in project.streams.values().flat_map(|stream| stream.places.keys()) {
        match seen.get(id.as_str()) {
            Some(1) => {}
            count => {
                let count = count.unwrap_or(&0);
                wrong.push(format!("data/events.log: {id} is there {count} times"));
            }
        }
    }
}
