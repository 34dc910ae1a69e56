//! What a title is about, and the parts that a title or a description lists.

use super::verbs::{Act, Verb, act, without_article};
use crate::limits;

/// What a list comes after for certain.
const LISTING: &str = ": ";

/// What stands between what a title is about and the parts that it lists.
const BREAKS: [&str; 4] = [LISTING, " with ", " including ", " such as "];

/// What a title goes on with that names no part of it.
const CLAUSES: [&str; 6] =
    [", with ", ", including ", ", without ", ", so that ", " with no ", " including "];

/// What such a clause begins with where it stands in a list.
const CLAUSE_WORDS: &[&str] =
    &["excluding", "including", "no", "not", "ohne", "so", "with", "within", "without", "…", "..."];

/// What an object begins with that is none: "migrate to", "report on".
const BESIDE: &[&str] = &[
    "about", "away", "for", "from", "how", "into", "off", "on", "to", "what", "whether", "why",
    "with",
];

/// What verbs are called where only what comes beside them is known.
const NOUNS: &[(&str, &str)] = &[
    ("convert", "the conversion"),
    ("migrate", "the migration"),
    ("move", "the move"),
    ("port", "the port"),
    ("switch", "the switch"),
    ("update", "the update"),
    ("upgrade", "the upgrade"),
];

/// What stands for a subject that cannot be said in a few words.
const THE_WORK: &str = "the work";

/// The longest subject that still reads well inside a task's title.
const SUBJECT_CHARS_MAX: usize = 60;

/// The longest part that a title may list; anything longer is a sentence and no list.
const LISTED_CHARS_MAX: usize = 40;

/// Parts that a plan is made of; whoever lists more is told that the rest is left out.
pub const PARTS_MAX: usize = 30;

/// Words that begin a title with a capital and inside a sentence have none.
const COMMON: &[&str] = &[
    "account",
    "admin",
    "audit",
    "authentication",
    "backend",
    "backup",
    "billing",
    "cart",
    "chat",
    "checkout",
    "comment",
    "complete",
    "customer",
    "dark",
    "dashboard",
    "data",
    "database",
    "email",
    "error",
    "export",
    "file",
    "frontend",
    "image",
    "import",
    "integration",
    "internal",
    "invoice",
    "invoicing",
    "login",
    "mobile",
    "monitoring",
    "new",
    "notification",
    "online",
    "order",
    "orders",
    "page",
    "password",
    "payment",
    "payments",
    "performance",
    "platform",
    "portal",
    "product",
    "profile",
    "public",
    "quick",
    "report",
    "reports",
    "search",
    "security",
    "session",
    "settings",
    "shopping",
    "signup",
    "simple",
    "small",
    "subscription",
    "task",
    "team",
    "user",
    "user-facing",
    "users",
    "web",
];

/// What a title may end with that names the work and not the thing.
const OF_WORK: &[&str] = &[" development", " implementation", " release"];

/// What a title is about without the parts that it lists and the clauses that it goes on with.
pub fn head(title: &str) -> &str {
    let marks: &[&str] = if listed(title).is_empty() { &CLAUSES } else { &BREAKS };
    let head = marks.iter().fold(title, |text, mark| before(text, mark));
    let head = head.trim().trim_end_matches(|c: char| ",;:.!".contains(c));
    if head.is_empty() { title.trim() } else { head }
}

fn before<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or(text, |(before, _)| before)
}

/// What a title is about, in words that fit behind "agree on the scope of".
pub fn subject(title: &str) -> String {
    let title = head(title);
    let act = act(title).filter(|act| !act.object.is_empty());
    let thing = act.map_or_else(|| without_article(title), |act| act.object);
    if let Some(act) = act.filter(|act| BESIDE.iter().any(|word| begins(act.object, word))) {
        let verb = act.word.to_lowercase();
        let noun = NOUNS.iter().find(|(known, _)| *known == verb);
        let named = noun.map(|(_, noun)| format!("{noun} {}", act.object));
        return named.filter(|text| speakable(text)).unwrap_or_else(|| THE_WORK.to_owned());
    }
    let thing = OF_WORK.iter().fold(thing, |thing, end| {
        let at = thing.len().saturating_sub(end.len());
        match thing.split_at_checked(at) {
            Some((rest, last)) if last.eq_ignore_ascii_case(end) => rest,
            _ => thing,
        }
    });
    if speakable(thing) { lowered(thing) } else { THE_WORK.to_owned() }
}

fn speakable(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= SUBJECT_CHARS_MAX
        && !text.contains(char::is_control)
        && text.contains(char::is_alphanumeric)
}

fn begins(text: &str, word: &str) -> bool {
    text.split(' ').next().is_some_and(|first| first.eq_ignore_ascii_case(word))
}

/// A part as it stands for `{part}` in a sentence. `None` for one that says by itself what is to be
/// done, or is too long for that.
pub fn in_sentence(part: &str) -> Option<String> {
    (act(part).is_none() && part.chars().count() <= SUBJECT_CHARS_MAX).then(|| lowered(part))
}

/// The whole work as it stands for `{part}`. `None` for a title that says what is done and does not
/// say that something is made: "Build" in front of it would be wrong.
pub fn whole(title: &str) -> Option<String> {
    let made = |act: Act<'_>| matches!(act.verb, Verb::Making | Verb::Asking);
    act(head(title)).is_none_or(made).then(|| subject(title))
}

/// A title or a part as something to do.
pub fn action(text: &str) -> String {
    match subject(text) {
        _ if act(text).is_some() => text.to_owned(),
        nothing if nothing == THE_WORK => "Do the work".to_owned(),
        thing => format!("Work on {thing}"),
    }
}

/// A title's text, cut where it would be longer than titles may be.
pub fn fitting(title: String) -> String {
    if title.chars().count() <= limits::TITLE_CHARS_MAX {
        return title;
    }
    title.chars().take(limits::TITLE_CHARS_MAX - 1).chain(['…']).collect()
}

/// "User dashboard" in the middle of a sentence. "Payment System" and "Stripe" are names.
fn lowered(text: &str) -> String {
    let mut words = text.split(' ');
    let first = words.next().unwrap_or_default();
    let is_name = words.any(|word| word.starts_with(char::is_uppercase));
    let small = first.to_lowercase();
    if is_name || !COMMON.contains(&small.as_str()) {
        return text.to_owned();
    }
    format!("{small}{}", &text[first.len()..])
}

/// The parts that the work is listed in: the bullets of the description, or a list in the title.
pub fn parts(title: &str, description: Option<&str>) -> Vec<String> {
    let bullets = description.map(bullets).unwrap_or_default();
    let listed = if bullets.len() > 1 { bullets } else { listed(title) };
    let mut parts: Vec<String> = Vec::new();
    for part in listed {
        let known = parts.iter().any(|known| known.to_lowercase() == part.to_lowercase());
        if !known {
            parts.push(part);
        }
    }
    parts
}

/// The outermost items of the lists in a text.
fn bullets(text: &str) -> Vec<String> {
    let items: Vec<(usize, &str)> = text.lines().filter_map(bullet).collect();
    let outermost = items.iter().map(|(indent, _)| *indent).min().unwrap_or(0);
    let outer = items.iter().filter(|(indent, _)| *indent == outermost);
    outer.map(|(_, item)| headline(item)).filter(|item| !item.is_empty()).collect()
}

fn bullet(line: &str) -> Option<(usize, &str)> {
    let text = line.trim_start();
    let indent = line.len() - text.len();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = match text.strip_prefix(['-', '*', '+', '•']) {
        Some(rest) => rest,
        None if digits > 0 => text[digits..].strip_prefix(['.', ')'])?,
        None => return None,
    };
    let item = rest.strip_prefix(char::is_whitespace)?.trim();
    let boxed = ["[ ]", "[x]", "[X]"].iter().find_map(|mark| item.strip_prefix(mark));
    Some((indent, boxed.unwrap_or(item).trim()))
}

/// What an item is about: without what it goes on to say, and without marks of emphasis.
fn headline(item: &str) -> String {
    let head = item.split(": ").next().unwrap_or(item);
    let head = head.trim_matches(|c: char| c.is_whitespace() || "*_`.,;:".contains(c));
    fitting(head.replace("**", ""))
}

/// "Login, password reset and profile page" is three things; "search and replace" is one.
fn listed(title: &str) -> Vec<String> {
    let broken = BREAKS.iter().find_map(|mark| {
        let (head, list) = title.split_once(mark)?;
        Some((*mark, head, list))
    });
    let list = broken.map_or(title, |(.., list)| list);
    let items = items(list);
    let clause = |item: &String| CLAUSE_WORDS.iter().any(|word| begins(item, word));
    let short = |item: &String| !item.is_empty() && item.chars().count() <= LISTED_CHARS_MAX;
    if items.len() < 3 || !items.iter().all(short) || items.iter().any(clause) {
        return Vec::new();
    }
    let changes = |text| act(text).filter(|act| !matches!(act.verb, Verb::Making | Verb::Asking));
    match broken {
        Some((mark, head, _)) if changes(head).is_some() => {
            // "Migrate to X with a, b and c" goes on about one thing.
            if mark == LISTING { under(head, items) } else { Vec::new() }
        }
        _ => with_verb_of_one(items),
    }
}

/// The items of a list that is written with commas; with less than two there is none.
fn items(list: &str) -> Vec<String> {
    let list = list.replace(", and ", ", ").replace(", und ", ", ");
    let mut items: Vec<&str> = list.split([',', ';']).collect();
    if items.len() < 2 {
        return Vec::new();
    }
    if let Some(last) = items.pop() {
        let two = [" and ", " & ", " und "].iter().find_map(|word| last.split_once(word));
        match two {
            Some((one, other)) => items.extend([one, other]),
            None => items.push(last),
        }
    }
    items.into_iter().map(|item| headline(without_article(item.trim()))).collect()
}

/// "Improve performance: search, checkout and login": each is something to improve.
fn under(head: &str, items: Vec<String>) -> Vec<String> {
    let head = head.trim();
    let one = |item: String| if act(&item).is_some() { item } else { format!("{head}: {item}") };
    items.into_iter().map(one).collect()
}

/// "Buy coffee, milk and sugar" is to buy each; what is made needs no verb.
fn with_verb_of_one(mut items: Vec<String>) -> Vec<String> {
    let first = items.first().cloned().unwrap_or_default();
    let last = items.last().cloned().unwrap_or_default();
    match (act(&first), act(&last)) {
        (Some(Act { verb: Verb::Making | Verb::Asking, object, .. }), _) => {
            object.clone_into(&mut items[0]);
            items
        }
        (Some(Act { verb: Verb::Changing | Verb::Everyday, word, .. }), _) => {
            let one = |item: String| match act(&item) {
                Some(_) => item,
                None => format!("{word} {item}"),
            };
            items.into_iter().map(one).collect()
        }
        (_, Some(Act { verb: Verb::Foreign, word, .. })) => {
            let one = |item: String| match act(&item) {
                Some(_) => item,
                None => format!("{item} {word}"),
            };
            items.into_iter().map(one).collect()
        }
        _ => items,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_fits_behind_build() {
        for (title, expected) in [
            ("User dashboard", "user dashboard"),
            ("Implement user authentication system", "user authentication system"),
            ("Add a dark mode", "dark mode"),
            ("Set up the Kubernetes cluster", "Kubernetes cluster"),
            ("Payment System", "Payment System"),
            ("Stripe integration", "Stripe integration"),
            ("Improve search", "search"),
            ("Upgrade React", "React"),
            ("Speed up search", "search"),
            ("Delete the legacy login API", "legacy login API"),
            ("Decide on a database", "database"),
            ("Suche bauen", "Suche"),
            ("Mobile app for iOS and Android, with a, b and c", "Mobile app for iOS and Android"),
            ("Migrate to PostgreSQL", "the migration to PostgreSQL"),
            ("Report on costs", "report on costs"),
            ("Building permits", "Building permits"),
            ("API Development", "API"),
            ("Portal with login, reset and profile", "portal"),
            ("Talk with the customer", "Talk with the customer"),
            ("Development", "Development"),
            ("Add ", "Add"),
            ("🚀🚀", THE_WORK),
            ("a\nb", THE_WORK),
            ("Zahlungssystem einführen", "Zahlungssystem"),
        ] {
            assert_eq!(subject(title), expected, "{title}");
        }
        assert_eq!(subject(&"long ".repeat(100)), THE_WORK);
    }

    #[test]
    fn parts_are_what_a_title_lists() {
        let of = |title: &str| parts(title, None).join(" | ");
        for (title, expected) in [
            ("login, password reset and profile page", "login | password reset | profile page"),
            ("Implement login, reset, and profile", "login | reset | profile"),
            ("User portal with login, reset and profile", "login | reset | profile"),
            ("API v2: users, orders & invoices", "users | orders | invoices"),
            ("Platform with a login, the reset, and an API", "login | reset | API"),
            ("Search and replace", ""),
            ("Hello, world", ""),
            ("Login, login and logout", "Login | logout"),
            (",,,", ""),
            ("Buy coffee, milk and sugar", "Buy coffee | Buy milk | Buy sugar"),
            ("Login, Suche und Profil bauen", "Login bauen | Suche bauen | Profil bauen"),
            ("Compare Qdrant, Milvus and pgvector", "Qdrant | Milvus | pgvector"),
            ("Speed: a, b and c", "a | b | c"),
            ("Improve speed: a, b and c", "Improve speed: a | Improve speed: b | Improve speed: c"),
            ("Migrate to X with no downtime, including procedures, triggers and views", ""),
            ("Migrate to X with no downtime, including procedures and triggers", ""),
            ("Migrate to X with users, orders and invoices", ""),
        ] {
            assert_eq!(of(title), expected, "{title}");
        }
    }

    #[test]
    fn parts_are_the_outer_bullets_of_a_description() {
        let of = |text: &str| parts("T", Some(text)).join(" | ");
        let text = "We need:\n- **Login**: with e-mail\n  - and a link\n- [ ] Reset.\n* Profile\n";
        assert_eq!(of(text), "Login | Reset | Profile");
        assert_eq!(of("1. One\n2) Two\n10. Ten"), "One | Two | Ten");
        assert_eq!(of("- only one"), "");
        assert_eq!(of("-no\n-bullets\n2026 is a year\n--- \n"), "");
    }

    #[test]
    fn a_part_that_says_what_to_do_stands_alone() {
        assert_eq!(in_sentence("Login").as_deref(), Some("login"));
        assert_eq!(in_sentence("Fix the header"), None);
    }
}
