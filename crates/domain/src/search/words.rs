//! Words in texts: folded to one case, and found where a word begins.

use std::ops::Range;

/// A text as it is compared: in lower case, every stretch of white space as one space.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    folding(text, |c, _| folded.push(c));
    folded
}

/// A folded text that knows where each part of it came from.
#[derive(Debug)]
pub struct Folded {
    pub text: String,
    /// The character of the original that each byte was made from.
    origins: Vec<usize>,
}

impl Folded {
    pub fn new(original: &str) -> Self {
        let (mut text, mut origins) = (String::new(), Vec::new());
        folding(original, |c, origin| {
            text.push(c);
            origins.resize(text.len(), origin);
        });
        Self { text, origins }
    }

    /// The characters of the original behind a range of folded bytes.
    pub fn origin(&self, range: &Range<usize>) -> Range<usize> {
        let at = |byte: usize| self.origins.get(byte).copied().unwrap_or_default();
        at(range.start)..at(range.end.saturating_sub(1)) + 1
    }
}

fn folding(text: &str, mut push: impl FnMut(char, usize)) {
    let mut space = false;
    for (origin, c) in text.chars().enumerate() {
        if c.is_whitespace() {
            if !space {
                push(' ', origin);
            }
            space = true;
            continue;
        }
        space = false;
        match c {
            // At the end of a word it is written differently, and is the same letter.
            'ς' => push('σ', origin),
            c if c.is_ascii() => push(c.to_ascii_lowercase(), origin),
            c => c.to_lowercase().for_each(|c| push(c, origin)),
        }
    }
}

/// Where a folded term stands in a folded text at the beginning of a word, and whether it ends with
/// the word, too.
pub fn occurrences<'t>(
    text: &'t str,
    term: &'t str,
) -> impl Iterator<Item = (Range<usize>, bool)> + 't {
    let first = term.chars().next();
    let mut from = 0;
    std::iter::from_fn(move || {
        let first = first?;
        loop {
            let start = from + text.get(from..)?.find(term)?;
            // Occurrences may overlap, and only one of them may begin a word.
            from = start + first.len_utf8();
            let end = start + term.len();
            let before = text[..start].chars().next_back();
            if is_boundary(before, Some(first)) {
                let after = text[end..].chars().next();
                let whole = is_boundary(term.chars().next_back(), after);
                return Some((start..end, whole));
            }
        }
    })
}

/// Whether a word may end between these two characters.
fn is_boundary(left: Option<char>, right: Option<char>) -> bool {
    let (Some(left), Some(right)) = (left, right) else { return true };
    let inside = left.is_alphanumeric() && right.is_alphanumeric();
    !inside || is_unspaced(left) || is_unspaced(right)
}

/// A letter of a script that puts no spaces between words, so that any of them may begin one.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{2e80}'..='\u{a4cf}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The words of a folded text.
pub fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// How many letters must be changed, added, left out or swapped with their neighbour to make one
/// word of the other; `None` if more than `most`.
pub fn distance(one: &str, other: &str, most: usize) -> Option<usize> {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    // Three rows are enough: swapping neighbours looks two rows back.
    let mut rows = [Vec::new(), (0..=other.len()).collect::<Vec<usize>>(), Vec::new()];
    for (i, a) in one.iter().enumerate() {
        let [two_before, before, now] = &mut rows;
        now.clear();
        now.push(i + 1);
        for (j, b) in other.iter().enumerate() {
            let changed = before[j] + usize::from(a != b);
            let mut least = changed.min(before[j + 1] + 1).min(now[j] + 1);
            let swapped = i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b;
            if swapped {
                least = least.min(two_before[j - 1] + 1);
            }
            now.push(least);
        }
        rows.rotate_left(1);
    }
    rows[1].last().copied().filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, term: &str) -> Vec<(String, bool)> {
        let (text, term) = (fold(text), fold(term));
        let found = occurrences(&text, &term);
        found.map(|(range, whole)| (text[range].to_owned(), whole)).collect()
    }

    #[test]
    fn a_term_is_found_where_a_word_begins() {
        let one = |text: &str, whole| vec![(text.to_owned(), whole)];
        assert_eq!(found("Authentication", "auth"), one("auth", false));
        assert_eq!(found("the AUTH flow", "Auth"), one("auth", true));
        assert_eq!(found("OAuth", "auth"), []);
        assert_eq!(found("src/auth/flow.rs", "auth"), one("auth", true));
        assert_eq!(found("user_auth", "auth"), one("auth", true));
        assert_eq!(found("see task-001-002.", "task-001-002"), one("task-001-002", true));
        assert_eq!(found("ba a a", "a a"), one("a a", true));
        assert_eq!(found("use C++ or C#", "c++"), one("c++", true));
        assert_eq!(found("anything", ""), []);
    }

    #[test]
    fn letters_of_all_scripts_fold() {
        assert_eq!(found("ÄRGER", "ärg").len(), 1);
        assert_eq!(found("ΟΔΟΣ οδος", "οδος").len(), 2);
        assert_eq!(found("日本語の検索", "検索").len(), 1);
        assert_eq!(found("İstanbul", "i").len(), 1);
        assert_eq!(fold("a\n\t b"), "a b");
    }

    #[test]
    fn what_was_found_is_known_in_the_original() {
        let text = "İ  Ω🦀 Login";
        let folded = Folded::new(text);
        let (range, _) = occurrences(&folded.text, "login").next().unwrap();
        let origin = folded.origin(&range);
        let marked: String = text.chars().skip(origin.start).take(origin.len()).collect();
        assert_eq!(marked, "Login");
    }

    #[test]
    fn near_words_are_a_letter_or_two_away() {
        assert_eq!(distance("login", "login", 2), Some(0));
        assert_eq!(distance("lgoin", "login", 2), Some(1));
        assert_eq!(distance("logn", "login", 2), Some(1));
        assert_eq!(distance("kitten", "sitting", 2), None);
        assert_eq!(distance("kitten", "sitting", 3), Some(3));
        assert_eq!(distance("", "ab", 2), Some(2));
    }
}
