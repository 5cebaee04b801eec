//! JSON text to a `Value`, and where a text stops being JSON.
//!
//! `serde_json`'s own reader serves every type and every source of bytes; this one knows the one case there is here, which
//! is a twentieth of the wasm.

use super::JsonError;
use super::number;
use serde_json::{Map, Number, Value};

/// Lists and objects inside each other, at most.
const MOST_NESTED: usize = 127;

/// The value of a text.
pub(super) fn parse(text: &[u8]) -> Result<Value, JsonError> {
    let (text, broken) = match std::str::from_utf8(text) {
        Ok(text) => (text, false),
        Err(error) => {
            let valid = text.get(..error.valid_up_to()).unwrap_or_default();
            (std::str::from_utf8(valid).unwrap_or_default(), true)
        }
    };
    let mut reader = Reader { text, at: 0 };
    let read = reader.document();
    if broken && reader.at >= text.len() {
        return Err(reader.error("text that is not UTF-8"));
    }
    read.map_err(|what| reader.error(what))
}

/// What was expected, or is wrong; it is at the place where the reader stands.
type Fault = &'static str;

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    #[cold]
    fn error(&self, what: Fault) -> JsonError {
        let before = self.text.as_bytes().get(..self.at).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n');
        let (lines, column) = line.fold((0, 0), |(lines, _), line| (lines + 1, line.len() + 1));
        JsonError::new(format!("{what} at line {lines} column {column}"))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes on where this byte stands.
    fn took(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn skip(&mut self, is_part: impl Fn(u8) -> bool) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|byte| !is_part(*byte)).unwrap_or(rest.len());
    }

    fn skip_blanks(&mut self) {
        self.skip(|byte| matches!(byte, b' ' | b'\n' | b'\t' | b'\r'));
    }

    fn document(&mut self) -> Result<Value, Fault> {
        let value = self.value(MOST_NESTED)?;
        self.skip_blanks();
        if self.at < self.text.len() { Err("nothing more expected") } else { Ok(value) }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        self.skip_blanks();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err("value expected"),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Fault> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err("value expected");
        }
        self.at += word.len();
        Ok(value)
    }

    fn list(&mut self, depth: usize) -> Result<Value, Fault> {
        let mut items = Vec::new();
        self.members(b']', depth, &mut |reader, depth| {
            items.push(reader.value(depth)?);
            Ok(())
        })?;
        Ok(Value::Array(items))
    }

    fn object(&mut self, depth: usize) -> Result<Value, Fault> {
        let mut fields = Map::new();
        self.members(b'}', depth, &mut |reader, depth| {
            if reader.peek() != Some(b'"') {
                return Err("name in quotes expected");
            }
            let name = reader.string()?;
            reader.skip_blanks();
            if !reader.took(b':') {
                return Err("':' expected");
            }
            // Which of two is meant nobody knows (RFC 8259, 4).
            if fields.insert(name, reader.value(depth)?).is_some() {
                return Err("an object has a name twice");
            }
            Ok(())
        })?;
        Ok(Value::Object(fields))
    }

    /// What stands between brackets, with commas between them; the reader stands at the opening one.
    fn members(
        &mut self,
        close: u8,
        depth: usize,
        read: &mut dyn FnMut(&mut Self, usize) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let depth = depth.checked_sub(1).ok_or("nested too deeply: 127 levels at most")?;
        self.at += 1;
        self.skip_blanks();
        if self.took(close) {
            return Ok(());
        }
        loop {
            self.skip_blanks();
            read(self, depth)?;
            self.skip_blanks();
            if self.took(close) {
                return Ok(());
            }
            if !self.took(b',') {
                return Err("',' or a closing bracket expected");
            }
        }
    }

    /// A text; the reader stands at its quote.
    fn string(&mut self) -> Result<String, Fault> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let start = self.at;
            self.skip(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
            text.push_str(self.text.get(start..self.at).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escaped()?),
                Some(_) => return Err("control character in a text"),
                None => return Err("closing quote expected"),
            }
        }
    }

    /// A character written with a backslash; the reader stands there.
    fn escaped(&mut self) -> Result<char, Fault> {
        self.at += 1;
        let character = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err("unknown escape"),
        };
        self.at += 1;
        Ok(character)
    }

    /// A character written as `\u` and four digits, or as a pair of these.
    fn unicode(&mut self) -> Result<char, Fault> {
        let high = self.unit()?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high).ok_or("half of a character");
        }
        let low = if self.took(b'\\') && self.peek() == Some(b'u') { self.unit()? } else { 0 };
        match low {
            0xdc00..0xe000 => char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
                .ok_or("half of a character"),
            _ => Err("half of a character"),
        }
    }

    /// Four hexadecimal digits; the reader stands at the `u` before them.
    fn unit(&mut self) -> Result<u32, Fault> {
        let digits =
            self.text.as_bytes().get(self.at + 1..self.at + 5).ok_or("four hexadecimal digits expected")?;
        let mut unit = 0;
        for digit in digits {
            let digit = char::from(*digit).to_digit(16).ok_or("four hexadecimal digits expected")?;
            unit = unit << 4 | digit;
        }
        self.at += 5;
        Ok(unit)
    }

    fn number(&mut self) -> Result<Number, Fault> {
        let start = self.at;
        let is_negative = self.took(b'-');
        let first = self.at;
        self.digits()?;
        if self.text.as_bytes().get(first) == Some(&b'0') && self.at > first + 1 {
            self.at = first + 1;
            return Err("no digit expected after a leading zero");
        }
        let whole = self.text.get(first..self.at).unwrap_or_default();
        let mut is_whole = true;
        if self.took(b'.') {
            is_whole = false;
            self.digits()?;
        }
        if self.took(b'e') || self.took(b'E') {
            is_whole = false;
            let _ = self.took(b'+') || self.took(b'-');
            self.digits()?;
        }
        // A whole number that fits stays one; minus nothing is no whole number.
        if is_whole && let Ok(whole) = whole.parse::<u64>() {
            match 0_i64.checked_sub_unsigned(whole) {
                _ if !is_negative => return Ok(whole.into()),
                Some(negative) if negative < 0 => return Ok(negative.into()),
                _ => {}
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        number::parse(text).and_then(Number::from_f64).ok_or("number beyond what can be computed with")
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.skip(|byte| byte.is_ascii_digit());
        if self.at > start { Ok(()) } else { Err("digit expected") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TWICE: &str = "an object has a name twice";

    /// What `serde_json` reads, or refuses, we read alike, or refuse; apart from names that stand twice.
    fn agrees(text: &[u8]) {
        let (ours, theirs) = (parse(text), serde_json::from_slice::<Value>(text));
        if ours.as_ref().is_err_and(|error| error.to_string().starts_with(TWICE)) {
            return;
        }
        assert_eq!(ours.ok(), theirs.ok(), "{:?}", String::from_utf8_lossy(text));
    }

    #[test]
    fn it_reads_and_refuses_what_serde_json_does() {
        for text in [
            "",
            " ",
            "nul",
            "nulll",
            "null ",
            "true",
            "\tfalse\r\n",
            "[",
            "[]",
            "[,]",
            "[1,]",
            "[1 2]",
            "{}",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1,\"a\":[{}]}",
            "{a:1}",
            "{1:1}",
            "\"",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u00e9\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\\\\"",
            "\"\\ud83d\"",
            "\"\\ude00\"",
            "\"\\ud83d\\n\"",
            "\"\\ud83d\\u0041\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\u+123\"",
            "\"a\u{1}\"",
            "\"\u{7f}é\"",
            "0",
            "-0",
            "-",
            "00",
            "-01",
            "1.",
            ".1",
            "1.e1",
            "1e",
            "1e+",
            "1E+2",
            "-0.0",
            "-0e1",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775808",
            "-9223372036854775809",
            "1e308",
            "1e309",
            "-1e309",
            "1e-400",
            "+1",
            "0x1",
            "1_0",
            "NaN",
            "\u{feff}1",
            "1 /**/",
        ] {
            agrees(text.as_bytes());
        }
        for text in [&b"\xff"[..], b"\"\xff\"", b"1\xff", b"[1,\xc3]", b"\"\xc3\xa9\""] {
            agrees(text);
        }
        for depth in [126, 127, 128] {
            agrees(format!("{}{}", "[".repeat(depth), "]".repeat(depth)).as_bytes());
        }
    }

    #[test]
    fn it_says_where() {
        let said = |text: &str| parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(said("{\n  \"a\": x\n}"), "value expected at line 2 column 8");
        assert_eq!(said("{\"a\": 1"), "',' or a closing bracket expected at line 1 column 8");
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_however_it_is_written() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"b":2,"\u0061":3}"#, r#"[{"a":{"b":1,"b":2}}]"#] {
            assert!(parse(text.as_bytes()).unwrap_err().to_string().starts_with(TWICE), "{text}");
        }
        assert!(parse(br#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
    }

    proptest! {
        #[test]
        fn anything_like_json_is_read_or_refused_alike(text in "([\\[\\]{},:0-9eE.+\\- \\\\ud\"ntrfalse]|\\PC){0,24}") {
            agrees(text.as_bytes());
        }

        #[test]
        fn any_bytes_are_read_or_refused_alike(bytes: Vec<u8>) {
            agrees(&bytes);
        }
    }
}
