//! One file a command: what it takes, and what it asks of the project.

pub mod agent;
pub mod archive;
pub mod chart;
pub mod ci;
pub mod completions;
pub mod condition;
pub mod config;
pub mod criterion;
pub mod doctor;
pub mod dry_run;
pub mod edit;
pub mod execute;
pub mod gate;
pub mod health;
pub mod help;
pub mod init;
pub mod integrate;
pub mod keep_runner;
pub mod list;
pub mod man;
pub mod merge_driver;
pub mod next;
pub mod plan;
pub mod schema;
pub mod search;
pub mod session;
pub mod session_log;
pub mod show;
pub mod storage;
pub mod streams;
pub mod task;
pub mod task_claim;
pub mod task_set;
pub mod template;
pub mod update;
pub mod values;
pub mod views;
pub mod watch;
pub mod worker;

use crate::app::App;
use crate::args::Verb;
use crate::errors::Failure;

pub fn run(app: &App, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Init(args) => init::run(app, &args),
        Verb::Plan(args) => plan::run(app, &args),
        Verb::List(args) => list::run(app, args),
        Verb::Show(args) => show::run(app, &args),
        Verb::Search(args) => search::run(app, args),
        Verb::Next(args) => next::run(app, &args),
        Verb::Edit(args) => edit::run(app, &args),
        Verb::Task(args) => task::run(app, args),
        Verb::Criterion(args) => criterion::run(app, args),
        Verb::Condition(args) => condition::run(app, args),
        Verb::Approve(args) => gate::approve(app, args),
        Verb::Reject(args) => gate::reject(app, args),
        Verb::RequestChanges(args) => gate::request_changes(app, args),
        Verb::Execute(args) => execute::run(app, &args),
        Verb::Ci(args) => ci::run(app, &args),
        Verb::Worker(args) => worker::run(app, &args),
        Verb::Session(args) => session::run(app, args),
        Verb::Agent(args) => agent::run(app, &args),
        Verb::Update(args) => update::run(app, &args),
        Verb::Status(args) => update::status(app, &args),
        Verb::Template(args) => template::run(app, args),
        Verb::Archive(args) => archive::run(app, &args),
        Verb::Doctor(args) => doctor::run(app, &args),
        Verb::Storage(args) => storage::run(app, args),
        Verb::Watch(args) => watch::run(app, &args),
        Verb::Config(args) => config::run(app, args),
        Verb::Schema(args) => schema::run(app, &args),
        Verb::Integrate(args) => integrate::run(app, &args),
        Verb::Completions(args) => completions::run(&args),
        Verb::Man(args) => man::run(app, &args),
        Verb::Help(args) => help::run(&args),
        Verb::KeepRunner(args) => keep_runner::run(&args),
        Verb::MergeDriver(args) => merge_driver::run(&args),
    }
}
