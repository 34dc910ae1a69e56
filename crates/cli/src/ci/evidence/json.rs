//! SARIF 2.1.0, and the form of this program.

use serde::Deserialize;
use serde_json::error::Category;

use super::{Counts, Names, Unusable};

/// What is looked at of either form; whatever else stands there is passed over.
#[derive(Deserialize)]
struct Json {
    version: Option<String>,
    runs: Option<Vec<Run>>,
    passed: Option<u64>,
    failed: Option<u64>,
    #[serde(default)]
    skipped: u64,
    #[serde(default)]
    failing: Vec<String>,
}

#[derive(Deserialize)]
struct Run {
    tool: Option<Tool>,
    #[serde(default)]
    results: Option<Vec<Found>>,
    #[serde(default)]
    invocations: Vec<Invocation>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Option<Driver>,
}

#[derive(Deserialize)]
struct Driver {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: Option<String>,
    default_configuration: Option<Configuration>,
}

#[derive(Deserialize)]
struct Configuration {
    level: Option<Level>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    rule_id: Option<String>,
    rule_index: Option<i64>,
    level: Option<Level>,
    kind: Option<String>,
    baseline_state: Option<String>,
    #[serde(default)]
    suppressions: Option<Vec<Suppression>>,
    #[serde(default)]
    locations: Vec<Location>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Error,
    Warning,
    Note,
    None,
}

#[derive(Deserialize)]
struct Suppression {
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Option<Physical>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Option<Artifact>,
    region: Option<Region>,
}

#[derive(Deserialize)]
struct Artifact {
    uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: Option<u64>,
}

pub fn read(text: &str) -> Result<(Counts, Names), Unusable> {
    let json: Json = serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => Unusable::Unknown(format!("it is JSON of another kind ({error})")),
        _ => Unusable::Broken(error.to_string()),
    })?;
    match (json.runs, json.version.as_deref(), json.passed, json.failed) {
        (Some(runs), Some("2.1.0"), ..) => Ok(sarif(&runs)),
        (Some(_), Some(version), ..) => {
            let version: String = version.chars().take(20).collect();
            Err(Unusable::Unknown(format!("it is SARIF {version}")))
        }
        (None, _, Some(passed), Some(failed)) => plain(passed, failed, json.skipped, &json.failing),
        _ => Err(Unusable::Unknown("it is JSON of another kind".to_owned())),
    }
}

fn plain(
    passed: u64,
    failed: u64,
    skipped: u64,
    failing: &[String],
) -> Result<(Counts, Names), Unusable> {
    // Whoever names what failed need not have counted it.
    let failed = failed.max(failing.len() as u64);
    if passed == 0 && failed == 0 {
        return Err(Unusable::Empty);
    }
    let mut names = Names::default();
    failing.iter().for_each(|name| names.add(name));
    Ok((Counts::Plain { passed, failed, skipped }, names))
}

fn sarif(runs: &[Run]) -> (Counts, Names) {
    let (mut errors, mut warnings, mut notes, mut none, mut aborted) = (0, 0, 0, 0, 0);
    let mut names = Names::default();
    for run in runs {
        let ended = run.invocations.iter().all(|one| one.execution_successful != Some(false));
        aborted += u64::from(!ended);
        let found = run.results.iter().flatten().filter(|found| found.counts());
        for found in found {
            match run.level(found) {
                Level::Error => {
                    errors += 1;
                    names.add(&found.name());
                }
                Level::Warning => warnings += 1,
                Level::Note => notes += 1,
                Level::None => none += 1,
            }
        }
    }
    (Counts::Sarif { errors, warnings, notes, none, aborted }, names)
}

impl Run {
    /// What the result says, else its rule, else a warning: so the standard has it.
    fn level(&self, found: &Found) -> Level {
        if found.kind.as_deref().is_some_and(|kind| kind != "fail") {
            return Level::None;
        }
        let rules = self.tool.iter().filter_map(|tool| tool.driver.as_ref());
        let mut rules = rules.flat_map(|driver| &driver.rules);
        let rule = match found.rule_index.and_then(|index| usize::try_from(index).ok()) {
            Some(index) => rules.nth(index),
            None => rules.find(|rule| rule.id.is_some() && rule.id == found.rule_id),
        };
        let usual = rule.and_then(|rule| rule.default_configuration.as_ref()?.level);
        found.level.or(usual).unwrap_or(Level::Warning)
    }
}

impl Found {
    /// What is gone, or what somebody has decided to live with, does not count.
    fn counts(&self) -> bool {
        let accepted = |suppression: &Suppression| {
            suppression.status.as_deref().is_none_or(|status| status == "accepted")
        };
        let mut suppressions = self.suppressions.iter().flatten();
        self.baseline_state.as_deref() != Some("absent") && !suppressions.any(accepted)
    }

    fn name(&self) -> String {
        let rule = self.rule_id.as_deref().unwrap_or("(without a rule)");
        let place = self.locations.first().and_then(|location| location.physical_location.as_ref());
        let file = place.and_then(|place| place.artifact_location.as_ref()?.uri.as_deref());
        let line = place.and_then(|place| place.region.as_ref()?.start_line);
        match (file, line) {
            (Some(file), Some(line)) => format!("{rule} in {file}:{line}"),
            (Some(file), None) => format!("{rule} in {file}"),
            _ => rule.to_owned(),
        }
    }
}
