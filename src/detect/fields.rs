//! The fields of an event that rules look at, taken out of the bytes of its leaf in one pass.
//!
//! Never makes a tree of an event: what no rule names is passed over. Never follows how deep an agent nests a value: the
//! reader has a limit, and a leaf past it is unreadable.

use super::walk::Walk;
use crate::audit::schema;
use std::borrow::Cow;

/// A field by its number among those that rules name.
pub(super) type FieldId = u16;
/// The event's name.
pub(super) const EVENT: FieldId = 0;
/// The run.
pub(super) const RUN: FieldId = 1;

/// A value of a field. Nothing (`null`) is no value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar<'a> {
    Text(Cow<'a, str>),
    Int(i64),
    Float(f64),
    Bool(bool),
}

impl Scalar<'_> {
    /// As text.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Int(number) => number.to_string().into(),
            Self::Float(number) => number.to_string().into(),
            Self::Bool(value) => value.to_string().into(),
        }
    }
}

/// The names that rules use, each with its number.
#[derive(Debug, Clone)]
pub(super) struct Names(Vec<String>);

impl Default for Names {
    fn default() -> Self {
        Self(vec!["event".to_owned(), "run".to_owned()])
    }
}

impl Names {
    /// The number of a field; `None` for one that no event has.
    pub(super) fn number(&mut self, name: &str) -> Option<FieldId> {
        if let Some(at) = self.0.iter().position(|known| known == name) {
            return FieldId::try_from(at).ok();
        }
        if !is_known(name) {
            return None;
        }
        self.0.push(name.to_owned());
        FieldId::try_from(self.0.len() - 1).ok()
    }

    /// Its name.
    pub(super) fn name(&self, id: FieldId) -> &str {
        self.0.get(usize::from(id)).map_or("", String::as_str)
    }
}

/// Whether some event has a field of this name: `data.` and its path, a list being named like its elements.
fn is_known(name: &str) -> bool {
    let Some(path) = name.strip_prefix("data.") else { return false };
    let fits = |field: &str| {
        let field = field.replace("[]", "");
        let (mut ours, mut theirs) = (path.split('.'), field.split('.'));
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(_), Some("*")) => {}
                (Some(one), Some(other)) if one == other => {}
                _ => return false,
            }
        }
    };
    schema::events().iter().flat_map(|event| &event.fields).any(|field| fits(&field.path))
}

/// The fields that are wanted of an event, as a tree of names.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) field: Option<FieldId>,
    below: Vec<(String, Wanted)>,
}

impl Wanted {
    /// Adds a field below `data`; the other ones are known without reading.
    pub(super) fn add(&mut self, names: &Names, id: FieldId) {
        let Some(path) = names.name(id).strip_prefix("data.") else { return };
        let mut at = self;
        for part in path.split('.') {
            let index = at.below.iter().position(|(name, _)| name == part).unwrap_or_else(|| {
                at.below.push((part.to_owned(), Wanted::default()));
                at.below.len() - 1
            });
            let Some((_, below)) = at.below.get_mut(index) else { return };
            at = below;
        }
        at.field = Some(id);
    }

    /// What is wanted where a JSON pointer leads; a list is named like its elements.
    pub(super) fn at(&self, pointer: &[u8]) -> Option<&Self> {
        pointer.split(|byte| *byte == b'/').skip(1).try_fold(self, |at, step| {
            let named = if step.contains(&b'~') {
                let name = String::from_utf8_lossy(step).replace("~1", "/").replace("~0", "~");
                at.below(name.as_bytes())
            } else {
                at.below(step)
            };
            let is_element = !step.is_empty() && step.iter().all(u8::is_ascii_digit);
            named.or(is_element.then_some(at))
        })
    }

    fn is_empty(&self) -> bool {
        self.field.is_none() && self.below.is_empty()
    }

    /// What is wanted below a name.
    pub(super) fn below(&self, name: &[u8]) -> Option<&Self> {
        self.below.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, below)| below)
    }
}

/// What rules see of an event.
#[derive(Debug, Default)]
pub(super) struct Fields<'a>(Vec<(FieldId, Scalar<'a>)>);

impl<'a> Fields<'a> {
    /// Those of an event: its name, its run, and what is wanted of its data.
    /// # Errors
    /// When the data is no JSON.
    pub(super) fn of(
        event: &'a str,
        run: &'a str,
        data: &'a [u8],
        wanted: &Wanted,
    ) -> Result<Self, Unreadable> {
        let mut fields = Vec::with_capacity(16);
        fields.push((EVENT, Scalar::Text(Cow::Borrowed(event))));
        fields.push((RUN, Scalar::Text(Cow::Borrowed(run))));
        if !wanted.is_empty() {
            Walk::new(data, &mut fields).value(wanted)?;
        }
        Ok(Self(fields))
    }

    /// The same with what opens the leaf: an object of JSON pointers into the data and their values; empty where there is
    /// nothing.
    /// # Errors
    /// When it is no JSON object.
    pub(super) fn with_hidden(mut self, hidden: &'a [u8], wanted: &Wanted) -> Result<Self, Unreadable> {
        if !hidden.is_empty() && !wanted.is_empty() {
            Walk::new(hidden, &mut self.0).pointers(wanted)?;
        }
        Ok(self)
    }

    /// The values of a field; a list gives several.
    pub(super) fn values(&self, id: FieldId) -> impl Iterator<Item = &Scalar<'a>> {
        self.0.iter().filter(move |(field, _)| *field == id).map(|(_, value)| value)
    }
}

/// A leaf that is none of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// The beginning of a leaf, and where its data stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head<'a> {
    /// Nanoseconds since 1970.
    pub(super) ts: u64,
    /// Nanoseconds of CLOCK_BOOTTIME.
    pub(super) mono: u64,
    pub(super) event: &'a str,
    pub(super) data: &'a [u8],
}

impl<'a> Head<'a> {
    /// Reads it as the log writes it, and in no other form.
    pub(super) fn of(leaf: &'a [u8]) -> Result<Self, Unreadable> {
        let rest = leaf.strip_prefix(br#"{"v":2,"ts":"#).ok_or(Unreadable)?;
        let (ts, rest) = digits(rest)?;
        let rest = rest.strip_prefix(br#","mono":"#).ok_or(Unreadable)?;
        let (mono, rest) = digits(rest)?;
        let rest = rest.strip_prefix(br#","event":""#).ok_or(Unreadable)?;
        let end = rest.iter().position(|byte| *byte == b'"').ok_or(Unreadable)?;
        let (name, rest) = rest.split_at_checked(end).ok_or(Unreadable)?;
        let word = |byte: &u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.');
        if name.is_empty() || !name.iter().all(word) {
            return Err(Unreadable);
        }
        let event = str::from_utf8(name).map_err(|_| Unreadable)?;
        let data = rest.strip_prefix(br#"","data":"#).ok_or(Unreadable)?;
        Ok(Self { ts, mono, event, data })
    }
}

fn digits(text: &[u8]) -> Result<(u64, &[u8]), Unreadable> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).ok_or(Unreadable)?;
    let (digits, rest) =
        text.split_at_checked(end).filter(|(digits, _)| !digits.is_empty()).ok_or(Unreadable)?;
    let number =
        digits.iter().try_fold(0u64, |all, digit| all.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    Ok((number.ok_or(Unreadable)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_gives_what_is_wanted_of_it_and_lists_give_each_element() {
        let mut names = Names::default();
        let ids: Vec<FieldId> = ["data.what.actions", "data.findings", "data.status"]
            .map(|name| names.number(name).unwrap())
            .into();
        let mut wanted = Wanted::default();
        ids.iter().for_each(|id| wanted.add(&names, *id));
        let leaf = br#"{"v":2,"ts":12,"mono":3,"event":"denial","data":{"x":{"status":1},"what":{"actions":["a\n","b"]},"findings":[["k",2]],"status":null},"cut":{}}"#;
        let head = Head::of(leaf).unwrap();
        assert_eq!((head.ts, head.mono, head.event), (12, 3, "denial"));
        let fields = Fields::of(head.event, "r", head.data, &wanted).unwrap();
        let shown =
            |id: FieldId| fields.values(id).map(|value| value.text().into_owned()).collect::<Vec<_>>();
        assert_eq!(shown(ids[0]), ["a\n", "b"]);
        assert_eq!(shown(ids[1]), ["k", "2"]);
        assert_eq!(shown(ids[2]), [""; 0]);
        assert_eq!((shown(EVENT), shown(RUN)), (vec!["denial".to_owned()], vec!["r".to_owned()]));
    }

    #[test]
    fn what_opens_a_leaf_gives_the_rest_of_what_is_wanted() {
        let mut names = Names::default();
        let ids: Vec<FieldId> = ["data.what.actions", "data.what.label", "data.who.parents.program"]
            .map(|name| names.number(name).unwrap())
            .into();
        let mut wanted = Wanted::default();
        ids.iter().for_each(|id| wanted.add(&names, *id));
        let hidden = br#"{"/what/label":"/a","/who/parents/0/program":"x","/who/parents/1":{"program":"y"},"/other":{"deep":[1]}}"#;
        let shown = || Fields::of("denial", "r", br#"{"what":{"actions":["read"]}}"#, &wanted).unwrap();
        let of = |hidden| shown().with_hidden(hidden, &wanted);
        let fields = of(hidden).unwrap();
        let shown =
            |id: FieldId| fields.values(id).map(|value| value.text().into_owned()).collect::<Vec<_>>();
        assert_eq!((shown(ids[0]), shown(ids[1])), (vec!["read".to_owned()], vec!["/a".to_owned()]));
        assert_eq!(shown(ids[2]), ["x", "y"]);
        assert!(of(b"").is_ok() && of(b"[]").is_err() && of(b"{").is_err());
    }

    #[test]
    fn a_field_that_no_event_has_is_unknown() {
        let mut names = Names::default();
        for name in ["data.nothing", "what.label", "data.who", "data.what.label.x", "data"] {
            assert_eq!(names.number(name), None, "{name}");
        }
        assert!(names.number("data.what.label").is_some());
        assert!(names.number("data.denied.any").is_some(), "a key of a map");
    }

    #[test]
    fn what_the_log_never_writes_is_no_leaf() {
        for leaf in [
            "",
            "{}",
            r#"{"v":1,"ts":1,"mono":1,"event":"a","data":{}}"#,
            r#"{"v":2,"ts":1,"mono":1,"event":"a\"","data":{}}"#,
        ] {
            assert_eq!(Head::of(leaf.as_bytes()), Err(Unreadable), "{leaf}");
        }
        let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
        let mut names = Names::default();
        let mut wanted = Wanted::default();
        let id = names.number("data.findings").unwrap();
        wanted.add(&names, id);
        let data = format!("{{\"findings\":{deep}}}");
        assert!(Fields::of("network", "r", data.as_bytes(), &wanted).is_err());
    }
}
