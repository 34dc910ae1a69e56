//! A floor: what it costs to start a program, connect it to PostgreSQL, and ask one thing.

#![expect(clippy::print_stdout, reason = "what it is answered is printed, as any command does")]

use std::error::Error;

use postgres::{Client, NoTls};

fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::var("MILESTONE_DATABASE_URL")?;
    let mut client = Client::connect(&server, NoTls)?;
    let rows = client.query_typed("SELECT 1", &[])?;
    println!("{}", rows.len());
    Ok(())
}
