//! What a title is about, and the parts that a title or a description lists.

use crate::limits;

/// What stands between what a title is about and the parts that it lists.
const BREAKS: [&str; 4] = [": ", " with ", " including ", " such as "];

/// What stands for a subject that cannot be said in a few words.
const THE_CHANGE: &str = "the change";

/// The longest subject that still reads well inside a task's title.
const SUBJECT_CHARS_MAX: usize = 60;

/// The longest part that a title may list; anything longer is a sentence and no list.
const LISTED_CHARS_MAX: usize = 40;

/// Parts that a plan is made of; whoever lists more is told that the rest is left out.
pub const PARTS_MAX: usize = 30;

/// What comes before the thing that is to be there: without it, the thing is left.
const MAKING: &[&str] = &[
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
    "set up",
    "setup",
    "ship",
    "start",
    "support",
    "write",
];

/// What is done to a thing that is there already: without it, something else is left.
const CHANGING: &[&str] = &[
    "adopt",
    "analyse",
    "analyze",
    "automate",
    "bump",
    "change",
    "clean",
    "cleanup",
    "compare",
    "configure",
    "convert",
    "deploy",
    "deprecate",
    "document",
    "evaluate",
    "explore",
    "extend",
    "extract",
    "finish",
    "fix",
    "harden",
    "improve",
    "investigate",
    "learn",
    "merge",
    "migrate",
    "move",
    "optimise",
    "optimize",
    "port",
    "prepare",
    "prototype",
    "publish",
    "reduce",
    "refactor",
    "release",
    "remove",
    "rename",
    "replace",
    "research",
    "review",
    "rewrite",
    "secure",
    "simplify",
    "speed",
    "split",
    "study",
    "test",
    "tidy",
    "try",
    "tweak",
    "unify",
    "update",
    "upgrade",
    "use",
    "validate",
    "verify",
];

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
const OF_WORK: &[&str] = &[" development", " implementation"];

/// What a title says before it lists its parts.
pub fn head(title: &str) -> &str {
    if listed(title).is_empty() { title } else { BREAKS.iter().fold(title, |t, b| before(t, b)) }
}

fn before<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or(text, |(before, _)| before)
}

/// What a title is about, in words that fit behind "build" and "design".
pub fn subject(title: &str) -> String {
    let title = head(title).trim().trim_end_matches(['.', '!']);
    let thing = match after(title, MAKING) {
        Some(thing) => without_article(thing),
        None if after(title, CHANGING).is_some() => return THE_CHANGE.to_owned(),
        None => title,
    };
    let thing = OF_WORK.iter().fold(thing, |thing, end| {
        let at = thing.len().saturating_sub(end.len());
        match thing.split_at_checked(at) {
            Some((rest, last)) if last.eq_ignore_ascii_case(end) => rest,
            _ => thing,
        }
    });
    let speakable = !thing.is_empty()
        && thing.chars().count() <= SUBJECT_CHARS_MAX
        && !thing.contains(char::is_control)
        && thing.contains(char::is_alphanumeric);
    if speakable { lowered(thing) } else { THE_CHANGE.to_owned() }
}

/// A part as it stands for `{part}` in a sentence. `None` for one that says by itself what is to be
/// done, or is too long for that.
pub fn in_sentence(part: &str) -> Option<String> {
    let acts = after(part, MAKING).or_else(|| after(part, CHANGING)).is_some();
    (!acts && part.chars().count() <= SUBJECT_CHARS_MAX).then(|| lowered(part))
}

/// A title's text, cut where it would be longer than titles may be.
pub fn fitting(title: String) -> String {
    if title.chars().count() <= limits::TITLE_CHARS_MAX {
        return title;
    }
    title.chars().take(limits::TITLE_CHARS_MAX - 1).chain(['…']).collect()
}

/// What comes after one of the verbs that the text begins with.
fn after<'a>(text: &'a str, verbs: &[&str]) -> Option<&'a str> {
    verbs.iter().find_map(|verb| {
        let (start, rest) = text.split_at_checked(verb.len())?;
        (start.eq_ignore_ascii_case(verb) && rest.starts_with(' ')).then(|| rest.trim_start())
    })
}

fn without_article(text: &str) -> &str {
    after(text, &["a", "an", "the"]).unwrap_or(text)
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
    let list = BREAKS.iter().find_map(|word| Some(title.split_once(word)?.1)).unwrap_or(title);
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
    let first = items.first().map(|first| first.trim());
    let first = first.map(|first| without_article(after(first, MAKING).unwrap_or(first)));
    let others = items.iter().skip(1).map(|item| without_article(item.trim()));
    let items: Vec<String> = first.into_iter().chain(others).map(headline).collect();
    let short = |item: &String| !item.is_empty() && item.chars().count() <= LISTED_CHARS_MAX;
    if items.len() > 2 && items.iter().all(short) { items } else { Vec::new() }
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
            ("Improve search", THE_CHANGE),
            ("Migrate to PostgreSQL", THE_CHANGE),
            ("Building permits", "Building permits"),
            ("API Development", "API"),
            ("Portal with login, reset and profile", "portal"),
            ("Talk with the customer", "Talk with the customer"),
            ("Development", "Development"),
            ("Add ", "Add"),
            ("🚀🚀", THE_CHANGE),
            ("a\nb", THE_CHANGE),
            ("Zahlungssystem einführen", "Zahlungssystem einführen"),
        ] {
            assert_eq!(subject(title), expected, "{title}");
        }
        assert_eq!(subject(&"long ".repeat(100)), THE_CHANGE);
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
