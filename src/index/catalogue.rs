//! Pieces as one: shards of a large index, and changes since it was built. How one piece is searched is another file's business.

use super::bits::Bits;
use super::filter::{Filter, Missing, Test};
use super::piece::Index;
use super::query::{Query, QueryError};
use super::search;
use crate::embedding::Embedding;
use crate::kernel::{Top, dot_rows};
use crate::seed::{Purpose, hash};
use crate::sorted::sort_by;
use std::fmt;

/// An item of a catalogue: good for as long as the catalogue is, and no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemRef {
    /// Which piece, counted from 0.
    pub piece: u16,
    /// Which item of it, by the order of ids.
    pub position: u32,
}

/// An item that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Which one.
    pub item: ItemRef,
    /// Cosine of the angle to the query, −1 to 1 but for rounding.
    pub similarity: f32,
}

/// The items that a filter lets through; see [`Catalogue::allow`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed(Vec<Bits>);

impl Allowed {
    /// How many there are.
    #[must_use]
    pub fn n_items(&self) -> usize {
        self.0.iter().map(Bits::count).sum()
    }

    /// Whether an item is among them.
    #[must_use]
    pub fn contains(&self, item: ItemRef) -> bool {
        self.0.get(usize::from(item.piece)).is_some_and(|bits| bits.contains(item.position as usize))
    }

    /// Takes an item out.
    pub fn remove(&mut self, item: ItemRef) {
        if let Some(bits) = self.0.get_mut(usize::from(item.piece)) {
            bits.remove(item.position as usize);
        }
    }

    /// Keeps what is in the other, too.
    pub fn intersect(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            own.intersect(other);
        }
    }

    /// The items, by piece and position.
    pub fn items(&self) -> impl Iterator<Item = ItemRef> {
        self.0.iter().enumerate().flat_map(|(piece, bits)| {
            bits.iter().map(move |position| ItemRef { piece: piece as u16, position: position as u32 })
        })
    }
}

/// Pieces of one model as one index: an item of a later piece replaces that of an earlier one, and what a later piece calls
/// deleted is gone from earlier ones.
///
/// ```
/// use edgeloom::embedding::Embedding;
/// use edgeloom::index::build::{Item, Options, build};
/// use edgeloom::index::{Catalogue, Index, Kind};
///
/// let item = |id: &str, numbers: &[f32]| Item {
///     id: id.into(),
///     fields: serde_json::Map::new(),
///     embedding: Embedding::new(numbers).unwrap(),
/// };
/// let options = Options::new("some-model", Kind::Flat);
/// let bytes = build(vec![item("cups", &[0.0, 1.0]), item("tea", &[1.0, 0.2])], &options)?;
/// let catalogue = Catalogue::new(vec![Index::open(bytes)?])?;
///
/// let query = catalogue.query(Some("some-model"), &Embedding::new(&[1.0, 0.0])?)?;
/// let hits = catalogue.nearest(&query, 1, None, &[]);
/// assert_eq!(catalogue.id(hits[0].item), Some("tea"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Catalogue {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    index: Index,
    /// What no later piece replaces; nothing where that is all of it.
    visible: Option<Bits>,
}

impl Piece {
    fn is_visible(&self, position: usize) -> bool {
        position < self.index.len() && self.visible.as_ref().is_none_or(|bits| bits.contains(position))
    }

    fn hide(&mut self, position: usize) {
        self.visible.get_or_insert_with(|| Bits::all(self.index.len())).remove(position);
    }

    fn n_visible(&self) -> usize {
        self.visible.as_ref().map_or(self.index.len(), Bits::count)
    }
}

impl Catalogue {
    /// Puts pieces together, earlier ones first.
    ///
    /// # Errors
    /// No piece or more than 65,535, or pieces of several models or dimensions.
    pub fn new(pieces: Vec<Index>) -> Result<Self, CatalogueError> {
        // A piece of nothing but deletions has no dimension.
        let full = pieces.iter().find(|index| !index.is_empty());
        let Some(first) = full.or(pieces.first()) else { return Err(CatalogueError::Empty) };
        if pieces.len() > usize::from(u16::MAX) {
            return Err(CatalogueError::TooMany { n_pieces: pieces.len() });
        }
        let is_other = |index: &Index| {
            index.model() != first.model() || (!index.is_empty() && index.dimension() != first.dimension())
        };
        if let Some(piece) = pieces.iter().position(is_other) {
            let of = |index: &Index| (index.model().to_owned(), index.dimension());
            let found = pieces.get(piece).map(of).unwrap_or_default();
            return Err(CatalogueError::Mixed { piece, expected: of(first), found });
        }
        let mut all: Vec<Piece> = Vec::with_capacity(pieces.len());
        for index in pieces {
            for earlier in &mut all {
                hide_replaced(earlier, &index);
            }
            all.push(Piece { index, visible: None });
        }
        Ok(Self { pieces: all })
    }

    fn piece(&self, item: ItemRef) -> Option<(&Index, usize)> {
        self.pieces.get(usize::from(item.piece)).map(|piece| (&piece.index, item.position as usize))
    }

    /// The pieces, earlier ones first.
    pub fn pieces(&self) -> impl ExactSizeIterator<Item = &Index> {
        self.pieces.iter().map(|piece| &piece.index)
    }

    /// Name of the model that made the embeddings.
    #[must_use]
    pub fn model(&self) -> &str {
        self.pieces.first().map_or("", |piece| piece.index.model())
    }

    /// How many numbers an embedding has.
    #[must_use]
    pub fn dimension(&self) -> usize {
        let mut full = self.pieces().filter(|index| !index.is_empty());
        full.next().or(self.pieces().next()).map_or(0, Index::dimension)
    }

    /// Number of items that can be found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces.iter().map(Piece::n_visible).sum()
    }

    /// Whether there is no item to be found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tells it from catalogues of other pieces, or of the same in another order.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let sums: Vec<[u8; 8]> = self.pieces().map(|index| index.sum().to_le_bytes()).collect();
        hash(Purpose::Content, &[b"catalogue", sums.as_flattened()])
    }

    /// What it takes up in memory, bytes.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.index.n_bytes()).sum()
    }

    /// The item of an id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<ItemRef> {
        self.pieces.iter().enumerate().rev().find_map(|(number, piece)| {
            let position = piece.index.find(id).filter(|position| piece.is_visible(*position))?;
            Some(item_ref(number, position))
        })
    }

    /// The item of a short id; of several the one with the smallest id. See [`short_id`](super::short_id).
    #[must_use]
    pub fn find_short(&self, short: u32) -> Option<ItemRef> {
        let found = self.pieces.iter().enumerate().flat_map(|(number, piece)| {
            let positions = piece.index.all_short(short).filter(|position| piece.is_visible(*position));
            positions.map(move |position| item_ref(number, position))
        });
        found.min_by_key(|item| self.id(*item))
    }

    /// The id of an item.
    #[must_use]
    pub fn id(&self, item: ItemRef) -> Option<&str> {
        self.piece(item).and_then(|(index, position)| index.id(position))
    }

    /// The fields of an item, the text of a JSON object.
    #[must_use]
    pub fn fields(&self, item: ItemRef) -> Option<&str> {
        self.piece(item).and_then(|(index, position)| index.fields(position))
    }

    /// The number of an item in a field that has a column; truth values are 0 and 1.
    #[must_use]
    pub fn number(&self, item: ItemRef, field: &str) -> Option<f64> {
        self.piece(item).and_then(|(index, position)| index.number(position, field))
    }

    /// The words of an item in a field that has a column; none where it has no such words.
    pub fn words(&self, item: ItemRef, field: &str) -> impl Iterator<Item = &str> {
        self.piece(item).into_iter().flat_map(move |(index, position)| index.words(position, field))
    }

    /// Whether filters can ask for a field: one piece has a column of it.
    #[must_use]
    pub fn has_column(&self, field: &str) -> bool {
        self.pieces.iter().any(|piece| piece.index.column(field).is_some())
    }

    /// The embedding of an item, as exactly as it is kept.
    #[must_use]
    pub fn embedding(&self, item: ItemRef) -> Option<Embedding> {
        self.piece(item).and_then(|(index, position)| index.embedding(position))
    }

    /// Cosine of the angle between two items, by their bytes: off by some 0.001. 0 where there is no such item.
    #[must_use]
    pub fn similarity(&self, one: ItemRef, other: ItemRef) -> f32 {
        let row = |item| self.piece(item).and_then(|(index, position)| index.row(position));
        match (row(one), row(other)) {
            (Some((one, scale)), Some((other, other_scale))) => {
                dot_rows(one, other) as f32 * (scale * other_scale)
            }
            _ => 0.0,
        }
    }

    /// The items that can be found, by piece and position.
    pub fn items(&self) -> impl Iterator<Item = ItemRef> {
        self.pieces.iter().enumerate().flat_map(|(number, piece)| {
            let positions = (0..piece.index.len()).filter(|position| piece.is_visible(*position));
            positions.map(move |position| item_ref(number, position))
        })
    }

    /// The `k` items with the largest numbers above 0 in a field, the largest first, of equals the one that comes first among
    /// [`items`](Self::items); numbers that are equal to six digits count as such.
    #[must_use]
    pub fn largest(&self, field: &str, k: usize) -> Vec<ItemRef> {
        let items: Vec<ItemRef> = self.items().collect();
        let mut top = Top::new(k);
        for (at, item) in items.iter().enumerate() {
            if let Some(number) = self.number(*item, field).filter(|number| *number > 0.0) {
                top.offer((number as f32, at));
            }
        }
        top.into_sorted().into_iter().filter_map(|(_, at)| items.get(at).copied()).collect()
    }

    /// Prepares an embedding for searching: some microseconds. Who knows which model made it says so.
    ///
    /// # Errors
    /// An embedding of another model or dimension: its numbers mean something else.
    pub fn query(&self, model: Option<&str>, embedding: &Embedding) -> Result<Query, QueryError> {
        if let Some(found) = model.filter(|model| *model != self.model()) {
            return Err(QueryError::Model { expected: self.model().into(), found: found.into() });
        }
        if embedding.dimension() != self.dimension() {
            return Err(QueryError::Dimension { expected: self.dimension(), found: embedding.dimension() });
        }
        Ok(Query::new(embedding, self.pieces().map(Index::kind)))
    }

    /// The items that a filter lets through, to be used for many queries. Where no piece has a column of a field, nothing
    /// passes a test of it, unless what is missing does by the test's own words: what was to be left out may be among them.
    #[must_use]
    pub fn allow(&self, filter: &Filter) -> Allowed {
        let is_unknown = |test: &Test| !self.has_column(&test.field) && test.missing != Some(Missing::Passes);
        let is_asked = !filter.tests.iter().any(is_unknown);
        let allowed = self.pieces.iter().map(|piece| {
            let n_items = piece.index.len();
            let mut allowed = if is_asked { filter.allowed(&piece.index) } else { Bits::none(n_items) };
            if let Some(visible) = &piece.visible {
                allowed.intersect(visible);
            }
            allowed
        });
        Allowed(allowed.collect())
    }

    /// The `k` items most similar to a query, the most similar first, of equals the one with the smaller id. Fewer only where
    /// fewer are allowed; `except` leaves out some more, those that the visitor has before the eyes.
    #[must_use]
    pub fn nearest(
        &self,
        query: &Query,
        k: usize,
        allowed: Option<&Allowed>,
        except: &[ItemRef],
    ) -> Vec<Hit> {
        let mut hits: Vec<Hit> = Vec::new();
        for (number, piece) in self.pieces.iter().enumerate() {
            let bits = match allowed {
                Some(allowed) => allowed.0.get(number),
                None => piece.visible.as_ref(),
            };
            let excepted = except.iter().filter(|item| usize::from(item.piece) == number);
            let mut fewer = None;
            for item in excepted {
                let bits = || bits.cloned().unwrap_or_else(|| Bits::all(piece.index.len()));
                fewer.get_or_insert_with(bits).remove(item.position as usize);
            }
            let found = search::nearest(&piece.index, query, k, fewer.as_ref().or(bits));
            let found = found.into_iter();
            hits.extend(
                found.map(|(similarity, position)| Hit { item: item_ref(number, position), similarity }),
            );
        }
        if self.pieces.len() > 1 {
            sort_by(&mut hits, |one, other| {
                let by_similarity = other.similarity.total_cmp(&one.similarity);
                by_similarity.then_with(|| self.id(one.item).cmp(&self.id(other.item)))
            });
            hits.truncate(k);
        }
        hits
    }
}

fn item_ref(piece: usize, position: usize) -> ItemRef {
    ItemRef { piece: piece as u16, position: position as u32 }
}

/// Hides what a later piece has or calls deleted.
fn hide_replaced(earlier: &mut Piece, later: &Index) {
    for id in later.deleted() {
        if let Some(position) = earlier.index.find(id) {
            earlier.hide(position);
        }
    }
    // Shards end where the next one begins; only changes have ids in common with what was before.
    let ends = |index: &Index| {
        let last = index.len().checked_sub(1)?;
        Some((index.id(0)?.to_owned(), index.id(last)?.to_owned()))
    };
    let (Some((first, last)), Some((own_first, own_last))) = (ends(later), ends(&earlier.index)) else {
        return;
    };
    if last < own_first || own_last < first {
        return;
    }
    for position in 0..later.len() {
        if let Some(position) = later.id(position).and_then(|id| earlier.index.find(id)) {
            earlier.hide(position);
        }
    }
}

/// What keeps pieces from being one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogueError {
    /// There is none.
    Empty,
    /// There are more than 65,535.
    TooMany {
        /// How many.
        n_pieces: usize,
    },
    /// They are of several models or dimensions.
    Mixed {
        /// The first piece that differs, counted from 0.
        piece: usize,
        /// Model and dimension of the first piece that has items.
        expected: (String, usize),
        /// Model and dimension of the one that differs.
        found: (String, usize),
    },
}

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an index needs at least one piece"),
            Self::TooMany { n_pieces } => {
                write!(f, "{n_pieces} pieces, at most 65535 are one index\nhint: build it anew")
            }
            Self::Mixed { piece, expected, found } => write!(
                f,
                "piece {piece} is of model `{}` with {} numbers, the first of `{}` with {}\nhint: build all pieces with one model",
                found.0, found.1, expected.0, expected.1
            ),
        }
    }
}

impl std::error::Error for CatalogueError {}
