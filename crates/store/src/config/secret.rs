//! Addresses with a password in them: kept from every text that is shown.

/// What stands where a password was.
const HIDDEN: &str = "***";

/// What follows `?` in an address and may be shown; anything else might be a secret.
const HARMLESS: [&str; 6] =
    ["application_name", "connect_timeout", "host", "port", "sslmode", "target_session_attrs"];

/// An address as it may be shown. What cannot be told apart from a password is taken for one.
pub fn masked(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, rest),
    };
    let mut shown = format!("{scheme}://");
    if let Some(user) = user {
        match user.split_once(':') {
            Some((name, _)) => shown.extend([name, ":", HIDDEN, "@"]),
            None => shown.extend([user, "@"]),
        }
    }
    let (place, options) = rest.split_once('?').map_or((rest, None), |(p, o)| (p, Some(o)));
    shown.push_str(place);
    if let Some(options) = options {
        let options: Vec<String> = options.split('&').map(masked_option).collect();
        shown.push('?');
        shown.push_str(&options.join("&"));
    }
    shown
}

fn masked_option(option: &str) -> String {
    match option.split_once('=') {
        Some((name, _)) if !HARMLESS.contains(&name) => format!("{name}={HIDDEN}"),
        Some(_) => option.to_owned(),
        None => HIDDEN.to_owned(),
    }
}

/// The same for a text in which addresses may stand, such as the message of a parser.
pub fn masked_in(text: &str) -> String {
    if !text.contains("://") {
        return text.to_owned();
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',');
    let mut shown = String::new();
    for part in text.split_inclusive(ends) {
        let word = part.trim_end_matches(ends);
        shown.push_str(&masked(word));
        shown.push_str(&part[word.len()..]);
    }
    shown
}

/// Whether it can be the address of a PostgreSQL database. What is refused is never repeated.
pub(super) fn check(address: &str) -> Result<(), String> {
    const WRONG: &str = "it is not a URL such as postgres://user@host/database";
    let rest = ["postgres://", "postgresql://"].iter().find_map(|s| address.strip_prefix(s));
    let rest = rest.ok_or(WRONG)?;
    if rest.is_empty() || rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(WRONG.into());
    }
    let (first, later) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if first.matches('@').count() > 1 || later.contains('@') {
        // Where the password ends would be anybody's guess, and the rest of it would be shown.
        return Err("write @ / ? # in a user's name or a password as %40 %2F %3F %23".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown_wherever_it_stands() {
        for (address, shown) in [
            ("postgres://ada:secret@host/db", "postgres://ada:***@host/db"),
            ("postgres://ada@host:5432/db", "postgres://ada@host:5432/db"),
            ("postgres://host:5432/db", "postgres://host:5432/db"),
            ("postgres://ada:se@cret@host/db", "postgres://ada:***@host/db"),
            ("postgres://ada:se/cret@host/db", "postgres://ada:***@host/db"),
            ("postgres://:secret@host/db", "postgres://:***@host/db"),
            (
                "postgres://host/db?user=ada&password=secret&sslmode=require",
                "postgres://host/db?user=***&password=***&sslmode=require",
            ),
            ("postgres://host/db?pass%77ord=secret", "postgres://host/db?pass%77ord=***"),
            ("postgres://host/db?secret", "postgres://host/db?***"),
            ("none", "none"),
        ] {
            assert_eq!(masked(address), shown);
        }
        assert_eq!(
            masked_in("invalid type: string \"postgres://a:secret@h/d\", expected a map"),
            "invalid type: string \"postgres://a:***@h/d\", expected a map"
        );
    }

    #[test]
    fn what_is_refused_is_not_repeated() {
        for address in [
            "",
            "secret",
            "mysql://a:secret@h/d",
            "postgres://",
            "postgres://a:sec ret@h/d",
            "postgres://a:se@cret@h/d",
            "postgres://a:se/cret@h/d",
            "host=h password=secret",
        ] {
            let error = check(address).unwrap_err();
            assert!(!error.contains("secret") && !error.contains("cret@"), "{error}");
        }
        for address in
            ["postgres://h", "postgresql://a:b%40c@h:1/d?sslmode=require", "postgres:///d"]
        {
            assert_eq!(check(address), Ok(()), "{address}");
        }
    }
}
