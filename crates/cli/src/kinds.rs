//! What `--json` can print: nothing without a kind, and no kind without a schema.

use clap::ValueEnum;
use milestone_domain::event::Recorded;
use milestone_domain::search::Found;
use milestone_domain::views::ConditionState;
use milestone_domain::views::chart::burn_down::BurnDown;
use milestone_domain::views::chart::gantt::Gantt;
use milestone_domain::views::chart::graph::GraphView;
use milestone_domain::views::dashboard::Dashboard;
use milestone_domain::views::gates::Decided;
use milestone_domain::views::list::List;
use milestone_domain::views::milestone::MilestoneView;
use milestone_domain::views::next::Next;
use milestone_domain::views::plan::PlanView;
use milestone_domain::views::release::{ReleaseNotes, ReleaseReady};
use milestone_domain::views::scale::Scale;
use milestone_domain::views::storage::StorageStatus;
use milestone_domain::views::task::TaskView;
use milestone_domain::views::template::{AppliedView, TemplateView};
use milestone_engine::session::Session;
use milestone_store::config::Setting;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Value, json};

use crate::commands::agent::Agents;
use crate::commands::archive::Archived;
use crate::commands::ci::CiReport;
use crate::commands::condition::ConditionSet;
use crate::commands::config::Validated;
use crate::commands::criterion::CriterionOf;
use crate::commands::doctor::Examined;
use crate::commands::dry_run::DryRun;
use crate::commands::edit::Edited;
use crate::commands::health::{Diagnostics, Health, System};
use crate::commands::init::Made;
use crate::commands::integrate::{Integration, Listed};
use crate::commands::man::Pages;
use crate::commands::schema::Schemas;
use crate::commands::session::SessionList;
use crate::commands::session_log::LogLine;
use crate::commands::storage::{BackupContents, MovedTo, OptimizedStore, RestoredFrom};
use crate::commands::streams::Accepted;
use crate::commands::task_claim::Claimed;
use crate::commands::task_set::Removed;
use crate::commands::template::Shelf;
use crate::commands::views::Report;
use crate::errors::Entry;
use crate::happening::Happening;
use crate::output::JSON_VERSION;

/// What a document is; the words are its `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Kind {
    /// A milestone, from `show`
    Milestone,
    /// A task, from `show` and what changes it
    Task,
    /// A milestone as it was planned, from `plan`
    Plan,
    /// Templates in a line each, from `template list`
    Templates,
    /// A template, from `template show` and `new`
    Template,
    /// What was added to a milestone, from `template apply`
    TemplateApplied,
    /// Milestones in a line each, from `list`
    List,
    /// What was found, from `search`
    Search,
    /// What can be worked on, from `next`
    Next,
    /// What an execution would do, from `execute --dry-run`
    DryRun,
    /// A line of `execute`
    Execution,
    /// A stream that a person takes in, from `execute --accept`
    Accepted,
    /// A session, from `session show`
    Session,
    /// Sessions, from `session list`
    Sessions,
    /// Who works, from `agent list` and `update --agents`
    Agents,
    /// What a CI has found out, from `ci report`
    CiReport,
    /// A line of `session log`
    Log,
    /// The dashboard, from `status` and `update`
    Status,
    /// The views that were asked for, from `status` and `update`
    Report,
    /// The work left day by day, from `--chart burn-down`
    BurnDown,
    /// Work in time, from `--chart gantt`
    Gantt,
    /// What waits for what, from `--chart graph`
    Graph,
    /// A claim, from `task claim` and `task renew`
    Claim,
    /// What is gone, from `task remove`
    Removed,
    /// What happened to a task, from `task log`
    Events,
    /// A line of `watch`
    Event,
    /// A criterion, from `criterion`
    Criterion,
    /// A condition that was set or cleared
    Condition,
    /// All conditions, from `condition list`
    Conditions,
    /// A decision about a phase, from `approve`, `reject` and `request-changes`
    Gate,
    /// What was filed away, from `archive`
    Archived,
    /// What was changed by hand, from `edit`
    Edit,
    /// What is not as it should be, from `doctor`
    Doctor,
    /// How the project is kept, from `storage status`
    Storage,
    /// Why it is kept where it is, from `storage explain`
    Scale,
    /// A backup, from `storage backup` and `verify`
    Backup,
    /// What came back, from `storage restore`
    Restored,
    /// Where the project has gone, from `storage migrate`
    Moved,
    /// How much room it takes, from `storage optimize`
    Optimized,
    /// All settings, from `config get`
    Config,
    /// One setting, from `config get` and `set`
    Setting,
    /// Whether settings can be used, from `config validate`
    ConfigValidation,
    /// A project, from `init`
    Project,
    /// The agents there are, from `integrate`
    Integrations,
    /// What was written for one, from `integrate NAME`
    Integration,
    /// Manual pages, from `man --out`
    Man,
    /// The machine, from `--system-health`
    SystemHealth,
    /// Checks, from `--health-check`
    HealthCheck,
    /// What a bug report needs, from `--diagnostics`
    Diagnostics,
    /// Whether a release can be made, from `--release-ready`
    ReleaseReady,
    /// What is in a release, from `--release-notes`
    ReleaseNotes,
    /// The schemas there are, from `schema --list`
    Schemas,
    /// Why something was not done, from every command
    Error,
}

/// Data of a kind.
pub trait Printed: Serialize + JsonSchema {
    const KIND: Kind;
}

impl Kind {
    /// The schema of a whole document of this kind, as it is printed.
    pub fn schema(self) -> Value {
        match self {
            Self::Milestone => schema::<MilestoneView>(),
            Self::Task => schema::<TaskView>(),
            Self::Plan => schema::<PlanView>(),
            Self::Templates => schema::<Shelf>(),
            Self::Template => schema::<TemplateView>(),
            Self::TemplateApplied => schema::<AppliedView>(),
            Self::List => schema::<List>(),
            Self::Search => schema::<Found>(),
            Self::Next => schema::<Next>(),
            Self::DryRun => schema::<DryRun>(),
            Self::Execution => schema::<Happening>(),
            Self::Accepted => schema::<Accepted>(),
            Self::Session => schema::<Session>(),
            Self::Sessions => schema::<SessionList>(),
            Self::Agents => schema::<Agents>(),
            Self::CiReport => schema::<CiReport>(),
            Self::Log => schema::<LogLine>(),
            Self::Status => schema::<Dashboard>(),
            Self::Report => schema::<Report>(),
            Self::BurnDown => schema::<BurnDown>(),
            Self::Gantt => schema::<Gantt>(),
            Self::Graph => schema::<GraphView>(),
            Self::Claim => schema::<Claimed>(),
            Self::Removed => schema::<Removed>(),
            Self::Events => schema::<Vec<Recorded>>(),
            Self::Event => schema::<Recorded>(),
            Self::Criterion => schema::<CriterionOf>(),
            Self::Condition => schema::<ConditionSet>(),
            Self::Conditions => schema::<Vec<ConditionState>>(),
            Self::Gate => schema::<Decided>(),
            Self::Archived => schema::<Archived>(),
            Self::Edit => schema::<Edited>(),
            Self::Doctor => schema::<Examined>(),
            Self::Storage => schema::<StorageStatus>(),
            Self::Scale => schema::<Scale>(),
            Self::Backup => schema::<BackupContents>(),
            Self::Restored => schema::<RestoredFrom>(),
            Self::Moved => schema::<MovedTo>(),
            Self::Optimized => schema::<OptimizedStore>(),
            Self::Config => schema::<Vec<Setting>>(),
            Self::Setting => schema::<Setting>(),
            Self::ConfigValidation => schema::<Validated>(),
            Self::Project => schema::<Made>(),
            Self::Integrations => schema::<Vec<Listed>>(),
            Self::Integration => schema::<Integration>(),
            Self::Man => schema::<Pages>(),
            Self::SystemHealth => schema::<System>(),
            Self::HealthCheck => schema::<Health>(),
            Self::Diagnostics => schema::<Diagnostics>(),
            Self::ReleaseReady => schema::<ReleaseReady>(),
            Self::ReleaseNotes => schema::<ReleaseNotes>(),
            Self::Schemas => schema::<Schemas>(),
            Self::Error => schema::<Entry>(),
        }
    }
}

fn schema<T: Printed>() -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let content = generator.subschema_for::<T>();
    let (kind, name) = (T::KIND, if T::KIND == Kind::Error { "error" } else { "data" });
    let mut properties = json!({
        "version": { "const": JSON_VERSION },
        "kind": { "const": kind },
        name: content,
    });
    if kind == Kind::Event {
        properties["cursor"] = json!({
            "description": "At the end of a batch: what `watch --since` goes on from.",
            "type": "string",
        });
    }
    let about = kind.to_possible_value().and_then(|value| Some(value.get_help()?.to_string()));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind,
        "description": about,
        "type": "object",
        "properties": properties,
        "required": ["version", "kind", name],
        "$defs": generator.take_definitions(true),
    })
}

impl Printed for Happening {
    const KIND: Kind = Kind::Execution;
}

impl Printed for MilestoneView {
    const KIND: Kind = Kind::Milestone;
}

impl Printed for TaskView {
    const KIND: Kind = Kind::Task;
}

impl Printed for PlanView {
    const KIND: Kind = Kind::Plan;
}

impl Printed for Shelf {
    const KIND: Kind = Kind::Templates;
}

impl Printed for TemplateView {
    const KIND: Kind = Kind::Template;
}

impl Printed for AppliedView {
    const KIND: Kind = Kind::TemplateApplied;
}

impl Printed for List {
    const KIND: Kind = Kind::List;
}

impl Printed for Found {
    const KIND: Kind = Kind::Search;
}

impl Printed for Next {
    const KIND: Kind = Kind::Next;
}

impl Printed for Dashboard {
    const KIND: Kind = Kind::Status;
}

impl Printed for Report {
    const KIND: Kind = Kind::Report;
}

impl Printed for BurnDown {
    const KIND: Kind = Kind::BurnDown;
}

impl Printed for Gantt {
    const KIND: Kind = Kind::Gantt;
}

impl Printed for GraphView {
    const KIND: Kind = Kind::Graph;
}

impl Printed for Claimed {
    const KIND: Kind = Kind::Claim;
}

impl Printed for Removed {
    const KIND: Kind = Kind::Removed;
}

impl Printed for Vec<Recorded> {
    const KIND: Kind = Kind::Events;
}

impl Printed for Recorded {
    const KIND: Kind = Kind::Event;
}

impl Printed for CriterionOf {
    const KIND: Kind = Kind::Criterion;
}

impl Printed for ConditionSet {
    const KIND: Kind = Kind::Condition;
}

impl Printed for Vec<ConditionState> {
    const KIND: Kind = Kind::Conditions;
}

impl Printed for Decided {
    const KIND: Kind = Kind::Gate;
}

impl Printed for Archived {
    const KIND: Kind = Kind::Archived;
}

impl Printed for Edited {
    const KIND: Kind = Kind::Edit;
}

impl Printed for Examined {
    const KIND: Kind = Kind::Doctor;
}

impl Printed for StorageStatus {
    const KIND: Kind = Kind::Storage;
}

impl Printed for Scale {
    const KIND: Kind = Kind::Scale;
}

impl Printed for BackupContents {
    const KIND: Kind = Kind::Backup;
}

impl Printed for RestoredFrom {
    const KIND: Kind = Kind::Restored;
}

impl Printed for OptimizedStore {
    const KIND: Kind = Kind::Optimized;
}

impl Printed for MovedTo {
    const KIND: Kind = Kind::Moved;
}

impl Printed for Vec<Setting> {
    const KIND: Kind = Kind::Config;
}

impl Printed for Setting {
    const KIND: Kind = Kind::Setting;
}

impl Printed for Validated {
    const KIND: Kind = Kind::ConfigValidation;
}

impl Printed for Made {
    const KIND: Kind = Kind::Project;
}

impl Printed for Vec<Listed> {
    const KIND: Kind = Kind::Integrations;
}

impl Printed for Integration {
    const KIND: Kind = Kind::Integration;
}

impl Printed for Pages {
    const KIND: Kind = Kind::Man;
}

impl Printed for System {
    const KIND: Kind = Kind::SystemHealth;
}

impl Printed for Health {
    const KIND: Kind = Kind::HealthCheck;
}

impl Printed for Diagnostics {
    const KIND: Kind = Kind::Diagnostics;
}

impl Printed for ReleaseReady {
    const KIND: Kind = Kind::ReleaseReady;
}

impl Printed for ReleaseNotes {
    const KIND: Kind = Kind::ReleaseNotes;
}

impl Printed for Schemas {
    const KIND: Kind = Kind::Schemas;
}

impl Printed for Entry {
    const KIND: Kind = Kind::Error;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_schema_of_its_own_data() {
        for kind in Kind::value_variants() {
            let schema = kind.schema();
            assert_eq!(schema["properties"]["kind"]["const"], json!(kind));
            assert_eq!(schema["title"], kind.to_possible_value().unwrap().get_name());
            assert!(schema["description"].is_string(), "{kind:?}");
        }
    }
}
