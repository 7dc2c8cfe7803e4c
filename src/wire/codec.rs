//! JSON as all our sockets speak it: what the types say, and nothing else.
//!
//! serde takes arrays for structs, `{"word":null}` for a word, and unknown fields where a type forgot to refuse them.
//! Here none of that passes, nor free maps, nor a byte before or after. Nothing is skipped unread, so the depth of a
//! message is the depth of its type, and what is allocated is bounded by [`MOST_BYTES`].

use crate::base::Escaped;
use serde::Serialize;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, IntoDeserializer,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};
use std::fmt;

/// The most bytes of one message. The kernel takes a datagram of this size with the buffers every system has, and it
/// holds the 32 KiB of `append` even when half of its letters are escaped.
pub const MOST_BYTES: usize = 65_536;

/// Why bytes are no message, or a message no bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodecError {
    /// Longer than [`MOST_BYTES`].
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not what the type says.
    Malformed {
        /// serde's words; they can hold the sender's bytes, so they are shown escaped.
        why: String,
    },
}

impl fmt::Display for CodecError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes } => write!(out, "a message of {bytes} bytes; at most {MOST_BYTES}"),
            Self::Malformed { why } => write!(out, "a malformed message: {}", Escaped(why.as_bytes())),
        }
    }
}

impl std::error::Error for CodecError {}

impl From<serde_json::Error> for CodecError {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed { why: error.to_string() }
    }
}

/// The bytes of a message.
/// # Errors
/// When it is too long, or has no form in JSON.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, CodecError> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > MOST_BYTES { Err(CodecError::TooLong { bytes: bytes.len() }) } else { Ok(bytes) }
}

/// The message of these bytes.
/// # Errors
/// When they are not exactly one message of this type.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > MOST_BYTES {
        return Err(CodecError::TooLong { bytes: bytes.len() });
    }
    let space = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
    if space(bytes.first()) || space(bytes.last()) {
        return Err(CodecError::Malformed { why: "space around the message".into() });
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let message = T::deserialize(Strict(&mut json))?;
    json.end()?;
    Ok(message)
}

/// Says no to a form that no message has.
fn no<T, E: Error>(what: &str) -> Result<T, E> {
    Err(E::custom(what))
}

/// A deserializer that lets through what a type asks for by name, and hands itself on to what is inside.
struct Strict<D>(D);

macro_rules! plain {
    ($($method:ident)+) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method(visitor)
        }
    )+ };
}

macro_rules! refused {
    ($($method:ident: $why:literal,)+) => { $(
        fn $method<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, D::Error> {
            no($why)
        }
    )+ };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    plain! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_str deserialize_string deserialize_identifier
    }

    refused! {
        deserialize_any: "a type that takes anything",
        deserialize_ignored_any: "an unknown field",
        deserialize_map: "a type with free keys",
        deserialize_f32: "a type with fractions",
        deserialize_f64: "a type with fractions",
        deserialize_char: "a type of one letter",
        deserialize_bytes: "a type of raw bytes",
        deserialize_byte_buf: "a type of raw bytes",
        deserialize_unit: "a type without a value",
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _visitor: V,
    ) -> Result<V::Value, D::Error> {
        no("a type without a value")
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, D::Error> {
        no("a type without names")
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        _visitor: V,
    ) -> Result<V::Value, D::Error> {
        no("a type without names")
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_option(Inside(visitor))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_seq(Inside(visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, Object(visitor))
    }

    /// Read as any value, for only then does a word look different from an object.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Word(visitor))
    }
}

/// A list or an option, whose insides are strict too.
struct Inside<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Inside<V> {
    type Value = V::Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(out)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, some: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Strict(some))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Entries(list))
    }
}

struct Entries<A>(A);

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Entries<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.0.next_element_seed(Held(seed))
    }
}

/// A struct: an object, never an array.
struct Object<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<V> {
    type Value = V::Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(out)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Fields(map))
    }
}

struct Fields<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.0.next_value_seed(Held(seed))
    }
}

/// An enum: a word, or an object with one key.
struct Word<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Word<V> {
    type Value = V::Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(out)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<V::Value, E> {
        let word: StrDeserializer<'_, E> = word.into_deserializer();
        self.0.visit_enum(word)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(OneKey(map))
    }
}

struct OneKey<A>(A);

impl<'de, A: MapAccess<'de>> OneKey<A> {
    fn only<T: DeserializeSeed<'de>>(mut self, seed: T) -> Result<T::Value, A::Error> {
        let value = self.0.next_value_seed(seed)?;
        match self.0.next_key::<IgnoredAny>()? {
            None => Ok(value),
            Some(_) => no("a second key beside the first"),
        }
    }
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for OneKey<A> {
    type Error = A::Error;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(mut self, seed: T) -> Result<(T::Value, Self), A::Error> {
        match self.0.next_key_seed(seed)? {
            Some(word) => Ok((word, self)),
            None => no("an object without a key"),
        }
    }
}

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for OneKey<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        no("an object where a word is meant")
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.only(Held(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, A::Error> {
        no("a type without names")
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.only(Variant { fields, visitor })
    }
}

struct Variant<V> {
    fields: &'static [&'static str],
    visitor: V,
}

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Variant<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        from.deserialize_struct("", self.fields, Object(self.visitor))
    }
}

/// What is inside, read strictly.
struct Held<T>(T);

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Held<T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T::Value, D::Error> {
        self.0.deserialize(Strict(from))
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
