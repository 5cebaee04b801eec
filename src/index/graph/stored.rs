//! The stored form of a graph, checked before it is read into the crate's. How it is walked along is the crate's business.
//!
//! ```text
//! bytes     what, little endian
//! 4         number of layers above the lowest
//! 4 each    points of each of them, from the lowest up; a layer has the first points of the one below
//! 4·n       position of the item of each point
//! for each point of the lowest layer, then of each above:
//!   1       number of neighbours, at most 64, above the lowest at most 32
//!   2 or 4  each: a point of the same layer; 2 bytes where n is at most 65,536
//! ```

use super::super::bits::Bits;
use super::super::format::Head;
use super::{NEIGHBOURS, Point, UPPER_NEIGHBOURS};
use instant_distance::Hnsw;
use serde::de::value::{Error, SeqDeserializer};
use serde::de::{Deserialize, Deserializer, IntoDeserializer, Visitor};
use std::sync::OnceLock;

/// Most layers above the lowest: each has at most a third of the points of the one below, so 2^32 points are on 20.
const MAX_LAYERS: usize = 20;
/// What stands for no neighbour in the crate's lists.
const NOBODY: u32 = u32::MAX;

/// A graph whose every number was checked.
#[derive(Debug)]
pub(super) struct Stored<'b> {
    depth: u32,
    positions: &'b [[u8; 4]],
    /// Lists of the lowest layer, then of those above.
    layers: Vec<Lists<'b>>,
}

impl<'b> Stored<'b> {
    /// Checks a section; `None` where it is broken.
    pub(super) fn open(section: &'b [u8], head: &Head) -> Option<Self> {
        let (n_layers, rest) = section.split_first_chunk::<4>()?;
        let n_layers = u32::from_le_bytes(*n_layers) as usize;
        if n_layers > MAX_LAYERS {
            return None;
        }
        let (counts, rest) = rest.split_at_checked(4 * n_layers)?;
        let (positions, mut rest) = rest.split_at_checked(head.n_items.checked_mul(4)?)?;
        let positions = positions.as_chunks::<4>().0;
        let mut unseen = Bits::all(head.n_items);
        positions.iter().for_each(|position| unseen.remove(u32::from_le_bytes(*position) as usize));
        if unseen.count() > 0 {
            return None;
        }
        let counts = counts.as_chunks::<4>().0.iter().map(|count| u32::from_le_bytes(*count) as usize);
        let mut layers = Vec::with_capacity(n_layers + 1);
        let (mut below, width) = (head.n_items, width(head.n_items));
        for (level, n_points) in std::iter::once(head.n_items).chain(counts).enumerate() {
            if n_points > below || (level > 0 && n_points == 0) {
                return None;
            }
            below = n_points;
            let most = if level == 0 { NEIGHBOURS } else { UPPER_NEIGHBOURS };
            let mut lists = Lists { bytes: rest, n_left: n_points, width };
            let layer = lists.clone();
            for _ in 0..n_points {
                let list = lists.next()?;
                if list.len() > most * width
                    || neighbours(list, width).any(|point| point as usize >= n_points)
                {
                    return None;
                }
            }
            rest = lists.bytes;
            layers.push(layer);
        }
        let depth = u32::try_from(head.depth).ok()?.max(1);
        rest.is_empty().then_some(Self { depth, positions, layers })
    }

    /// What the crate's form takes up in memory, bytes.
    pub(super) fn n_bytes(&self) -> usize {
        let n_upper: usize = self.layers.iter().skip(1).map(|layer| layer.n_left).sum();
        self.positions.len() * (4 * NEIGHBOURS + size_of::<Point>()) + n_upper * 4 * UPPER_NEIGHBOURS
    }

    /// Reads it into the crate's form.
    pub(super) fn read(&self) -> Option<Hnsw<Point>> {
        Hnsw::deserialize(Part::Whole(self)).ok()
    }
}

/// Bytes of a point's number.
const fn width(n_items: usize) -> usize {
    if n_items <= 1 << 16 { 2 } else { 4 }
}

/// Lists of neighbours, one after the other.
#[derive(Debug, Clone)]
struct Lists<'b> {
    bytes: &'b [u8],
    n_left: usize,
    width: usize,
}

impl<'b> Iterator for Lists<'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<Self::Item> {
        self.n_left = self.n_left.checked_sub(1)?;
        let (n, rest) = self.bytes.split_first()?;
        let (list, rest) = rest.split_at_checked(usize::from(*n) * self.width)?;
        self.bytes = rest;
        Some(list)
    }
}

/// The neighbours of a list.
fn neighbours(list: &[u8], width: usize) -> impl Iterator<Item = u32> {
    list.chunks_exact(width)
        .map(|number| number.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

/// A part of the crate's form, as what is read: its fields in order, lists as long as the crate's are.
enum Part<'s, 'b> {
    Whole(&'s Stored<'b>),
    Number(u32),
    Positions(&'b [[u8; 4]]),
    Layers(&'s [Lists<'b>]),
    Layer(Lists<'b>, usize),
    List(&'b [u8], usize, usize),
}

impl<'de> Deserializer<'de> for Part<'_, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Whole(stored) => {
                let (lowest, upper) =
                    stored.layers.split_first().ok_or_else(|| serde::de::Error::custom("no layer"))?;
                let parts = [
                    Part::Number(stored.depth),
                    Part::Positions(stored.positions),
                    Part::Layer(lowest.clone(), NEIGHBOURS),
                    Part::Layers(upper),
                ];
                visitor.visit_seq(SeqDeserializer::new(parts.into_iter()))
            }
            Self::Number(number) => visitor.visit_u32(number),
            Self::Positions(list) => {
                let numbers = list.iter().map(|number| Part::Number(u32::from_le_bytes(*number)));
                visitor.visit_seq(SeqDeserializer::new(numbers))
            }
            Self::Layers(list) => {
                let layers = list.iter().map(|lists| Part::Layer(lists.clone(), UPPER_NEIGHBOURS));
                visitor.visit_seq(SeqDeserializer::new(layers))
            }
            Self::Layer(lists, n) => {
                let width = lists.width;
                let lists = lists.map(|list| Part::List(list, width, n));
                visitor.visit_seq(SeqDeserializer::new(lists))
            }
            Self::List(list, width, n) => {
                let numbers = neighbours(list, width).chain(std::iter::repeat(NOBODY)).take(n);
                visitor.visit_seq(SeqDeserializer::new(numbers.map(Part::Number)))
            }
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de> for Part<'_, '_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::Item { position: u32::deserialize(deserializer)?, rows: OnceLock::new() })
    }
}

/// The stored form of what the crate tells of itself; `None` where it tells something else.
#[cfg(not(target_family = "wasm"))]
pub(super) fn write(told: &serde_json::Value, n_items: usize) -> Option<Vec<u8>> {
    let number = |value: &serde_json::Value| u32::try_from(value.as_u64()?).ok();
    let upper = told.get("layers")?.as_array()?;
    let mut out = Vec::new();
    out.extend(u32::try_from(upper.len()).ok()?.to_le_bytes());
    for layer in upper {
        out.extend(u32::try_from(layer.as_array()?.len()).ok()?.to_le_bytes());
    }
    for position in told.get("points")?.as_array()? {
        out.extend(number(position)?.to_le_bytes());
    }
    for layer in std::iter::once(told.get("zero")?).chain(upper) {
        for list in layer.as_array()? {
            let list: Vec<u32> = list.as_array()?.iter().map(number).collect::<Option<_>>()?;
            let list: Vec<u32> = list.into_iter().take_while(|point| *point != NOBODY).collect();
            out.push(u8::try_from(list.len()).ok()?);
            out.extend(list.iter().flat_map(|point| point.to_le_bytes().into_iter().take(width(n_items))));
        }
    }
    Some(out)
}
