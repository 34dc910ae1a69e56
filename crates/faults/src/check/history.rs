//! Reads history as the format says, without the store's own reader.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use milestone_domain::event::Recorded;
use serde::Deserialize;
use serde_json::Value;

/// The events of one stream in order, with where each line begins.
#[derive(Debug, Default, Clone)]
pub struct Stream {
    pub events: Vec<Recorded>,
    /// By event id: segment and offset.
    pub places: BTreeMap<String, (String, usize)>,
}

struct Segment {
    name: String,
    parents: Vec<(String, String)>,
    hashes: Vec<String>,
    events: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(flatten)]
    recorded: Recorded,
}

fn hash(line: &[u8]) -> String {
    blake3::hash(line).to_hex()[..32].to_owned()
}

/// Every stream of the project; what is wrong with one is added to `wrong`.
pub fn read_all(folder: &Path, wrong: &mut Vec<String>) -> BTreeMap<String, Stream> {
    let mut streams = BTreeMap::new();
    for name in super::names(&folder.join("history")) {
        let stream = read(&folder.join("history").join(&name), &name, wrong);
        streams.insert(name, stream);
    }
    streams
}

fn read(folder: &Path, name: &str, wrong: &mut Vec<String>) -> Stream {
    let mut stream = Stream::default();
    let mut segments = Vec::new();
    for file in super::names(folder) {
        let place = format!("history/{name}/{file}");
        if file.strip_suffix(".jsonl").is_none() {
            wrong.push(format!("{place}: a file that does not belong here"));
            continue;
        }
        let bytes = fs::read(folder.join(&file)).unwrap_or_default();
        match segment(&file, &bytes, &mut stream) {
            Ok(segment) => segments.push(segment),
            Err(error) => wrong.push(format!("{place}: {error}")),
        }
    }
    match in_line(segments) {
        Ok(events) => stream.events = events,
        Err(error) => wrong.push(format!("history/{name}: {error}")),
    }
    stream
}

/// A segment whose chain is whole, every line of it an event.
fn segment(file: &str, bytes: &[u8], stream: &mut Stream) -> Result<Segment, String> {
    if bytes.last() != Some(&b'\n') {
        return Err("the last line has no end".into());
    }
    let mut lines = bytes[..bytes.len() - 1].split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let header: Value =
        serde_json::from_slice(first).map_err(|error| format!("1: no header: {error}"))?;
    if header["segment"] != file.trim_end_matches(".jsonl") {
        return Err("1: the header names another segment".into());
    }
    let parents = header["parents"].as_array().cloned().unwrap_or_default();
    let parents = parents.iter().filter_map(|parent| parent.as_str()?.split_once('@'));
    let mut segment = Segment {
        name: file.trim_end_matches(".jsonl").to_owned(),
        parents: parents.map(|(name, hash)| (name.to_owned(), hash.to_owned())).collect(),
        hashes: Vec::new(),
        events: Vec::new(),
    };
    let mut last = hash(first);
    let mut offset = first.len() + 1;
    for (line, number) in lines.zip(2..) {
        let value: Value =
            serde_json::from_slice(line).map_err(|error| format!("{number}: no event: {error}"))?;
        if value["prev"] != last.as_str() {
            return Err(format!("{number}: the chain is broken before this line"));
        }
        let read: Line =
            serde_json::from_slice(line).map_err(|error| format!("{number}: {error}"))?;
        last = hash(line);
        segment.hashes.push(last.clone());
        let id = read.recorded.id.to_string();
        if stream.places.insert(id.clone(), (file.to_owned(), offset)).is_some() {
            return Err(format!("{number}: the event {id} is there twice"));
        }
        segment.events.push(read.recorded);
        offset += line.len() + 1;
    }
    Ok(segment)
}

/// One clone writes one line of segments: each begins where all before it end.
fn in_line(mut segments: Vec<Segment>) -> Result<Vec<Recorded>, String> {
    let mut ends: BTreeMap<String, String> = BTreeMap::new();
    let mut events = Vec::new();
    while !segments.is_empty() {
        let next = segments.iter().position(|segment| {
            segment.parents.iter().all(|(name, _)| ends.contains_key(name))
                && segment.parents.len() == ends.len()
        });
        let Some(next) = next else {
            return Err("the segments do not follow from one another".into());
        };
        let segment = segments.remove(next);
        for (name, hash) in &segment.parents {
            if ends[name] != *hash {
                return Err(format!("{} does not begin where {name} ends", segment.name));
            }
        }
        if let Some(hash) = segment.hashes.last() {
            ends.insert(segment.name, hash.clone());
        }
        events.extend(segment.events);
    }
    Ok(events)
}
