//! Whether anything costs more because more is filed away.

use std::path::Path;

use milestone_store::pointer::StoreKind;

use crate::measure::Programs;
use crate::report::Row;
use crate::sample::Sample;
use crate::{Options, Result, generate, operations, say};

const TASKS: usize = 1000;

pub fn measure(programs: &Programs, options: &Options, folder: &Path) -> Result<Vec<Row>> {
    say(&format!("1,000 tasks beside {} milestones that are filed away", options.archived));
    let open = generate::documents(TASKS, 7);
    let mut all = open.clone();
    all.extend(generate::filed_away(options.archived, open.len()));
    let (mut bare, _) = Sample::make(programs, &folder.join("bare"), &open)?;
    let (mut laden, _) = Sample::make(programs, &folder.join("laden"), &all)?;
    let mut rows = Vec::new();
    for store in programs.stores() {
        if store != StoreKind::Files {
            bare.move_to(programs, store)?;
            laden.move_to(programs, store)?;
        }
        say(&format!("the same in {}", store.word()));
        rows.extend(operations::beside(programs, &bare, &laden, options.archived, options)?);
    }
    Ok(rows)
}
