//! How good and how quick each kind of index is with somebody's own items: recall against comparing all vectors as they came, time
//! of a query, size, time to open. The time is of this program on this machine; only ratios carry over to a Worker.

use super::pieces::Piece;
use super::push::catalogue;
use crate::problem::Stop;
use crate::table::{columns, size};
use edgeloom::embedding::Embedding;
use edgeloom::index::budget::{MAX_ISOLATE_BYTES, Size};
use edgeloom::index::build::{Item, Options, build};
use edgeloom::index::quality::{Measured, recommend};
use edgeloom::index::{Catalogue, Index, ItemRef, Kind};
use edgeloom::seed::{Purpose, hash};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Instant;

/// Queries that are tried.
const QUERIES: usize = 500;
/// Neighbours that are looked at.
const K: usize = 10;

/// What was measured of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct OfKind {
    kind: Kind,
    depth: Option<u32>,
    bytes: usize,
    load_millis: f64,
    recall: f64,
    query_micros: f64,
}

/// What was measured, and what follows.
#[derive(Debug)]
pub struct Report {
    rows: Vec<OfKind>,
    n_queries: usize,
    /// The kind to build.
    pub kind: Kind,
    /// Its depth, where it has one.
    pub depth: Option<u32>,
    why: String,
}

/// Pieces as a site opens them.
#[derive(Debug)]
pub struct Opened {
    /// Number of items of each.
    pub items: Vec<usize>,
    /// Numbers of a vector.
    pub dimension: usize,
    /// Time to check and open all of them.
    pub load_millis: f64,
}

/// Up to so many items all are compared.
const FLAT_UP_TO: usize = 2_000;
/// From so many on a graph is tried: it takes minutes to build.
const GRAPH_FROM: usize = 150_000;
/// Depths of a sketch that are tried, least first.
const DEPTHS: [u32; 8] = [100, 150, 200, 250, 300, 400, 800, 1_600];
/// Recall that is good enough.
const LEAST_RECALL: f64 = 0.985;
/// Items up to which a graph is built without being asked for: some seconds.
const QUICK_GRAPH: usize = 5_000;

impl Report {
    /// For machines.
    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            json!({ "kind": row.kind.name(), "depth": row.depth, "bytes": row.bytes, "load_millis": row.load_millis,
                    "recall": row.recall, "query_micros": row.query_micros })
        });
        json!({ "queries": self.n_queries, "k": K, "kinds": rows.collect::<Vec<_>>(), "why": self.why,
                "quickest": self.by_the_clock() })
    }

    /// What the clock of this machine would choose, where that is something else: a remark, since it may say something else the
    /// next time.
    fn by_the_clock(&self) -> Option<String> {
        let measured = self.rows.iter().map(|row| Measured {
            kind: row.kind,
            depth: row.depth.unwrap_or(0),
            recall: row.recall,
            query_micros: row.query_micros,
            n_bytes: row.bytes,
        });
        let best = recommend(&measured.collect::<Vec<_>>(), LEAST_RECALL)?;
        let is_other = best.kind != self.kind || best.depth != self.depth.unwrap_or(0);
        let depth = if best.depth > 0 { format!(" --depth {}", best.depth) } else { String::new() };
        is_other.then(|| format!("quickest here with that recall: --kind {}{depth}", best.kind.name()))
    }

    /// For people.
    pub fn text(&self) -> String {
        let heads = ["kind", "depth", "size", "opens in", "recall@10", "median query", ""];
        let mut lines = vec![heads.map(String::from).to_vec()];
        lines.extend(self.rows.iter().map(|row| {
            let is_chosen = row.kind == self.kind && row.depth == self.depth;
            vec![
                row.kind.name().into(),
                row.depth.map_or("-".into(), |depth| depth.to_string()),
                size(row.bytes as u64),
                format!("{:.1} ms", row.load_millis),
                format!("{:.3}", row.recall),
                format!("{:.0} µs", row.query_micros),
                if is_chosen { "<- built" } else { "" }.into(),
            ]
        }));
        let remark = self.by_the_clock().map_or(String::new(), |remark| format!("{remark}\n"));
        format!("{}{}: {}\n{remark}", columns(&lines), self.kind.name(), self.why)
    }
}

/// Tries the kinds, or the one that is asked for, with some of the items as queries.
///
/// # Errors
/// What the core says of an item.
pub fn measure(
    items: &[Item],
    options: &Options,
    asked: Option<Kind>,
    bar: &ProgressBar,
) -> Result<Report, String> {
    // Flat is the smallest there is. Before an hour is spent on what nobody could load.
    let smallest = Options { kind: asked.unwrap_or(Kind::Flat), ..options.clone() };
    size_of(items, &smallest).check().map_err(|error| error.to_string())?;
    let queries = sample(items);
    let rows: Vec<&Embedding> = items.iter().map(|item| &item.embedding).collect();
    let tried = tried(items.len(), asked, options.depth);
    let style = ProgressStyle::with_template("{bar:40} {msg}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_length(1 + tried.len() as u64);
    bar.set_message("comparing all vectors");
    let truth = exact(
        &rows,
        &queries.iter().filter_map(|at| Some((*rows.get(*at)?, Some(*at)))).collect::<Vec<_>>(),
        K,
    );
    let mut measured = Vec::new();
    for (kind, depth) in tried {
        bar.inc(1);
        // What is deeper finds more, and takes longer.
        let is_enough = |row: &OfKind| row.kind == kind && row.recall >= LEAST_RECALL;
        if measured.iter().any(is_enough) {
            continue;
        }
        bar.set_message(format!("trying {}", kind.name()));
        let options = Options { kind, depth, ..options.clone() };
        measured.push(of_kind(items, &options, &queries, &truth)?);
    }
    bar.finish_and_clear();
    let (at, why) = choose(&measured, asked, items.len());
    let chosen = measured.get(at).ok_or("nothing was measured")?;
    let (kind, depth) = (chosen.kind, chosen.depth);
    Ok(Report { n_queries: queries.len(), kind, depth, why, rows: measured })
}

#[allow(
    clippy::disallowed_methods,
    reason = "a measurement on the machine of whoever builds; nothing is decided by it"
)]
fn now() -> Instant {
    Instant::now()
}

/// Opens pieces.
///
/// # Errors
/// One that can't be opened, or that does not go with the others.
pub fn opened(pieces: &[Piece]) -> Result<Opened, Stop> {
    let start = now();
    let catalogue = catalogue(pieces)?;
    let load_millis = start.elapsed().as_secs_f64() * 1e3;
    Ok(Opened {
        items: catalogue.pieces().map(Index::len).collect(),
        dimension: catalogue.dimension(),
        load_millis,
    })
}

/// What the whole is going to be in memory.
fn size_of(items: &[Item], options: &Options) -> Size {
    let text = |item: &Item| item.id.len() + Value::Object(item.fields.clone()).to_string().len();
    Size {
        kind: options.kind,
        exact: options.exact,
        n_items: items.len(),
        dimension: items.first().map_or(1, |item| item.embedding.dimension()),
        item_bytes: items.iter().map(text).sum::<usize>() / items.len().max(1),
    }
}

/// The queries: items whose ids have the smallest hashes, so that the same items are always tried.
fn sample(items: &[Item]) -> Vec<usize> {
    let mut places: Vec<(u64, usize)> =
        items.iter().enumerate().map(|(at, item)| (hash(Purpose::Fold, &[item.id.as_bytes()]), at)).collect();
    places.sort_unstable();
    places.into_iter().take(QUERIES).map(|(_, at)| at).collect()
}

/// What is tried: of sketches several depths, of graphs only where they are asked for or might pay.
fn tried(n_items: usize, asked: Option<Kind>, depth: Option<u32>) -> Vec<(Kind, Option<u32>)> {
    let mut tried = vec![(Kind::Flat, None)];
    if asked.is_none_or(|kind| kind == Kind::Sketch) {
        // A depth of all items compares all of them anyway.
        let depths = DEPTHS.into_iter().filter(|depth| *depth == DEPTHS[0] || (*depth as usize) < n_items);
        tried.extend(
            depth
                .map_or_else(|| depths.collect(), |depth| vec![depth])
                .into_iter()
                .map(|depth| (Kind::Sketch, Some(depth))),
        );
    }
    if asked == Some(Kind::Graph) || (asked.is_none() && n_items >= GRAPH_FROM) {
        tried.push((Kind::Graph, depth));
    }
    tried
}

fn of_kind(
    items: &[Item],
    options: &Options,
    queries: &[usize],
    truth: &[Vec<usize>],
) -> Result<OfKind, String> {
    let bytes = build(items.to_vec(), options).map_err(|error| error.to_string())?;
    let n_bytes = bytes.len();
    let start = now();
    let index = Index::open(bytes).map_err(|error| error.to_string())?;
    let load_millis = start.elapsed().as_secs_f64() * 1e3;
    let catalogue = Catalogue::new(vec![index]).map_err(|error| error.to_string())?;
    let (mut micros, mut found, mut wanted) = (Vec::new(), 0_usize, 0_usize);
    for (at, truth) in queries.iter().zip(truth) {
        let Some(item) = items.get(*at) else { continue };
        let except: Vec<_> = catalogue.find(&item.id).into_iter().collect();
        let start = now();
        let query = catalogue.query(None, &item.embedding).map_err(|error| error.to_string())?;
        let hits = catalogue.nearest(&query, K, None, &except);
        micros.push(start.elapsed().as_secs_f64() * 1e6);
        let ids: BTreeSet<&str> = hits.iter().filter_map(|hit| catalogue.id(hit.item)).collect();
        found += truth
            .iter()
            .filter_map(|at| items.get(*at))
            .filter(|item| ids.contains(item.id.as_str()))
            .count();
        wanted += truth.len();
    }
    micros.sort_by(f64::total_cmp);
    Ok(OfKind {
        kind: options.kind,
        depth: options.depth,
        bytes: n_bytes,
        load_millis,
        recall: if wanted == 0 { 1.0 } else { found as f64 / wanted as f64 },
        query_micros: micros.get(micros.len() / 2).copied().unwrap_or(0.0),
    })
}

/// The place of the kind to build, and why. Times differ from run to run, and the same items shall make the same bytes: so numbers
/// of items and recall decide, and never a clock.
fn choose(measured: &[OfKind], asked: Option<Kind>, n_items: usize) -> (usize, String) {
    let best = |kind: Kind| {
        let fits = |row: &OfKind| asked.is_some() || row.bytes <= MAX_ISOLATE_BYTES;
        let own = || measured.iter().enumerate().filter(move |(_, row)| row.kind == kind && fits(row));
        let good = own().find(|(_, row)| row.recall >= LEAST_RECALL);
        good.or_else(|| own().max_by(|a, b| a.1.recall.total_cmp(&b.1.recall).then(b.0.cmp(&a.0))))
            .map(|(at, row)| (at, row.recall))
    };
    let (flat, _) = best(Kind::Flat).unwrap_or((0, 1.0));
    if let Some((at, recall)) = asked.and_then(best) {
        return (at, format!("asked for; it finds {:.1} % of the neighbours", recall * 100.0));
    }
    if n_items <= FLAT_UP_TO {
        return (
            flat,
            format!(
                "up to {FLAT_UP_TO} items comparing all of them takes no longer than a short cut, and misses nothing"
            ),
        );
    }
    if let Some((at, _)) = best(Kind::Graph).filter(|(_, recall)| *recall >= LEAST_RECALL) {
        return (at, format!("from {GRAPH_FROM} items on a graph touches far fewer"));
    }
    match best(Kind::Sketch) {
        Some((at, recall)) if recall >= LEAST_RECALL => (
            at,
            format!(
                "the least depth tried that finds {:.1} % of the neighbours; of the others only the signs are read",
                LEAST_RECALL * 100.0
            ),
        ),
        _ => (
            flat,
            format!(
                "no sketch finds {:.1} % of the neighbours: these vectors are told apart by more than their signs",
                LEAST_RECALL * 100.0
            ),
        ),
    }
}

/// The places of the nearest to each query among all rows, one by one in full precision; `except` is the query's own place.
fn exact(rows: &[&Embedding], queries: &[(&Embedding, Option<usize>)], k: usize) -> Vec<Vec<usize>> {
    let one = |(query, except): &(&Embedding, Option<usize>)| {
        let others = rows.iter().enumerate().filter(|(at, _)| Some(*at) != *except);
        let mut all: Vec<(f32, usize)> = others.map(|(at, row)| (row.dot(query), at)).collect();
        let nearer = |a: &(f32, usize), b: &(f32, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if all.len() > k {
            all.select_nth_unstable_by(k, nearer);
            all.truncate(k);
        }
        all.sort_by(nearer);
        all.into_iter().map(|(_, at)| at).collect::<Vec<_>>()
    };
    let threads = available_parallelism().map_or(1, NonZeroUsize::get);
    let part = queries.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let work =
            |queries| scope.spawn(move || -> Vec<Vec<usize>> { <[_]>::iter(queries).map(one).collect() });
        let workers: Vec<_> = queries.chunks(part).map(work).collect();
        // A worker that panicked has found a mistake of this program: its panic goes on here.
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// What comparing all vectors answers, as exactly as they are kept; ids, the nearest first.
pub fn search_all(
    catalogue: &Catalogue,
    asked: &[(Embedding, Option<ItemRef>)],
    k: usize,
) -> Vec<Vec<String>> {
    let items: Vec<ItemRef> = catalogue.items().filter(|item| catalogue.embedding(*item).is_some()).collect();
    let own: Vec<Embedding> = items.iter().filter_map(|item| catalogue.embedding(*item)).collect();
    let place = |except: &Option<ItemRef>| items.iter().position(|item| Some(*item) == *except);
    let queries: Vec<_> = asked.iter().map(|(embedding, except)| (embedding, place(except))).collect();
    let id = |at: &usize| items.get(*at).and_then(|item| catalogue.id(*item)).map(String::from);
    exact(&own.iter().collect::<Vec<_>>(), &queries, k)
        .iter()
        .map(|places| places.iter().filter_map(id).collect())
        .collect()
}

/// The items of a catalogue in one piece of another kind.
///
/// # Errors
/// What the core says.
pub fn with_kind(catalogue: &Catalogue, kind: Kind) -> Result<Catalogue, String> {
    let item = |item: ItemRef| {
        Some(Item {
            id: catalogue.id(item)?.into(),
            fields: Map::new(),
            embedding: catalogue.embedding(item)?,
        })
    };
    let items = catalogue.items().filter_map(item).collect();
    let bytes = build(items, &Options::new(catalogue.model(), kind)).map_err(|error| error.to_string())?;
    let index = Index::open(bytes).map_err(|error| error.to_string())?;
    Catalogue::new(vec![index]).map_err(|error| error.to_string())
}

/// Whether a graph of so many items is built within some seconds.
pub const fn graph_is_quick(n_items: usize) -> bool {
    n_items <= QUICK_GRAPH
}
