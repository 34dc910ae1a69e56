//! A floor: what it costs to replace one file of 8 KB durably, as a process of its own.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

fn main() -> io::Result<()> {
    let path = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("replaced"), PathBuf::from);
    let draft = path.with_extension("draft");
    let mut file = File::create(&draft)?;
    file.write_all(&[b'x'; 8 * 1024])?;
    file.sync_all()?;
    fs::rename(&draft, &path)
}
