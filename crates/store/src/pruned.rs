//! JSON without what is empty: no nulls, no empty lists, no empty mappings. It says the same as
//! [`pruned`](milestone_domain::document::pruned), without a tree of values in between.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

pub fn to_vec(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    // Every value of ours serializes, and nothing is the matter with writing to memory.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut out, Pruned::default()));
    out
}

pub fn to_string(value: &impl Serialize) -> String {
    String::from_utf8(to_vec(value)).unwrap_or_default()
}

/// A list or a mapping that was begun.
struct Open {
    begins: u8,
    /// The key before it, if it is a member of a mapping.
    key: Option<Vec<u8>>,
    /// Whether it stands in the text already. It does once there is anything in it.
    written: bool,
    items: usize,
}

/// Writes nothing before it is known that there is something to write.
#[derive(Default)]
struct Pruned {
    open: Vec<Open>,
    /// The key of the member that comes next, as it stands in the text.
    key: Option<Vec<u8>>,
    in_key: bool,
}

impl Pruned {
    /// Something is about to be written: it stands behind everything that was begun around it.
    fn begin_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        let mut within: Option<&mut Open> = None;
        for open in &mut self.open {
            if !open.written {
                begin_item(within, open.key.as_deref(), out)?;
                out.write_all(&[open.begins])?;
                open.written = true;
            }
            within = Some(open);
        }
        begin_item(within, self.key.take().as_deref(), out)
    }

    fn begin(&mut self, begins: u8) {
        let key = self.key.take();
        self.open.push(Open { begins, key, written: false, items: 0 });
    }

    fn end<W: ?Sized + Write>(&mut self, ends: u8, out: &mut W) -> io::Result<()> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        if open.written {
            return out.write_all(&[ends]);
        }
        // An empty one is left out of a mapping only: in a list it has a place.
        if self.open.last().is_some_and(|around| around.begins == b'{') {
            return Ok(());
        }
        self.begin_value(out)?;
        out.write_all(&[open.begins, ends])
    }
}

fn begin_item<W: ?Sized + Write>(
    within: Option<&mut Open>,
    key: Option<&[u8]>,
    out: &mut W,
) -> io::Result<()> {
    if let Some(within) = within {
        if within.items > 0 {
            out.write_all(b",")?;
        }
        within.items += 1;
    }
    match key {
        Some(key) => out.write_all(key).and_then(|()| out.write_all(b":")),
        None => Ok(()),
    }
}

macro_rules! scalars {
    ($($write:ident: $kind:ty),+) => {
        $(fn $write<W: ?Sized + Write>(&mut self, out: &mut W, value: $kind) -> io::Result<()> {
            if self.in_key {
                return write!(self.key.get_or_insert_default(), "{value}");
            }
            self.begin_value(out)?;
            serde_json::ser::CompactFormatter.$write(out, value)
        })+
    };
}

impl Formatter for Pruned {
    scalars! {
        write_bool: bool, write_i8: i8, write_i16: i16, write_i32: i32, write_i64: i64,
        write_i128: i128, write_u8: u8, write_u16: u16, write_u32: u32, write_u64: u64,
        write_u128: u128, write_f32: f32, write_f64: f64, write_number_str: &str
    }

    fn write_null<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        if self.open.last().is_some_and(|around| around.begins == b'{') {
            self.key = None;
            return Ok(());
        }
        self.begin_value(out)?;
        out.write_all(b"null")
    }

    fn begin_string<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        if !self.in_key {
            self.begin_value(out)?;
        }
        self.write_string_fragment(out, "\"")
    }

    fn end_string<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.write_string_fragment(out, "\"")
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if self.in_key {
            self.key.get_or_insert_default().extend_from_slice(fragment.as_bytes());
            return Ok(());
        }
        out.write_all(fragment.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        let compact = &mut serde_json::ser::CompactFormatter;
        match self.in_key {
            true => compact.write_char_escape(self.key.get_or_insert_default(), escape),
            false => compact.write_char_escape(out, escape),
        }
    }

    fn begin_array<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.begin(b'[');
        Ok(())
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(b']', out)
    }

    /// Each value says itself where it stands.
    fn begin_array_value<W: ?Sized + Write>(&mut self, _: &mut W, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.begin(b'{');
        Ok(())
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(b'}', out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, _: &mut W, _: bool) -> io::Result<()> {
        self.in_key = true;
        self.key = Some(Vec::new());
        Ok(())
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.in_key = false;
        Ok(())
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use milestone_domain::document::{Milestone, Task, pruned};
    use milestone_domain::ids::MilestoneId;
    use serde_json::{Value, json};

    use super::*;

    fn same(value: &(impl Serialize + ?Sized)) {
        let expected = pruned(serde_json::to_value(value).unwrap()).to_string();
        assert_eq!(to_string(&value), expected);
    }

    #[test]
    fn what_is_empty_is_left_out_wherever_it_stands() {
        for value in [
            json!(null),
            json!({}),
            json!([]),
            json!("a \"quoted\"\n\u{1} word"),
            json!({"a": null, "b": [], "c": {}, "d": ""}),
            json!({"a": {"b": {"c": null}}, "d": 1}),
            json!({"a": {"b": {"c": [null]}}, "d": -1.5}),
            json!([null, {}, [], {"a": null}, [[]], {"a": [{}]}]),
            json!({"k \"\\\n": {"x": 0, "y": false}, "l": {"x": null}, "m": {"z": [0, {"n": 1}]}}),
        ] {
            same(&value);
        }
        same(&std::collections::BTreeMap::from([(7_u32, Value::Null), (8, json!(1))]));
    }

    #[test]
    fn documents_are_written_as_before() {
        let mut milestone = Milestone::new(MilestoneId(1), "Login");
        milestone.tasks = (1..=3).map(|number| Task::new(number, "Do")).collect();
        milestone.tasks[1].labels = vec!["a".into(), String::new()];
        milestone.composition.insert("debt".into(), 20);
        milestone.progress = Some(milestone_domain::document::ShownProgress::default());
        same(&milestone);
        same(&milestone.tasks[1]);
    }
}
