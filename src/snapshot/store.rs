//! The binary stored form of a snapshot: envelope, checksum, content address. It decides nothing about content.
//!
//! ```text
//! bytes     what
//! 0..4      "ELSN"
//! 4..6      format, u16 little endian; this code writes 1 and refuses others
//! 6..14     sequence, u64: grows with every publication of a site, so that an older one never replaces a newer
//! 14..22    time of publication, u64 milliseconds since the epoch
//! 22..38    version: first 16 bytes of SHA-256 of the payload
//! 38..n−16  payload: `wire::Published` as JSON
//! n−16..n   checksum: first 16 bytes of SHA-256 of everything before it
//! ```
//!
//! Names make the payload readable by older and newer code: unknown fields are skipped, missing ones take their
//! default. An item that can't be read costs only itself and leaves a warning.

use super::Warning;
use super::wire::{self, Published};
use crate::id::SnapshotVersion;
use crate::json::{self, JsonError};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt;

const MAGIC: [u8; 4] = *b"ELSN";
/// The format this code writes and reads.
pub const FORMAT: u16 = 1;
/// Bytes before the payload.
const HEADER: usize = 38;
/// Bytes after it; 128 bits against damage, not against forgery: whoever writes to KV may write anything.
const CHECKSUM: usize = 16;
/// Largest stored snapshot in bytes. A KV value may have 25 MiB, but every isolate parses this one: 4 MiB is
/// some 2,000 slots and already a quarter of a second of start-up.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A stored snapshot that can't be used; the last good one stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// Too short, or not ours at all.
    NotASnapshot,
    /// Written by another version of this code.
    Format {
        /// Format number found.
        found: u16,
    },
    /// Cut, or changed on the way.
    Checksum,
    /// The checksum is right but the payload is not what it should be.
    Payload {
        /// What the decoder said.
        reason: String,
    },
    /// More than [`MAX_BYTES`].
    TooLarge {
        /// Size found.
        bytes: usize,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotASnapshot => write!(f, "these bytes are not a stored snapshot; hint: publish again"),
            Self::Format { found } => write!(
                f,
                "snapshot has format {found}, this version reads {FORMAT}; hint: deploy matching versions or publish again"
            ),
            Self::Checksum => write!(f, "snapshot is damaged: checksum differs; hint: publish again"),
            Self::Payload { reason } => write!(f, "snapshot can't be read: {reason}; hint: publish again"),
            Self::TooLarge { bytes } => {
                write!(
                    f,
                    "snapshot has {bytes} bytes; hint: {MAX_BYTES} at most, split the site or shorten blocks"
                )
            }
        }
    }
}

impl std::error::Error for StoreError {}

/// A stored snapshot, opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Content address of `published`.
    pub version: SnapshotVersion,
    /// Number of the publication.
    pub sequence: u64,
    /// Time of the publication, milliseconds since the epoch.
    pub published_millis: u64,
    /// The content.
    pub published: Published,
    /// Items that could not be read and were left out.
    pub warnings: Vec<Warning>,
}

fn digest16(bytes: &[u8]) -> [u8; 16] {
    let mut out = [0_u8; 16];
    for (to, from) in out.iter_mut().zip(Sha256::digest(bytes)) {
        *to = from;
    }
    out
}

fn payload_error(error: JsonError) -> StoreError {
    StoreError::Payload { reason: error.to_string() }
}

/// Content as the two texts that its payload is made of. Whoever keeps many publications keeps the first one once.
///
/// ```
/// use edgeloom::snapshot::store::{Parts, decode, encode};
/// use edgeloom::snapshot::wire::Published;
///
/// let published = Published::default();
/// let parts = Parts::of(&published);
/// assert_eq!(parts.encode(1, 1_700_000_000_000)?, encode(&published, 1, 1_700_000_000_000)?);
/// assert_eq!(decode(&parts.encode(2, 0)?)?.published, published);
/// # Ok::<(), edgeloom::snapshot::store::StoreError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The configuration as JSON.
    pub config: String,
    /// What was learned as JSON.
    pub learned: String,
}

impl Parts {
    /// The texts of some content.
    #[must_use]
    pub fn of(published: &Published) -> Self {
        Self { config: json::write(&published.config), learned: json::write(&published.learned) }
    }

    /// The stored form. The same texts, sequence and time give the same bytes, whichever version of this code wrote the
    /// texts: nothing of them is read.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn encode(&self, sequence: u64, published_millis: u64) -> Result<Vec<u8>, StoreError> {
        let payload = format!("{{\"config\":{},\"learned\":{}}}", self.config, self.learned);
        let mut bytes = Vec::with_capacity(HEADER + payload.len() + CHECKSUM);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&sequence.to_le_bytes());
        bytes.extend_from_slice(&published_millis.to_le_bytes());
        bytes.extend_from_slice(&digest16(payload.as_bytes()));
        bytes.extend_from_slice(payload.as_bytes());
        let checksum = digest16(&bytes);
        bytes.extend_from_slice(&checksum);
        if bytes.len() > MAX_BYTES {
            return Err(StoreError::TooLarge { bytes: bytes.len() });
        }
        Ok(bytes)
    }
}

/// The stored form of some content.
///
/// # Errors
/// [`StoreError::TooLarge`].
pub fn encode(published: &Published, sequence: u64, published_millis: u64) -> Result<Vec<u8>, StoreError> {
    Parts::of(published).encode(sequence, published_millis)
}

/// Opens a stored form.
///
/// # Errors
/// Every cause of [`StoreError`]: foreign, cut, damaged, of another format, too large, or not readable.
pub fn decode(bytes: &[u8]) -> Result<Stored, StoreError> {
    if bytes.len() > MAX_BYTES {
        return Err(StoreError::TooLarge { bytes: bytes.len() });
    }
    let (head, rest) = bytes.split_at_checked(HEADER).ok_or(StoreError::NotASnapshot)?;
    let field = |from: usize, to: usize| head.get(from..to).unwrap_or_default();
    if field(0, 4) != MAGIC {
        return Err(StoreError::NotASnapshot);
    }
    let found = u16::from_le_bytes(array(field(4, 6)));
    if found != FORMAT {
        return Err(StoreError::Format { found });
    }
    let payload_len = rest.len().checked_sub(CHECKSUM).ok_or(StoreError::Checksum)?;
    let (payload, checksum) = rest.split_at_checked(payload_len).ok_or(StoreError::Checksum)?;
    let body = bytes.get(..HEADER + payload_len).ok_or(StoreError::Checksum)?;
    let version = SnapshotVersion(array(field(22, 38)));
    if digest16(body) != checksum || digest16(payload) != version.0 {
        return Err(StoreError::Checksum);
    }
    let (published, warnings) = lenient(json::parse(payload).map_err(payload_error)?)?;
    Ok(Stored {
        version,
        sequence: u64::from_le_bytes(array(field(6, 14))),
        published_millis: u64::from_le_bytes(array(field(14, 22))),
        published,
        warnings,
    })
}

/// The first `N` bytes of a slice that has them.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0_u8; N];
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}

/// Reads content item by item, so that one from a newer version does not take the others with it.
fn lenient(mut raw: Value) -> Result<(Published, Vec<Warning>), StoreError> {
    let mut warnings = Vec::new();
    if let Some(config) = raw.get_mut("config") {
        for (list, fault) in wire::ITEMS {
            keep_readable(config, list, fault, &mut warnings);
        }
    }
    Ok((json::shape(&raw).map_err(payload_error)?, warnings))
}

/// Drops the items of a list that the typed form refuses, with a warning each, and keeps the others.
fn keep_readable(config: &mut Value, list: &str, fault: wire::ItemFault, warnings: &mut Vec<Warning>) {
    let Some(Value::Array(items)) = config.get_mut(list) else { return };
    let mut position = 0;
    items.retain(|item| {
        let pointer = format!("/{list}/{position}");
        position += 1;
        let Some(error) = fault(item) else { return true };
        warnings.push(Warning::error(pointer, format_args!("left out: {error}")));
        false
    });
}

#[cfg(test)]
mod tests {
    use super::super::wire::{Config, LearnedArm, LearnedSlot, Slot};
    use super::*;

    fn sample() -> Published {
        Published {
            config: Config {
                site: "shop".into(),
                slots: vec![Slot { id: "hero".into(), ..Slot::default() }],
                ..Config::default()
            },
            learned: vec![LearnedSlot {
                slot: "hero".into(),
                arms: vec![LearnedArm {
                    arm: "a".into(),
                    exposures: 7,
                    rewards: 3,
                    weight: 0.1 + 0.2,
                    ..LearnedArm::default()
                }],
                ..LearnedSlot::default()
            }],
        }
    }

    #[test]
    fn what_is_stored_comes_back_bit_for_bit() {
        let bytes = encode(&sample(), 5, 1_700_000_000_000).unwrap();
        let stored = decode(&bytes).unwrap();
        assert_eq!(stored.published, sample());
        assert_eq!((stored.sequence, stored.published_millis), (5, 1_700_000_000_000));
        assert!(stored.warnings.is_empty());
    }

    #[test]
    fn the_payload_is_the_content_as_one_json_text() {
        let bytes = encode(&sample(), 5, 6).unwrap();
        let payload = &bytes[HEADER..bytes.len() - CHECKSUM];
        assert_eq!(payload, json::write(&sample()).as_bytes());
    }

    #[test]
    fn the_version_depends_on_content_alone() {
        let version = |bytes: Vec<u8>| decode(&bytes).unwrap().version;
        let first = version(encode(&sample(), 1, 1).unwrap());
        assert_eq!(first, version(encode(&sample(), 2, 9).unwrap()));
        assert_ne!(first, version(encode(&Published::default(), 1, 1).unwrap()));
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_refused() {
        let bytes = encode(&sample(), 5, 6).unwrap();
        for i in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[i] ^= 1 << (i % 8);
            assert!(decode(&bad).is_err(), "changed byte {i} was accepted");
            assert!(decode(&bytes[..i]).is_err(), "cut at {i} was accepted");
        }
    }

    #[test]
    fn one_item_of_a_newer_version_costs_only_itself() {
        let mut raw = serde_json::to_value(sample()).unwrap();
        let slots = raw["config"]["slots"].as_array_mut().unwrap();
        slots.push(serde_json::json!({ "id": "new", "policy": { "kind": "quantum" } }));
        slots.push(serde_json::json!({ "id": "cta", "colour": "unknown fields are skipped" }));
        let (published, warnings) = lenient(raw).unwrap();
        assert_eq!(published.config.slots.len(), 2);
        assert_eq!(warnings[0].pointer, "/slots/1");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(decode(&bytes).is_err());
        }
    }
}
