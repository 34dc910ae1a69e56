//! `milestone schema`: JSON Schemas of what is kept and printed.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, ValueEnum};
use milestone_domain::document::Milestone;
use milestone_domain::event::Recorded;
use milestone_domain::planning::draft::Draft;
use milestone_domain::planning::template::Template;
use milestone_store::config::KEYS;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::errors::Failure;
use crate::kinds::Kind;
use crate::output;
use crate::render::style;
use crate::render::table::{Table, cell};

/// Print the JSON Schema of a document, for editors and other programs
///
/// Of a file that people write, or of what a command prints with --json, by its `kind`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone schema > milestone.schema.json
  milestone schema config
  milestone schema status
  milestone schema milestone --printed
  milestone schema --list")]
pub struct SchemaArgs {
    /// Of what: a name that --list shows
    #[arg(
        value_name = "NAME",
        default_value = "milestone",
        hide_possible_values = true,
        value_parser = PossibleValuesParser::new(names())
    )]
    of: String,
    /// Of what --json prints, where a file goes by the same name
    #[arg(long)]
    printed: bool,
    /// List everything that has a schema
    #[arg(long, conflicts_with_all = ["of", "printed"])]
    list: bool,
}

/// What is written by people or kept.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kept {
    /// A milestone's document
    Milestone,
    /// The settings file
    Config,
    /// A line of a history
    Event,
    /// What `milestone plan --from` reads
    Draft,
    /// A template to plan with
    Template,
}

/// Everything that has a schema.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Schemas {
    schemas: Vec<Listed>,
}

/// A schema in a line.
#[derive(Debug, Serialize, JsonSchema)]
struct Listed {
    name: String,
    /// It is of what --json prints, and not of what is kept.
    printed: bool,
    about: String,
}

/// Every name once; some are both kept and printed.
fn names() -> Vec<PossibleValue> {
    let mut names: Vec<PossibleValue> = values::<Kept>().collect();
    for kind in values::<Kind>() {
        if !names.iter().any(|name| name.get_name() == kind.get_name()) {
            names.push(kind);
        }
    }
    names
}

fn values<T: ValueEnum + 'static>() -> impl Iterator<Item = PossibleValue> {
    T::value_variants().iter().filter_map(ValueEnum::to_possible_value)
}

fn listed() -> impl Iterator<Item = Listed> {
    lines::<Kept>(false).chain(lines::<Kind>(true))
}

fn lines<T: ValueEnum + 'static>(printed: bool) -> impl Iterator<Item = Listed> {
    values::<T>().map(move |value| Listed {
        name: value.get_name().to_owned(),
        printed,
        about: value.get_help().map(ToString::to_string).unwrap_or_default(),
    })
}

pub fn run(app: &App, args: &SchemaArgs) -> Result<(), Failure> {
    if args.list {
        return list(app);
    }
    let kept = Kept::from_str(&args.of, false).ok().filter(|_| !args.printed);
    let schema = match (kept, Kind::from_str(&args.of, false)) {
        (Some(kept), _) => kept.schema(),
        (None, Ok(kind)) => kind.schema(),
        (None, Err(_)) => {
            return Err(Failure::usage(
                format!("no command prints a `{}` with --json", args.of),
                format!("leave out --printed: `milestone schema {}`", args.of),
            ));
        }
    };
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    // A schema is JSON for other programs, with or without --json.
    output::raw(&format!("{text}\n"))
}

fn list(app: &App) -> Result<(), Failure> {
    let schemas = Schemas { schemas: listed().collect() };
    app.out.show(&schemas, |page| {
        let mut table = Table::new(&["NAME", "OF", ""]);
        for listed in &schemas.schemas {
            let of = if listed.printed { "--json" } else { "a file" };
            table.row(vec![
                cell(style::ID, &listed.name),
                cell(style::PLAIN, of),
                cell(style::DIM, &listed.about),
            ]);
        }
        table.print(page);
    })
}

impl Kept {
    fn schema(self) -> Value {
        match self {
            Self::Milestone => milestone(),
            Self::Config => config(),
            Self::Event => schemars::schema_for!(Recorded).to_value(),
            Self::Draft => schemars::schema_for!(Draft).to_value(),
            Self::Template => schemars::schema_for!(Template).to_value(),
        }
    }
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
