//! What a title is about, and the parts that a title or a description lists.

use super::verbs::{Act, Verb, act, has_article, is_wish, without_article};
use crate::limits;

/// What a list comes after for certain.
const LISTING: &str = ": ";

/// What stands between what a title is about and the parts that it lists.
const BREAKS: [&str; 5] = [LISTING, " with ", " including ", " such as ", " mit "];

/// What a title goes on with that names no part of it.
const CLAUSES: [&str; 14] = [
    ", with ",
    ", including ",
    ", without ",
    ", so that ",
    ", which ",
    ", that ",
    ", damit ",
    ", der ",
    ", die ",
    ", das ",
    " so that ",
    " with no ",
    " including ",
    " - ",
];

/// What a change goes on with that is not the thing that is changed.
const RESULTS: [&str; 2] = [" into ", " by "];

/// What a thing goes on with that says what others can do with it.
const GRANTING: [&str; 3] = [" where ", " so that ", " in which "];

/// What a subject that is too long goes on with.
const GOES_ON: [&str; 8] = [" where ", " that ", " which ", " so ", " (", ", ", " with ", " for "];

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

/// What stands for something that users can do in the end.
const THE_FEATURE: &str = "the feature";

/// The longest subject that still reads well inside a task's title.
const SUBJECT_CHARS_MAX: usize = 60;

/// The longest part that a title may list; anything longer is a sentence and no list.
const LISTED_CHARS_MAX: usize = 40;

/// Parts that a plan is made of; whoever lists more is told that the rest is left out.
pub const PARTS_MAX: usize = 30;

/// Words that begin a title with a capital and inside a sentence have none.
#[rustfmt::skip]
const COMMON: &[&str] = &[
    "accessibility", "active", "admin", "advanced", "architecture", "asset", "async", "audit",
    "authentication", "authorisation", "authorization", "automated", "automatic", "automation",
    "background", "basic", "batch", "better", "billing", "booking", "branding", "build", "bulk",
    "business", "campaign", "category", "central", "chat", "cloud", "code", "command", "comment",
    "company", "complete", "contact", "content", "core", "cross-platform", "custom", "customer",
    "daily", "dark", "data", "dependency", "design", "desktop", "development", "device",
    "distributed", "document", "documentation", "domain", "download", "dynamic", "email",
    "employee", "encryption", "end-to-end", "error", "event", "external", "fast", "feature",
    "feedback", "file", "financial", "first", "full", "full-text", "global", "health", "image",
    "incident", "infrastructure", "inline", "interactive", "internal", "internationalisation",
    "internationalization", "inventory", "invoice", "invoicing", "journal", "landing", "language",
    "large", "legacy", "light", "load", "local", "localisation", "localization", "log", "long",
    "low", "machine", "mail", "main", "maintenance", "management", "marketing", "media", "member",
    "memory", "message", "microservices", "mobile", "modern", "monitoring", "monthly",
    "multi-tenant", "multiplayer", "network", "new", "notification", "observability", "offline",
    "old", "onboarding", "online", "open", "open-source", "order", "orders", "overdue",
    "password", "payment", "payments", "payroll", "performance", "permission", "personal",
    "photo", "pricing", "print", "privacy", "product", "production", "public", "push", "query",
    "quick", "quote", "rate", "real-time", "recipe", "recommendation", "recurring", "refund",
    "release", "remote", "reporting", "reports", "responsive", "result", "review", "role",
    "sales", "scheduling", "searchable", "secure", "security", "self-service", "session",
    "settings", "shared", "shipping", "shopping", "simple", "single", "small", "smart", "snake",
    "social", "sortable", "spam", "sprint", "staff", "staging", "static", "stock", "storage",
    "structured", "subscription", "support", "survey", "task", "team", "test", "third-party",
    "ticket", "time", "token", "tracking", "translation", "two-factor", "unified", "unit",
    "usage", "user", "user-facing", "users", "vacation", "validation", "vector", "video",
    "virtual", "voice", "web", "weekly", "wish", "working",
];

/// What there is one of, in a sentence with an article. With a capital they are no names either.
#[rustfmt::skip]
const SINGLE_THINGS: &[&str] = &[
    "account", "algorithm", "analyser", "analyzer", "api", "app", "application", "archive",
    "backend", "backup", "blog", "board", "bot", "browser", "builder", "cache", "calculator",
    "calendar", "cart", "catalogue", "checker", "checkout", "client", "cluster", "compiler",
    "component", "configuration", "connector", "console", "container", "controller", "course",
    "crawler", "cron", "dashboard", "database", "deployment", "editor", "endpoint", "engine",
    "environment", "export", "exporter", "extension", "feed", "filter", "form", "framework",
    "frontend", "function", "game", "gateway", "generator", "guide", "handbook", "handler",
    "header", "home", "hub", "import", "importer", "inbox", "index", "indexer", "integration",
    "interface", "interpreter", "job", "launcher", "layer", "layout", "library", "list", "loader",
    "logger", "login", "manager", "manual", "map", "marketplace", "menu", "migration", "mode",
    "model", "module", "monitor", "monolith", "newsletter", "overview", "package", "page",
    "panel", "parser", "picker", "pipeline", "planner", "platform", "player", "plugin", "policy",
    "portal", "preview", "process", "processor", "profile", "project", "prototype", "proxy",
    "queue", "reader", "registry", "report", "repository", "reset", "router", "runner", "sandbox",
    "scanner", "scheduler", "schema", "screen", "script", "sdk", "search", "server", "service",
    "shop", "sidebar", "signup", "simulator", "site", "stack", "store", "strategy", "stream",
    "suite", "switcher", "sync", "syncer", "system", "table", "template", "terminal", "theme",
    "timeline", "timer", "tool", "toolbar", "toolkit", "tracker", "tutorial", "uploader",
    "validator", "view", "viewer", "warehouse", "watcher", "webhook", "website", "widget", "wiki",
    "wizard", "worker", "workflow", "workspace",
];

/// What stands before a thing in the place of an article.
const DETERMINERS: &[&str] = &[
    "all", "any", "each", "every", "its", "more", "my", "no", "our", "some", "the", "their", "your",
];

/// What a thing goes on with after the word that names it.
const PREPOSITIONS: &[&str] = &[
    " about ",
    " across ",
    " as ",
    " at ",
    " between ",
    " by ",
    " for ",
    " from ",
    " in ",
    " into ",
    " of ",
    " on ",
    " per ",
    " to ",
    " using ",
    " via ",
    " when ",
    " while ",
    " with ",
    " without ",
];

/// What a title may end with that names the work and not the thing.
const OF_WORK: &[&str] = &[" architecture", " development", " implementation", " release"];

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
    if is_wish(title) {
        return THE_FEATURE.to_owned();
    }
    let title = head(title);
    if let Some(act) = act(title).filter(|act| BESIDE.iter().any(|word| begins(act.object, word))) {
        let verb = act.word.to_lowercase();
        let noun = NOUNS.iter().find(|(known, _)| *known == verb);
        let named = noun.map(|(_, noun)| format!("{noun} {}", act.object));
        return named.filter(|text| speakable(text)).unwrap_or_else(|| THE_WORK.to_owned());
    }
    let verb = act(title).map(|act| act.verb);
    let object = object(title);
    if verb == Some(Verb::Foreign) && speakable(object) {
        return object.to_owned();
    }
    let changed = verb == Some(Verb::Changing);
    let marks = if changed { &RESULTS[..] } else { &[] };
    let named = with_article(marks.iter().fold(object, |text, mark| before(text, mark)));
    if speakable(&named) { named } else { THE_WORK.to_owned() }
}

/// What a title is about, without an article.
pub fn thing(title: &str) -> String {
    lowered(without_article(object(head(title))))
}

/// What a title names or does something to.
fn object(title: &str) -> &str {
    let object = act(title).map(|act| act.object).filter(|object| !object.is_empty());
    let object = short(object.unwrap_or(title));
    // "Search page: a form, a list" is about the page; "Fix: it is slow" is not about fixing.
    let named = before(object, LISTING);
    let object = if is_single_thing(named) { named } else { object };
    OF_WORK.iter().fold(object, |object, end| {
        let at = object.len().saturating_sub(end.len());
        match object.split_at_checked(at) {
            Some((rest, last)) if last.eq_ignore_ascii_case(end) => rest,
            _ => object,
        }
    })
}

/// The beginning of a title that says what it is about, and the rest.
pub fn gist(title: &str) -> (&str, &str) {
    title.split_at(short(title).len())
}

/// The beginning of a text that is too long for a subject.
fn short(text: &str) -> &str {
    if speakable(text) {
        return text;
    }
    let beginnings = GOES_ON.iter().map(|mark| before(text, mark));
    beginnings.filter(|text| speakable(text)).max_by_key(|text| text.len()).unwrap_or(text)
}

/// "User dashboard" as it stands in a sentence: "the user dashboard". What is many, a name or no
/// single thing has no article.
fn with_article(text: &str) -> String {
    let thing = lowered(without_article(text));
    let named = if is_single_thing(&thing) { format!("the {thing}") } else { thing.clone() };
    if has_article(text) { format!("the {thing}") } else { named }
}

fn is_single_thing(thing: &str) -> bool {
    let owned = DETERMINERS.iter().any(|word| begins(thing, word));
    let kept = PREPOSITIONS.iter().fold(thing, |text, word| before(text, word));
    let last = kept.rsplit([' ', '-']).next().unwrap_or_default().to_lowercase();
    !owned && SINGLE_THINGS.contains(&last.as_str())
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
    let named = act(part).is_none() && part.chars().count() <= SUBJECT_CHARS_MAX;
    (named && !is_wish(part)).then(|| with_article(part))
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

/// "User dashboard" in the middle of a sentence. "Stripe" and "Project Apollo" are names.
fn lowered(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let is_name = |word: &&str| word.starts_with(char::is_uppercase) && !is_ordinary(word);
    if words.iter().take(2).any(is_name) {
        return text.to_owned();
    }
    let small = |word: &&str| {
        let is_short_form = word.chars().skip(1).any(char::is_uppercase);
        if is_short_form || !is_ordinary(word) { (*word).to_owned() } else { word.to_lowercase() }
    };
    words.iter().map(small).collect::<Vec<_>>().join(" ")
}

fn is_ordinary(word: &str) -> bool {
    let small = word.to_lowercase();
    [COMMON, SINGLE_THINGS, DETERMINERS].iter().any(|words| words.contains(&small.as_str()))
}

/// The parts that the work is listed in: the bullets of the description, or a list in the title.
pub fn parts(title: &str, description: Option<&str>) -> Vec<String> {
    let bullets = description.map(bullets).unwrap_or_default();
    let listed = if bullets.len() > 1 { bullets } else { listed(title) };
    let listed = if listed.is_empty() { granted(title) } else { listed };
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
    // "Search page: a form, a list" has two parts; "Fix: slow, and wrong" has none.
    let of_one_thing =
        broken.is_some_and(|(mark, head, _)| mark == LISTING && is_single_thing(head));
    let least = if of_one_thing { 2 } else { 3 };
    if items.len() < least || !items.iter().all(short) || items.iter().any(clause) {
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

/// "A platform where teams can plan, book and pay" lets teams do three things.
fn granted(title: &str) -> Vec<String> {
    let told = GRANTING.iter().find_map(|mark| title.split_once(mark));
    let Some((who, list)) = told.and_then(|(_, rest)| rest.split_once(" can ")) else {
        return Vec::new();
    };
    let items = items(CLAUSES.iter().fold(list, |text, mark| before(text, mark)));
    let fits = |item: &String| !item.is_empty() && item.chars().count() <= SUBJECT_CHARS_MAX;
    if items.len() < 2 || who.split(' ').count() > 2 || !items.iter().all(fits) {
        return Vec::new();
    }
    items.into_iter().map(|item| format!("Let {who} {item}")).collect()
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
            ("User dashboard", "the user dashboard"),
            ("Implement user authentication system", "the user authentication system"),
            ("Add a dark mode", "the dark mode"),
            ("Set up the Kubernetes cluster", "the Kubernetes cluster"),
            ("Payment System", "the payment system"),
            ("Stripe integration", "the Stripe integration"),
            ("Improve search", "the search"),
            ("Upgrade React", "React"),
            ("Speed up search", "the search"),
            ("Delete the legacy login API", "the legacy login API"),
            ("Decide on a database", "the database"),
            ("Suche bauen", "Suche"),
            (
                "Mobile app for iOS and Android, with a, b and c",
                "the mobile app for iOS and Android",
            ),
            ("Migrate to PostgreSQL", "the migration to PostgreSQL"),
            ("Report on costs", "the report on costs"),
            ("Building permits", "Building permits"),
            ("API Development", "the API"),
            ("Portal with login, reset and profile", "the portal"),
            ("Talk with the customer", "Talk with the customer"),
            ("Development", "development"),
            ("Add ", "Add"),
            ("🚀🚀", THE_WORK),
            ("a\nb", THE_WORK),
            ("Zahlungssystem einführen", "Zahlungssystem"),
            ("Email notifications for overdue tasks", "email notifications for overdue tasks"),
            ("Project Apollo", "Project Apollo"),
            ("Our website", "our website"),
            ("alten Login entfernen", "alten Login"),
            ("Search page: query form, list of results", "the search page"),
            ("Make the test suite faster", "the test suite"),
            ("Users can delete their account", THE_FEATURE),
            ("As a user I want to filter orders", THE_FEATURE),
            (
                "Build a multi-tenant SaaS platform where companies can manage all of their employees",
                "the multi-tenant SaaS platform",
            ),
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
            ("Onlineshop mit Warenkorb, Bezahlung und Konto", "Warenkorb | Bezahlung | Konto"),
            ("Search page: query form, list of results", "query form | list of results"),
            ("Fix: slow, and wrong", ""),
            (
                "A shop where guests can order, pay and track parcels, with a chat",
                "Let guests order | Let guests pay | Let guests track parcels",
            ),
            ("A page where a large crowd of people can order, pay and go", ""),
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
        assert_eq!(in_sentence("Login").as_deref(), Some("the login"));
        assert_eq!(in_sentence("Fix the header"), None);
    }
}
