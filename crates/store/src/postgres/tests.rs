//! Servers of the tests' own, and what becomes of work when they are in trouble.

mod journeys;
mod protected;
mod roles;
mod server;
mod trouble;
mod watch;

use std::time::Duration;

use milestone_domain::settings::Settings;

use super::Postgres;
use crate::sql::Database;

/// The one project of a test.
const PROJECT: &str = "00000000-0000-4000-8000-000000000001";

fn made(url: &str) -> Database<Postgres> {
    Database::make(Postgres::open(url).unwrap(), PROJECT, Settings::default()).unwrap()
}

fn opened(url: &str) -> Database<Postgres> {
    Database::open(Postgres::open(url).unwrap(), PROJECT, Settings::default()).unwrap()
}

fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}
