//! Words of a text, to be found again whatever their case and number.

use std::collections::HashMap;

/// A text as the words it is made of.
pub struct Text {
    words: Vec<String>,
    /// Where each word stands.
    places: HashMap<String, Vec<usize>>,
}

/// Where in a text a phrase was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// It is what the text begins with.
    pub first: bool,
    /// It is what the text ends with.
    pub last: bool,
}

impl Text {
    pub fn new(text: &str) -> Self {
        let words: Vec<String> = words(text).collect();
        let mut places: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, word) in words.iter().enumerate() {
            places.entry(word.clone()).or_default().push(place);
        }
        Self { words, places }
    }

    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Whether a word or phrase stands here, as whole words.
    pub fn find(&self, phrase: &str) -> Option<Found> {
        let phrase: Vec<String> = words(phrase).collect();
        let starts = self.places.get(phrase.first()?)?;
        let here = |start: &&usize| self.words[**start..].starts_with(&phrase);
        let mut found = starts.iter().filter(here).map(|start| Found {
            first: *start == 0,
            last: start + phrase.len() == self.words.len(),
        });
        let first = found.next()?;
        Some(found.fold(first, |all, one| Found {
            first: all.first || one.first,
            last: all.last || one.last,
        }))
    }

    pub fn has(&self, phrase: &str) -> bool {
        self.find(phrase).is_some()
    }
}

/// The words of a text in small letters, each in the singular.
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| singular(word.to_lowercase()))
}

/// The singular of an English word, as far as its ending tells. It need not be a word: both sides
/// of a comparison come through here.
fn singular(mut word: String) -> String {
    if !word.is_ascii() || word.len() < 4 {
        return word;
    }
    let drop = match word.as_str() {
        w if ["ss", "us", "sis", "xis"].iter().any(|end| w.ends_with(end)) => 0,
        w if w.ends_with("ies") && w.len() > 4 => {
            word.truncate(word.len() - 3);
            word.push('y');
            return word;
        }
        w if ["sses", "ches", "shes", "xes"].iter().any(|end| w.ends_with(end)) => 2,
        w if w.ends_with('s') => 1,
        _ => 0,
    };
    word.truncate(word.len() - drop);
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_found_as_whole_words_in_any_case_and_number() {
        let text = Text::new("REST APIs for the Multi-Tenant user's policies");
        for phrase in ["api", "rest api", "multi tenant", "Multi-tenant", "policy", "users"] {
            assert!(text.has(phrase), "{phrase}");
        }
        for phrase in ["ap", "tenant multi", "est", "", "  ", "api for a"] {
            assert!(!text.has(phrase), "{phrase}");
        }
        assert_eq!(text.find("rest").map(|found| (found.first, found.last)), Some((true, false)));
        assert_eq!(text.find("policy").map(|found| (found.first, found.last)), Some((false, true)));
    }

    #[test]
    fn endings_that_only_look_like_a_plural_stay() {
        for word in ["process", "status", "analysis", "axis", "bus", "css"] {
            assert_eq!(singular(word.to_owned()), word);
        }
        for (many, one) in [("boxes", "box"), ("queries", "query"), ("batches", "batch")] {
            assert_eq!(singular(many.to_owned()), one);
        }
    }
}
