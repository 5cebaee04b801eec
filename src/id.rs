//! Newtypes for everything that has a name or a number; no logic beyond checking and printing them.

use std::fmt;

/// Longest identifier in bytes; it travels in every receipt.
pub const MAX_ID_BYTES: usize = 64;

/// An identifier that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdError {
    /// Nothing between the quotes.
    Empty,
    /// More than [`MAX_ID_BYTES`] bytes.
    TooLong {
        /// Bytes found.
        bytes: usize,
    },
    /// A character outside the allowed set.
    Character {
        /// The character found.
        found: char,
    },
    /// Not the expected number of hexadecimal digits.
    Hex,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "identifier is empty; hint: use letters, digits, '-', '_' or '.'"),
            Self::TooLong { bytes } => {
                write!(f, "identifier has {bytes} bytes; hint: {MAX_ID_BYTES} at most")
            }
            Self::Character { found } => {
                write!(f, "identifier contains {found:?}; hint: use ASCII letters, digits, '-', '_' or '.'")
            }
            Self::Hex => write!(f, "not 32 hexadecimal digits"),
        }
    }
}

impl std::error::Error for IdError {}

/// Only letters that stand unescaped in addresses, HTML and JSON alike.
fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong { bytes: text.len() });
    }
    // Byte by byte, for every event has some: a byte that is allowed is a character.
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let good = text.bytes().take_while(is_allowed).count();
    match text.get(good..).and_then(|rest| rest.chars().next()) {
        Some(found) => Err(IdError::Character { found }),
        None => Ok(()),
    }
}

macro_rules! named {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// A checked identifier: 1 to 64 ASCII letters, digits, `-`, `_` or `.`.
            ///
            /// # Errors
            /// Empty, too long, or a character outside the set.
            pub fn new(text: &str) -> Result<Self, IdError> {
                check(text)?;
                Ok(Self(text.into()))
            }

            /// The text of the identifier.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

named! {
    /// A marked region of a page that may be filled.
    SlotId;
    /// Reusable content with typed holes.
    BlockId;
    /// One block in one slot, as the policy sees it.
    ArmId;
    /// What counts as success.
    GoalId;
    /// A named rule over the context.
    AudienceId;
    /// A set of slots of which a visitor takes part in one at most.
    LayerId;
}

macro_rules! bytes16 {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// Reads 32 hexadecimal digits.
            ///
            /// # Errors
            /// Another length or another character.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                parse_hex(text).map(Self).ok_or(IdError::Hex)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(str::from_utf8(&hex(self.0)).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    )*};
}

bytes16! {
    /// Pseudonymous unit of assignment: 128 random bits, one site, never derived from the device.
    VisitorKey;
    /// One page decision; 128 random bits, or shared by many visitors in contextual mode.
    DecisionId;
    /// Content address of a snapshot: the first 16 bytes of the SHA-256 of its payload.
    SnapshotVersion;
}

/// The digits of sixteen bytes, in lower case.
fn hex(bytes: [u8; 16]) -> [u8; 32] {
    let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
    let mut out = [0; 32];
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    out
}

/// Either case; exactly 32 digits.
fn parse_hex(text: &str) -> Option<[u8; 16]> {
    let mut out = [0_u8; 16];
    if text.len() != 32 {
        return None;
    }
    // On the path of every decision made for somebody else's program, so without asking at each digit.
    let mut seen = 0;
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let (high, low) = (digit(*high), digit(*low));
        seen |= high | low;
        *byte = (high << 4) | (low & 0xf);
    }
    (seen < 16).then_some(out)
}

/// The value of each character, 255 where it is no digit.
#[allow(clippy::indexing_slicing, reason = "made by the compiler, which refuses a wrong index")]
const DIGITS: [u8; 256] = {
    let mut digits = [255; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

fn digit(character: u8) -> u8 {
    DIGITS.get(usize::from(character)).copied().unwrap_or(255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_takes_letters_digits_and_three_signs() {
        assert!(SlotId::new("home.hero-2_a").is_ok());
        assert_eq!(SlotId::new(""), Err(IdError::Empty));
        assert_eq!(ArmId::new("a b"), Err(IdError::Character { found: ' ' }));
        assert_eq!(ArmId::new(&"x".repeat(65)), Err(IdError::TooLong { bytes: 65 }));
    }

    #[test]
    fn sixteen_bytes_print_and_parse_as_hex() {
        let id = DecisionId([0xab; 16]);
        assert_eq!(DecisionId::parse(&id.to_string()), Ok(id));
        assert_eq!(DecisionId::parse("+f".repeat(16).as_str()), Err(IdError::Hex));
        assert_eq!(DecisionId::parse("ab"), Err(IdError::Hex));
        assert_eq!(DecisionId::parse(&"aF".repeat(16)), Ok(DecisionId([0xaf; 16])));
        for wrong in ["/", ":", "@", "G", "`", "g", " "] {
            assert_eq!(DecisionId::parse(&format!("{}{wrong}", "0".repeat(31))), Err(IdError::Hex));
        }
    }
}
