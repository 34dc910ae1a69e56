//! The verb of a title: what is done, and to what.

/// What is done, as far as it matters to the words of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Afterwards the thing is there: it may be designed and built.
    Making,
    /// Afterwards something is known about the thing.
    Asking,
    /// The thing is there already, or will not be: nobody builds it.
    Changing,
    /// Nothing that is done to software.
    Everyday,
    /// In a language that our own sentences are not in.
    Foreign,
}

/// A title as its verb and what the verb is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Act<'a> {
    pub verb: Verb,
    /// The verb as it was written.
    pub word: &'a str,
    pub object: &'a str,
}

/// In each list phrases come before the words that they begin with.
const MAKING: &[&str] = &[
    "set up",
    "add",
    "build",
    "create",
    "deliver",
    "design",
    "develop",
    "implement",
    "introduce",
    "launch",
    "make",
    "plan",
    "provide",
    "setup",
    "ship",
    "start",
    "support",
    "write",
];

/// What ends with an answer.
const ASKING: &[&str] = &[
    "decide on",
    "find out",
    "look into",
    "think about",
    "try out",
    "analyse",
    "analyze",
    "assess",
    "choose",
    "compare",
    "decide",
    "evaluate",
    "explore",
    "investigate",
    "learn",
    "pick",
    "research",
    "select",
    "study",
    "try",
];

/// What is done to a thing that is there already.
const CHANGING: &[&str] = &[
    "clean up",
    "speed up",
    "switch off",
    "tidy up",
    "turn off",
    "adopt",
    "archive",
    "automate",
    "bump",
    "change",
    "clean",
    "cleanup",
    "configure",
    "convert",
    "correct",
    "decommission",
    "delete",
    "deploy",
    "deprecate",
    "disable",
    "document",
    "drop",
    "extend",
    "extract",
    "finish",
    "fix",
    "harden",
    "improve",
    "lint",
    "localise",
    "localize",
    "merge",
    "migrate",
    "modernise",
    "modernize",
    "monitor",
    "move",
    "optimise",
    "optimize",
    "port",
    "prepare",
    "prototype",
    "publish",
    "redesign",
    "reduce",
    "refactor",
    "release",
    "remove",
    "rename",
    "repair",
    "replace",
    "retire",
    "review",
    "rework",
    "rewrite",
    "scale",
    "secure",
    "simplify",
    "speed",
    "split",
    "stop",
    "sunset",
    "switch",
    "test",
    "tidy",
    "translate",
    "tweak",
    "unify",
    "update",
    "upgrade",
    "use",
    "validate",
    "verify",
];

/// Work that no template for software is made for, whatever else a title names.
const EVERYDAY: &[&str] = &[
    "arrange",
    "attend",
    "buy",
    "celebrate",
    "cook",
    "hire",
    "interview",
    "invite",
    "meet",
    "negotiate",
    "onboard",
    "organise",
    "organize",
    "paint",
    "purchase",
    "recruit",
    "renew",
    "rent",
    "sell",
    "sign",
    "visit",
];

/// German verbs as they end a title.
const GERMAN: &[&str] = &[
    "abschaffen",
    "abschalten",
    "aktualisieren",
    "anbinden",
    "anlegen",
    "anpassen",
    "aufräumen",
    "aufsetzen",
    "aufteilen",
    "ausrollen",
    "austauschen",
    "auswählen",
    "automatisieren",
    "bauen",
    "beheben",
    "bereinigen",
    "bereitstellen",
    "beschaffen",
    "beschleunigen",
    "beschreiben",
    "dokumentieren",
    "einbauen",
    "einführen",
    "einrichten",
    "einstellen",
    "entfernen",
    "entscheiden",
    "entwerfen",
    "entwickeln",
    "ergänzen",
    "ersetzen",
    "erstellen",
    "erweitern",
    "evaluieren",
    "fertigstellen",
    "finden",
    "gestalten",
    "hinzufügen",
    "implementieren",
    "installieren",
    "integrieren",
    "kaufen",
    "konfigurieren",
    "korrigieren",
    "lernen",
    "löschen",
    "machen",
    "migrieren",
    "modernisieren",
    "optimieren",
    "organisieren",
    "planen",
    "prüfen",
    "reduzieren",
    "refaktorieren",
    "reparieren",
    "schreiben",
    "testen",
    "umbauen",
    "umbenennen",
    "umsetzen",
    "umstellen",
    "umziehen",
    "untersuchen",
    "verbessern",
    "vereinfachen",
    "vergleichen",
    "veröffentlichen",
    "vorbereiten",
    "überarbeiten",
    "überprüfen",
    "übersetzen",
];

/// What turns a verb into its opposite.
const NOT: &[&str] = &["do not", "don't", "don’t", "dont", "never", "no longer", "stop"];

const ARTICLES: &[&str] =
    &["a", "an", "the", "das", "dem", "den", "der", "die", "ein", "eine", "einen", "einer"];

/// The verb of a text and its object. `None` for a text that only names a thing.
pub fn act(text: &str) -> Option<Act<'_>> {
    let kinds = [
        (ASKING, Verb::Asking),
        (CHANGING, Verb::Changing),
        (EVERYDAY, Verb::Everyday),
        (MAKING, Verb::Making),
    ];
    if let Some((word, rest)) = after(text, NOT) {
        let object = act(rest).map_or(rest, |act| act.object);
        return Some(Act { verb: Verb::Changing, word, object });
    }
    let first = kinds.iter().find_map(|(words, verb)| {
        let (word, rest) = after(text, words)?;
        Some(Act { verb: *verb, word, object: without_article(rest) })
    });
    first.or_else(|| {
        let (object, word) = text.rsplit_once(' ')?;
        let object = without_article(object.trim());
        GERMAN.contains(&word).then_some(Act { verb: Verb::Foreign, word, object })
    })
}

/// One of the words that the text begins with, and what comes after it.
fn after<'a>(text: &'a str, words: &[&str]) -> Option<(&'a str, &'a str)> {
    words.iter().find_map(|word| {
        let (start, rest) = text.split_at_checked(word.len())?;
        (start.eq_ignore_ascii_case(word) && rest.starts_with(' '))
            .then(|| (start, rest.trim_start()))
    })
}

pub fn without_article(text: &str) -> &str {
    after(text, ARTICLES).map_or(text, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_read_as_a_verb_and_its_object() {
        for (text, expected) in [
            ("Add a dark mode", Some((Verb::Making, "dark mode"))),
            ("Clean up the parser", Some((Verb::Changing, "parser"))),
            ("Decide on a database", Some((Verb::Asking, "database"))),
            ("Don't add login", Some((Verb::Changing, "login"))),
            ("Hire two engineers", Some((Verb::Everyday, "two engineers"))),
            ("Die Suche bauen", Some((Verb::Foreign, "Suche"))),
            ("Building permits", None),
            ("Add ", Some((Verb::Making, ""))),
            ("Addition", None),
        ] {
            assert_eq!(act(text).map(|act| (act.verb, act.object)), expected, "{text}");
        }
    }
}
