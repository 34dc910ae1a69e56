//! `milestone schema`: JSON Schemas of what is kept and printed.

use clap::{Args, ValueEnum};
use milestone_domain::document::Milestone;
use milestone_domain::event::Recorded;
use milestone_domain::planning::draft::Draft;
use milestone_domain::planning::template::Template;
use milestone_store::config::KEYS;
use serde_json::{Map, Value, json};

use crate::errors::Failure;
use crate::output;

/// Print the JSON Schema of a document, for editors and other programs
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone schema > milestone.schema.json
  milestone schema config
  milestone schema event")]
pub struct SchemaArgs {
    /// Of what
    #[arg(value_enum, default_value_t = Of::Milestone)]
    of: Of,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Of {
    /// A milestone's document
    Milestone,
    /// The settings file
    Config,
    /// A line of a history, and of `milestone watch --json`
    Event,
    /// What `milestone plan --from` reads
    Draft,
    /// A template to plan with
    Template,
}

pub fn run(args: &SchemaArgs) -> Result<(), Failure> {
    let schema = match args.of {
        Of::Milestone => milestone(),
        Of::Config => config(),
        Of::Event => schemars::schema_for!(Recorded).to_value(),
        Of::Draft => schemars::schema_for!(Draft).to_value(),
        Of::Template => schemars::schema_for!(Template).to_value(),
    };
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    // A schema is JSON for other programs, with or without --json.
    output::raw(&format!("{text}\n"))
}

/// The schema of a milestone's document.
pub fn milestone() -> Value {
    schemars::schema_for!(Milestone).to_value()
}

/// Every setting has a name of one or two steps, and what it takes is checked when it is read.
fn config() -> Value {
    let mut properties = Map::new();
    for key in KEYS {
        let described = json!({ "description": key.about, "default": key.default });
        match key.name.split_once('.') {
            None => {
                properties.insert(key.name.to_owned(), described);
            }
            Some((group, name)) => {
                let group = properties.entry(group).or_insert_with(
                    || json!({ "type": "object", "properties": {}, "additionalProperties": false }),
                );
                group["properties"][name] = described;
            }
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of a milestone project",
        "type": "object",
        "properties": properties,
    })
}
