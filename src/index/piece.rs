//! One piece of an index: bytes that were checked once and are read in place. How it is searched is another file's business.

use super::columns::{Column, Columns};
use super::format::{self, Exact, Head, IndexError, Kind, Section, Sections};
use super::quantise::{sign_bytes, value_of_half, values_of};
use super::rotation::rotate_back;
use super::texts::{Texts, number_at};
use crate::embedding::Embedding;
use crate::kernel::BLOCK;
use crate::seed::{Purpose, hash};
use std::sync::Arc;

/// The short id of an item: 32 bits of a hash of its id, for places where there is little room. Of 10,000 items two share one
/// with a chance of 1 %.
#[must_use]
pub fn short_id(id: &str) -> u32 {
    (hash(Purpose::Item, &[id.as_bytes()]) >> 32) as u32
}

/// One piece of an index.
///
/// Items are numbered by the order of their ids. Every offset, count and text was checked when it was opened, so nothing after
/// that reads outside or panics. A clone shares the bytes.
#[derive(Clone)]
pub struct Index {
    bytes: Arc<Vec<u8>>,
    head: Head,
    sections: Sections,
    ids: Texts,
    fields: Texts,
    deleted: Texts,
    columns: Columns,
    #[cfg(feature = "graph")]
    graph: Option<Arc<super::graph::Graph>>,
}

impl Index {
    /// Opens a piece, without copying it.
    ///
    /// # Errors
    /// Bytes that are something else, of another version, changed, cut or broken; a graph where the feature is missing.
    pub fn open(bytes: Vec<u8>) -> Result<Self, IndexError> {
        let (head, sections) = format::open(&bytes)?;
        let bytes = Arc::new(bytes);
        let texts =
            |section, part| Texts::open(&bytes, sections.range(section)).ok_or(IndexError::Broken { part });
        let ids = texts(Section::Ids, "list of ids")?;
        let fields = texts(Section::Fields, "list of fields")?;
        let deleted = texts(Section::Deleted, "list of what is deleted")?;
        if ids.len() != head.n_items || fields.len() != head.n_items || !ids.is_ascending(&bytes) {
            return Err(IndexError::Broken { part: "list of ids" });
        }
        let columns = Columns::open(&bytes, sections.range(Section::Columns), head.n_items)
            .ok_or(IndexError::Broken { part: "columns" })?;
        let part = |section| bytes.get(sections.range(section)).unwrap_or_default();
        check(&head, &part).map_err(|part| IndexError::Broken { part })?;
        #[cfg(not(feature = "graph"))]
        if head.kind == Kind::Graph {
            return Err(IndexError::Graph);
        }
        #[cfg(feature = "graph")]
        let graph = match head.kind {
            Kind::Graph => {
                let rows = super::graph::Rows::new(&bytes, &sections, head.dimension);
                let graph = super::graph::Graph::open(part(Section::Graph), rows, &head);
                Some(Arc::new(graph.ok_or(IndexError::Broken { part: "graph" })?))
            }
            Kind::Flat | Kind::Sketch => None,
        };
        Ok(Self {
            #[cfg(feature = "graph")]
            graph,
            head,
            ids,
            fields,
            deleted,
            columns,
            sections,
            bytes,
        })
    }

    /// How it is searched.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.head.kind
    }

    /// What it keeps for similarities without quantisation.
    #[must_use]
    pub const fn exact(&self) -> Exact {
        self.head.exact
    }

    /// How many a rough search hands to the fine one.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.head.depth
    }

    /// Name of the model that made the embeddings.
    #[must_use]
    pub fn model(&self) -> &str {
        std::str::from_utf8(self.section(Section::Model)).unwrap_or_default()
    }

    /// How many numbers an embedding has.
    #[must_use]
    pub const fn dimension(&self) -> usize {
        self.head.dimension
    }

    /// Number of items.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.head.n_items
    }

    /// Whether there is no item; what is deleted may still be told.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.head.n_items == 0
    }

    /// What it takes up in memory, bytes; a graph's neighbours are there twice.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        #[cfg(feature = "graph")]
        let graph = self.graph.as_ref().map_or(0, |graph| graph.n_bytes());
        #[cfg(not(feature = "graph"))]
        let graph = 0;
        self.bytes.len() + graph
    }

    /// The sum over everything it holds.
    pub(super) fn sum(&self) -> u64 {
        format::sum(&self.bytes)
    }

    /// The position of an id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<usize> {
        self.ids.search(&self.bytes, id).ok()
    }

    /// The position of the first item with a short id; see [`short_id`].
    #[must_use]
    pub fn find_short(&self, short: u32) -> Option<usize> {
        self.all_short(short).next()
    }

    /// The positions of all items with a short id.
    pub(super) fn all_short(&self, short: u32) -> impl Iterator<Item = usize> {
        let pairs = self.section(Section::Shorts);
        let (shorts, positions) = pairs.split_at_checked(pairs.len() / 2).unwrap_or_default();
        let shorts = shorts.as_chunks::<4>().0;
        let first = shorts.partition_point(|own| u32::from_le_bytes(*own) < short);
        let found = shorts.iter().zip(positions.as_chunks::<4>().0).skip(first);
        let found = found.take_while(move |(own, _)| u32::from_le_bytes(**own) == short);
        found.map(|(_, position)| u32::from_le_bytes(*position) as usize)
    }

    /// The id at a position.
    #[must_use]
    pub fn id(&self, position: usize) -> Option<&str> {
        self.ids.at(&self.bytes, position)
    }

    /// The fields of an item, the text of a JSON object.
    #[must_use]
    pub fn fields(&self, position: usize) -> Option<&str> {
        self.fields.at(&self.bytes, position)
    }

    /// The number of an item in a field that has a column; truth values are 0 and 1.
    #[must_use]
    pub fn number(&self, position: usize, field: &str) -> Option<f64> {
        self.column(field).filter(|_| position < self.len())?.number(&self.bytes, position)
    }

    /// The words of an item in a field that has a column; none where it has no such words.
    pub fn words(&self, position: usize, field: &str) -> impl Iterator<Item = &str> {
        let column = self.column(field).filter(|_| position < self.len());
        column.into_iter().flat_map(move |column| column.words(&self.bytes, position))
    }

    /// The fields that filters can ask for, ascending.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.names(&self.bytes)
    }

    /// The embedding of an item, as exactly as it is kept.
    #[must_use]
    pub fn embedding(&self, position: usize) -> Option<Embedding> {
        match self.floats(position) {
            Some(floats) => Embedding::new(&floats).ok(),
            None => {
                let (row, scale) = self.row(position)?;
                let rotated = values_of(row.get(..self.head.dimension)?, scale);
                Embedding::new(&rotate_back(&rotated)).ok()
            }
        }
    }

    /// The ids that are no longer there in earlier pieces, ascending.
    pub fn deleted(&self) -> impl Iterator<Item = &str> {
        self.deleted.iter(&self.bytes)
    }

    fn section(&self, section: Section) -> &[u8] {
        self.bytes.get(self.sections.range(section)).unwrap_or_default()
    }

    pub(super) fn column(&self, field: &str) -> Option<&Column> {
        self.columns.of(&self.bytes, field)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All rows.
    pub(super) fn rows(&self) -> &[u8] {
        self.section(Section::Rows)
    }

    /// Bytes of a row.
    pub(super) const fn stride(&self) -> usize {
        self.head.dimension.next_multiple_of(BLOCK)
    }

    /// The row of an item and its scale.
    pub(super) fn row(&self, position: usize) -> Option<(&[u8], f32)> {
        let start = position.checked_mul(self.stride())?;
        Some((self.rows().get(start..start.checked_add(self.stride())?)?, self.scale(position)?))
    }

    fn scale(&self, position: usize) -> Option<f32> {
        number_at(self.section(Section::Scales), position.checked_mul(4)?).map(f32::from_bits)
    }

    /// The scales of all rows, little endian.
    pub(super) fn scales(&self) -> &[[u8; 4]] {
        self.section(Section::Scales).as_chunks().0
    }

    /// All signs.
    pub(super) fn signs(&self) -> &[u8] {
        self.section(Section::Signs)
    }

    /// The numbers of an item as they came, where they are kept.
    pub(super) fn floats(&self, position: usize) -> Option<Vec<f32>> {
        let row = self.head.dimension * self.head.exact.n_bytes();
        let start = position.checked_mul(row)?;
        let floats = self.section(Section::Floats).get(start..start.checked_add(row)?)?;
        match self.head.exact {
            Exact::None => None,
            Exact::F16 => {
                let halves = floats.as_chunks().0.iter();
                Some(halves.map(|half| value_of_half(u16::from_le_bytes(*half))).collect())
            }
            Exact::F32 => Some(floats.as_chunks().0.iter().map(|float| f32::from_le_bytes(*float)).collect()),
        }
    }

    #[cfg(feature = "graph")]
    pub(super) fn graph(&self) -> Option<&super::graph::Graph> {
        self.graph.as_deref()
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index")
            .field("head", &self.head)
            .field("model", &self.model())
            .finish_non_exhaustive()
    }
}

/// Checks what needs no other section but the head. Says which part is broken.
fn check<'b>(head: &Head, part: &impl Fn(Section) -> &'b [u8]) -> Result<(), &'static str> {
    let has = |section, row| Some(part(section).len()) == head.n_items.checked_mul(row);
    if std::str::from_utf8(part(Section::Model)).is_err() {
        return Err("model");
    }
    if !has(Section::Shorts, 8) {
        return Err("list of short ids");
    }
    let pairs = part(Section::Shorts);
    let (shorts, positions) = pairs.split_at_checked(pairs.len() / 2).unwrap_or_default();
    let number = |four: &[u8; 4]| u32::from_le_bytes(*four);
    let is_ascending = shorts.as_chunks().0.is_sorted_by_key(number);
    if !is_ascending || positions.as_chunks().0.iter().any(|at| number(at) as usize >= head.n_items) {
        return Err("list of short ids");
    }
    let sign_bytes = if head.kind == Kind::Sketch { sign_bytes(head.dimension) } else { 0 };
    if !has(Section::Rows, head.dimension.next_multiple_of(BLOCK))
        || !has(Section::Scales, 4)
        || !has(Section::Signs, sign_bytes)
        || !has(Section::Floats, head.dimension * head.exact.n_bytes())
        || (head.kind != Kind::Graph && !part(Section::Graph).is_empty())
    {
        return Err("table of vectors");
    }
    let is_scale = |four: &[u8; 4]| f32::from_le_bytes(*four).is_finite() && four.last() < Some(&0x80);
    if part(Section::Scales).as_chunks().0.iter().all(is_scale) { Ok(()) } else { Err("list of scales") }
}
