//! Makes what `cargo xtask bench vectors` needs and what it compares with, in a folder: for each set NAME
//!
//! | file | what |
//! |---|---|
//! | `NAME.f32`, `NAME.queries.f32` | embeddings of the items and of the queries, row by row |
//! | `NAME.exact` | for each query the ten items nearest by a scan of the floats, the nearest first |
//! | `NAME.KIND.piece`, `NAME.KIND.found` | the index, and what it finds natively |
//! | `NAME.json` | sizes, and times measured here |
//!
//! Numbers are little-endian; ids are the numbers of the rows. What is there and was made by the same code is kept.

// A program for one machine's benches: it reads the clock, and stops where its own tables are wrong.
#![allow(clippy::disallowed_methods, clippy::indexing_slicing)]

mod clustered;
mod latent;
mod paragraphs;

use anyhow::{Context, Result};
use edgeloom::embedding::Embedding;
use edgeloom::index::Kind;
use edgeloom::index::build::{Item, Options, build};
use edgeloom::seed::{Purpose, hash};
use edgeloom_vectors::Vectors;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

const DIMENSION: usize = 384;
const QUERIES: usize = 500;
const K: usize = 10;
/// Depths of a sketch that are tried, least first, as `edgeloom index build` tries them.
const DEPTHS: [u32; 7] = [100, 150, 200, 250, 300, 400, 800];
const KINDS: [(Kind, &str); 3] = [(Kind::Flat, "flat"), (Kind::Sketch, "sketch"), (Kind::Graph, "graph")];
/// What the data are made by.
const SOURCES: [&str; 3] =
    [include_str!("clustered.rs"), include_str!("latent.rs"), include_str!("paragraphs.rs")];

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().context("usage: edgeloom-vectors FOLDER [--large]")?);
    let is_large = args.any(|arg| arg == "--large");
    fs::create_dir_all(&folder)?;
    let mut sets = vec![Set::clustered(&folder, 10_000, 0.99)?];
    sets.extend(Set::of_text(&folder, 10_000, 0.985)?);
    if is_large {
        sets.push(Set::clustered(&folder, 100_000, 0.985)?);
    }
    for set in &sets {
        set.index()?;
    }
    let names: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
    fs::write(folder.join("sets.json"), json!(names).to_string())?;
    Ok(())
}

/// Some items and queries.
struct Set {
    /// Where its files are, without an ending.
    base: PathBuf,
    name: String,
    /// Tells it from the same one made by other code or of other texts.
    stamp: u64,
    items: Vec<f32>,
    queries: Vec<f32>,
    /// For each query its nearest items.
    exact: Vec<u32>,
    /// The share of these that a sketch has to find.
    recall: f64,
}

impl Set {
    fn clustered(folder: &Path, n: usize, recall: f64) -> Result<Self> {
        let make = || Ok(clustered::make(DIMENSION, n, QUERIES));
        Self::kept(folder, format!("clustered-{n}"), "", recall, make)
    }

    /// Paragraphs that people wrote.
    fn of_text(folder: &Path, n: usize, recall: f64) -> Result<Option<Self>> {
        let Some(docs) = paragraphs::documentation()? else {
            println!("real text: skipped, no documentation\nhint: rustup component add rust-docs");
            return Ok(None);
        };
        let texts = || {
            let (items, queries) = paragraphs::paragraphs(&docs, n, QUERIES)?;
            Ok(latent::embed(&items, &queries, DIMENSION))
        };
        Self::kept(folder, "text".into(), &docs.to_string_lossy(), recall, texts).map(Some)
    }

    /// What was kept, or is made and kept.
    fn kept(
        folder: &Path,
        name: String,
        source: &str,
        recall: f64,
        make: impl FnOnce() -> Result<(Vec<f32>, Vec<f32>)>,
    ) -> Result<Self> {
        let base = folder.join(&name);
        let sizes = format!("{DIMENSION} {QUERIES} {K}");
        let texts = SOURCES.into_iter().chain([source, &sizes]);
        let parts: Vec<&[u8]> = texts.map(str::as_bytes).collect();
        let stamp = hash(Purpose::Content, &parts);
        let file = |ending| base.with_extension(ending);
        if fs::read_to_string(file("stamp")).is_ok_and(|text| text == stamp.to_string()) {
            let (items, queries) = (read(&file("f32"))?, read(&file("queries.f32"))?);
            let exact =
                fs::read(file("exact"))?.as_chunks().0.iter().map(|id| u32::from_le_bytes(*id)).collect();
            return Ok(Self { base, name, stamp, items, queries, exact, recall });
        }
        let began = Instant::now();
        let (items, queries) = make()?;
        println!("{name}: {} items made in {:.1} s", items.len() / DIMENSION, began.elapsed().as_secs_f64());
        fs::write(file("f32"), bytes(&items))?;
        fs::write(file("queries.f32"), bytes(&queries))?;
        let exact: Vec<u32> = queries.chunks(DIMENSION).flat_map(|query| exact(&items, query)).collect();
        fs::write(file("exact"), bytes_of_ids(&exact))?;
        fs::write(file("stamp"), stamp.to_string())?;
        Ok(Self { base, name, stamp, items, queries, exact, recall })
    }

    fn n_items(&self) -> usize {
        self.items.len() / DIMENSION
    }

    /// Builds an index of each kind, or keeps it where this program made it, and asks it.
    fn index(&self) -> Result<()> {
        let program = fs::read(std::env::current_exe()?)?;
        let maker = format!("{} {}", self.stamp, hash(Purpose::Content, &[&program]));
        let mut told = serde_json::Map::new();
        for (kind, word) in KINDS {
            // Of 100,000 a graph takes longer to build than all else here.
            if kind == Kind::Graph && (!cfg!(feature = "graph") || self.n_items() > 10_000) {
                continue;
            }
            let file = |ending: &str| self.base.with_extension(format!("{word}.{ending}"));
            if fs::read_to_string(file("maker")).ok().as_ref() != Some(&maker) {
                let piece = match kind {
                    Kind::Sketch => self.sketch()?,
                    _ => build(self.all_items()?, &Options::new("bench", kind))?,
                };
                fs::write(file("piece"), piece)?;
                fs::write(file("maker"), &maker)?;
            }
            let (micros, found) = self.ask(Vectors::open(fs::read(file("piece"))?).map_err(broken)?)?;
            fs::write(file("found"), bytes_of_ids(&found))?;
            told.insert(word.into(), json!({ "native_micros": micros }));
            let recall = self.recall_of(&found);
            println!("{}, {word}: {micros:.1} µs natively at {recall:.4}", self.name);
        }
        let record = json!({
            "stamp": self.stamp.to_string(), "items": self.n_items(), "dimension": DIMENSION,
            "queries": self.queries.len() / DIMENSION, "k": K, "kinds": told,
        });
        Ok(fs::write(self.base.with_extension("json"), record.to_string())?)
    }

    /// The sketch of the least depth that finds as many as it has to: the others are set to what is quickest, too.
    fn sketch(&self) -> Result<Vec<u8>> {
        let mut piece = Vec::new();
        for depth in DEPTHS {
            let options = Options { depth: Some(depth), ..Options::new("bench", Kind::Sketch) };
            piece = build(self.all_items()?, &options)?;
            let (micros, found) = self.ask(Vectors::open(piece.clone()).map_err(broken)?)?;
            let recall = self.recall_of(&found);
            println!("{}, depth {depth}: {micros:.1} µs natively at {recall:.4}", self.name);
            if recall >= self.recall {
                return Ok(piece);
            }
        }
        println!("{}: no depth finds {} of the nearest", self.name, self.recall);
        Ok(piece)
    }

    /// The share of the nearest that were found.
    fn recall_of(&self, found: &[u32]) -> f64 {
        let each = found.chunks(K).zip(self.exact.chunks(K));
        let n =
            each.map(|(found, exact)| found.iter().filter(|id| exact.contains(id)).count()).sum::<usize>();
        n as f64 / self.exact.len() as f64
    }

    fn all_items(&self) -> Result<Vec<Item>> {
        let rows = self.items.chunks(DIMENSION).enumerate();
        let item = |(at, row)| {
            let embedding = Embedding::new(row)?;
            // The lists of another benchmark show the items of the small sets.
            let title = (self.n_items() <= 10_000).then(|| ("title".into(), format!("Item {at}").into()));
            let fields = title.into_iter().collect();
            // Of one width, so that the order of ids is that of rows.
            Ok(Item { id: format!("{at:06}"), fields, embedding })
        };
        rows.map(item).collect()
    }

    /// The median time of a query, µs, and what all of them find.
    fn ask(&self, index: Vectors) -> Result<(f64, Vec<u32>)> {
        let mut micros = Vec::new();
        let mut found = Vec::new();
        for round in 0..5 {
            for query in self.queries.chunks(DIMENSION) {
                let began = Instant::now();
                let ids = index.ids(query, K).map_err(broken)?;
                micros.push(began.elapsed().as_secs_f64() * 1e6);
                if round == 0 {
                    anyhow::ensure!(ids.len() == K, "{} hits", ids.len());
                    found.extend(ids);
                }
            }
        }
        micros.sort_by(f64::total_cmp);
        Ok((micros[micros.len() / 2], found))
    }
}

fn broken(error: Box<dyn std::error::Error>) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}

/// The items nearest to a query, of equals the first.
fn exact(items: &[f32], query: &[f32]) -> Vec<u32> {
    let mut best: Vec<(f32, u32)> = Vec::with_capacity(K + 1);
    for (at, row) in (0..).zip(items.chunks(DIMENSION)) {
        let similarity = latent::dot(row, query);
        if best.len() == K && best.last().is_some_and(|last| last.0 >= similarity) {
            continue;
        }
        let place = best.partition_point(|own| own.0 >= similarity);
        best.insert(place, (similarity, at));
        best.truncate(K);
    }
    best.into_iter().map(|(_, at)| at).collect()
}

fn read(file: &Path) -> Result<Vec<f32>> {
    Ok(fs::read(file)?.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect())
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn bytes_of_ids(ids: &[u32]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.to_le_bytes()).collect()
}
