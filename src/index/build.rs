//! From items to pieces: checked by name, and the same bytes for the same items in any order. Where the embeddings come from is
//! the caller's business.

use super::columns::{MAX_COLUMNS, MAX_WORDS};
use super::format::{Exact, Head, Kind, SECTIONS, Section, close};
use super::piece::short_id;
use super::quantise::{bytes_of, half_of, signs_of};
use super::rotation::rotate;
use super::texts;
use crate::embedding::Embedding;
use serde_json::{Map, Value};
use std::fmt;

pub use super::plan::Columns;
use super::plan::Plan;
pub use super::shard::build_sharded;

/// Most bytes of an id, and of a model's name.
pub const MAX_ID_BYTES: usize = 200;
/// Most items of a piece: positions have 32 bits, and a million of the smallest vectors is more than an isolate holds.
pub const MAX_ITEMS: usize = 1_000_000;
/// How many a sketch hands on, and how far a graph looks, where it is not said.
const DEPTH: [(Kind, u32); 3] = [(Kind::Flat, 0), (Kind::Sketch, 400), (Kind::Graph, 100)];

/// Something to be found.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its name, unique in the index.
    pub id: String,
    /// What else is known of it.
    pub fields: Map<String, Value>,
    /// Where it is.
    pub embedding: Embedding,
}

/// How an index is built.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Name of the model that made the embeddings; queries of another one are refused.
    pub model: String,
    /// How it is searched.
    pub kind: Kind,
    /// How many items a sketch compares byte by byte, and how many a graph keeps in view; 400 and 100 where it is not said.
    pub depth: Option<u32>,
    /// Floats kept beside the bytes.
    pub exact: Exact,
    /// Ids that are gone from earlier pieces; of use in a piece of changes only.
    pub deleted: Vec<String>,
    /// Fields that filters can ask for.
    pub columns: Columns,
}

impl Options {
    /// What is usual for a model and a kind.
    #[must_use]
    pub fn new(model: impl Into<String>, kind: Kind) -> Self {
        Self {
            model: model.into(),
            kind,
            depth: None,
            exact: Exact::None,
            deleted: Vec::new(),
            columns: Columns::Fitting,
        }
    }

    fn depth(&self) -> usize {
        let default = DEPTH.iter().find(|(kind, _)| *kind == self.kind).map_or(0, |(_, depth)| *depth);
        self.depth.unwrap_or(default) as usize
    }
}

/// Builds one piece.
///
/// # Errors
/// See [`BuildError`]; each names the item it is about.
pub fn build(items: Vec<Item>, options: &Options) -> Result<Vec<u8>, BuildError> {
    let (items, plan) = prepare(items, options)?;
    piece(&items, &plan, options)
}

/// Checks items and sorts them.
pub(super) fn prepare(mut items: Vec<Item>, options: &Options) -> Result<(Vec<Item>, Plan), BuildError> {
    check_name(&options.model).map_err(|fault| BuildError::Model { model: options.model.clone(), fault })?;
    if items.len() > MAX_ITEMS {
        return Err(BuildError::TooMany { n_items: items.len() });
    }
    for id in items.iter().map(|item| &item.id).chain(&options.deleted) {
        check_name(id).map_err(|fault| BuildError::Id { id: id.clone(), fault })?;
    }
    items.sort_by(|one, other| one.id.cmp(&other.id));
    let mut before: Option<&Item> = None;
    for item in &items {
        let Some(earlier) = before.replace(item) else { continue };
        if earlier.id == item.id {
            return Err(BuildError::Duplicate { id: item.id.clone() });
        }
        let (expected, found) = (earlier.embedding.dimension(), item.embedding.dimension());
        if expected != found {
            return Err(BuildError::Dimension { id: item.id.clone(), expected, found });
        }
    }
    let plan = Plan::new(&items, &options.columns)?;
    Ok((items, plan))
}

fn check_name(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("is empty"),
        _ if name.len() > MAX_ID_BYTES => Err("has more than 200 bytes"),
        _ if name.chars().any(char::is_control) => Err("has a control character"),
        _ => Ok(()),
    }
}

/// The bytes of sorted items.
pub(super) fn piece(items: &[Item], plan: &Plan, options: &Options) -> Result<Vec<u8>, BuildError> {
    let (head, mut sections) = sections(items, plan, options).ok_or(BuildError::TooLarge)?;
    if options.kind == Kind::Graph {
        let [.., graph] = &mut sections;
        *graph = graph_of(&head, items)?;
    }
    close(&head, &sections).ok_or(BuildError::TooLarge)
}

/// All but the graph; `None` where something has 2^32 bytes or more.
pub(super) fn sections(
    items: &[Item],
    plan: &Plan,
    options: &Options,
) -> Option<(Head, [Vec<u8>; SECTIONS])> {
    let head = Head {
        kind: options.kind,
        exact: options.exact,
        // A piece of nothing but deletions has none; catalogues don't ask it.
        dimension: items.first().map_or(1, |item| item.embedding.dimension()),
        n_items: items.len(),
        depth: options.depth(),
    };
    let mut sections = [const { Vec::new() }; SECTIONS];
    let mut put = |section: Section, bytes: Vec<u8>| {
        if let Some(place) = sections.get_mut(section as usize) {
            *place = bytes;
        }
    };
    let list = |list: &[&str]| {
        let mut bytes = Vec::new();
        texts::put(&mut bytes, list.iter().copied())?;
        Some(bytes)
    };
    put(Section::Model, options.model.clone().into_bytes());
    put(Section::Ids, list(&items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>())?);
    put(Section::Shorts, shorts(items));
    let fields: Vec<String> = items.iter().map(|item| fields_text(&item.fields)).collect();
    put(Section::Fields, list(&fields.iter().map(String::as_str).collect::<Vec<_>>())?);
    let mut deleted: Vec<&str> = options.deleted.iter().map(String::as_str).collect();
    deleted.sort_unstable();
    deleted.dedup();
    put(Section::Deleted, list(&deleted)?);
    put(Section::Columns, plan.columns(items)?);
    let (mut rows, mut scales, mut signs, mut floats) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for item in items {
        let values = item.embedding.values();
        let rotated = rotate(values);
        let (row, scale) = bytes_of(&rotated);
        rows.extend(row);
        scales.extend(scale.to_le_bytes());
        if options.kind == Kind::Sketch {
            signs.extend(signs_of(&rotated).into_iter().flat_map(u64::to_le_bytes));
        }
        match options.exact {
            Exact::None => {}
            Exact::F16 => floats.extend(values.iter().flat_map(|value| half_of(*value).to_le_bytes())),
            Exact::F32 => floats.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        }
    }
    put(Section::Rows, rows);
    put(Section::Scales, scales);
    put(Section::Signs, signs);
    put(Section::Floats, floats);
    Some((head, sections))
}

/// Fields as text, in the order of their names whatever the map's is.
fn fields_text(fields: &Map<String, Value>) -> String {
    let mut pairs: Vec<_> = fields.iter().collect();
    pairs.sort_by_key(|(name, _)| *name);
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str()))).collect();
    format!("{{{}}}", pairs.join(","))
}

fn shorts(items: &[Item]) -> Vec<u8> {
    let mut pairs: Vec<(u32, u32)> = (0..).zip(items).map(|(at, item)| (short_id(&item.id), at)).collect();
    pairs.sort_unstable();
    let shorts = pairs.iter().flat_map(|(short, _)| short.to_le_bytes());
    shorts.chain(pairs.iter().flat_map(|(_, position)| position.to_le_bytes())).collect()
}

#[cfg(all(feature = "graph", not(target_family = "wasm")))]
fn graph_of(head: &Head, items: &[Item]) -> Result<Vec<u8>, BuildError> {
    let rotated = items.iter().map(|item| bytes_of(&rotate(item.embedding.values())));
    super::graph::build(rotated, head).ok_or(BuildError::Graph)
}

#[cfg(not(all(feature = "graph", not(target_family = "wasm"))))]
fn graph_of(_head: &Head, _items: &[Item]) -> Result<Vec<u8>, BuildError> {
    Err(BuildError::Graph)
}

/// What keeps items from being an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildError {
    /// The model's name is none.
    Model {
        /// The name.
        model: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// An id is none.
    Id {
        /// The id.
        id: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// Two items have the same id.
    Duplicate {
        /// Which one.
        id: String,
    },
    /// An item has more or fewer numbers than the one before it.
    Dimension {
        /// Which item.
        id: String,
        /// How many the others have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// A field that filters are to ask for can't be a column.
    Column {
        /// Which field.
        field: String,
        /// The item it can't be one for.
        id: String,
        /// Why.
        fault: &'static str,
    },
    /// More fields could be columns than there may be.
    TooManyColumns {
        /// How many.
        n_columns: usize,
    },
    /// There are more items than a piece may have.
    TooMany {
        /// How many.
        n_items: usize,
    },
    /// The piece would have 4 GiB or more.
    TooLarge,
    /// One item alone is larger than a piece may be.
    TooLargeItem {
        /// Which one.
        id: String,
        /// Bytes of a piece with it alone.
        n_bytes: usize,
        /// How many there may be.
        max_bytes: usize,
    },
    /// This build can't build graphs.
    Graph,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model { model, fault } => write!(f, "the name of the model {model:?} {fault}"),
            Self::Id { id, fault } => write!(f, "the id {id:?} {fault}"),
            Self::Duplicate { id } => write!(f, "two items have the id `{id}`"),
            Self::Dimension { id, expected, found } => write!(
                f,
                "the embedding of item `{id}` has {found} numbers, others have {expected}\nhint: embed all with one model"
            ),
            Self::Column { field, id, fault } => write!(
                f,
                "field `{field}` can't be filtered by: in item `{id}` {fault}\nhint: texts or lists of them, or numbers and truth values, and at most {MAX_WORDS} different words"
            ),
            Self::TooManyColumns { n_columns } => write!(
                f,
                "{n_columns} fields could be filtered by, at most {MAX_COLUMNS} may\nhint: name those that are"
            ),
            Self::TooMany { n_items } => write!(
                f,
                "{n_items} items, at most {MAX_ITEMS} are one piece\nhint: split them into several pieces"
            ),
            Self::TooLarge => f.write_str("the piece would have 4 GiB or more\nhint: split it into several"),
            Self::TooLargeItem { id, n_bytes, max_bytes } => write!(
                f,
                "item `{id}` takes up {n_bytes} bytes, a piece may have {max_bytes}\nhint: leave out some of its fields"
            ),
            Self::Graph => f.write_str(
                "this build can't build graphs\nhint: use the command line tool, or kind `sketch`",
            ),
        }
    }
}

impl std::error::Error for BuildError {}
