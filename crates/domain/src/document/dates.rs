//! Dates as people write them, refused in words that people understand.

use std::borrow::Cow;

use jiff::civil::Date;
use serde::de::{self, Deserialize, Deserializer};

pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    let Some(text) = Option::<Cow<'de, str>>::deserialize(deserializer)? else { return Ok(None) };
    match text.parse() {
        Ok(date) => Ok(Some(date)),
        Err(_) => Err(de::Error::custom(format!("`{text}` is not a date; write 2026-12-18"))),
    }
}
