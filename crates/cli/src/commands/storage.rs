//! `milestone storage`: where a project is kept, backups of it, and putting one back.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use milestone_domain::snapshot::Scope;
use milestone_domain::views::storage::{StoreFacts, storage};
use milestone_store::Optimized;
use milestone_store::backups;
use milestone_store::config::Config;
use milestone_store::discover;
use milestone_store::files::backup::{self, Manifest};
use milestone_store::files::{Files, restore};
use milestone_store::moving;
use milestone_store::pointer::StoreKind;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::{App, layers, mention, place};
use crate::attempt;
use crate::errors::Failure;
use crate::growing;
use crate::output;
use crate::progress::Bar;
use crate::render;
use crate::render::words::{bytes, count};

/// See where this project is kept, back it up, and put a backup back
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone storage status
  milestone storage explain
  milestone storage backup
  milestone storage verify .milestones/data/backups/milestones-20261121-101500.tar
  milestone storage restore ../milestones.tar")]
pub struct StorageArgs {
    #[command(subcommand)]
    verb: StorageVerb,
}

#[derive(Debug, Subcommand)]
enum StorageVerb {
    /// Say where this project is kept, how much of it there is, and how far that will do
    #[command(
        after_help = "Examples:\n  milestone storage status\n  milestone storage status --json"
    )]
    Status,
    /// Say why this project is kept where it is, and what would move it
    ///
    /// What was measured, against which bounds, what people asked for, and what to do next. Changes
    /// nothing.
    #[command(after_help = "\
Examples:
  milestone storage explain
  milestone storage explain --json")]
    Explain,
    /// Write the whole project into one file
    ///
    /// Documents, history, settings, templates and deliverables, as they are at one moment, with the
    /// fingerprint of each. Claims are not in it. Without --out it goes to data/backups, which git
    /// does not share.
    #[command(after_help = "\
Examples:
  milestone storage backup
  milestone storage backup --out ../milestones.tar")]
    Backup {
        /// The file to write, or a folder to put it in; never over another file
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Look whether a backup is whole, and say what is in it
    #[command(after_help = "Examples:\n  milestone storage verify ../milestones.tar")]
    Verify {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Move the project to another store
    ///
    /// Everything goes along: documents with their comments, history, claims with what is left of
    /// their leases. Whoever works in the project goes on working: their next command finds it where
    /// it is. The store that is left stays as it was, and says where the project has gone.
    #[command(after_help = "\
Examples:
  milestone storage migrate sqlite
  milestone storage migrate postgres
  milestone storage migrate files")]
    Migrate {
        /// Where to: files, sqlite or postgres
        #[arg(value_name = "STORE", value_parser = store_kind)]
        to: StoreKind,
    },
    /// Tidy up what keeps the project
    ///
    /// A database gives back the room of what is gone, and looks anew at how its tables are filled.
    /// Files need none of this; caches that are no use any more are made again.
    #[command(after_help = "Examples:\n  milestone storage optimize")]
    Optimize,
    /// Put a backup back
    ///
    /// The backup is looked at as a whole first. Then it takes the place of what is there in one
    /// step, and what is there now is kept beside it, whole. Claims end; whoever held one is refused.
    #[command(after_help = "\
Examples:
  milestone storage restore ../milestones.tar
  milestone storage restore ../milestones.tar --yes")]
    Restore {
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Agree to put aside what is there now
        #[arg(long)]
        yes: bool,
    },
}

/// What an attempt of a session is told.
const MOVES_NOTHING: &str = "does not change where the project is kept";

pub fn run(app: &App, args: StorageArgs) -> Result<(), Failure> {
    match args.verb {
        StorageVerb::Status => status(app),
        StorageVerb::Explain => explain(app),
        StorageVerb::Backup { out } => back_up(app, out.as_deref()),
        StorageVerb::Verify { file } => verify(app, &file),
        StorageVerb::Migrate { to } => {
            attempt::check_is_none(MOVES_NOTHING)?;
            migrate(app, to)
        }
        StorageVerb::Optimize => optimize(app),
        StorageVerb::Restore { file, yes } => {
            attempt::check_is_none(MOVES_NOTHING)?;
            put_back(app, &file, yes)
        }
    }
}

fn files(app: &App) -> Result<Files, Failure> {
    let opened = app.opened()?;
    let config = &opened.config;
    Ok(Files::open(opened.root.folder(), config.settings(), config.lock_wait()))
}

fn status(app: &App) -> Result<(), Failure> {
    // Before anything is read, which would finish what the journal has left.
    let opened = app.opened()?;
    let store = opened.place.kind()?;
    let facts = StoreFacts { store: store.word(), ..files(app)?.facts()? };
    let snapshot = app.read(&Scope::Graph(BTreeSet::new()))?;
    mention(&snapshot);
    let view = storage(&snapshot, facts, opened.config.thresholds().of(store));
    app.out.show(&view, |page| render::storage::status(page, &view))
}

fn explain(app: &App) -> Result<(), Failure> {
    let snapshot = app.read(&Scope::Graph(BTreeSet::new()))?;
    mention(&snapshot);
    let view = growing::explained(app, &snapshot)?;
    app.out.show(&view, |page| render::storage_explain::explain(page, &view))
}

fn back_up(app: &App, out: Option<&Path>) -> Result<(), Failure> {
    // What people are saving at this moment comes to rest first, and is taken in.
    mention(&app.read(&Scope::All)?);
    let now = Timestamp::now();
    let named =
        |folder: &Path| folder.join(format!("milestones-{}.tar", now.strftime("%Y%m%d-%H%M%S")));
    let to = out.map(|out| if out.is_dir() { named(out) } else { out.to_owned() });
    let (file, manifest) = backups::back_up(&app.opened()?.place, to.as_deref(), now)?;
    said(app, &file, &manifest, "Written: ")
}

fn verify(app: &App, file: &Path) -> Result<(), Failure> {
    let manifest = backup::read(file, |_, _| Ok(()))?;
    said(app, file, &manifest, "Whole: ")
}

/// What tidying up came to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OptimizedStore {
    store: StoreKind,
    bytes_before: u64,
    bytes_after: u64,
}

pub fn optimize(app: &App) -> Result<(), Failure> {
    let opened = app.opened()?;
    let Optimized { before, after } = opened.project.optimize()?;
    let store = opened.place.kind()?;
    let said = OptimizedStore { store, bytes_before: before, bytes_after: after };
    app.out.done(&said, store.word(), |page| {
        page.say("Tidied up: ")
            .say(bytes(before))
            .say(" before, ")
            .say(bytes(after))
            .say(" now")
            .end();
    })
}

fn store_kind(word: &str) -> Result<StoreKind, String> {
    let kinds = [StoreKind::Files, StoreKind::Sqlite, StoreKind::Postgres];
    let kind = kinds.into_iter().find(|kind| kind.word() == word);
    kind.ok_or_else(|| "there are files, sqlite and postgres".into())
}

/// What a move came to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MovedTo {
    /// Whether it had to be moved.
    moved: bool,
    from: StoreKind,
    to: StoreKind,
    milestones: u64,
    events: u64,
    /// Where everything is as it was before.
    backup: Option<String>,
}

fn migrate(app: &App, to: StoreKind) -> Result<(), Failure> {
    // What people are saving at this moment comes to rest first, and is taken in.
    mention(&app.read(&Scope::All)?);
    let opened = app.opened()?;
    let place = &opened.place;
    let bar = Bar::new();
    let moved = moving::move_to(place, to, &|doing, done, of| bar.show(doing, done, of));
    bar.end();
    let moved = moved?;
    let said = MovedTo {
        moved: moved.is_some(),
        from: moved.as_ref().map_or(to, |moved| moved.from),
        to,
        milestones: moved.as_ref().map_or(0, |moved| moved.milestones),
        events: moved.as_ref().map_or(0, |moved| moved.events),
        backup: moved.as_ref().map(|moved| moved.backup.display().to_string()),
    };
    app.out.done(&said, to.word(), |page| {
        match &said.backup {
            None => page.say("It is kept in ").say(to.word()).say(" already.").end(),
            Some(backup) => {
                let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
                let milestones = count(number(said.milestones), "milestone");
                let events = count(number(said.events), "event");
                page.say("Moved from ").say(said.from.word()).say(" to ").say(to.word());
                page.say(": ").say(milestones).say(", ").say(events).say(".").end();
                page.say("As it was before: ").say(backup).end()
            }
        };
    })
}

/// What a backup holds.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BackupContents {
    file: String,
    bytes: u64,
    made_at: Timestamp,
    /// The version of the program that made it.
    program: String,
    files: usize,
    open_milestones: usize,
    archived_milestones: usize,
    /// What stood among the files and is none: links and the like.
    left_out: Vec<String>,
}

fn said(app: &App, file: &Path, manifest: &Manifest, talk: &str) -> Result<(), Failure> {
    let name = file.display().to_string();
    let bytes = fs::metadata(file).map(|metadata| metadata.len()).unwrap_or_default();
    let contents = BackupContents {
        file: name.clone(),
        bytes,
        made_at: manifest.made_at,
        program: manifest.program.clone(),
        files: manifest.files.len(),
        open_milestones: manifest.documents("active"),
        archived_milestones: manifest.documents("completed"),
        left_out: manifest.left_out.clone(),
    };
    app.out.done(&contents, &name, |page| {
        page.say(talk).say(&name).end();
        render::storage::contents(page, manifest);
    })
}

/// What came back of a backup.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RestoredFrom {
    folder: String,
    made_at: Timestamp,
    open_milestones: usize,
    archived_milestones: usize,
    /// Where what was there before is kept.
    before: Option<String>,
    claims_ended: usize,
}

fn put_back(app: &App, file: &Path, yes: bool) -> Result<(), Failure> {
    let root = app.place()?;
    if root.exists() {
        // Not somebody else's.
        discover::find(&root.project, Some(&root.project))?;
    }
    let manifest = backup::read(file, |_, _| Ok(()))?;
    if restore::would_replace(&root)? && !yes {
        agreed(app, &manifest)?;
    }
    // A backup must come back even where the settings of now cannot be read.
    let config = Config::load(&layers(None))?;
    let now = Timestamp::now();
    let restored = backups::put_back(&place(&root, &config), &root, file, now)?;
    let folder = root.folder().display().to_string();
    let from = RestoredFrom {
        folder: folder.clone(),
        made_at: restored.manifest.made_at,
        open_milestones: restored.manifest.documents("active"),
        archived_milestones: restored.manifest.documents("completed"),
        before: restored.before.as_ref().map(|path| path.display().to_string()),
        claims_ended: restored.claims_ended,
    };
    app.out.done(&from, &folder, |page| {
        render::storage::restored(page, &folder, &restored.manifest, from.before.as_deref());
        render::storage::claims_ended(page, restored.claims_ended);
    })
}

/// Nothing waits for an answer where nobody can give one.
fn agreed(app: &App, manifest: &Manifest) -> Result<(), Failure> {
    let refused = |message: &str| {
        Err(Failure::usage(
            message,
            "nothing was changed; run it in a terminal to be asked, or see how to agree: \
             `milestone storage restore --help`",
        ))
    };
    if app.out.json || !io::stdin().is_terminal() {
        return refused("this would put aside what is here now, and nobody was asked");
    }
    let mut page = app.out.page();
    render::storage::contents(&mut page, manifest);
    page.say("What is here now is put aside, whole. Put this backup back? [y/N]").end();
    output::say(&page);
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    match read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        true => Ok(()),
        false => refused("it was not agreed to"),
    }
}
