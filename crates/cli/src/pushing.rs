//! Handing on a milestone that is completed: its branch goes to a remote, and others are asked to
//! review it. Whatever goes wrong here is told, and undoes nothing.

use milestone_domain::document::Milestone;
use milestone_domain::event::Event;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::snapshot::Scope;
use milestone_domain::status::TaskStatus;
use milestone_engine::forge::{Address, Forge, ForgeError, Open, Request};
use milestone_engine::git::{Branch, Pushed, Repository};
use milestone_engine::session::{HandedOn, Session, Sessions};
use milestone_store::EventFilter;
use milestone_store::config::Pushing;

use crate::app::App;
use crate::errors::Failure;
use crate::output;
use crate::render::request::{self, Done};
use crate::trust::Trust;

/// The kind of what has to be agreed to before anything is pushed because a setting says so.
const KIND: &str = "push";

/// What is to become of the branch, and where.
pub struct Handing {
    repository: Repository,
    remote: String,
    address: Option<Address>,
    wish: Wish,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// A person has typed it.
    Said,
    Ask,
    Always,
}

impl Handing {
    /// What is wished here; nothing where nothing is, or where there is no git.
    pub fn wished(
        app: &App,
        said: bool,
        repository: Option<&Repository>,
    ) -> Result<Option<Self>, Failure> {
        let told = app.opened()?.config.execution();
        let wish = match (said, told.pushing) {
            (true, _) => Wish::Said,
            (_, Pushing::Ask) => Wish::Ask,
            (_, Pushing::Always) => Wish::Always,
            (_, Pushing::Never) => return Ok(None),
        };
        let Some(repository) = repository else {
            return match said {
                true => Err(Failure::usage(
                    "without git there is nothing to push",
                    "run it without `--push`",
                )),
                false => Ok(None),
            };
        };
        let address = repository.remote(&told.remote)?.map(|url| Address::parse(&url));
        if said && address.is_none() {
            return Err(no_remote(&told.remote));
        }
        let (repository, remote) = (repository.clone(), told.remote);
        Ok(Some(Self { repository, remote, address, wish }))
    }

    /// What somebody has to agree to once, because a setting may have come with a `git pull`.
    pub fn to_agree(&self) -> Option<(&'static str, String)> {
        let address = self.address.as_ref().filter(|_| self.wish == Wish::Always)?;
        Some((KIND, self.place(address)))
    }

    fn place(&self, address: &Address) -> String {
        format!("branches of completed milestones to {} ({address})", self.remote)
    }

    /// Pushes, where that is wished and agreed to, and asks for a review.
    pub fn hand_on(&self, app: &App, session: &Session) -> Option<HandedOn> {
        match self.handed_on(app, session) {
            Ok(handed) => handed,
            Err(failure) => {
                let entry = failure.entry();
                self.warn(session.milestone, &entry.message);
                None
            }
        }
    }

    fn handed_on(&self, app: &App, session: &Session) -> Result<Option<HandedOn>, Failure> {
        let id = session.milestone;
        let Some(address) = &self.address else { return Err(no_remote(&self.remote)) };
        let base = self.repository.default_branch()?;
        let tip = self.repository.milestone_tip(id)?;
        let Some(tip) = tip else {
            output::warn(&format!("{id} changed no file, so there is nothing to push"));
            return Ok(None);
        };
        if self.repository.contains(base.commit.as_str(), &tip)? {
            let into = base.branch.as_deref().unwrap_or("what is checked out");
            output::warn(&format!("{into} has all of {id}, so there is nothing to push"));
            return Ok(None);
        }
        if !self.is_agreed(app, id, address)? {
            return Ok(None);
        }
        if let Pushed::Refused(why) = self.repository.push(&self.remote, id)? {
            self.warn(id, &why);
            return Ok(None);
        }
        let branch = format!("milestone/{id}");
        tell(app, &format!("pushed {branch} to {} ({address})", self.remote));
        let base = base.branch.as_deref().and_then(|name| name.strip_prefix("refs/heads/"));
        let request = self.request(app, session, address, base.unwrap_or("main"))?;
        Ok(Some(HandedOn { remote: self.remote.clone(), branch, commit: tip.to_string(), request }))
    }

    fn is_agreed(&self, app: &App, id: MilestoneId, address: &Address) -> Result<bool, Failure> {
        let agreed = match self.wish {
            Wish::Said => true,
            Wish::Always => Trust::of(&app.opened()?.root.project)
                .is_some_and(|trust| trust.has(KIND, &self.place(address))),
            Wish::Ask => {
                let mut page = app.out.page();
                page.say("Push milestone/").say(id).say(" to ").say(&self.remote);
                page.say(" (").say(address).say(")? [y/N] ");
                app.out.asks(&page)
            }
        };
        if !agreed {
            output::warn(&format!(
                "{id} is completed and not pushed, because nobody agreed to it; push it: \
                 `milestone execute {id} --push`"
            ));
        }
        Ok(agreed)
    }

    /// The address of the request that is open in the end, if one is.
    fn request(
        &self,
        app: &App,
        session: &Session,
        address: &Address,
        base: &str,
    ) -> Result<Option<String>, Failure> {
        let id = session.milestone;
        let snapshot = app.read(&Scope::Milestone(id))?;
        let Some(document) = snapshot.documents.get(&id) else { return Ok(None) };
        let title = request::title(document);
        let body = request::body(document, &self.done(app, document)?, &session.verified);
        let branch = format!("milestone/{id}");
        let request = Request { title: &title, body: &body, branch: &branch, base };
        let forge = Forge::of(address, &self.remote, self.repository.top());
        let program = forge.as_ref().and_then(Forge::installed);
        let made = forge.as_ref().zip(program).map(|(forge, at)| forge.request(&at, &request));
        match made {
            Some(Ok(Open { url, was_there })) => {
                let how = if was_there { " (it was open already)" } else { "" };
                tell(app, &format!("pull request: {url}{how}"));
                Ok(Some(url))
            }
            Some(Err(error)) => by_hand(app, forge.as_ref(), &request, id, Some(&error)),
            None => by_hand(app, forge.as_ref(), &request, id, None),
        }
    }

    /// What was done, with the commits it became and how it was seen.
    fn done(&self, app: &App, document: &Milestone) -> Result<Vec<Done>, Failure> {
        let filter = EventFilter { milestone: Some(document.id), task: None };
        let events = app.opened()?.project.events(None, &filter, usize::MAX)?.events;
        let evidence = |id: TaskId| {
            let notes = events.iter().rev().filter_map(|recorded| match &recorded.event {
                Event::TaskNoted { task, text } if task.of(id.milestone) == id => {
                    Some(text.as_str())
                }
                _ => None,
            });
            // As a session writes it down: the commit first.
            let mut own = notes.filter(|text| text.contains("verified by `"));
            let note = own.next()?;
            Some(note.split_once("; ").map_or(note, |(_, how)| how).to_owned())
        };
        let completed = document.tasks.iter().filter(|t| t.status == TaskStatus::Completed);
        let of_task = |task: &milestone_domain::document::Task| -> Result<Done, Failure> {
            let id = document.task_id(task);
            let commit = self
                .repository
                .brought(id, &Branch::of(id.milestone))?
                .map(|(_, commit)| commit.to_string());
            Ok(Done { id, title: task.title.clone(), commit, evidence: evidence(id) })
        };
        completed.map(of_task).collect()
    }

    fn warn(&self, id: MilestoneId, why: &str) {
        let branch = format!("milestone/{id}");
        output::warn(&format!(
            "{id} is completed, but {branch} could not be pushed to {}: {why}; put that right, \
             then push it: `git push {} {branch}`, or `milestone execute {id} --push`",
            self.remote, self.remote
        ));
    }
}

/// Where nobody could be asked, a person gets everything that it takes.
fn by_hand(
    app: &App,
    forge: Option<&Forge<'_>>,
    request: &Request<'_>,
    id: MilestoneId,
    error: Option<&ForgeError>,
) -> Result<Option<String>, Failure> {
    let sessions = Sessions::of(&app.opened()?.root.folder());
    let text = format!("# {}\n\n{}", request.title, request.body);
    let how = match forge {
        Some(forge) => {
            let file = sessions.keep_report(&format!("{id}-pull-request.md"), request.body)?;
            let command = forge.by_hand(request, &file);
            let why = error.map_or_else(
                || format!("{} is not installed", forge.program()),
                ToString::to_string,
            );
            format!("no pull request was made: {why}; make it: {command}")
        }
        None => {
            let file = sessions.keep_report(&format!("{id}-pull-request.md"), &text)?;
            format!(
                "no pull request was made, because no forge is known for this remote; ask for a \
                 review of {} there; what to say is in {}",
                request.branch,
                file.display()
            )
        }
    };
    output::warn(&how);
    Ok(None)
}

fn no_remote(name: &str) -> Failure {
    Failure::usage(
        format!("there is no remote called {name}"),
        format!(
            "see those there are: `git remote -v`; name one of them: `milestone config set \
             git.remote NAME`, or add this one: `git remote add {name} URL`"
        ),
    )
}

fn tell(app: &App, line: &str) {
    if !app.out.json {
        let mut page = app.out.page();
        page.say(line).end();
        // Whoever reads may have gone.
        let _ = output::print(&page);
    }
}
