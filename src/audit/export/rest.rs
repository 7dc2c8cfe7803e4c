//! The fields of a record, taken out one by one, so that what no name was found for is left.

use serde_json::{Map, Value};

/// What was not taken yet.
#[derive(Debug)]
pub(super) struct Rest(pub(super) Value);

impl Rest {
    /// Takes a value by its JSON pointer; nothing for null.
    pub(super) fn take(&mut self, pointer: &str) -> Option<Value> {
        let (around, name) = pointer.rsplit_once('/')?;
        let fields = self.0.pointer_mut(around)?.as_object_mut()?;
        fields.shift_remove(name).filter(|value| !value.is_null())
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
        let Some(value) = self.take(pointer) else { return Vec::new() };
        match serde_json::from_value(value.clone()) {
            Ok(texts) => texts,
            Err(_) => self.back(pointer, value).unwrap_or_default(),
        }
    }

    fn back<T>(&mut self, pointer: &str, value: Value) -> Option<T> {
        let (around, name) = pointer.rsplit_once('/')?;
        self.0.pointer_mut(around)?.as_object_mut()?.insert(name.to_owned(), value);
        None
    }

    /// What is left, without what says nothing.
    pub(super) fn left(self) -> Option<Value> {
        Some(pruned(self.0)).filter(|value| !is_nothing(value))
    }
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
