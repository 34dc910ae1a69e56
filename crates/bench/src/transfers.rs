//! A whole project on its way: out of a store, into another one, and moved as a person would.

use std::path::Path;
use std::time::{Duration, Instant};

use milestone_domain::settings::Settings;
use milestone_store::pointer::StoreKind;
use milestone_store::postgres::Postgres;
use milestone_store::sql::Database;
use milestone_store::sqlite::Sqlite;
use milestone_store::{Portion, Store};
use uuid::Uuid;

use crate::measure::{Programs, milliseconds};
use crate::report::{Row, Target};
use crate::sample::Sample;
use crate::{Options, Result};

/// Moves the project on to the next store, and measures that and what it is made of.
pub fn moved(
    programs: &Programs,
    sample: &mut Sample,
    to: StoreKind,
    options: &Options,
    folder: &Path,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    if options.wants("import") {
        let mut portions = Vec::new();
        sample.open()?.export(&mut |portion| {
            portions.push(portion);
            Ok(())
        })?;
        let file = folder.join(format!("import-{}.db", sample.tasks));
        let taken = imported(&portions, programs, to, &file)?;
        let row = Row::new("import", to.word(), sample.tasks, taken);
        rows.push(row.held_to(most(to, sample.tasks)));
    }
    let taken = sample.move_to(programs, to)?;
    if options.wants("move") {
        let most = match (to, sample.tasks) {
            (StoreKind::Sqlite, 10_000) => Target::Milliseconds(1000.0),
            (StoreKind::Postgres, 10_000) => Target::Milliseconds(2000.0),
            _ => Target::None,
        };
        rows.push(sample.row("move here", taken).held_to(most));
    }
    Ok(rows)
}

pub fn exported(sample: &Sample, options: &Options) -> Result<Vec<Row>> {
    if !options.wants("export") {
        return Ok(Vec::new());
    }
    let store = sample.open()?;
    let started = Instant::now();
    let mut portions = 0;
    store.export(&mut |_| {
        portions += 1;
        Ok(())
    })?;
    let row = sample.row("export", milliseconds(started));
    Ok(vec![row.held_to(most(sample.store, sample.tasks))])
}

fn imported(portions: &[Portion], programs: &Programs, to: StoreKind, file: &Path) -> Result<f64> {
    let uuid = Uuid::now_v7().to_string();
    let settings = Settings::default();
    let store: Box<dyn Store> = match (to, &programs.server) {
        (StoreKind::Postgres, Some(server)) => {
            Box::new(Database::make(Postgres::open(server)?, &uuid, settings)?)
        }
        _ => {
            Box::new(Database::make(Sqlite::open(file, Duration::from_mins(1))?, &uuid, settings)?)
        }
    };
    let started = Instant::now();
    store.import(&|each| portions.iter().try_for_each(|portion| each(portion.clone())))?;
    Ok(milliseconds(started))
}

fn most(store: StoreKind, tasks: usize) -> Target {
    match (store, tasks) {
        (StoreKind::Files, 10_000) => Target::Milliseconds(1000.0),
        (StoreKind::Sqlite, 10_000) => Target::Milliseconds(300.0),
        (StoreKind::Sqlite, 100_000) => Target::Milliseconds(3000.0),
        (StoreKind::Postgres, 10_000) => Target::Milliseconds(500.0),
        (StoreKind::Postgres, 100_000) => Target::Milliseconds(5000.0),
        _ => Target::None,
    }
}
