//! `milestone template`: what plans are made from.

use clap::{Args, Subcommand};
use milestone_domain::change::Path;
use milestone_domain::ids::{MilestoneId, Node, nearest};
use milestone_domain::planning::template::{Template, is_name};
use milestone_domain::planning::{self, Added};
use milestone_domain::snapshot::Scope;
use milestone_domain::views::template::{AppliedView, TemplateLine, TemplateView};
use milestone_store::StoreError;
use milestone_store::templates::{self, Templates};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::editing;
use crate::errors::Failure;
use crate::output;
use crate::render;
use crate::render::style;
use crate::target::Target;

/// List, show, make and apply templates
///
/// A template holds the tasks, criteria, deliverables and risks of a kind of work. `plan` chooses
/// one by the words of a title. A project's own stand in `.milestones/templates/` and win over
/// those of the same name that come with the program.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone template list
  milestone template show api
  milestone template new invoicing --from 3
  milestone template apply research current")]
pub struct TemplateArgs {
    #[command(subcommand)]
    command: TemplateVerb,
}

#[derive(Debug, Subcommand)]
enum TemplateVerb {
    /// List templates, one a line
    #[command(after_help = "Examples:\n  milestone template list")]
    List,
    /// Show what a template holds
    #[command(after_help = "\
Examples:
  milestone template show api
  milestone template show api --yaml > .milestones/templates/our-api.yaml")]
    Show {
        /// Its name
        name: String,
        /// As it is written
        #[arg(long)]
        yaml: bool,
    },
    New(NewArgs),
    Apply(ApplyArgs),
}

/// Make a template of the project's own
///
/// Made from a milestone it has the milestone's tasks, and where it was measured how long one
/// took, that is its most probable figure. A template that is there is never written over.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone template new invoicing
  milestone template new invoicing --from 3
  milestone template new api --from api")]
pub struct NewArgs {
    /// What it is to be called: small letters, digits and dashes
    name: String,
    /// A milestone, or another template
    #[arg(long, value_name = "ID|NAME")]
    from: Option<String>,
}

/// Add what a template holds to a milestone
///
/// In one change. What the milestone says already is not said twice.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  milestone template apply feature 2")]
pub struct ApplyArgs {
    /// The template's name
    name: String,
    /// The milestone
    milestone: Target,
}

pub fn run(app: &App, args: TemplateArgs) -> Result<(), Failure> {
    match args.command {
        TemplateVerb::List => list(app),
        TemplateVerb::Show { name, yaml } => show(app, &name, yaml),
        TemplateVerb::New(args) => new(app, &args),
        TemplateVerb::Apply(args) => apply(app, &args),
    }
}

/// All templates there are for this project, or for one that is still to be made. Those that
/// cannot be read are named.
pub fn shelf(app: &App) -> Result<Templates, Failure> {
    let shelf = match app.opened() {
        Ok(opened) => Templates::load(&opened.root.folder())?,
        Err(Failure::Store(StoreError::NoProject { .. })) => Templates::built_in(),
        Err(other) => return Err(other),
    };
    for error in shelf.broken().values() {
        output::warn(&format!("{error}; nothing is planned with this template"));
    }
    Ok(shelf)
}

/// The template of this name.
pub fn wanted(shelf: &mut Templates, name: &str) -> Result<Template, Failure> {
    if let Some(held) = shelf.get(name) {
        return Ok(held.template.clone());
    }
    if let Some(broken) = shelf.take_broken(name) {
        return Err(broken.into());
    }
    Err(missing(shelf, name))
}

fn missing(shelf: &Templates, name: &str) -> Failure {
    let names = shelf.all().map(|held| held.template.name.as_str());
    let similar = nearest(name, names).filter(|other| is_similar(name, other));
    Failure::NoTemplate { name: name.to_owned(), nearest: similar.map(str::to_owned) }
}

/// Whether somebody who typed `one` may have meant `other`.
fn is_similar(one: &str, other: &str) -> bool {
    let shared = one.chars().filter(|c| other.contains(*c)).count();
    shared * 3 >= one.chars().count() * 2 && one.len().abs_diff(other.len()) <= other.len() / 2
}

/// The templates there are.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Shelf {
    templates: Vec<TemplateLine>,
}

fn list(app: &App) -> Result<(), Failure> {
    let shelf = shelf(app)?;
    let lines = shelf.all().map(|held| TemplateLine::of(&held.template, held.own));
    let shelf = Shelf { templates: lines.collect() };
    app.out.show(&shelf, |page| render::template::list(page, &shelf.templates))
}

fn show(app: &App, name: &str, yaml: bool) -> Result<(), Failure> {
    let mut shelf = shelf(app)?;
    let template = wanted(&mut shelf, name)?;
    let held = shelf.get(name);
    if let Some(held) = held.filter(|_| yaml && !app.out.json) {
        return app.out.file(&held.text);
    }
    let view = TemplateView::of(&template, held.is_some_and(|held| held.own));
    app.out.show(&view, |page| render::template::template(page, &view))
}

fn new(app: &App, args: &NewArgs) -> Result<(), Failure> {
    let name = args.name.as_str();
    if !is_name(name) {
        return Err(Failure::usage(
            format!("{name:?} is no name for a template"),
            "write small letters, digits and dashes, such as `our-api`",
        ));
    }
    let text = match &args.from {
        None => templates::skeleton(name),
        Some(from) if is_name(from) => of_template(app, from, name)?,
        Some(from) => of_milestone(app, from, name)?,
    };
    // What would not be read again is not written.
    let file = format!("{}/{name}.yaml", templates::FOLDER);
    let template = templates::read(name, &file, text.as_bytes())?;
    let folder = app.opened()?.root.folder();
    if !templates::make(&folder, name, &text)? {
        return Err(Failure::TemplateThere { name: name.to_owned() });
    }
    let view = TemplateView::of(&template, true);
    app.out.done(&view, name, |page| {
        page.say("Made ").styled(style::ID, folder.join(&file).display()).end();
        page.say("Plan with it: ");
        page.styled(style::HINT, format!("milestone plan TITLE --template {name}")).end();
    })
}

fn of_template(app: &App, from: &str, name: &str) -> Result<String, Failure> {
    let mut shelf = shelf(app)?;
    match shelf.get(from) {
        Some(held) => Ok(templates::renamed(held, name)?),
        None => Err(wanted(&mut shelf, from).err().unwrap_or_else(|| missing(&shelf, from))),
    }
}

fn of_milestone(app: &App, from: &str, name: &str) -> Result<String, Failure> {
    let target: Target = from.parse().map_err(|_| {
        let message = format!("{from:?} is neither a template's name nor a milestone's id");
        Failure::usage(message, "see `milestone template list` and `milestone list`")
    })?;
    let id: MilestoneId = target.milestone(app)?;
    let snapshot = app.read(&Scope::Milestone(id))?;
    let template = Template::of_milestone(&snapshot, id, name);
    let template = template.ok_or_else(|| super::show::missing(&snapshot, Node::Milestone(id)))?;
    Ok(templates::write(&template))
}

fn apply(app: &App, args: &ApplyArgs) -> Result<(), Failure> {
    let template = wanted(&mut shelf(app)?, &args.name)?;
    let id = args.milestone.milestone(app)?;
    let mut added = Added::default();
    editing::amend(app, id, &Path::root(), &[], |milestone| {
        added = planning::apply(&template, milestone);
        Ok(())
    })?;
    let view = AppliedView { milestone: id, template: template.name, added };
    app.out.done(&view, &id.to_string(), |page| {
        render::template::applied(page, &view);
    })
}
