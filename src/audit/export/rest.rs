//! The fields of a record, taken out one by one, so that what no name was found for is left.

use serde_json::{Map, Value};

/// The fields that are left, or those of a record of which nobody asks what is left: they are only looked at.
#[derive(Debug)]
pub(super) enum Rest<'a> {
    /// What was not taken yet.
    Left(Value),
    /// All of it, whatever was taken.
    All(&'a Value),
}

impl Rest<'_> {
    /// Takes a value by its JSON pointer through objects, without escapes; nothing for null.
    pub(super) fn take(&mut self, pointer: &str) -> Option<Value> {
        let taken = match self {
            Self::Left(left) => {
                let (around, name) = pointer.rsplit_once('/')?;
                inside_mut(left, around)?.as_object_mut()?.shift_remove(name)
            }
            Self::All(all) => inside(all, pointer).filter(|value| !value.is_null()).cloned(),
        };
        taken.filter(|value| !value.is_null())
    }

    /// Takes a text that is not empty. What is no text stays.
    pub(super) fn text(&mut self, pointer: &str) -> Option<String> {
        match self.take(pointer)? {
            Value::String(text) => Some(text).filter(|text| !text.is_empty()),
            other => self.back(pointer, other),
        }
    }

    /// Takes a number. What is none stays.
    pub(super) fn number(&mut self, pointer: &str) -> Option<u64> {
        let value = self.take(pointer)?;
        value.as_u64().or_else(|| self.back(pointer, value))
    }

    /// Takes the texts of a list. A list that holds anything else stays.
    pub(super) fn texts(&mut self, pointer: &str) -> Vec<String> {
        match self.take(pointer) {
            Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
                let text = |item| if let Value::String(text) = item { Some(text) } else { None };
                items.into_iter().filter_map(text).collect()
            }
            Some(other) => self.back(pointer, other).unwrap_or_default(),
            None => Vec::new(),
        }
    }

    fn back<T>(&mut self, pointer: &str, value: Value) -> Option<T> {
        if let Self::Left(left) = self {
            let (around, name) = pointer.rsplit_once('/')?;
            inside_mut(left, around)?.as_object_mut()?.insert(name.to_owned(), value);
        }
        None
    }

    /// What is left, without what says nothing.
    pub(super) fn left(self) -> Option<Value> {
        let Self::Left(left) = self else { return None };
        Some(pruned(left)).filter(|value| !is_nothing(value))
    }
}

/// What stands at a JSON pointer through objects, without escapes.
pub(super) fn inside<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    pointer.split('/').skip(1).try_fold(value, |value, name| value.as_object()?.get(name))
}

fn inside_mut<'v>(value: &'v mut Value, pointer: &str) -> Option<&'v mut Value> {
    pointer.split('/').skip(1).try_fold(value, |value, name| value.as_object_mut()?.get_mut(name))
}

/// Without what is null, or an empty text, list or object.
pub(super) fn pruned(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, field)| (name, pruned(field)))
                .filter(|(_, field)| !is_nothing(field))
                .collect::<Map<_, _>>(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(pruned).collect()),
        other => other,
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
