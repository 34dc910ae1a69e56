//! An execution as a job of a CI: it asks nothing, can be run again, and tells the job how the tasks
//! came out.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use milestone_domain::document::Milestone;
use milestone_domain::ids::{MilestoneId, Node};
use milestone_domain::snapshot::Scope;
use milestone_domain::views::Reach;
use milestone_domain::views::milestone::milestone;
use milestone_engine::session::{Session, SessionState, Sessions};

use super::host::Host;
use super::outcome::{CameTo, Outcome, outcomes};
use super::{junit, summary};
use crate::app::App;
use crate::errors::Failure;
use crate::output;

/// Where reports are written that no place was given for.
const REPORTS: &str = "reports";

#[derive(Debug, Default, Args)]
pub struct CiArgs {
    /// Run as a job of a CI: no questions, no colours, annotations, a JUnit report; goes on with the
    /// last session that is not finished
    #[arg(long)]
    ci_integration: bool,
    /// Where the JUnit report is written [default: .milestones/reports/SESSION.xml]
    #[arg(long, value_name = "FILE", requires = "ci_integration")]
    junit: Option<PathBuf>,
}

/// The job that an execution is.
#[derive(Debug)]
pub struct Job {
    host: Host,
    junit: Option<PathBuf>,
    step_summary: Option<PathBuf>,
}

impl CiArgs {
    pub fn is_given(&self) -> bool {
        self.ci_integration
    }

    pub fn job(&self) -> Option<Job> {
        if !self.ci_integration {
            return None;
        }
        anstream::ColorChoice::Never.write_global();
        let variable = |name: &str| std::env::var(name).ok();
        Some(Job {
            host: Host::of(variable),
            junit: self.junit.clone(),
            step_summary: variable("GITHUB_STEP_SUMMARY").map(PathBuf::from),
        })
    }
}

impl Job {
    /// The session that is gone on with, if one of this host is not finished.
    pub fn unfinished(
        sessions: &Sessions,
        id: MilestoneId,
        host: &str,
    ) -> Result<Option<Session>, Failure> {
        let mut all = sessions.all()?.into_iter();
        let here = |session: &Session| session.milestone == id && session.host == host;
        Ok(all.find(|session| here(session) && session.state != SessionState::Completed))
    }

    /// What is done already is not done again, and is no failure.
    pub fn is_completed(
        &self,
        app: &App,
        document: &Milestone,
        sessions: &Sessions,
    ) -> Result<(), Failure> {
        let all = sessions.all()?;
        let last = all.iter().find(|session| session.milestone == document.id);
        if !app.out.json {
            output::raw(&format!("{} is completed: there is nothing to do\n", document.id))?;
        }
        self.report(app, document, last, &outcomes(document, last))?;
        if !app.out.json {
            return Ok(());
        }
        let snapshot = app.read(&Scope::Milestone(document.id))?;
        let view = milestone(&snapshot, document.id, Reach::Own, app.today()?);
        let missing = || crate::commands::show::missing(&snapshot, Node::Milestone(document.id));
        app.out.show(&view.ok_or_else(missing)?, |_| {})
    }

    /// From here on the log is the session's. The report is there from now on, so that one that
    /// cannot be written is no surprise at the end, and a job that is killed leaves one.
    pub fn begin(&self, app: &App, document: &Milestone, session: &Session) -> Result<(), Failure> {
        self.write(app, document, Some(session), &outcomes(document, Some(session)))?;
        let title = format!("{}: {}", document.id, document.title);
        say(app, &self.host.group(&group(document.id), &title, now()));
        Ok(())
    }

    /// Tells how the tasks stand, whatever became of the session. That counts for more than a
    /// report that cannot be written, and with --json it has been said already.
    pub fn end(
        &self,
        app: &App,
        id: MilestoneId,
        session: &str,
        ended: Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self.tell(app, id, session) {
            Err(failure) if ended.is_err() || app.out.json => {
                output::warn(&failure.entry().message);
                ended
            }
            told => ended.and(told),
        }
    }

    fn tell(&self, app: &App, id: MilestoneId, session: &str) -> Result<(), Failure> {
        say(app, &self.host.end_group(&group(id), now()));
        let snapshot = app.read(&Scope::Milestone(id))?;
        let document = snapshot.documents.get(&id);
        let document = document
            .ok_or_else(|| crate::commands::show::missing(&snapshot, Node::Milestone(id)))?;
        let session = Sessions::of(&app.opened()?.root.folder()).session(session)?;
        let outcomes = outcomes(document, session.as_ref());
        for one in &outcomes {
            if let CameTo::Failed(reason) | CameTo::Error(reason) = &one.came_to {
                let title = format!("{} {}", one.id, one.title);
                say(app, &self.host.error(&title, reason));
            }
        }
        self.report(app, document, session.as_ref(), &outcomes)
    }

    fn report(
        &self,
        app: &App,
        document: &Milestone,
        session: Option<&Session>,
        outcomes: &[Outcome],
    ) -> Result<(), Failure> {
        self.write(app, document, session, outcomes)?;
        // A page about the job is worth no failure of it.
        if let Some(page) = self.step_summary.as_ref().filter(|_| self.host == Host::GitHub)
            && let Err(error) = append(page, &summary::summary(document, outcomes))
        {
            output::warn(&format!("the summary of the job cannot be written: {error}"));
        }
        Ok(())
    }

    fn write(
        &self,
        app: &App,
        document: &Milestone,
        session: Option<&Session>,
        outcomes: &[Outcome],
    ) -> Result<(), Failure> {
        let Some(file) = self.place(app, session)? else { return Ok(()) };
        let text = junit::report(document, session, outcomes);
        fs::write(&file, text).map_err(|source| Failure::Io { doing: "write", path: file, source })
    }

    /// Where the report goes; nowhere if nobody said where and there is no session to name it by.
    fn place(&self, app: &App, session: Option<&Session>) -> Result<Option<PathBuf>, Failure> {
        if self.junit.is_some() {
            return Ok(self.junit.clone());
        }
        let Some(session) = session else { return Ok(None) };
        let folder = app.opened()?.root.folder().join(REPORTS);
        make(&folder).map_err(|source| Failure::Io {
            doing: "make",
            path: folder.clone(),
            source,
        })?;
        Ok(Some(folder.join(format!("{}.xml", session.id))))
    }
}

/// Lines for the log; with --json, standard output is for one document.
fn say(app: &App, lines: &str) {
    if !app.out.json {
        // Whoever reads may have gone; the work goes on.
        let _ = output::raw(lines);
    }
}

/// A folder that git does not look into, in projects that were made before there was one, too.
fn make(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let ignored = folder.join(".gitignore");
    if ignored.exists() { Ok(()) } else { fs::write(ignored, "*\n") }
}

fn append(file: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(file)?.write_all(text.as_bytes())
}

fn group(id: MilestoneId) -> String {
    id.to_string().replace('-', "_")
}

fn now() -> i64 {
    Timestamp::now().as_second()
}
