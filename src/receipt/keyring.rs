//! Keys by number and the one signed envelope; it knows nothing of what is inside.
//!
//! ```text
//! bytes     what
//! 0         format; this code writes 1 and refuses others
//! 1         key id, 1–255
//! 2..n−16   content
//! n−16..n   tag: first 16 bytes of HMAC-SHA-256 over everything before it
//! ```
//!
//! The envelope travels as base64url without padding. 16 bytes of tag leave a forger one chance in 2^128 per try
//! (RFC 2104, section 5, allows cutting to half of the hash). Each purpose has a key of its own, so that a token of one
//! purpose means nothing to another.

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt;

/// First byte of everything signed.
const FORMAT: u8 = 1;
/// Format and key id.
const HEADER: usize = 2;
/// Bytes of the HMAC kept: 128 bits, the least RFC 2104 advises for SHA-256; a forger has one try in 2^128.
const TAG: usize = 16;
/// Shortest secret in characters: 32 random hexadecimal digits are 128 bits, the strength of the tag.
pub const MIN_SECRET_CHARS: usize = 32;
/// Longest token in characters that is looked at: the longest receipt has some 1,600.
pub const MAX_TOKEN_CHARS: usize = 1_792;

type HmacSha256 = Hmac<Sha256>;

/// What a token is for; tokens of different purposes can't stand in for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// What was decided.
    Receipt,
    /// The visitor's key in the site's own cookie.
    Cookie,
    /// The mark on requests to the origin by which a loop is seen.
    Loop,
}

impl Purpose {
    const ALL: [Self; 3] = [Self::Receipt, Self::Cookie, Self::Loop];

    /// A part of the key derivation: changing a word voids every token of that purpose.
    const fn word(self) -> &'static [u8] {
        match self {
            Self::Receipt => b"receipt",
            Self::Cookie => b"cookie",
            Self::Loop => b"loop",
        }
    }
}

/// A token that was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptError {
    /// Not a token at all, or signed content that is not a receipt.
    Malformed,
    /// Signed with a key that is not, or no longer, on the ring.
    UnknownKey {
        /// The key id found.
        kid: u8,
    },
    /// The tag is wrong.
    Forged,
    /// Written by another version of this code.
    Format {
        /// Format number found.
        found: u8,
    },
}

impl fmt::Display for ReceiptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(f, "this is no receipt; hint: copy it whole"),
            Self::UnknownKey { kid } => {
                write!(
                    f,
                    "token is signed with key {kid}; hint: keep a replaced key on the ring for some days"
                )
            }
            Self::Forged => {
                write!(f, "its signature is wrong; hint: it was changed, or made with another key")
            }
            Self::Format { found } => write!(f, "token has format {found}, this version reads {FORMAT}"),
        }
    }
}

impl std::error::Error for ReceiptError {}

/// Keys that can't be used. It never repeats a secret, since it ends up in logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyringError {
    /// No key at all.
    Empty,
    /// Not `kid:value`, or the id is not a number from 1 to 255.
    KeyId {
        /// Position in the list, from 0.
        position: usize,
    },
    /// Fewer than [`MIN_SECRET_CHARS`] characters.
    Short {
        /// Its key id.
        kid: u8,
    },
    /// The same id twice.
    Duplicate {
        /// The key id.
        kid: u8,
    },
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "no key given; hint: 1:<{MIN_SECRET_CHARS} or more random characters>"),
            Self::KeyId { position } => {
                write!(f, "key at position {position} has no id from 1 to 255; hint: write it as id:value")
            }
            Self::Short { kid } => {
                write!(f, "key {kid} is too short; hint: at least {MIN_SECRET_CHARS} random characters")
            }
            Self::Duplicate { kid } => {
                write!(f, "key id {kid} is given twice; hint: a new key gets a new id")
            }
        }
    }
}

impl std::error::Error for KeyringError {}

/// A secret under its number, with the HMAC states for each purpose computed ahead.
struct Key {
    kid: u8,
    /// One prepared state per purpose, in the order of [`Purpose::ALL`]: the two key blocks of HMAC are hashed once
    /// per key instead of once per token.
    states: [HmacSha256; Purpose::ALL.len()],
}

impl Key {
    fn new(kid: u8, secret: &str) -> Self {
        let state = |purpose: Purpose| {
            let subkey = Sha256::new()
                .chain_update(b"edgeloom key v1\0")
                .chain_update(purpose.word())
                .chain_update(b"\0")
                .chain_update(secret.as_bytes())
                .finalize();
            // A SHA-256 fills half a block: the key is used as it is. The full-block constructor takes any bytes
            // without a `Result`.
            let mut block = hmac::digest::Key::<HmacSha256>::default();
            for (to, from) in block.iter_mut().zip(subkey) {
                *to = from;
            }
            HmacSha256::new(&block)
        };
        Self { kid, states: Purpose::ALL.map(state) }
    }

    fn state(&self, purpose: Purpose) -> HmacSha256 {
        let [receipt, cookie, r#loop] = &self.states;
        match purpose {
            Purpose::Receipt => receipt,
            Purpose::Cookie => cookie,
            Purpose::Loop => r#loop,
        }
        .clone()
    }
}

/// The keys of a site: the first signs, all verify.
pub struct Keyring {
    current: Key,
    older: Vec<Key>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Ids only: a keyring ends up in logs.
        let kids: Vec<u8> = self.keys().map(|key| key.kid).collect();
        f.debug_struct("Keyring").field("kids", &kids).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Reads `kid:value,kid:value`: ids are decimal, 1 to 255; a value has at least [`MIN_SECRET_CHARS`] characters and no
    /// comma. White space around an entry is ignored.
    ///
    /// To rotate, put the new key first and drop the old one when its tokens have expired.
    ///
    /// # Errors
    /// No key, an id that is no number or taken, a value that is too short.
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        if text.trim().is_empty() {
            return Err(KeyringError::Empty);
        }
        let mut keys: Vec<Key> = Vec::new();
        for (position, entry) in text.split(',').enumerate() {
            let (kid, secret) = entry.trim().split_once(':').ok_or(KeyringError::KeyId { position })?;
            let digits = kid.bytes().all(|byte| byte.is_ascii_digit());
            let kid = kid.parse::<u8>().ok().filter(|kid| digits && *kid != 0);
            let kid = kid.ok_or(KeyringError::KeyId { position })?;
            if secret.chars().count() < MIN_SECRET_CHARS {
                return Err(KeyringError::Short { kid });
            }
            if keys.iter().any(|key| key.kid == kid) {
                return Err(KeyringError::Duplicate { kid });
            }
            keys.push(Key::new(kid, secret));
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or(KeyringError::Empty)?;
        Ok(Self { current, older: keys.collect() })
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.older)
    }

    /// Signs any bytes; at most 1,320 of them, since longer tokens are not verified ([`MAX_TOKEN_CHARS`]).
    #[must_use]
    pub fn sign_bytes(&self, purpose: Purpose, content: &[u8]) -> String {
        self.seal(purpose, content.len(), |out| out.extend_from_slice(content))
    }

    /// The content of a token of this purpose.
    ///
    /// # Errors
    /// Every cause of [`ReceiptError`].
    pub fn verify_bytes(&self, purpose: Purpose, token: &str) -> Result<Vec<u8>, ReceiptError> {
        let mut content = self.open(purpose, token)?;
        content.drain(..HEADER);
        Ok(content)
    }

    /// Signs what `write` appends; `size` is a guess that spares allocations.
    pub(super) fn seal(&self, purpose: Purpose, size: usize, write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut bytes = Vec::with_capacity(HEADER + size + TAG);
        bytes.extend_from_slice(&[FORMAT, self.current.kid]);
        write(&mut bytes);
        let tag = self.current.state(purpose).chain_update(&bytes).finalize().into_bytes();
        bytes.extend(tag.iter().take(TAG));
        Base64UrlUnpadded::encode_string(&bytes)
    }

    /// Header and content of a token whose tag is right.
    pub(super) fn open(&self, purpose: Purpose, token: &str) -> Result<Vec<u8>, ReceiptError> {
        if token.len() > MAX_TOKEN_CHARS {
            return Err(ReceiptError::Malformed);
        }
        let mut bytes = Base64UrlUnpadded::decode_vec(token).map_err(|_| ReceiptError::Malformed)?;
        let signed = bytes.len().checked_sub(TAG).ok_or(ReceiptError::Malformed)?;
        let (content, tag) = bytes.split_at_checked(signed).ok_or(ReceiptError::Malformed)?;
        let &[format, kid, ..] = content else { return Err(ReceiptError::Malformed) };
        if format != FORMAT {
            return Err(ReceiptError::Format { found: format });
        }
        let key = self.keys().find(|key| key.kid == kid).ok_or(ReceiptError::UnknownKey { kid })?;
        // Compares in constant time; the length of the tag is fixed above.
        let mac = key.state(purpose).chain_update(content);
        mac.verify_truncated_left(tag).map_err(|_| ReceiptError::Forged)?;
        bytes.truncate(signed);
        Ok(bytes)
    }

    /// Content without the header.
    pub(super) fn body(opened: &[u8]) -> &[u8] {
        opened.get(HEADER..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // Not secrets: development values, marked as such.
    const OLD: &str = "1:development-key-one-not-a-secret-0001";
    const NEW: &str = "2:development-key-two-not-a-secret-0002";

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn hmac_answers_as_rfc_4231_says() {
        // RFC 4231, sections 4.2 to 4.8: key, data, tag (the fifth is cut to 128 bits as ours is).
        let long = [0xaa_u8; 131];
        let counting: Vec<u8> = (1..=25).collect();
        let cases: [(&[u8], &[u8], &str); 7] = [
            (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            (&counting, &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
            (&[0x0c; 20], b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
            (
                &long,
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &long,
                b"This is a test using a larger than block-size key and a larger than block-size data. \
                  The key needs to be hashed before being used by the HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (position, (key, data, tag)) in cases.into_iter().enumerate() {
            let mac = HmacSha256::new_from_slice(key).unwrap().chain_update(data);
            assert!(mac.clone().verify_truncated_left(&hex(tag)).is_ok(), "case {}", position + 1);
            let mut wrong = hex(tag);
            wrong[15] ^= 1;
            assert!(mac.verify_truncated_left(&wrong).is_err(), "case {}", position + 1);
        }
    }

    #[test]
    fn the_envelope_is_the_documented_construction() {
        let ring = Keyring::parse(OLD).unwrap();
        let token = Base64UrlUnpadded::decode_vec(&ring.sign_bytes(Purpose::Cookie, b"abc")).unwrap();
        let secret = OLD.split_once(':').unwrap().1;
        let subkey = Sha256::digest([b"edgeloom key v1\0cookie\0", secret.as_bytes()].concat());
        let mac = HmacSha256::new_from_slice(&subkey).unwrap().chain_update(b"\x01\x01abc");
        assert_eq!(token[..5], *b"\x01\x01abc");
        assert_eq!(token[5..], mac.finalize().into_bytes()[..16]);
    }

    #[test]
    fn a_new_key_signs_while_the_old_one_still_verifies() {
        let before = Keyring::parse(OLD).unwrap();
        let rotated = Keyring::parse(&format!("{NEW}, {OLD}")).unwrap();
        let after = Keyring::parse(NEW).unwrap();
        let old = before.sign_bytes(Purpose::Cookie, b"x");
        let new = rotated.sign_bytes(Purpose::Cookie, b"x");
        assert_eq!(rotated.verify_bytes(Purpose::Cookie, &old), Ok(b"x".to_vec()));
        assert_eq!(after.verify_bytes(Purpose::Cookie, &new), Ok(b"x".to_vec()));
        assert_eq!(after.verify_bytes(Purpose::Cookie, &old), Err(ReceiptError::UnknownKey { kid: 1 }));
        assert_eq!(before.verify_bytes(Purpose::Cookie, &new), Err(ReceiptError::UnknownKey { kid: 2 }));
    }

    #[test]
    fn the_same_id_with_another_secret_is_forged() {
        let ours = Keyring::parse(OLD).unwrap();
        let theirs = Keyring::parse("1:another-development-key-not-a-secret").unwrap();
        let token = theirs.sign_bytes(Purpose::Receipt, b"x");
        assert_eq!(ours.verify_bytes(Purpose::Receipt, &token), Err(ReceiptError::Forged));
    }

    #[test]
    fn a_token_of_one_purpose_is_forged_for_every_other() {
        let ring = Keyring::parse(OLD).unwrap();
        for signed in Purpose::ALL {
            let token = ring.sign_bytes(signed, b"content");
            for read in Purpose::ALL {
                let expected =
                    if signed == read { Ok(b"content".to_vec()) } else { Err(ReceiptError::Forged) };
                assert_eq!(ring.verify_bytes(read, &token), expected, "{signed:?} as {read:?}");
            }
        }
    }

    #[test]
    fn unusable_keys_are_named_without_being_repeated() {
        let error = |text: &str| Keyring::parse(text).unwrap_err();
        assert_eq!(error("  "), KeyringError::Empty);
        for bad in ["0:development-key-one-not-a-secret-0001", "256:x", "+1:x", "x", ":x", "-1:x", " 1 :x"] {
            assert_eq!(error(bad), KeyringError::KeyId { position: 0 }, "{bad}");
        }
        assert_eq!(error(&format!("{OLD},")), KeyringError::KeyId { position: 1 });
        assert_eq!(error("7:short-and-therefore-not-accepted"[..33].into()), KeyringError::Short { kid: 7 });
        assert_eq!(error(&format!("{OLD},{OLD}")), KeyringError::Duplicate { kid: 1 });
        assert!(!error("7:hunter").to_string().contains("hunter"));
    }

    #[test]
    fn debug_output_has_ids_and_nothing_else() {
        let ring = Keyring::parse(&format!("{NEW},{OLD}")).unwrap();
        assert_eq!(format!("{ring:?}"), "Keyring { kids: [2, 1], .. }");
    }

    proptest! {
        #[test]
        fn any_text_is_refused_without_a_panic(text: String, url_safe in "[A-Za-z0-9_-]{0,200}") {
            let ring = Keyring::parse(OLD).unwrap();
            prop_assert!(ring.verify_bytes(Purpose::Receipt, &text).is_err());
            prop_assert!(ring.verify_bytes(Purpose::Receipt, &url_safe).is_err());
            let _ = Keyring::parse(&text);
        }

        #[test]
        fn signed_bytes_come_back(content in proptest::collection::vec(any::<u8>(), 0..=750)) {
            let ring = Keyring::parse(OLD).unwrap();
            let token = ring.sign_bytes(Purpose::Cookie, &content);
            prop_assert_eq!(ring.verify_bytes(Purpose::Cookie, &token), Ok(content));
        }
    }
}
