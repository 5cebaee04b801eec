//! The stored form of a piece: a head, lengths of its sections, the sections. What is in a section is the business of others.
//!
//! ```text
//! bytes        what, little endian
//! 8            magic, [`MAGIC`]
//! 8            XXH3-64 of everything after it
//! 4            version of the form, [`VERSION`]
//! 1            kind: 0 flat, 1 sketch, 2 graph
//! 1            floats for exact similarities: 0 none, 1 of 16 bits, 2 of 32 bits
//! 2            dimension, 1 to 4,096
//! 4            n, number of items
//! 4            depth: how many a rough search hands to the fine one
//! 4            0
//! 4·SECTIONS   lengths of the sections in bytes, in the order of [`Section`]
//! …            the sections, each padded with zeros to a multiple of 16 bytes, as the head is
//! ```
//!
//! Pieces are read in place, so where a section lies follows from the lengths before it: nothing points anywhere.

use crate::embedding::MAX_DIMENSION;
use crate::kernel::BLOCK;
use std::fmt;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64;

/// What a piece begins with.
pub(super) const MAGIC: [u8; 8] = *b"EdgeIdx\n";
/// Version of the form.
pub(super) const VERSION: u32 = 1;
/// Sections of a piece.
pub(super) const SECTIONS: usize = 11;
/// Bytes before the lengths.
const FIXED: usize = 36;
/// Bytes before the first section.
const HEAD: usize = (FIXED + 4 * SECTIONS).next_multiple_of(BLOCK);
/// Where what is summed up begins.
const SUMMED: usize = 16;

/// How a piece is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Kind {
    /// Each vector is compared, byte by byte: exact but for quantisation.
    #[default]
    Flat,
    /// Signs first, and the best by them byte by byte.
    Sketch,
    /// A graph of neighbours (HNSW) is walked along.
    Graph,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Flat, Self::Sketch, Self::Graph];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Sketch => "sketch",
            Self::Graph => "graph",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Floats stored beside the bytes, for similarities without quantisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Exact {
    /// None: similarities are off by some 0.0005.
    #[default]
    None,
    /// Of 16 bits: by some 0.00002.
    F16,
    /// Of 32 bits: not at all.
    F32,
}

impl Exact {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::F16, Self::F32];

    /// Bytes of a number.
    #[must_use]
    pub const fn n_bytes(self) -> usize {
        match self {
            Self::None => 0,
            Self::F16 => 2,
            Self::F32 => 4,
        }
    }
}

/// What a section holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// Name of the model that made the embeddings.
    Model,
    /// Ids of the items, ascending.
    Ids,
    /// Short ids, ascending, 4 bytes each; then the positions of their items, 4 bytes each.
    Shorts,
    /// Fields of the items, as JSON.
    Fields,
    /// Ids that are no longer there in earlier pieces.
    Deleted,
    /// Columns for filters.
    Columns,
    /// Rotated vectors as signed bytes, in rows of whole blocks.
    Rows,
    /// Scales of the rows, `f32`.
    Scales,
    /// Signs of the rotated vectors, in rows of whole blocks; of sketches only.
    Signs,
    /// The vectors as they came, as floats.
    Floats,
    /// Who is next to whom.
    Graph,
}

/// What the head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) exact: Exact,
    pub(super) dimension: usize,
    pub(super) n_items: usize,
    pub(super) depth: usize,
}

/// Where the sections lie.
#[derive(Debug, Clone)]
pub(super) struct Sections([Range<usize>; SECTIONS]);

impl Sections {
    /// The range of one.
    pub(super) fn range(&self, section: Section) -> Range<usize> {
        self.0.get(section as usize).cloned().unwrap_or_default()
    }
}

/// Checks head, lengths and sum.
pub(super) fn open(bytes: &[u8]) -> Result<(Head, Sections), IndexError> {
    let broken = IndexError::Broken { part: "head" };
    let head: &[u8; HEAD] = match bytes.first_chunk() {
        Some(head) if head.starts_with(&MAGIC) => head,
        _ => return Err(IndexError::Foreign),
    };
    let mut numbers = head.as_chunks::<4>().0.iter().skip(2).map(|four| u32::from_le_bytes(*four));
    let mut number = || numbers.next().unwrap_or(0);
    let sum = u64::from(number()) | u64::from(number()) << 32;
    let version = number();
    if version != VERSION {
        return Err(IndexError::Version { version });
    }
    if xxh3_64(bytes.get(SUMMED..).unwrap_or_default()) != sum {
        return Err(IndexError::Sum);
    }
    let [kind, exact, low, high] = number().to_le_bytes();
    let found = (Kind::ALL.get(usize::from(kind)), Exact::ALL.get(usize::from(exact)));
    let (Some(kind), Some(exact)) = found else { return Err(broken) };
    let dimension = usize::from(u16::from_le_bytes([low, high]));
    let (n_items, depth) = (number() as usize, number() as usize);
    if dimension == 0 || dimension > MAX_DIMENSION || number() != 0 {
        return Err(broken);
    }
    let mut end = HEAD;
    let mut sections = [const { 0..0 }; SECTIONS];
    for section in &mut sections {
        let start = end;
        let stop = start.checked_add(number() as usize).filter(|stop| *stop <= bytes.len());
        let Some(stop) = stop else { return Err(broken) };
        *section = start..stop;
        end = stop.next_multiple_of(BLOCK);
    }
    if end != bytes.len() {
        return Err(broken);
    }
    Ok((Head { kind: *kind, exact: *exact, dimension, n_items, depth }, Sections(sections)))
}

/// Puts a piece together; `None` where a number does not fit.
pub(super) fn close(head: &Head, sections: &[Vec<u8>; SECTIONS]) -> Option<Vec<u8>> {
    let n_bytes: usize = sections.iter().map(|section| section.len().next_multiple_of(BLOCK)).sum();
    let mut out = Vec::with_capacity(HEAD + n_bytes);
    out.extend(MAGIC);
    out.extend([0; 8]);
    out.extend(VERSION.to_le_bytes());
    out.extend([head.kind as u8, head.exact as u8]);
    out.extend(u16::try_from(head.dimension).ok()?.to_le_bytes());
    for number in [head.n_items, head.depth, 0] {
        out.extend(u32::try_from(number).ok()?.to_le_bytes());
    }
    for section in sections {
        out.extend(u32::try_from(section.len()).ok()?.to_le_bytes());
    }
    out.resize(HEAD, 0);
    for section in sections {
        out.extend(section);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    seal(&mut out);
    Some(out)
}

/// The sum that a piece says it has.
pub(super) fn sum(bytes: &[u8]) -> u64 {
    let place = bytes.get(SUMMED - 8..).and_then(|rest| rest.first_chunk());
    place.map_or(0, |place| u64::from_le_bytes(*place))
}

/// Writes the sum.
pub(super) fn seal(bytes: &mut [u8]) {
    let sum = xxh3_64(bytes.get(SUMMED..).unwrap_or_default());
    if let Some(place) = bytes.get_mut(SUMMED - 8..SUMMED) {
        place.copy_from_slice(&sum.to_le_bytes());
    }
}

/// Bytes of a piece whose sections have so many.
pub(super) fn n_bytes(sections: impl IntoIterator<Item = usize>) -> usize {
    HEAD + sections.into_iter().map(|length| length.next_multiple_of(BLOCK)).sum::<usize>()
}

/// What keeps bytes from being a piece of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexError {
    /// They are something else.
    Foreign,
    /// They are of another version.
    Version {
        /// Which one.
        version: u32,
    },
    /// They were changed or cut.
    Sum,
    /// A part contradicts the rest.
    Broken {
        /// Which part.
        part: &'static str,
    },
    /// It is a graph, and this build can't walk along one.
    Graph,
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("not a piece of an index\nhint: was it built by `edgeloom index`?"),
            Self::Version { version } => write!(
                f,
                "a piece of an index of version {version}, this reads version {VERSION}\nhint: build it anew"
            ),
            Self::Sum => f.write_str("a piece of an index that was changed or cut on its way\nhint: publish it again"),
            Self::Broken { part } => {
                write!(f, "a piece of an index whose {part} contradicts the rest\nhint: build it anew")
            }
            Self::Graph => f.write_str(
                "an index of kind `graph`, and this build has no feature `graph`\nhint: build the index as `sketch`, or the software with it",
            ),
        }
    }
}

impl std::error::Error for IndexError {}
