//! The field at a path, what changed between two documents, and how three are merged into one.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where in a document's tree something stands: `tasks/task-003/status`.
///
/// Written as a JSON Pointer without the leading slash: `~1` is a slash in a key, `~0` a tilde.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Path(Vec<String>);

impl Path {
    pub fn root() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(key.to_owned());
        Self(steps)
    }

    pub fn steps(&self) -> &[String] {
        &self.0
    }

    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    pub fn get<'a>(&self, tree: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(tree, |value, step| value.get(step))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            let slash = if i == 0 { "" } else { "/" };
            write!(f, "{slash}{}", step.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

impl FromStr for Path {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::root());
        }
        Ok(Self(text.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect()))
    }
}

impl Serialize for Path {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(text.parse().unwrap_or_else(|never: std::convert::Infallible| match never {}))
    }
}

/// One field that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldChange {
    #[schemars(with = "String")]
    pub path: Path,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// The smallest set of field changes that makes `before` say what `after` says.
pub fn difference(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    collect(&Path::root(), before, after, &mut changes);
    changes
}

fn collect(path: &Path, before: &Value, after: &Value, changes: &mut Vec<FieldChange>) {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        if before != after {
            let (before, after) = (Some(before.clone()), Some(after.clone()));
            changes.push(FieldChange { path: path.clone(), before, after });
        }
        return;
    };
    for (key, old_value) in old {
        match new.get(key) {
            Some(new_value) => collect(&path.key(key), old_value, new_value, changes),
            None => changes.push(FieldChange {
                path: path.key(key),
                before: Some(old_value.clone()),
                after: None,
            }),
        }
    }
    for (key, new_value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
        changes.push(FieldChange {
            path: path.key(key),
            before: None,
            after: Some(new_value.clone()),
        });
    }
}

/// Sets or removes one field of a tree. Total: what leads nowhere changes nothing.
pub fn put(tree: &mut Value, path: &Path, value: Option<&Value>) {
    let Some((last, parents)) = path.0.split_last() else { return };
    let mut place = tree;
    for step in parents {
        let Value::Object(map) = place else { return };
        if !map.contains_key(step) {
            if value.is_none() {
                return;
            }
            map.insert(step.clone(), Value::Object(Map::new()));
        }
        let Some(next) = map.get_mut(step) else { return };
        place = next;
    }
    let Value::Object(map) = place else { return };
    match value {
        Some(value) => {
            map.insert(last.clone(), value.clone());
        }
        None => {
            map.shift_remove(last);
        }
    }
}

/// A field that both sides changed, each in its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    pub path: Path,
    pub base: Option<Value>,
    pub ours: Option<Value>,
    pub theirs: Option<Value>,
}

/// What three versions become, field by field; conflicting fields keep ours.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    pub tree: Value,
    pub conflicts: Vec<Conflict>,
}

pub fn merge(base: &Value, ours: &Value, theirs: &Value) -> Merged {
    let mut conflicts = Vec::new();
    let tree = merge_field(&Path::root(), Some(base), Some(ours), Some(theirs), &mut conflicts);
    Merged { tree: tree.unwrap_or_default(), conflicts }
}

fn merge_field(
    path: &Path,
    base: Option<&Value>,
    ours: Option<&Value>,
    theirs: Option<&Value>,
    conflicts: &mut Vec<Conflict>,
) -> Option<Value> {
    if ours == theirs || theirs == base {
        return ours.cloned();
    }
    if ours == base {
        return theirs.cloned();
    }
    let empty = Value::Object(Map::new());
    if matches!(path.steps(), [section, _] if section == "gates") {
        return later_decision(ours, theirs);
    }
    match (base, ours, theirs) {
        (_, Some(Value::Object(ours)), Some(Value::Object(theirs))) => {
            let base = base.filter(|base| base.is_object()).unwrap_or(&empty);
            Some(merge_maps(path, base, ours, theirs, conflicts))
        }
        (base, Some(Value::Array(ours)), Some(Value::Array(theirs)))
            if base.is_none_or(Value::is_array) =>
        {
            let base = base.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            Some(Value::Array(merge_lists(base, ours, theirs)))
        }
        _ => {
            if let Some(further) = further_along(path, ours, theirs) {
                return Some(further);
            }
            conflicts.push(Conflict {
                path: path.clone(),
                base: base.cloned(),
                ours: ours.cloned(),
                theirs: theirs.cloned(),
            });
            ours.cloned()
        }
    }
}

fn merge_maps(
    path: &Path,
    base: &Value,
    ours: &Map<String, Value>,
    theirs: &Map<String, Value>,
    conflicts: &mut Vec<Conflict>,
) -> Value {
    let new_keys = theirs.keys().filter(|key| !ours.contains_key(*key));
    let mut merged = Map::new();
    for key in ours.keys().chain(new_keys) {
        let (old, ours, theirs) = (base.get(key), ours.get(key), theirs.get(key));
        if let Some(value) = merge_field(&path.key(key), old, ours, theirs, conflicts) {
            merged.insert(key.clone(), value);
        }
    }
    Value::Object(merged)
}

/// Ours, without what they removed, and with what they added.
fn merge_lists(base: &[Value], ours: &[Value], theirs: &[Value]) -> Vec<Value> {
    let removed = |item: &&Value| base.contains(item) && !theirs.contains(item);
    let kept = ours.iter().filter(|item| !removed(item));
    let added = theirs.iter().filter(|item| !base.contains(item) && !ours.contains(item));
    kept.chain(added).cloned().collect()
}

/// Work that one side finished while the other only started it is finished; when it first
/// started is the earlier time, how often it was tried the larger number.
fn further_along(path: &Path, ours: Option<&Value>, theirs: Option<&Value>) -> Option<Value> {
    let (ours, theirs) = (ours?, theirs?);
    let order = ["pending", "planned", "in_progress", "completed"];
    let rank = |value: &Value| order.iter().position(|word| value == word);
    match path.steps().last()?.as_str() {
        "status" => match (rank(ours)?, rank(theirs)?) {
            (a, b) if a >= b => Some(ours.clone()),
            _ => Some(theirs.clone()),
        },
        "started_at" | "started_by" => {
            Some(if ours.as_str()? <= theirs.as_str()? { ours } else { theirs }.clone())
        }
        "completed_at" => {
            Some(if ours.as_str()? >= theirs.as_str()? { ours } else { theirs }.clone())
        }
        "attempts" => Some(if ours.as_u64()? >= theirs.as_u64()? { ours } else { theirs }.clone()),
        _ => None,
    }
}

/// What was decided last about a phase, as a whole, so that nobody's reason stands beside another
/// one's word; of the same second, the one that is no approval. Against a decision that was taken
/// back, an approval gives way: it may be about work that is open again.
fn later_decision(ours: Option<&Value>, theirs: Option<&Value>) -> Option<Value> {
    let at = |decided: &Value| decided["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => {
            let order = |decided: &Value| {
                (at(decided), decided["decision"] != "approved", decided.to_string())
            };
            Some(std::cmp::max_by_key(ours, theirs, |decided| order(decided)).clone())
        }
        (Some(only), None) | (None, Some(only)) => {
            Some(only).filter(|only| only["decision"] != "approved").cloned()
        }
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn paths_survive_awkward_keys() {
        let path = Path::root().key("a/b").key("c~d").key("");
        assert_eq!(path.to_string(), "a~1b/c~0d/");
        assert_eq!(path.to_string().parse(), Ok(path));
    }

    #[test]
    fn both_sides_of_a_merge_survive() {
        let base = json!({"title": "A", "labels": ["x", "y"], "tasks": {"task-001": {"status": "pending"}}});
        let ours = json!({"title": "B", "labels": ["y", "o"], "tasks": {"task-001": {"status": "in_progress"}}});
        let theirs = json!({"title": "A", "labels": ["x", "y", "t"], "due": "2026-12-18",
            "tasks": {"task-001": {"status": "completed"}, "task-002": {"status": "pending"}}});
        let merged = merge(&base, &ours, &theirs);
        assert_eq!(merged.conflicts, []);
        assert_eq!(
            merged.tree,
            json!({"title": "B", "labels": ["y", "o", "t"], "due": "2026-12-18",
                "tasks": {"task-001": {"status": "completed"}, "task-002": {"status": "pending"}}})
        );
    }

    #[test]
    fn a_field_that_both_changed_is_a_conflict_and_never_dropped() {
        let (base, ours, theirs) = (json!({"t": "a"}), json!({"t": "b"}), json!({"t": "c"}));
        let merged = merge(&base, &ours, &theirs);
        assert_eq!(merged.tree, ours);
        assert_eq!(merged.conflicts[0].path.to_string(), "t");
        assert_eq!(merged.conflicts[0].theirs, Some(json!("c")));
    }

    #[test]
    fn of_two_decisions_about_a_phase_the_later_one_counts_whole() {
        let decided = |word: &str, at: &str, reason: &str| json!({"decision": word, "by": "ada", "at": at, "reason": reason});
        let tree = |decided: Option<&Value>| match decided {
            Some(decided) => json!({"gates": {"design": decided, "other": 1}}),
            None => json!({"gates": {"other": 1}}),
        };
        let old = decided("changes_requested", "2026-11-01T10:00:00Z", "no diagram");
        let no = decided("rejected", "2026-11-02T10:00:00Z", "too dear");
        let yes = decided("approved", "2026-11-02T10:00:00.5Z", "too dear");
        let merged = |base: Option<&Value>, ours: Option<&Value>, theirs: Option<&Value>| {
            let merged = merge(&tree(base), &tree(ours), &tree(theirs));
            assert_eq!(merged.conflicts, []);
            merged.tree["gates"].get("design").cloned()
        };
        for (ours, theirs, expected) in [
            (Some(&no), Some(&yes), Some(&yes)),
            (Some(&decided("approved", "2026-11-02T10:00:00Z", "fine")), Some(&no), Some(&no)),
            // Taken back on the other side.
            (None, Some(&yes), None),
            (None, Some(&no), Some(&no)),
        ] {
            assert_eq!(merged(Some(&old), ours, theirs).as_ref(), expected);
            assert_eq!(merged(Some(&old), theirs, ours).as_ref(), expected);
        }
        assert_eq!(merged(None, Some(&no), Some(&yes)), Some(yes.clone()));
    }

    #[test]
    fn a_removal_against_a_change_is_a_conflict() {
        let merged = merge(&json!({"a": 1, "b": 1}), &json!({"b": 1}), &json!({"a": 2, "b": 1}));
        assert_eq!(merged.conflicts.len(), 1);
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            (0..4u8).prop_map(|n| json!(n)),
            prop::collection::vec(0..4u8, 0..3).prop_map(|items| json!(items)),
        ];
        let inner = prop::collection::btree_map("[a-c]", leaf.clone(), 0..4)
            .prop_map(|map| Value::Object(map.into_iter().collect()));
        prop::collection::btree_map("[a-e]", prop_oneof![leaf, inner], 0..5)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn a_difference_applied_gives_the_other_side(before in tree(), after in tree()) {
            let mut tree = before.clone();
            for change in difference(&before, &after) {
                prop_assert_eq!(change.path.get(&before), change.before.as_ref());
                put(&mut tree, &change.path, change.after.as_ref());
            }
            prop_assert_eq!(tree, after);
        }

        #[test]
        fn a_merge_with_an_unchanged_side_is_the_other_side(base in tree(), other in tree()) {
            for merged in [merge(&base, &base, &other), merge(&base, &other, &base)] {
                prop_assert!(merged.conflicts.is_empty());
                prop_assert_eq!(&merged.tree, &other);
            }
        }

        #[test]
        fn merging_takes_the_same_changes_in_either_order(
            base in tree(), ours in tree(), theirs in tree()
        ) {
            let one = merge(&base, &ours, &theirs);
            let two = merge(&base, &theirs, &ours);
            prop_assert_eq!(one.conflicts.len(), two.conflicts.len());
        }
    }
}
