//! Judges a document by a JSON Schema, more strictly than the schema asks: a key that it does not
//! name is wrong, too. Any keyword that is not known here fails the test.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use regex_lite::Regex;
use serde_json::{Map, Value};

/// Keywords that only tell people something.
const SAID: [&str; 6] = ["$schema", "$defs", "title", "description", "default", "examples"];

/// The keys of a value that the schema names, or everything that is wrong with the value.
type Named = Result<BTreeSet<String>, Vec<String>>;

/// Everything that is wrong with a document.
pub fn wrong(schema: &Value, document: &Value) -> Vec<String> {
    let judge = Judge { root: schema };
    judge.closed(schema, document, "").err().unwrap_or_default()
}

struct Judge<'a> {
    root: &'a Value,
}

impl Judge<'_> {
    /// Judges a value, and wants every key of it to be named somewhere in the schema.
    fn closed(&self, schema: &Value, value: &Value, at: &str) -> Result<(), Vec<String>> {
        let named = self.judged(schema, value, at)?;
        let takes_all = schema.as_object().is_none_or(|all| all.keys().all(|key| said(key)));
        let unnamed = |key: &&String| !takes_all && !named.contains(*key);
        let keys = value.as_object().into_iter().flat_map(Map::keys).filter(unnamed);
        let wrong: Vec<String> = keys.map(|key| format!("{at}/{key}: not in the schema")).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn judged(&self, schema: &Value, value: &Value, at: &str) -> Named {
        let schema = match schema {
            Value::Bool(true) => return Ok(BTreeSet::new()),
            Value::Object(schema) => schema,
            other => return Err(vec![format!("{at}: {value} against {other}")]),
        };
        let mut named = BTreeSet::new();
        let mut wrong = Vec::new();
        for (keyword, rule) in schema {
            match self.by_keyword(schema, keyword, rule, value, at) {
                Ok(more) => named.extend(more),
                Err(more) => wrong.extend(more),
            }
        }
        if wrong.is_empty() { Ok(named) } else { Err(wrong) }
    }

    fn by_keyword(
        &self,
        schema: &Map<String, Value>,
        keyword: &str,
        rule: &Value,
        value: &Value,
        at: &str,
    ) -> Named {
        let holds = match keyword {
            "$ref" => return self.judged(self.defined(rule), value, at),
            "anyOf" => return self.branches(rule, value, at, |fitting| fitting > 0),
            "oneOf" => return self.branches(rule, value, at, |fitting| fitting == 1),
            "properties" => return self.properties(rule, value, at),
            "patternProperties" => return self.by_pattern(rule, value, at),
            "additionalProperties" => return self.other_keys(schema, rule, value, at),
            "items" | "prefixItems" => return self.items(schema, keyword, rule, value, at),
            "type" => listed(rule).iter().any(|name| is(name, value)),
            "const" => value == rule,
            "enum" => listed(rule).contains(value),
            "required" => {
                let has = |key: &Value| value.get(key.as_str().unwrap()).is_some();
                !value.is_object() || listed(rule).iter().all(has)
            }
            "pattern" => value.as_str().is_none_or(|text| matches(rule.as_str().unwrap(), text)),
            "format" => has_format(rule.as_str().unwrap(), value),
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
            "minItems" => value.as_array().is_none_or(|all| all.len() >= length(rule)),
            "maxItems" => value.as_array().is_none_or(|all| all.len() <= length(rule)),
            keyword => said(keyword),
        };
        match holds {
            true => Ok(BTreeSet::new()),
            false => Err(vec![format!("{at}: {value} against {keyword} {rule}")]),
        }
    }

    fn defined(&self, reference: &Value) -> &Value {
        let pointer = reference.as_str().and_then(|text| text.strip_prefix('#')).unwrap();
        self.root.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    fn branches(
        &self,
        rule: &Value,
        value: &Value,
        at: &str,
        enough: impl Fn(usize) -> bool,
    ) -> Named {
        let judged = listed(rule).into_iter().map(|branch| self.judged(&branch, value, at));
        let (fitting, wrong): (Vec<_>, Vec<_>) = judged.partition(Result::is_ok);
        if enough(fitting.len()) {
            return Ok(fitting.into_iter().flatten().flatten().collect());
        }
        let mut said = vec![format!("{at}: fits {} branches", fitting.len())];
        said.extend(wrong.into_iter().filter_map(Result::err).flatten());
        Err(said)
    }

    fn properties(&self, rule: &Value, value: &Value, at: &str) -> Named {
        let Some(object) = value.as_object() else { return Ok(BTreeSet::new()) };
        let known = rule.as_object().unwrap();
        self.each(object.iter().filter_map(|(key, value)| Some((key, known.get(key)?, value))), at)
    }

    fn by_pattern(&self, rule: &Value, value: &Value, at: &str) -> Named {
        let Some(object) = value.as_object() else { return Ok(BTreeSet::new()) };
        let patterns = rule.as_object().unwrap();
        let fitting = |key: &str| patterns.iter().find(|(pattern, _)| matches(pattern, key));
        let pairs = object.iter().filter_map(|(key, value)| Some((key, fitting(key)?.1, value)));
        self.each(pairs, at)
    }

    fn other_keys(
        &self,
        schema: &Map<String, Value>,
        rule: &Value,
        value: &Value,
        at: &str,
    ) -> Named {
        let Some(object) = value.as_object() else { return Ok(BTreeSet::new()) };
        let named = |key: &str| {
            let listed = |keyword: &str| schema.get(keyword).and_then(Value::as_object);
            listed("properties").is_some_and(|all| all.contains_key(key))
                || listed("patternProperties")
                    .is_some_and(|all| all.keys().any(|pattern| matches(pattern, key)))
        };
        let others = object.iter().filter(|(key, _)| !named(key));
        self.each(others.map(|(key, value)| (key, rule, value)), at)
    }

    fn each<'v>(
        &self,
        pairs: impl Iterator<Item = (&'v String, &'v Value, &'v Value)>,
        at: &str,
    ) -> Named {
        let mut named = BTreeSet::new();
        let mut wrong = Vec::new();
        for (key, schema, value) in pairs {
            named.insert(key.clone());
            wrong.extend(self.closed(schema, value, &format!("{at}/{key}")).err());
        }
        if wrong.is_empty() { Ok(named) } else { Err(wrong.concat()) }
    }

    fn items(
        &self,
        schema: &Map<String, Value>,
        keyword: &str,
        rule: &Value,
        value: &Value,
        at: &str,
    ) -> Named {
        let Some(items) = value.as_array() else { return Ok(BTreeSet::new()) };
        let first = schema.get("prefixItems").map_or(0, |first| listed(first).len());
        let numbered = items.iter().enumerate();
        let judged = numbered.filter_map(|(number, item)| {
            let schema = match keyword {
                "items" if number >= first => Some(rule),
                "prefixItems" => rule.get(number),
                _ => None,
            };
            self.closed(schema?, item, &format!("{at}/{number}")).err()
        });
        let wrong: Vec<String> = judged.flatten().collect();
        if wrong.is_empty() { Ok(BTreeSet::new()) } else { Err(wrong) }
    }
}

fn said(keyword: &str) -> bool {
    SAID.contains(&keyword)
}

/// What may stand alone or in a list.
fn listed(rule: &Value) -> Vec<Value> {
    rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()])
}

fn length(rule: &Value) -> usize {
    usize::try_from(rule.as_u64().unwrap()).unwrap()
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        name => panic!("no type is called {name}"),
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).unwrap().is_match(text)
}

fn has_format(format: &str, value: &Value) -> bool {
    let text = value.as_str();
    match format {
        "uint8" | "uint32" | "uint64" | "uint" => !value.is_number() || value.is_u64(),
        "double" => true,
        "date" => text.is_none_or(|text| text.parse::<Date>().is_ok()),
        "date-time" => text.is_none_or(|text| text.parse::<Timestamp>().is_ok()),
        "uuid" => text.is_none_or(|text| text.parse::<uuid::Uuid>().is_ok()),
        format => panic!("no format is called {format}"),
    }
}
