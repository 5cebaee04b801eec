//! What an index consists of: its pieces by content, in their order, and what is known of them. It reads no piece.

use crate::json::{self, count, text};
use edgeloom::json::{Tell, object};
use edgeloom::{Value, told};
use sha2::{Digest, Sha256};

/// Most pieces of an index: the whole in one or a few, and the changes of two months of days.
pub const MAX_PIECES: usize = 64;
/// Digits of a piece's name: SHA-256 of its bytes.
const HASH_DIGITS: usize = 64;

/// One piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PieceRow {
    /// Its name.
    pub hash: String,
    /// How many items it has.
    pub items: usize,
    /// How much memory it takes.
    pub bytes: usize,
}

/// One index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its name.
    pub name: String,
    /// Equal pieces are the equal version.
    pub version: String,
    /// The model that made its embeddings.
    pub model: String,
    /// How many numbers they have.
    pub dimension: usize,
    /// How many items can be found.
    pub items: usize,
    /// How much memory it takes.
    pub bytes: usize,
    /// Its pieces, earlier ones first.
    pub pieces: Vec<PieceRow>,
}

told! {
    PieceRow { hash, items, bytes }
    Manifest { name, version, model, dimension, items, bytes, pieces }
}

impl Manifest {
    /// The manifest that a value is; nothing where it is none.
    pub fn of(value: &Value) -> Option<Self> {
        let piece = |piece: &Value| {
            let hash = text(piece, "hash").filter(|hash| is_hash(hash))?.to_string();
            Some(PieceRow { hash, items: count(piece, "items"), bytes: count(piece, "bytes") })
        };
        let pieces: Option<Vec<PieceRow>> = value.get("pieces")?.as_array()?.iter().map(piece).collect();
        Some(Self {
            name: text(value, "name")?.to_string(),
            version: text(value, "version")?.to_string(),
            model: text(value, "model")?.to_string(),
            dimension: count(value, "dimension"),
            items: count(value, "items"),
            bytes: count(value, "bytes"),
            pieces: pieces.filter(|pieces| !pieces.is_empty())?,
        })
    }
}

/// Whether a text is the name of a piece: 64 hexadecimal digits, letters small, so that each piece has one name.
pub fn is_hash(text: &str) -> bool {
    text.len() == HASH_DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The version of an index: the first half of SHA-256 over the names of its pieces, one after another.
pub fn version_of<'h>(hashes: impl Iterator<Item = &'h str>) -> String {
    let digest = hashes.fold(Sha256::new(), |digest, hash| digest.chain_update(hash)).finalize();
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// All indexes of a site, as every isolate reads them.
#[derive(Debug, Default)]
pub struct Manifests {
    /// Grows with each change.
    pub sequence: u64,
    /// The indexes, by name.
    pub indexes: Vec<Manifest>,
}

impl Manifests {
    /// Reads the stored form.
    ///
    /// # Errors
    /// What is wrong with it. One index that can't be read is left out, as if it were not there.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let value = json::read(bytes)?;
        let sequence = value.get("sequence").and_then(Value::as_u64).ok_or("it has no sequence")?;
        let indexes = value.get("indexes").and_then(Value::as_array).ok_or("it has no indexes")?;
        Ok(Self { sequence, indexes: indexes.iter().filter_map(Manifest::of).collect() })
    }

    /// The stored form of manifests that are values.
    pub fn write(sequence: u64, indexes: &[Value]) -> String {
        edgeloom::json::text(&object(&[("sequence", &sequence), ("indexes", &indexes as &dyn Tell)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let pieces = vec![PieceRow { hash: "0f".repeat(32), items: 3, bytes: 400 }];
        let version = version_of(pieces.iter().map(|piece| piece.hash.as_str()));
        let (name, model) = ("articles".to_string(), "some-model".to_string());
        Manifest { name, version, model, dimension: 8, items: 3, bytes: 400, pieces }
    }

    #[test]
    fn what_was_written_is_read() {
        let manifest = manifest();
        let stored = Manifests::write(7, &[manifest.value()]);
        let read = Manifests::read(stored.as_bytes()).unwrap();
        assert_eq!((read.sequence, read.indexes), (7, vec![manifest]));
    }

    #[test]
    fn one_index_that_cannot_be_read_costs_only_itself() {
        let mut broken = manifest().value();
        broken["pieces"][0]["hash"] = "../x".into();
        let read = Manifests::read(Manifests::write(7, &[broken, manifest().value()]).as_bytes()).unwrap();
        assert_eq!(read.indexes, [manifest()]);
        for text in ["", "[]", "{}", r#"{"sequence":1}"#, r#"{"indexes":[]}"#] {
            assert!(Manifests::read(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_version_tells_pieces_and_their_order_apart() {
        let (a, b) = ("0a".repeat(32), "0b".repeat(32));
        let version = |hashes: &[&str]| version_of(hashes.iter().copied());
        assert_eq!(version(&[&a, &b]), version(&[&a, &b]));
        assert_ne!(version(&[&a, &b]), version(&[&b, &a]));
        assert_eq!(version(&[&a]).len(), 32);
        assert!(is_hash(&a) && !is_hash(&a.to_uppercase()) && !is_hash("0a"));
    }
}
