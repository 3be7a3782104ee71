//! A serde deserializer over `Node`: the type that is asked for decides what an unquoted scalar means, and each error
//! knows its field and place.

mod fault;

use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

pub(crate) use self::fault::Fault;
use crate::field::Segment;
use crate::node::{Content, Entry, Mark, Node};
use crate::scalar::{Scalar, other_reading, resolve};

pub(crate) fn from_node<T: de::DeserializeOwned>(node: &Node) -> Result<T, Fault> {
    T::deserialize(node).map_err(|fault| fault.at(node.mark))
}

impl Node {
    fn scalar(&self) -> Option<Scalar<'_>> {
        match &self.content {
            Content::Scalar { text, plain: true } => Some(resolve(text)),
            Content::Scalar { text, plain: false } => Some(Scalar::Text(text)),
            _ => None,
        }
    }

    fn unexpected(&self) -> Unexpected<'_> {
        match (&self.content, self.scalar()) {
            (Content::List(_), _) => Unexpected::Seq,
            (Content::Map(_), _) => Unexpected::Map,
            (_, Some(Scalar::Bool(b))) => Unexpected::Bool(b),
            (_, Some(Scalar::Unsigned(n))) => Unexpected::Unsigned(n),
            (_, Some(Scalar::Negative(n))) => Unexpected::Signed(n),
            (_, Some(Scalar::Float(x))) => Unexpected::Float(x),
            (_, Some(Scalar::Text(text))) => Unexpected::Str(text),
            (_, Some(Scalar::Null) | None) => Unexpected::Unit,
        }
    }

    fn number<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Fault> {
        let Content::Scalar { text, plain } = &self.content else {
            return Err(de::Error::invalid_type(self.unexpected(), &visitor));
        };
        if let (true, Some(other)) = (plain, other_reading(text)) {
            let fault = Fault::new(format!("some YAML parsers read {text} as {other}"));
            return Err(fault.hint("write a plain decimal number"));
        }
        match self.scalar() {
            Some(Scalar::Unsigned(n)) => visitor.visit_u64(n),
            Some(Scalar::Negative(n)) => visitor.visit_i64(n),
            Some(Scalar::Float(x)) if !x.is_finite() => Err(Fault::new("the number must be finite")),
            Some(Scalar::Float(x)) => visitor.visit_f64(x),
            Some(Scalar::Text(text)) if !plain && !matches!(resolve(text), Scalar::Text(_)) => {
                let fault: Fault = de::Error::invalid_type(Unexpected::Str(text), &visitor);
                Err(fault.hint("remove the quotes"))
            }
            _ => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn text<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Fault> {
        match (&self.content, self.scalar()) {
            (_, Some(Scalar::Text(text))) => visitor.visit_str(text),
            (Content::Scalar { text, .. }, Some(scalar)) if scalar != Scalar::Null => {
                let fault: Fault = de::Error::invalid_type(self.unexpected(), &visitor);
                Err(fault.hint(format!("quote it: \"{text}\"")))
            }
            _ => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    /// A value whose type nothing else decides, such as a plugin's config: it must mean the same to every parser.
    fn any<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Fault> {
        match &self.content {
            Content::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            Content::Map(entries) => visitor.visit_map(Fields { entries, next: 0 }),
            Content::Scalar { text, plain: false } => visitor.visit_str(text),
            Content::Scalar { text, plain: true } => {
                if let Some(other) = other_reading(text) {
                    let fault = Fault::new(format!("some YAML parsers read {text} as {other}"));
                    return Err(fault.hint(format!("quote it if text is meant: \"{text}\"")));
                }
                match resolve(text) {
                    Scalar::Null => visitor.visit_unit(),
                    Scalar::Bool(b) => visitor.visit_bool(b),
                    Scalar::Text(text) => visitor.visit_str(text),
                    Scalar::Unsigned(_) | Scalar::Negative(_) | Scalar::Float(_) => self.number(visitor),
                }
            }
        }
    }
}

impl<'de> Deserializer<'de> for &Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.any(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.number(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.number(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.number(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.scalar() {
            Some(Scalar::Bool(b)) => visitor.visit_bool(b),
            _ => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.text(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.content {
            Content::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            _ => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.content {
            Content::Map(entries) => visitor.visit_map(Fields { entries, next: 0 }),
            _ => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.content {
            Content::Scalar { text, .. } => {
                let variant: de::value::StrDeserializer<'_, Fault> = text.as_str().into_deserializer();
                visitor.visit_enum(variant)
            }
            Content::Map(entries) if entries.len() == 1 => visitor.visit_enum(Tagged(&entries[0])),
            _ => Err(Fault::new(format!("expected exactly one of {}", variants.join(", ")))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

struct Items<'a> {
    items: &'a [Node],
    next: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(item) = self.items.get(self.next) else { return Ok(None) };
        self.next += 1;
        let inside = |fault: Fault| fault.at(item.mark).inside(Segment::Item(self.next - 1));
        seed.deserialize(item).map(Some).map_err(inside)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.next)
    }
}

struct Fields<'a> {
    entries: &'a [Entry],
    next: usize,
}

impl<'de> de::MapAccess<'de> for Fields<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some(entry) = self.entries.get(self.next) else { return Ok(None) };
        let key: de::value::StrDeserializer<'_, Fault> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|fault| within(entry, fault.at(entry.key_mark)))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let entry = &self.entries[self.next];
        self.next += 1;
        seed.deserialize(&entry.value).map_err(|fault| within(entry, fault))
    }
}

/// A fault inside an entry: scalars are pointed at by their value, all else by its key.
fn within(entry: &Entry, fault: Fault) -> Fault {
    let scalar = matches!(entry.value.content, Content::Scalar { .. });
    let mark: Mark = if scalar { entry.value.mark } else { entry.key_mark };
    fault.at(mark).inside(Segment::Field(entry.key.clone()))
}

/// An enum's variant that carries a value: `name: value`.
struct Tagged<'a>(&'a Entry);

impl<'de, 'a> de::EnumAccess<'de> for Tagged<'a> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let name: de::value::StrDeserializer<'_, Fault> = self.0.key.as_str().into_deserializer();
        let variant = seed.deserialize(name).map_err(|fault| fault.at(self.0.key_mark))?;
        Ok((variant, self))
    }
}

impl<'de> de::VariantAccess<'de> for Tagged<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Err(Fault::new(format!("'{}' takes no value", self.0.key)).at(self.0.key_mark))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(&self.0.value).map_err(|fault| within(self.0, fault))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.0.value.deserialize_seq(visitor).map_err(|fault| within(self.0, fault))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.0.value.deserialize_map(visitor).map_err(|fault| within(self.0, fault))
    }
}
