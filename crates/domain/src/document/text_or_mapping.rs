//! Items that may be written as just their text: `- Login works`.

use schemars::{Schema, json_schema};

/// Implements serde for a struct that derives it with `remote = "Self"`: a plain string is the
/// struct with only `$text` set, and is written back as a plain string.
///
/// A visitor and not an untagged enum, because an untagged one loses the place of an error.
macro_rules! text_or_mapping {
    ($type:ident, $text:ident, { $($field:ident: $default:expr),* $(,)? }) => {
        impl From<String> for $type {
            fn from($text: String) -> Self {
                Self { $text, $($field: $default),* }
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct TextOrMapping;

                impl<'de> serde::de::Visitor<'de> for TextOrMapping {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("a text, or a mapping with `", stringify!($text), "`"))
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        Ok($type::from(text.to_owned()))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        map: A,
                    ) -> Result<$type, A::Error> {
                        $type::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    }
                }

                deserializer.deserialize_any(TextOrMapping)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if *self == Self::from(self.$text.clone()) {
                    return serializer.serialize_str(&self.$text);
                }
                Self::serialize(self, serializer)
            }
        }
    };
}

pub(crate) use text_or_mapping;

/// What a schema derived from the struct alone does not know.
pub(crate) fn or_text(schema: &mut Schema) {
    let mapping = std::mem::take(schema);
    *schema = json_schema!({ "anyOf": [{ "type": "string" }, mapping] });
}
