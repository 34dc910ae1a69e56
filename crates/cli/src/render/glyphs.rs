//! What lines and bars are drawn with: all of Unicode where it can be shown, else plain ASCII.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyphs {
    Unicode,
    Ascii,
}

impl Glyphs {
    /// Decided by the environment: the locale's character set, and for a terminal whether it is
    /// one of few abilities. A locale that nobody set says nothing against Unicode; a text that
    /// goes into a file or to a program does not depend on what terminal there is.
    pub fn of(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set);
        let other = locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            !locale.contains("utf-8") && !locale.contains("utf8")
        });
        let dumb = terminal && variable("TERM").is_some_and(|term| term == "dumb");
        if other || dumb { Self::Ascii } else { Self::Unicode }
    }

    pub fn pick<T>(self, unicode: T, ascii: T) -> T {
        match self {
            Self::Unicode => unicode,
            Self::Ascii => ascii,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_and_the_terminal_decide() {
        let of = |terminal: bool, set: &[(&str, &str)]| {
            let set = set.to_vec();
            Glyphs::of(terminal, move |name| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        for (terminal, set, wanted) in [
            (true, &[][..], Glyphs::Unicode),
            (true, &[("LANG", "de_DE.UTF-8")], Glyphs::Unicode),
            (true, &[("LANG", "C.utf8")], Glyphs::Unicode),
            (false, &[("LANG", "C")], Glyphs::Ascii),
            (true, &[("LANG", "en_US.UTF-8"), ("LC_ALL", "POSIX")], Glyphs::Ascii),
            (true, &[("LC_CTYPE", "C"), ("LC_ALL", "en_US.UTF-8")], Glyphs::Unicode),
            (true, &[("LC_ALL", ""), ("LANG", "ja_JP.eucJP")], Glyphs::Ascii),
            (true, &[("TERM", "dumb")], Glyphs::Ascii),
            (false, &[("TERM", "dumb")], Glyphs::Unicode),
        ] {
            assert_eq!(of(terminal, set), wanted, "{terminal} {set:?}");
        }
    }
}
