//! Working time: how much of it a piece of work takes, and how sure we are.
//!
//! A day of work is 8 hours, a week 5 days and a month 20 days, whatever the calendar says: an
//! estimate means the same in every project. How many hours a day are really worked is the
//! business of [`crate::calendar`].

use std::borrow::Cow;
use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use crate::limits;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Serialize, Serializer};

const HOUR: u32 = 60;
const DAY: u32 = 8 * HOUR;
const WEEK: u32 = 5 * DAY;
const MONTH: u32 = 20 * DAY;

/// An amount of working time, to the minute.
///
/// Nobody can write more than [`Effort::LONGEST`]; sums may be larger, because a project has many
/// tasks, and stop at the largest value instead of wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Effort(u32);

impl Effort {
    /// The most that can be written as one effort: ten years of 52 weeks.
    pub const LONGEST: Self = Self(10 * 52 * WEEK);

    /// Takes a figure that was measured or computed, which [`Effort::LONGEST`] does not bind.
    pub const fn from_minutes(minutes: u32) -> Self {
        Self(minutes)
    }

    /// Counts the minutes of work.
    pub const fn minutes(self) -> u32 {
        self.0
    }

    /// Adds two efforts, up to the largest value.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// How much this is of the other, in percent: 100 is as much, 150 half as much again.
    pub fn percent_of(self, other: Self) -> u32 {
        let percent = u64::from(self.0) * 100 / u64::from(other.0).max(1);
        u32::try_from(percent).unwrap_or(u32::MAX)
    }

    /// Adds `percent` on top, rounded up: a buffer that rounds to nothing protects nobody.
    #[must_use]
    pub fn with_buffer(self, percent: u16) -> Self {
        let minutes = (u64::from(self.0) * (100 + u64::from(percent))).div_ceil(100);
        Self(u32::try_from(minutes).unwrap_or(u32::MAX))
    }
}

impl Sum for Effort {
    fn sum<I: Iterator<Item = Self>>(efforts: I) -> Self {
        efforts.fold(Self::default(), Self::saturating_add)
    }
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0h");
        }
        let mut rest = self.0;
        let mut gap = "";
        for (size, unit) in [(WEEK, "w"), (DAY, "d"), (HOUR, "h"), (1, "m")] {
            if rest >= size {
                write!(f, "{gap}{}{unit}", rest / size)?;
                rest %= size;
                gap = " ";
            }
        }
        Ok(())
    }
}

/// Why a text is not an [`Effort`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EffortError {
    /// The text is not made of numbers and units.
    #[error(
        "{text:?} is not an amount of work; write for example `4h`, `90m`, `1d 4h`, `1.5 days`, \
         `2 weeks`, or a number of hours"
    )]
    Unreadable { text: String },
    /// The text says more than [`Effort::LONGEST`].
    #[error("{text:?} is more than ten years of work ({}), which is the limit", Effort::LONGEST)]
    TooLong { text: String },
}

impl FromStr for Effort {
    type Err = EffortError;

    fn from_str(text: &str) -> Result<Self, EffortError> {
        let Some(minutes) = read_amounts(text.trim()) else {
            return Err(EffortError::Unreadable { text: shortened(text) });
        };
        u32::try_from(minutes)
            .map(Self)
            .ok()
            .filter(|effort| *effort <= Self::LONGEST)
            .ok_or_else(|| EffortError::TooLong { text: shortened(text) })
    }
}

/// Adds up amounts such as `1d 4h`, in minutes.
fn read_amounts(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    loop {
        let (number, after) = split_where(rest, |c| !c.is_ascii_digit() && c != '.');
        let (word, after) = split_where(after.trim_start(), |c| !c.is_ascii_alphabetic());
        // Only a number on its own means hours: in `1d 4` somebody forgot a unit.
        let alone = rest.len() == text.len() && after.is_empty();
        let unit = if word.is_empty() && alone { HOUR } else { unit_minutes(word)? };
        total = total.saturating_add(number_of(number, unit)?);
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(total);
        }
    }
}

fn split_where(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

fn unit_minutes(word: &str) -> Option<u32> {
    match word.to_ascii_lowercase().as_str() {
        "m" | "min" | "mins" | "minute" | "minutes" => Some(1),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some(HOUR),
        "d" | "day" | "days" => Some(DAY),
        "w" | "wk" | "wks" | "week" | "weeks" => Some(WEEK),
        "mo" | "month" | "months" => Some(MONTH),
        _ => None,
    }
}

/// Reads a decimal number of `unit`s as minutes, to the nearest.
///
/// Integers all the way, so that there is no NaN and no infinity to think of. Six decimals are
/// looked at: the seventh is worth less than a minute even of a month.
fn number_of(number: &str, unit: u32) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    // Digits that do not fit are more than anybody may write, and refused as such.
    let whole = whole.parse::<u64>().unwrap_or(u64::MAX);
    let millionths = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(6)
        .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let unit = u64::from(unit);
    let part = (millionths * unit + 500_000) / 1_000_000;
    Some(whole.saturating_mul(unit).saturating_add(part))
}

/// Keeps an error readable when the text is a whole paragraph.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl Serialize for Effort {
    /// People read the written form; a format that nobody reads gets the minutes.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        serializer.serialize_u32(self.0)
    }
}

impl<'de> Deserialize<'de> for Effort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(EffortVisitor);
        }
        u32::deserialize(deserializer).map(Self)
    }
}

struct EffortVisitor;

impl Visitor<'_> for EffortVisitor {
    type Value = Effort;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount of work such as `4h`, or a number of hours")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Effort, E> {
        text.parse().map_err(E::custom)
    }

    // Numbers take the way of texts, so that every form has the same limits and messages.
    fn visit_u64<E: Error>(self, hours: u64) -> Result<Effort, E> {
        self.visit_str(&hours.to_string())
    }

    fn visit_i64<E: Error>(self, hours: i64) -> Result<Effort, E> {
        self.visit_str(&hours.to_string())
    }

    fn visit_f64<E: Error>(self, hours: f64) -> Result<Effort, E> {
        self.visit_str(&hours.to_string())
    }
}

impl JsonSchema for Effort {
    fn schema_name() -> Cow<'static, str> {
        "Effort".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        if generator.contract().is_serialize() {
            return json_schema!({
                "description": "An amount of working time, the largest units first; a day is \
                    8 hours, a week 5 days.",
                "type": "string",
                "pattern": r"^[0-9]+[wdhm]( [0-9]+[dhm])*$",
                "examples": ["4h", "1d 4h", "2w"],
            });
        }
        json_schema!({
            "description": "An amount of working time. A number alone means hours; \
                a day is 8 hours, a week 5 days, a month 20 days.",
            "type": ["string", "number"],
            "pattern": r"^\s*\d+(\.\d+)?\s*[A-Za-z]*(\s*\d+(\.\d+)?\s*[A-Za-z]+)*\s*$",
            "minimum": 0,
            "examples": ["4h", "90m", "1d 4h", "1.5 days", "2 weeks", 8],
        })
    }
}

/// How much work something is thought to be: one figure, or three when there is doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Estimate {
    /// One figure.
    Single(Effort),
    /// The best, the most probable and the worst case.
    ThreePoint(ThreePoint),
}

impl Estimate {
    /// The mean to plan with: the figure itself, or the PERT mean `(o + 4l + p) / 6`.
    pub fn expected(self) -> Effort {
        match self {
            Self::Single(effort) => effort,
            Self::ThreePoint(points) => points.expected(),
        }
    }

    /// The single most probable figure.
    pub fn likely(self) -> Effort {
        match self {
            Self::Single(effort) => effort,
            Self::ThreePoint(points) => points.likely(),
        }
    }
}

/// What a task is expected to take; one that nobody estimated is assumed to be a small one.
pub fn expected(estimate: Option<Estimate>) -> Effort {
    estimate.map_or(limits::ASSUMED_EFFORT, Estimate::expected)
}

/// An estimate with its doubt: never `optimistic > likely` nor `likely > pessimistic`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct ThreePoint {
    /// If all goes well: one time in ten it takes no more.
    optimistic: Effort,
    /// What is most probable.
    likely: Effort,
    /// If much goes wrong: one time in ten it takes more.
    pessimistic: Effort,
}

impl ThreePoint {
    /// Takes the three points if they stand in order; equal points are in order.
    pub fn new(
        optimistic: Effort,
        likely: Effort,
        pessimistic: Effort,
    ) -> Result<Self, UnorderedPoints> {
        if optimistic <= likely && likely <= pessimistic {
            Ok(Self { optimistic, likely, pessimistic })
        } else {
            Err(UnorderedPoints { optimistic, likely, pessimistic })
        }
    }

    /// What it takes if all goes well.
    pub fn optimistic(self) -> Effort {
        self.optimistic
    }

    /// What it most probably takes.
    pub fn likely(self) -> Effort {
        self.likely
    }

    /// What it takes if much goes wrong.
    pub fn pessimistic(self) -> Effort {
        self.pessimistic
    }

    fn expected(self) -> Effort {
        let [o, l, p] = [self.optimistic, self.likely, self.pessimistic].map(|e| u64::from(e.0));
        // A mean never exceeds the largest point, so the fallback is only there for the types.
        Effort(u32::try_from((o + 4 * l + p + 3) / 6).unwrap_or(u32::MAX))
    }
}

/// The three points of an estimate stand in the wrong order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the points of an estimate may not decrease: optimistic {optimistic}, likely {likely}, \
     pessimistic {pessimistic}"
)]
pub struct UnorderedPoints {
    optimistic: Effort,
    likely: Effort,
    pessimistic: Effort,
}

/// The mapping as written, before its order is checked.
#[derive(serde::Deserialize)]
struct WrittenPoints {
    optimistic: Effort,
    likely: Effort,
    pessimistic: Effort,
}

impl Serialize for Estimate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (*self, serializer.is_human_readable()) {
            (Self::Single(effort), true) => effort.serialize(serializer),
            (Self::ThreePoint(points), true) => points.serialize(serializer),
            (Self::Single(effort), false) => Compact::Single(effort).serialize(serializer),
            (Self::ThreePoint(ThreePoint { optimistic, likely, pessimistic }), false) => {
                Compact::Points(optimistic, likely, pessimistic).serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Estimate {
    /// By hand, because an untagged enum buffers the value and loses the place of an error.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(EstimateVisitor);
        }
        match Compact::deserialize(deserializer)? {
            Compact::Single(effort) => Ok(Self::Single(effort)),
            Compact::Points(optimistic, likely, pessimistic) => {
                let points = ThreePoint::new(optimistic, likely, pessimistic);
                points.map(Self::ThreePoint).map_err(D::Error::custom)
            }
        }
    }
}

/// An estimate in a format that nobody reads, which cannot say what comes next.
#[derive(Serialize, serde::Deserialize)]
enum Compact {
    Single(Effort),
    Points(Effort, Effort, Effort),
}

struct EstimateVisitor;

impl<'de> Visitor<'de> for EstimateVisitor {
    type Value = Estimate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an amount of work such as `4h`, a number of hours, \
             or a mapping of `optimistic`, `likely` and `pessimistic`",
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Estimate, E> {
        EffortVisitor.visit_str(text).map(Estimate::Single)
    }

    fn visit_u64<E: Error>(self, hours: u64) -> Result<Estimate, E> {
        EffortVisitor.visit_u64(hours).map(Estimate::Single)
    }

    fn visit_i64<E: Error>(self, hours: i64) -> Result<Estimate, E> {
        EffortVisitor.visit_i64(hours).map(Estimate::Single)
    }

    fn visit_f64<E: Error>(self, hours: f64) -> Result<Estimate, E> {
        EffortVisitor.visit_f64(hours).map(Estimate::Single)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Estimate, A::Error> {
        let WrittenPoints { optimistic, likely, pessimistic } =
            WrittenPoints::deserialize(MapAccessDeserializer::new(map))?;
        ThreePoint::new(optimistic, likely, pessimistic)
            .map(Estimate::ThreePoint)
            .map_err(A::Error::custom)
    }
}

impl JsonSchema for Estimate {
    fn schema_name() -> Cow<'static, str> {
        "Estimate".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How much work something is thought to be: one amount, or three points.",
            "anyOf": [
                generator.subschema_for::<Effort>(),
                generator.subschema_for::<ThreePoint>(),
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn effort(text: &str) -> Effort {
        text.parse().unwrap()
    }

    fn estimate(value: serde_json::Value) -> Result<Estimate, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_what_people_write() {
        for (text, minutes) in [
            ("4h", 240),
            ("36h", 36 * 60),
            ("4 hours", 240),
            ("1 hr", 60),
            ("90m", 90),
            ("45 min", 45),
            ("1 minute", 1),
            ("3 days", 3 * 480),
            ("1d 4h", 720),
            ("1d4h", 720),
            ("1 Day  4 Hours", 720),
            ("4h 1d", 720),
            ("1.5 days", 720),
            ("1.50d", 720),
            ("2w", 4800),
            ("2 weeks", 4800),
            ("1 month", 9600),
            ("2 months", 19200),
            ("8", 480),
            ("0.5", 30),
            (" 8 ", 480),
            ("0", 0),
            ("0h", 0),
            ("0.0083h", 0),
            ("0.0084h", 1),
            ("1.1h", 66),
            ("0.333333333333333333333 days", 160),
            ("520w", 1_248_000),
        ] {
            assert_eq!(text.parse(), Ok(Effort(minutes)), "{text}");
        }
    }

    #[test]
    fn refuses_what_has_no_meaning() {
        for text in [
            "", " ", "h", "4x", "x4h", "-4h", "+4h", "1d 4", "4 5", "1.2.3h", "1.", ".5h", ".",
            "1,5 days", "2-3 days", "4h!", "NaN", "inf", "1e3", "٣h", "1 dayz", "4h,",
        ] {
            let error = text.parse::<Effort>().unwrap_err();
            assert_eq!(error, EffortError::Unreadable { text: text.to_owned() });
        }
    }

    #[test]
    fn refuses_more_than_a_career() {
        for text in ["521w", "20801h", "99999999999999999999999999 weeks", "520w 1m"] {
            let error = text.parse::<Effort>().unwrap_err();
            assert_eq!(error, EffortError::TooLong { text: text.to_owned() });
        }
        let error = "9".repeat(500).parse::<Effort>().unwrap_err().to_string();
        assert!(error.len() < 150, "{error}");
    }

    #[test]
    fn messages_name_the_text_and_show_the_way() {
        assert_eq!(
            "soon".parse::<Effort>().unwrap_err().to_string(),
            "\"soon\" is not an amount of work; write for example `4h`, `90m`, `1d 4h`, \
             `1.5 days`, `2 weeks`, or a number of hours"
        );
        assert_eq!(
            "600w".parse::<Effort>().unwrap_err().to_string(),
            "\"600w\" is more than ten years of work (520w), which is the limit"
        );
        let error = "é".repeat(41).parse::<Effort>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("\"{}…\" is not", "é".repeat(40))), "{error}");
    }

    #[test]
    fn shows_the_shortest_form() {
        for (written, shown) in [
            ("0", "0h"),
            ("4h", "4h"),
            ("16h", "2d"),
            ("12h", "1d 4h"),
            ("90m", "1h 30m"),
            ("5d", "1w"),
            ("1 month", "4w"),
            ("49h 1m", "1w 1d 1h 1m"),
        ] {
            assert_eq!(effort(written).to_string(), shown);
        }
    }

    #[test]
    fn sums_and_buffers_stop_at_the_largest_value() {
        let efforts = [effort("4h"), effort("30m")];
        assert_eq!(efforts.into_iter().sum::<Effort>(), effort("4h 30m"));
        assert_eq!([Effort(u32::MAX), Effort(1)].into_iter().sum::<Effort>(), Effort(u32::MAX));

        assert_eq!(effort("10h").with_buffer(20), effort("12h"));
        assert_eq!(effort("10h").with_buffer(0), effort("10h"));
        assert_eq!(effort("1m").with_buffer(1), effort("2m"));
        assert_eq!(Effort(0).with_buffer(50), Effort(0));
        assert_eq!(Effort(u32::MAX).with_buffer(u16::MAX), Effort(u32::MAX));
    }

    #[test]
    fn an_estimate_is_an_amount_a_number_or_three_points() {
        for (written, expected, likely) in [
            (json!("4h"), "4h", "4h"),
            (json!(8), "1d", "1d"),
            (json!(1.5), "1h 30m", "1h 30m"),
            (json!({"optimistic": "2h", "likely": "4h", "pessimistic": "2d"}), "5h 40m", "4h"),
            (json!({"pessimistic": 1, "likely": 1, "optimistic": 1}), "1h", "1h"),
            (json!({"optimistic": 0, "likely": 0, "pessimistic": "8m"}), "1m", "0h"),
            (json!({"optimistic": 0, "likely": 0, "pessimistic": "9m"}), "2m", "0h"),
        ] {
            let estimate = estimate(written).unwrap();
            assert_eq!(estimate.expected(), effort(expected));
            assert_eq!(estimate.likely(), effort(likely));
        }
    }

    #[test]
    fn an_estimate_is_written_back_in_its_own_form() {
        for written in
            [json!("4h"), json!({"optimistic": "2h", "likely": "4h", "pessimistic": "2d"})]
        {
            let read = estimate(written.clone()).unwrap();
            assert_eq!(serde_json::to_value(read).unwrap(), written);
        }
    }

    #[test]
    fn a_wrong_estimate_says_what_is_wrong() {
        for (written, message) in [
            (
                json!({"optimistic": "4h", "likely": "2h", "pessimistic": "1d"}),
                "the points of an estimate may not decrease: \
                 optimistic 4h, likely 2h, pessimistic 1d",
            ),
            (
                json!({"optimistic": "1h", "likely": "2d", "pessimistic": "1d"}),
                "the points of an estimate may not decrease: \
                 optimistic 1h, likely 2d, pessimistic 1d",
            ),
            (json!({"optimistic": "1h", "likely": "2h"}), "missing field `pessimistic`"),
            (json!({"optimistic": "x", "likely": 1, "pessimistic": 1}), "\"x\" is not an amount"),
            (json!("soon"), "\"soon\" is not an amount of work"),
            (json!(-1), "\"-1\" is not an amount of work"),
            (json!(1e300), "is more than ten years of work"),
            (json!(true), "invalid type: boolean `true`, expected an amount of work such as `4h`"),
            (json!(null), "invalid type: null, expected an amount of work"),
        ] {
            let error = estimate(written).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn an_error_inside_an_estimate_keeps_its_place() {
        let text = "{\n  \"optimistic\": 1,\n  \"likely\": \"soon\",\n  \"pessimistic\": 3\n}";
        let error = serde_json::from_str::<Estimate>(text).unwrap_err();
        assert_eq!(error.line(), 3);
    }

    #[test]
    fn the_schema_describes_every_form() {
        let schema = serde_json::to_value(schemars::schema_for!(Estimate)).unwrap();
        assert_eq!(schema["anyOf"][0]["$ref"], "#/$defs/Effort");
        assert_eq!(schema["$defs"]["Effort"]["type"], json!(["string", "number"]));
        assert_eq!(
            schema["$defs"]["ThreePoint"]["required"],
            json!(["optimistic", "likely", "pessimistic"])
        );
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_read(minutes in 0..=Effort::LONGEST.0) {
            let effort = Effort(minutes);
            prop_assert_eq!(effort.to_string().parse(), Ok(effort));
            let json = serde_json::to_string(&effort).unwrap();
            prop_assert_eq!(serde_json::from_str::<Effort>(&json).unwrap(), effort);
        }

        #[test]
        fn no_text_breaks_the_reader(text in "[0-9 .a-zé-]{0,30}") {
            if let Ok(effort) = text.parse::<Effort>() {
                prop_assert!(effort <= Effort::LONGEST);
            }
        }

        #[test]
        fn a_number_of_hours_is_read_to_the_minute(hours in 0.0..20_000.0_f64) {
            let effort: Effort = serde_json::from_value(json!(hours)).unwrap();
            prop_assert!((f64::from(effort.0) - hours * 60.0).abs() <= 0.501);
        }

        #[test]
        fn the_mean_lies_between_the_points(mut points in prop::array::uniform3(0..u32::MAX)) {
            points.sort_unstable();
            let [o, l, p] = points.map(Effort);
            let expected = Estimate::ThreePoint(ThreePoint::new(o, l, p).unwrap()).expected();
            prop_assert!(o <= expected && expected <= p);
        }

        #[test]
        fn a_buffer_never_shortens(minutes: u32, percent: u16) {
            prop_assert!(Effort(minutes).with_buffer(percent) >= Effort(minutes));
        }
    }
}
