//! What a configuration says about runners: new ones, and how the built-in ones are to be started.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::custom::{Custom, CustomError, Settings};
use super::{BUILT_IN, Kind, MANUAL, built_in};

/// What is added to a built-in runner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// They come after ours, so that they win.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
}

/// All runners that there are here.
#[derive(Debug, Clone, Default)]
pub struct Configured {
    custom: BTreeMap<String, Custom>,
    presets: BTreeMap<String, Preset>,
    /// How each reads in the configuration: what a person agrees to.
    written: BTreeMap<String, String>,
}

impl Configured {
    /// Reads what stands under `runners`, by name.
    pub fn read(runners: &Map<String, Value>) -> Result<Self, CustomError> {
        let mut read = Self::default();
        for (name, value) in runners {
            let form = |error: serde_json::Error| CustomError::Form {
                name: name.clone(),
                message: error.to_string(),
            };
            if BUILT_IN.contains(&name.as_str()) {
                let preset: Preset = serde_json::from_value(value.clone()).map_err(form)?;
                read.presets.insert(name.clone(), preset);
            } else {
                let settings: Settings = serde_json::from_value(value.clone()).map_err(form)?;
                read.custom.insert(name.clone(), Custom::new(name, settings)?);
            }
            read.written.insert(name.clone(), value.to_string());
        }
        Ok(read)
    }

    /// The runner of this name.
    pub fn runner(&self, name: &str) -> Option<Kind> {
        if name == MANUAL {
            return Some(Kind::Person);
        }
        let custom = || Some(Box::new(self.custom.get(name)?.clone()) as _);
        built_in(name).or_else(custom).map(Kind::Process)
    }

    pub fn preset(&self, name: &str) -> Preset {
        self.presets.get(name).cloned().unwrap_or_default()
    }

    /// What somebody agrees to who agrees to a runner: with other settings it is another one.
    pub fn trusted_as(&self, name: &str) -> String {
        match self.written.get(name) {
            Some(written) => format!("{name} {written}"),
            None => name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(runners: &Value) -> Result<Configured, CustomError> {
        Configured::read(runners.as_object().unwrap())
    }

    #[test]
    fn a_configuration_adds_runners_and_settings_of_the_built_in_ones() {
        let all = read(&json!({
            "claude": { "model": "large", "arguments": ["--verbose"] },
            "mine": { "command": ["agent", "{prompt}"] },
        }))
        .unwrap();
        let preset = all.preset("claude");
        assert_eq!((preset.model.as_deref(), preset.arguments.len()), (Some("large"), 1));
        assert_eq!(all.preset("codex"), Preset::default());
        for name in ["mine", "claude", "codex", "shell"] {
            assert!(matches!(all.runner(name), Some(Kind::Process(_))), "{name}");
        }
        assert!(matches!(all.runner(MANUAL), Some(Kind::Person)));
        assert!(all.runner("yours").is_none());
    }

    #[test]
    fn with_other_settings_it_is_another_one_to_agree_to() {
        let one = read(&json!({ "mine": { "command": ["agent", "{prompt}"] } })).unwrap();
        let other = read(&json!({ "mine": { "command": ["rm", "{prompt}"] } })).unwrap();
        assert_ne!(one.trusted_as("mine"), other.trusted_as("mine"));
        let harsh = read(&json!({ "claude": { "arguments": ["--all"] } })).unwrap();
        assert_ne!(harsh.trusted_as("claude"), one.trusted_as("claude"));
        assert_eq!(one.trusted_as("claude"), "claude");
    }

    #[test]
    fn what_is_wrong_is_named_with_the_runner() {
        let wrong = read(&json!({ "mine": { "command": "agent" } })).unwrap_err();
        assert!(wrong.to_string().contains("`mine`"), "{wrong}");
        assert!(read(&json!({ "claude": { "command": ["x"] } })).is_err());
    }
}
