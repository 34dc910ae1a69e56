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
    /// With its article, where it has an English one.
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
    "generate",
    "implement",
    "introduce",
    "launch",
    "let",
    "make",
    "plan",
    "program",
    "provide",
    "setup",
    "ship",
    "start",
    "support",
    "train",
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
    "benchmark",
    "choose",
    "compare",
    "debug",
    "decide",
    "diagnose",
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
    "break up",
    "clean up",
    "roll out",
    "shut down",
    "speed up",
    "switch off",
    "tidy up",
    "turn off",
    "adopt",
    "archive",
    "automate",
    "backfill",
    "bump",
    "change",
    "clean",
    "cleanup",
    "configure",
    "connect",
    "consolidate",
    "containerise",
    "containerize",
    "convert",
    "correct",
    "debounce",
    "decommission",
    "decouple",
    "deduplicate",
    "delete",
    "deploy",
    "deprecate",
    "disable",
    "dockerise",
    "dockerize",
    "document",
    "drop",
    "enable",
    "encrypt",
    "extend",
    "extract",
    "fine-tune",
    "finish",
    "fix",
    "harden",
    "import",
    "improve",
    "integrate",
    "lint",
    "localise",
    "localize",
    "match",
    "merge",
    "migrate",
    "modernise",
    "modernize",
    "modularise",
    "modularize",
    "monitor",
    "move",
    "optimise",
    "optimize",
    "patch",
    "pin",
    "polish",
    "port",
    "prepare",
    "protect",
    "prototype",
    "publish",
    "rebuild",
    "redesign",
    "reduce",
    "refactor",
    "refresh",
    "release",
    "remove",
    "rename",
    "repair",
    "replace",
    "restore",
    "restrict",
    "restructure",
    "retire",
    "review",
    "revise",
    "rework",
    "rewrite",
    "rotate",
    "scale",
    "secure",
    "shrink",
    "simplify",
    "speed",
    "split",
    "stop",
    "sunset",
    "switch",
    "test",
    "tidy",
    "transfer",
    "translate",
    "trim",
    "tune",
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

/// German verbs in the form that ends a title.
const GERMAN: &[&str] = &[
    "abschaffen",
    "abschalten",
    "absichern",
    "aktualisieren",
    "anbinden",
    "anlegen",
    "anpassen",
    "anzeigen",
    "aufbauen",
    "aufbereiten",
    "aufräumen",
    "aufrüsten",
    "aufsetzen",
    "aufteilen",
    "auslagern",
    "auslesen",
    "ausrollen",
    "austauschen",
    "austesten",
    "auswerten",
    "auswählen",
    "automatisieren",
    "bauen",
    "bearbeiten",
    "beenden",
    "beheben",
    "bereinigen",
    "bereitstellen",
    "beschaffen",
    "beschleunigen",
    "beschreiben",
    "deployen",
    "dokumentieren",
    "durchführen",
    "einbauen",
    "einführen",
    "einrichten",
    "einsetzen",
    "einspielen",
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
    "exportieren",
    "fertigstellen",
    "finden",
    "gestalten",
    "herunterladen",
    "hinzufügen",
    "hochladen",
    "härten",
    "implementieren",
    "importieren",
    "installieren",
    "integrieren",
    "kaufen",
    "klären",
    "konfigurieren",
    "korrigieren",
    "lernen",
    "löschen",
    "lösen",
    "machen",
    "messen",
    "migrieren",
    "modernisieren",
    "nachrüsten",
    "optimieren",
    "organisieren",
    "planen",
    "prüfen",
    "reduzieren",
    "refaktorieren",
    "reparieren",
    "schreiben",
    "sichern",
    "synchronisieren",
    "testen",
    "umbauen",
    "umbenennen",
    "umschreiben",
    "umsetzen",
    "umstellen",
    "umziehen",
    "untersuchen",
    "validieren",
    "verbessern",
    "vereinfachen",
    "vergleichen",
    "verschieben",
    "verschlüsseln",
    "verwalten",
    "veröffentlichen",
    "vorbereiten",
    "zerlegen",
    "zusammenführen",
    "zusammenlegen",
    "ändern",
    "überarbeiten",
    "überprüfen",
    "übersetzen",
    "überwachen",
];

/// What something is made that is there already: "make the tests faster".
const MADE: &[&str] = &[
    "accessible",
    "async",
    "available",
    "better",
    "cheaper",
    "compatible",
    "configurable",
    "consistent",
    "deterministic",
    "easier",
    "faster",
    "idempotent",
    "leaner",
    "lighter",
    "more reliable",
    "optional",
    "public",
    "quicker",
    "ready",
    "reliable",
    "reproducible",
    "resilient",
    "responsive",
    "robust",
    "safer",
    "searchable",
    "secure",
    "simpler",
    "smaller",
    "smarter",
    "testable",
];

/// What turns a verb into its opposite.
const NOT: &[&str] = &["do not", "don't", "don’t", "dont", "never", "no longer", "stop"];

const ARTICLES: &[&str] =
    &["a", "an", "the", "das", "dem", "den", "der", "die", "ein", "eine", "einen", "einer"];

const ENGLISH_ARTICLES: &[&str] = &["a", "an", "the"];

/// What somebody asks with before they say what is to be done.
const ASKED_WITH: &[&str] = &[
    "let's",
    "let us",
    "please",
    "we have to",
    "we must",
    "we need to",
    "we should",
    "we want to",
    "i need to",
    "i want to",
    "i would like to",
    "bitte",
    "ich möchte",
    "ich muss",
    "ich will",
    "wir möchten",
    "wir müssen",
    "wir sollten",
    "wir wollen",
];

/// What a title begins with that says what others can do in the end, in their words.
const WISHES: &[&str] = &[
    "allow admins to",
    "allow customers to",
    "allow users to",
    "as a",
    "as an",
    "customers can",
    "customers should be able to",
    "enable customers to",
    "enable users to",
    "let customers",
    "let users",
    "user can",
    "user should be able to",
    "users can",
    "users should be able to",
    "als admin",
    "als benutzer",
    "als kunde",
    "als nutzer",
    "benutzer können",
    "benutzer sollen",
    "kunden können",
    "kunden sollen",
    "nutzer können",
    "nutzer sollen",
];

/// What goes on about a thing after a German verb.
const GERMAN_PREPOSITIONS: &[&str] = &[
    "als", "am", "auf", "aus", "bei", "beim", "bis", "durch", "für", "gegen", "im", "in", "mit",
    "nach", "ohne", "per", "über", "um", "unter", "via", "vom", "von", "vor", "zu", "zum", "zur",
];

/// Whether a title says what others can do in the end: its verb is theirs and not ours.
pub fn is_wish(title: &str) -> bool {
    after(title, WISHES).is_some()
}

/// A title in the form that its verb is found in: without what it is asked with, and a German one
/// with its verb at the end.
pub fn plain(title: &str) -> String {
    let Some((_, rest)) = after(title, ASKED_WITH) else { return verb_last(title) };
    let rest = verb_last(without_german_article(rest));
    let mut letters = rest.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// "Füge den Export hinzu" and "Export hinzufügen für Kunden", with the verb where German titles
/// usually have it. Any other title stays as it is.
fn verb_last(title: &str) -> String {
    ordered(title).or_else(|| moved_to_the_end(title)).unwrap_or_else(|| title.to_owned())
}

/// A German order as a title: "Erstelle eine API" is "API erstellen".
fn ordered(title: &str) -> Option<String> {
    let (first, rest) = title.split_once(' ')?;
    let first = first.to_lowercase();
    let stem = first.strip_suffix('e')?;
    let infinitive = |prefix: &str| {
        let endings = [format!("{prefix}{stem}en"), format!("{prefix}{stem}n")];
        let softened = stem.strip_suffix('l').map(|stem| format!("{prefix}{stem}eln"));
        let forms = endings.into_iter().chain(softened);
        forms.into_iter().find(|form| GERMAN.contains(&form.as_str()))
    };
    let parted = rest.rsplit_once(' ').and_then(|(object, last)| Some((object, infinitive(last)?)));
    let (object, verb) = match parted {
        Some(parted) => parted,
        None => (rest, infinitive("")?),
    };
    Some(format!("{} {verb}", without_german_article(object)))
}

/// "Zahlungen einführen für den Laden" is "Zahlungen für den Laden einführen".
fn moved_to_the_end(title: &str) -> Option<String> {
    let words: Vec<&str> = title.split(' ').collect();
    let goes_on = |at: usize| {
        let next = words.get(at + 1).map(|word| word.to_lowercase());
        next.is_some_and(|next| GERMAN_PREPOSITIONS.contains(&next.as_str()))
    };
    let at = (1..words.len()).find(|at| GERMAN.contains(&words[*at]) && goes_on(*at))?;
    let others = words[..at].iter().chain(&words[at + 1..]).chain([&words[at]]);
    Some(others.copied().collect::<Vec<_>>().join(" "))
}

fn without_german_article(text: &str) -> &str {
    if has_article(text) { text } else { without_article(text) }
}

/// The verb of a text and its object. `None` for a text that only names a thing.
pub fn act(text: &str) -> Option<Act<'_>> {
    let kinds = [
        (ASKING, Verb::Asking),
        (CHANGING, Verb::Changing),
        (EVERYDAY, Verb::Everyday),
        (MAKING, Verb::Making),
    ];
    if is_wish(text) {
        return None;
    }
    if let Some((word, rest)) = after(text, NOT) {
        let object = act(rest).map_or(rest, |act| act.object);
        return Some(Act { verb: Verb::Changing, word, object });
    }
    made_better(text)
        .or_else(|| {
            kinds.iter().find_map(|(words, verb)| {
                let (word, object) = after(text, words)?;
                Some(Act { verb: *verb, word, object })
            })
        })
        .or_else(|| {
            let (object, word) = text.rsplit_once(' ')?;
            let object = without_article(object.trim());
            GERMAN.contains(&word).then_some(Act { verb: Verb::Foreign, word, object })
        })
}

/// "Make the tests faster" changes the tests.
fn made_better(text: &str) -> Option<Act<'_>> {
    let (word, rest) = after(text, &["make"])?;
    let object = MADE.iter().find_map(|made| rest.strip_suffix(made)?.strip_suffix(' '))?;
    Some(Act { verb: Verb::Changing, word, object })
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

/// Whether an English article stands before it.
pub fn has_article(text: &str) -> bool {
    after(text, ENGLISH_ARTICLES).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_read_as_a_verb_and_its_object() {
        for (text, expected) in [
            ("Add a dark mode", Some((Verb::Making, "a dark mode"))),
            ("Clean up the parser", Some((Verb::Changing, "the parser"))),
            ("Make the tests faster", Some((Verb::Changing, "the tests"))),
            ("Make a game", Some((Verb::Making, "a game"))),
            ("Users can delete their account", None),
            ("Decide on a database", Some((Verb::Asking, "a database"))),
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

    #[test]
    fn a_title_is_put_in_the_form_that_its_verb_is_found_in() {
        for (title, expected) in [
            ("Add a dark mode", "Add a dark mode"),
            ("We need to improve the search", "Improve the search"),
            ("Please fix the login", "Fix the login"),
            ("Wir wollen die Suche verbessern", "Suche verbessern"),
            ("Zahlungen einführen für den Laden", "Zahlungen für den Laden einführen"),
            ("Erstelle eine REST-API für Kunden", "REST-API für Kunden erstellen"),
            ("Füge den Export hinzu", "Export hinzufügen"),
            ("Entwickle einen Parser", "Parser entwickeln"),
            ("Verbessere die Suche", "Suche verbessern"),
            ("Richte das Monitoring ein", "Monitoring einrichten"),
            ("Suche bauen", "Suche bauen"),
            ("Bitte", "Bitte"),
        ] {
            assert_eq!(plain(title), expected, "{title}");
        }
    }
}
