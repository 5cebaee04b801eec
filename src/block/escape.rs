//! Text as HTML that means only text, in ASCII whatever the page's charset; addresses are `url`'s business.

use std::fmt::Write as _;

/// What a character no HTML text can carry becomes.
const REPLACEMENT: char = '\u{fffd}';

/// Text as HTML that means only this text, in content and in quoted attributes, in ASCII.
///
/// ```
/// assert_eq!(edgeloom::block::escape("<b> & 5 €"), "&lt;b&gt; &amp; 5 &#8364;");
/// ```
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_text(&mut out, text);
    out
}

/// Appends text so that it reads the same in content and in a quoted attribute.
///
/// Signs of markup and everything outside ASCII become character references, so the result is right in every
/// charset that contains ASCII. Control characters become U+FFFD: NUL and U+0080–U+009F can't be referred to
/// (the standard maps the latter to windows-1252), and ESC would switch the charset of an ISO-2022-JP page.
pub(crate) fn push_text(out: &mut String, text: &str) {
    text.chars().for_each(|c| push_char(out, c));
}

fn push_char(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        '\t' | '\n' | ' '..='~' => out.push(c),
        // Written out they would be normalised to a line feed, or dropped.
        '\r' | '\x0c' => push_reference(out, c),
        _ if c.is_control() => push_reference(out, REPLACEMENT),
        _ => push_reference(out, c),
    }
}

fn push_reference(out: &mut String, c: char) {
    // Writing to a `String` can't fail.
    let _ = write!(out, "&#{};", u32::from(c));
}

/// Appends HTML text as written by an author: its references stay references, the rest is escaped.
pub(super) fn push_written(out: &mut String, written: &str) {
    for piece in pieces(written) {
        match piece {
            Piece::Text(text) => push_text(out, text),
            Piece::Char(c) => push_char(out, c),
            Piece::Named(reference) => out.push_str(reference),
        }
    }
}

/// The plain text of HTML text as written, or the reference that needs the standard's table of 2,231 names.
///
/// # Errors
/// A named reference other than `amp`, `lt`, `gt`, `quot`, `apos`, `nbsp`.
pub(super) fn decode(written: &str) -> Result<String, &str> {
    let mut text = String::with_capacity(written.len());
    for piece in pieces(written) {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Char(c) => text.push(c),
            Piece::Named(reference) => return Err(reference),
        }
    }
    Ok(text)
}

/// A part of HTML text as written.
enum Piece<'a> {
    /// Characters that stand for themselves.
    Text(&'a str),
    /// A reference that was looked up.
    Char(char),
    /// A named reference, left to the browser.
    Named(&'a str),
}

fn pieces(mut rest: &str) -> impl Iterator<Item = Piece<'_>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((piece, after)) = reference(rest) {
            rest = after;
            return Some(piece);
        }
        // At least one character: an `&` that starts no reference is text.
        let next = rest.bytes().skip(1).position(|byte| byte == b'&').map_or(rest.len(), |at| at + 1);
        let (text, after) = rest.split_at_checked(next)?;
        rest = after;
        Some(Piece::Text(text))
    })
}

/// The character reference `rest` starts with; only those that end in `;`.
fn reference(rest: &str) -> Option<(Piece<'_>, &str)> {
    // The longest name has 31 letters, the longest number fewer digits.
    const LONGEST: usize = 33;
    let body = rest.strip_prefix('&')?;
    let len = body.bytes().take(LONGEST).position(|byte| byte == b';')?;
    let (name, after) = (body.get(..len)?, body.get(len + 1..)?);
    let piece = match name.strip_prefix('#') {
        Some(number) => Piece::Char(numeric(number)?),
        None if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) => return None,
        None => match name {
            "amp" => Piece::Char('&'),
            "lt" => Piece::Char('<'),
            "gt" => Piece::Char('>'),
            "quot" => Piece::Char('"'),
            "apos" => Piece::Char('\''),
            "nbsp" => Piece::Char('\u{a0}'),
            _ => Piece::Named(rest.get(..len + 2)?),
        },
    };
    Some((piece, after))
}

fn numeric(number: &str) -> Option<char> {
    let (digits, radix) = match number.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    // Too big for `u32` is too big for a character as well.
    Some(u32::from_str_radix(digits, radix).ok().and_then(char::from_u32).unwrap_or(REPLACEMENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        let mut out = String::new();
        push_text(&mut out, text);
        out
    }

    fn written(text: &str) -> String {
        let mut out = String::new();
        push_written(&mut out, text);
        out
    }

    #[test]
    fn signs_of_markup_and_foreign_letters_become_references() {
        assert_eq!(text("<a b=\"c\" d='é'>&"), "&lt;a b=&quot;c&quot; d=&#39;&#233;&#39;&gt;&amp;");
        assert_eq!(text("\u{1f600}\r\n\t"), "&#128512;&#13;\n\t");
        assert_eq!(text("\0\x1b\u{85}"), "&#65533;&#65533;&#65533;");
    }

    #[test]
    fn references_of_the_author_stay_what_they_are() {
        assert_eq!(written("a &amp; b &copy; &#233; &#xE9;"), "a &amp; b &copy; &#233; &#233;");
        assert_eq!(written("a & b &x &; &#; &#x; &#12 &a b;"), {
            "a &amp; b &amp;x &amp;; &amp;#; &amp;#x; &amp;#12 &amp;a b;"
        });
        assert_eq!(written("&#0;&#xD800;&#99999999999999;&#150;"), "&#65533;".repeat(4));
    }

    #[test]
    fn decoding_refuses_a_name_it_does_not_know() {
        assert_eq!(decode("java&#115;cript&#x3a;&amp;"), Ok("javascript:&".to_owned()));
        assert_eq!(decode("javascript&colon;x"), Err("&colon;"));
    }
}
