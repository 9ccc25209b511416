//! JSON as it is written: by everything that the server says, and by the log.
//!
//! `serde_json` looks at a text byte by byte, at names of fields too, and checks for errors of a writer
//! that a list of bytes never has. A message to a room is mostly text, so here a text is looked at
//! eight bytes at a time and copied in runs. The bytes are the same; what is no text is left to
//! `serde_json`.

#[cfg(test)]
mod tests;

use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::Error;

/// Encodes what can't fail to be JSON: our own types, whose maps have numbers or texts as keys.
pub(crate) fn json(value: &impl Serialize) -> Vec<u8> {
    json_after(b"", value)
}

/// The same, behind what a message begins with.
pub(crate) fn json_after(begin: &[u8], value: &impl Serialize) -> Vec<u8> {
    let mut text = Vec::with_capacity(FRAME_BYTES);
    text.extend_from_slice(begin);
    let written = value.serialize(Writer::new(&mut text));
    written.expect("our own types are JSON");
    text
}

/// JSON that stands in other JSON as it is.
pub(crate) struct Verbatim<'a>(pub(crate) &'a str);

impl Serialize for Verbatim<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(VERBATIM, self.0)
    }
}

/// By this name a [`Verbatim`] is known.
const VERBATIM: &str = "chat_protocol::Verbatim";

/// Room for a message of usual length, so that the text doesn't grow in steps.
const FRAME_BYTES: usize = 256;

/// Writes one value.
struct Writer<'a> {
    text: &'a mut Vec<u8>,
    /// Whether the value is a text that is JSON already.
    is_verbatim: bool,
}

impl<'a> Writer<'a> {
    const fn new(text: &'a mut Vec<u8>) -> Self {
        let is_verbatim = false;
        Self { text, is_verbatim }
    }

    fn plain(self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        serde_json::to_writer(self.text, value)
    }

    fn open(self, begin: &'static [u8], end: &'static [u8]) -> Items<'a> {
        self.text.extend_from_slice(begin);
        let text = self.text;
        let is_first = true;
        Items {
            text,
            end,
            is_first,
        }
    }

    /// Opens what a variant holds: an object of one field, its name.
    fn open_variant(self, variant: &str, begin: &'static [u8], end: &'static [u8]) -> Items<'a> {
        self.text.push(b'{');
        push_name(variant, self.text);
        self.open(begin, end)
    }
}

/// What an array or an object holds, item by item.
struct Items<'a> {
    text: &'a mut Vec<u8>,
    end: &'static [u8],
    is_first: bool,
}

impl Items<'_> {
    /// Begins a further item.
    fn next(&mut self) -> Writer<'_> {
        if !std::mem::take(&mut self.is_first) {
            self.text.push(b',');
        }
        Writer::new(self.text)
    }

    fn item(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        value.serialize(self.next())
    }

    fn field(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        let Writer { text, .. } = self.next();
        push_name(name, text);
        value.serialize(Writer::new(text))
    }

    fn close(self) {
        self.text.extend_from_slice(self.end);
    }
}

/// Writes a name that stands in our own source: there is nothing to escape in it.
fn push_name(name: &str, text: &mut Vec<u8>) {
    debug_assert_eq!(clean_bytes(name.as_bytes()), name.len(), "{name}");
    text.push(b'"');
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b"\":");
}

/// Writes a text in runs that need no escape.
fn push_text(said: &str, text: &mut Vec<u8>) {
    // A long one makes the list grow once, also if some of it is escaped.
    text.reserve(said.len() + said.len() / 8 + 2);
    text.push(b'"');
    let mut rest = said.as_bytes();
    loop {
        let (clean, dirty) = rest.split_at(clean_bytes(rest));
        text.extend_from_slice(clean);
        let Some((byte, after)) = dirty.split_first() else {
            break;
        };
        push_escape(*byte, text);
        rest = after;
    }
    text.push(b'"');
}

fn push_escape(byte: u8, text: &mut Vec<u8>) {
    let hex = |digit: u8| {
        if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        }
    };
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        byte => return text.extend([b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]),
    };
    text.extend_from_slice(&[b'\\', short]);
}

/// The length of what needs no escape at the beginning of a text.
fn clean_bytes(text: &[u8]) -> usize {
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("escapes_sought_in_words_alone") && text.len() < 8 {
        return text.len();
    }
    let mut rest = text;
    while let Some((word, after)) = rest.split_first_chunk() {
        let special = specials(u64::from_le_bytes(*word));
        if special != 0 {
            return text.len() - rest.len() + special.trailing_zeros() as usize / 8;
        }
        rest = after;
    }
    let tail = rest.iter().take_while(|byte| !is_special(**byte)).count();
    text.len() - rest.len() + tail
}

const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The top bit of the first of eight bytes that has to be escaped, and perhaps of bytes after it;
/// nothing if there is none. A byte that is less than what is taken from it borrows from the top bit.
const fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let is_control = word.wrapping_sub(ONES * 0x20) & !word;
    let is_quote = quote.wrapping_sub(ONES) & !quote;
    let is_backslash = backslash.wrapping_sub(ONES) & !backslash;
    (is_control | is_quote | is_backslash) & (ONES << 7)
}

/// Scalars that `serde_json` writes.
macro_rules! plain {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method(self, value: $type) -> Result<(), Error> {
            self.plain(&value)
        })*
    };
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Items<'a>;
    type SerializeStruct = Items<'a>;
    type SerializeStructVariant = Items<'a>;

    plain! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_char: char,
        serialize_bytes: &[u8],
    }

    fn serialize_str(self, said: &str) -> Result<(), Error> {
        if self.is_verbatim {
            self.text.extend_from_slice(said.as_bytes());
        } else {
            push_text(said, self.text);
        }
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.text.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let is_verbatim = name == VERBATIM;
        value.serialize(Writer {
            is_verbatim,
            ..self
        })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut object = self.open(b"{", b"}");
        object.field(variant, value)?;
        object.close();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, Error> {
        Ok(self.open(b"[", b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, Error> {
        Ok(self.open(b"[", b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, Error> {
        Ok(self.open(b"[", b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, Error> {
        Ok(self.open_variant(variant, b"[", b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Items<'a>, Error> {
        Ok(self.open(b"{", b"}"))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Items<'a>, Error> {
        // A raw value of `serde_json` is a struct that only `serde_json` knows how to write.
        debug_assert!(!name.starts_with('$'), "{name} has to be made a Verbatim");
        Ok(self.open(b"{", b"}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, Error> {
        Ok(self.open_variant(variant, b"{", b"}}"))
    }
}

impl SerializeMap for Items<'_> {
    type Ok = ();
    type Error = Error;

    /// A text is a key as it is, a number within quotes.
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let Writer { text, .. } = self.next();
        let begin = text.len();
        key.serialize(Writer::new(text))?;
        match text.get(begin) {
            Some(b'"') => {}
            Some(b'0'..=b'9' | b'-') => {
                text.insert(begin, b'"');
                text.push(b'"');
            }
            Some(_) | None => return Err(Error::custom("a key is a text or a number")),
        }
        text.push(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(Writer::new(self.text))
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

/// The traits of what has items alone, or fields alone.
macro_rules! items {
    ($($trait:ident :: $method:ident,)*) => {
        $(impl $trait for Items<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        })*
    };
    ($($trait:ident,)*) => {
        $(impl $trait for Items<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        })*
    };
}

items! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

items! {
    SerializeStruct,
    SerializeStructVariant,
}
