//! What an integration would change, before it changes it: each file as it is and as it would be.

use std::collections::BTreeSet;

use diffy::DiffOptions;
use milestone_domain::document::Milestone;
use milestone_domain::ids::MilestoneId;
use milestone_store::repository::{Found, Repository};
use milestone_store::{Result, StoreError};
use schemars::JsonSchema;
use serde::Serialize;

use super::agents::{Agent, Importing};
use super::marked::{self, Section};
use super::told::SECTION;

/// The file that agents of every kind read.
const AGENTS_FILE: &str = "AGENTS.md";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Created,
    Updated,
    Removed,
    /// Nothing is to be done.
    Current,
    /// Somebody else's, or changed by somebody: left as it is.
    Kept,
}

/// One file, and what becomes of it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Planned {
    pub path: String,
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<&'static str>,
    #[serde(skip)]
    pub change: Option<Change>,
}

/// The two texts of a change; `None` where there is no file.
#[derive(Debug)]
pub struct Change {
    pub before: Option<String>,
    pub after: Option<String>,
    /// What the text says, if it is a milestone's document: such a one changes through the project.
    pub document: Option<(MilestoneId, Box<Milestone>)>,
}

impl Planned {
    pub fn changing(path: &str, before: Option<String>, after: Option<String>) -> Self {
        let state = match (&before, &after) {
            (before, after) if before == after => State::Current,
            (None, _) => State::Created,
            (_, None) => State::Removed,
            _ => State::Updated,
        };
        let change = Change { before, after, document: None };
        let change = (state != State::Current).then_some(change);
        Self { path: path.to_owned(), state, because: None, change }
    }

    pub fn current(path: &str) -> Self {
        Self { path: path.to_owned(), state: State::Current, because: None, change: None }
    }

    pub fn kept(path: &str, because: &'static str) -> Self {
        let because = Some(because);
        Self { path: path.to_owned(), state: State::Kept, because, change: None }
    }

    /// The change as a patch.
    pub fn diff(&self) -> Option<String> {
        let change = self.change.as_ref()?;
        let (before, after) = (&change.before, &change.after);
        let name = |side: &str, text: &Option<String>| match text {
            Some(_) => format!("{side}/{}", self.path),
            None => "/dev/null".to_owned(),
        };
        let mut options = DiffOptions::new();
        options.set_original_filename(name("a", before)).set_modified_filename(name("b", after));
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Some(options.create_patch(&text(before), &text(after)).to_string())
    }
}

/// A file as a text; what is none is kept as it is.
fn text_of(
    repository: &Repository,
    place: &str,
) -> Result<std::result::Result<Option<String>, &'static str>> {
    Ok(match repository.look(place)? {
        Found::Nothing => Ok(None),
        Found::Link(_) => Err("it is a link, and links are not followed"),
        Found::Other => Err("it is no file"),
        Found::File(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| "it is not UTF-8"),
    })
}

/// A file that is wholly ours.
pub fn file(repository: &Repository, place: &str, ours: Option<&str>) -> Result<Planned> {
    let there = match text_of(repository, place)? {
        Ok(there) => there,
        Err(because) => return Ok(Planned::kept(place, because)),
    };
    let Some(text) = &there else {
        return Ok(Planned::changing(place, None, ours.map(str::to_owned)));
    };
    if ours.is_some_and(|ours| marked::with_plain_ends(text) == ours) {
        return Ok(Planned::current(place));
    }
    if marked::is_untouched(text) {
        return Ok(Planned::changing(place, there, ours.map(str::to_owned)));
    }
    Ok(Planned::kept(place, if marked::is_marked(text) { CHANGED } else { FOREIGN }))
}

const CHANGED: &str = "it was changed since it was written";
const FOREIGN: &str = "it was not written by milestone";
const MUDDLED: &str = "its `milestone:begin` and `milestone:end` marks are no pair";

/// A section of ours in a file that is somebody else's.
fn section(repository: &Repository, place: &str, body: Option<&str>) -> Result<Planned> {
    let there = match text_of(repository, place)? {
        Ok(there) => there,
        Err(_) if body.is_none() => return Ok(Planned::current(place)),
        Err(because) => return Ok(Planned::kept(place, because)),
    };
    let ours = body.map(marked::section);
    let text = there.clone().unwrap_or_default();
    let after = match (marked::find_section(&text), ours) {
        (Section::Muddled, _) => return Ok(Planned::kept(place, MUDDLED)),
        (Section::Changed, _) => return Ok(Planned::kept(place, CHANGED)),
        (Section::Missing, None) => there.clone(),
        (Section::Missing, Some(ours)) if there.is_none() => Some(format!("{ours}\n")),
        (Section::Missing, Some(ours)) => Some(marked::append_section(&text, &ours)),
        (Section::Untouched(range), Some(ours)) => {
            let same = marked::with_plain_ends(&text[range.clone()]) == ours;
            if same { there.clone() } else { Some(marked::replace_section(&text, range, &ours)) }
        }
        (Section::Untouched(range), None) => {
            // A file that has never had anything else in it was made for the section.
            let alone = range.start == 0 && matches!(&text[range.end..], "\n" | "\r\n");
            (!alone).then(|| marked::take_section_out(&text, &range))
        }
    };
    Ok(Planned::changing(place, there, after))
}

/// Everything that telling these agents comes to, or no longer telling them.
pub fn agents(
    repository: &Repository,
    agents: &BTreeSet<Agent>,
    remove: bool,
) -> Result<Vec<Planned>> {
    let mut planned = Vec::new();
    for (place, text) in agents.iter().flat_map(|agent| agent.files()) {
        planned.push(file(repository, &place, (!remove).then_some(text.as_str()))?);
    }
    let needed = !remove || others_are_told(repository, agents)?;
    if !(remove && needed) {
        planned.push(section(repository, AGENTS_FILE, needed.then_some(SECTION))?);
    }
    for agent in agents {
        planned.extend(imports(repository, *agent, remove)?);
    }
    // What is not there and is not to be there is not worth a word.
    let silent = |planned: &Planned| remove && planned.state == State::Current;
    planned.retain(|planned| !silent(planned));
    Ok(planned)
}

fn others_are_told(repository: &Repository, agents: &BTreeSet<Agent>) -> Result<bool> {
    for agent in Agent::ALL.iter().filter(|agent| !agents.contains(agent)) {
        if told(repository, *agent)?.iter().any(|planned| planned.state != State::Created) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How the commands of an agent stand.
pub fn told(repository: &Repository, agent: Agent) -> Result<Vec<Planned>> {
    let files = agent.files();
    files.iter().map(|(place, text)| file(repository, place, Some(text))).collect()
}

/// Leads an agent to `AGENTS.md` that reads another file where there is one; a link to it does
/// that already.
fn imports(repository: &Repository, agent: Agent, remove: bool) -> Result<Vec<Planned>> {
    let mut planned = Vec::new();
    for importing in agent.importing() {
        let Importing { place, line, .. } = *importing;
        if remove {
            planned.push(section(repository, place, None)?);
            continue;
        }
        // Whoever wrote the line by hand needs no second one.
        let by_hand =
            |text: &str| marked::find_section(text) == Section::Missing && text.contains(line);
        if matches!(repository.look(place)?, Found::Link(to) if to.ends_with(AGENTS_FILE)) {
            break;
        }
        match text_of(repository, place)? {
            Ok(None) if !importing.made_if_missing => continue,
            Ok(None) if is_named(repository, importing.unless_named_in)? => {}
            Ok(Some(text)) if by_hand(&text) => {}
            _ => planned.push(section(repository, place, Some(line))?),
        }
        break;
    }
    Ok(planned)
}

fn is_named(repository: &Repository, settings: Option<&str>) -> Result<bool> {
    let Some(settings) = settings else { return Ok(false) };
    let text = text_of(repository, settings)?.ok().flatten();
    Ok(text.is_some_and(|text| text.contains(AGENTS_FILE)))
}

/// Writes what was planned: nothing, if anything is no longer as it was when it was looked at.
pub fn write(repository: &Repository, planned: &[Planned]) -> Result<()> {
    let changes = || {
        let ours =
            planned.iter().filter_map(|planned| Some((&planned.path, planned.change.as_ref()?)));
        ours.filter(|(_, change)| change.document.is_none())
    };
    for (place, change) in changes() {
        let now = match repository.look(place)? {
            Found::Nothing => None,
            Found::File(bytes) => Some(bytes),
            Found::Link(_) | Found::Other => return Err(StoreError::Stale),
        };
        if now.as_deref() != change.before.as_ref().map(String::as_bytes) {
            return Err(StoreError::Stale);
        }
    }
    for (place, change) in changes() {
        match &change.after {
            Some(text) => repository.write(place, text.as_bytes())?,
            None => repository.remove(place)?,
        }
    }
    Ok(())
}
