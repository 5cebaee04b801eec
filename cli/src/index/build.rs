//! `edgeloom index build`: files become the pieces of an index, with a report of how good and how quick it is.

use super::embed;
use super::fields::TIME_FIELDS;
use super::gather::{Sound, Sources, gather};
use super::measure::{self, Report};
use super::pieces::{self, Piece};
use super::push::said;
use super::read::Names;
use super::remarks;
use super::{Said, progress};
use crate::problem::{Blame, Stop};
use crate::table::size;
use edgeloom::embedding::Embedding;
use edgeloom::index::budget::MAX_PIECE_BYTES;
use edgeloom::index::build::{Columns, Item, Options, build_sharded};
use edgeloom::index::{Exact, Kind};
use serde_json::{Value, json};
use std::path::PathBuf;

/// How the parts of an item are called, and how texts become vectors.
#[derive(Debug, clap::Args)]
pub struct Origin {
    /// Names for the rows of a .npy or .safetensors: lines, or JSON lines with id and fields
    #[arg(long, value_name = "FILE")]
    ids: Vec<PathBuf>,
    /// Key or column of the id
    #[arg(long, value_name = "NAME", default_value = "id")]
    id: String,
    /// Key or column of the vector
    #[arg(long, value_name = "NAME", default_value = "vector")]
    vector: String,
    /// Key or column of the text to embed; several are put together
    #[arg(long, value_name = "NAME", default_value = "text")]
    text: Vec<String>,
    /// The tensor, where a .safetensors has several
    #[arg(long, value_name = "NAME")]
    tensor: Option<String>,
    /// Fields that hold a time, as in 2026-12-01T08:00:00Z or 2026-12-01: they become milliseconds
    #[arg(long, value_name = "NAME", default_values = TIME_FIELDS)]
    time_field: Vec<String>,
    #[command(flatten)]
    embed: embed::Asked,
}

impl Origin {
    /// These inputs, read like that. `known` is the model of the index that they have to fit.
    pub fn sources<'a>(&'a self, inputs: &'a [PathBuf], known: Option<&'a str>) -> Sources<'a> {
        let (id, vector, text, tensor) =
            (self.id.clone(), self.vector.clone(), self.text.clone(), self.tensor.clone());
        Sources {
            inputs,
            ids: &self.ids,
            names: Names { id, vector, text, tensor },
            time_fields: &self.time_field,
            embed: &self.embed,
            known,
        }
    }
}

/// How an index is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum KindAsked {
    /// The one that is recommended
    Auto,
    /// Every vector is compared
    Flat,
    /// Signs first, then the best by them
    Sketch,
    /// Along a graph of neighbours
    Graph,
}

/// Floats that are kept beside the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ExactAsked {
    /// None: similarities are off by some 0.0005
    None,
    /// Of 16 bits
    F16,
    /// Of 32 bits
    F32,
}

/// What is built.
#[derive(Debug, clap::Args)]
pub struct Build {
    /// Items: .jsonl, .npy or .safetensors with --ids, .parquet
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// Where to: a file, or a folder for several pieces
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    origin: Origin,
    /// How it is searched
    #[arg(long, default_value = "auto")]
    kind: KindAsked,
    /// How many a sketch compares byte by byte, or a graph keeps in view
    #[arg(long, value_name = "N")]
    depth: Option<u32>,
    /// Floats kept beside the bytes, for similarities without quantisation
    #[arg(long, default_value = "none")]
    exact: ExactAsked,
    /// Fields that filters can ask for; all that fit, unless some are named
    #[arg(long, value_name = "NAME")]
    filter_field: Vec<String>,
}

/// What is usual for a model and a kind.
pub fn options(model: &str, kind: Kind) -> Options {
    Options::new(model, kind)
}

/// Items as the core takes them.
///
/// # Errors
/// A vector that is none; `gather` has looked at all of them before.
pub fn items(sound: Vec<Sound>) -> Result<Vec<Item>, Stop> {
    let item = |Sound { id, fields, vector }: Sound| match Embedding::new(&vector) {
        Ok(embedding) => Ok(Item { id, fields, embedding }),
        Err(error) => Err(faulty(&format!("id '{id}': {error}"))),
    };
    sound.into_iter().map(item).collect()
}

/// One piece.
///
/// # Errors
/// What the core says of an item.
pub fn piece(sound: Vec<Sound>, options: &Options) -> Result<Vec<u8>, Stop> {
    edgeloom::index::build::build(items(sound)?, options).map_err(|error| faulty(&error.to_string()))
}

/// The input has to change.
fn faulty(what: &str) -> Stop {
    Stop { blame: Blame::Configuration, ..said(what, "nothing was written") }
}

impl Build {
    /// Reads, embeds, measures, builds and writes.
    ///
    /// # Errors
    /// Items at fault, more than an isolate holds, a file that can't be read or written.
    pub fn run(&self, json: bool) -> Result<Said, Stop> {
        pieces::check_output(&self.output)?;
        let written = self.output.canonicalize().ok();
        let is_written = |input: &&PathBuf| written.is_some() && input.canonicalize().ok() == written;
        if let Some(input) = self.inputs.iter().chain(&self.origin.ids).find(is_written) {
            let message = format!("{} is what the index is built from", input.display());
            return Err(Stop::new(message, "write it to another file: -o NAME.index"));
        }
        let gathered = gather(&self.origin.sources(&self.inputs, None), &progress(json))?;
        let items = items(gathered.items)?;
        let mut options = options(&gathered.model, Kind::Flat);
        options.exact = match self.exact {
            ExactAsked::None => Exact::None,
            ExactAsked::F16 => Exact::F16,
            ExactAsked::F32 => Exact::F32,
        };
        if !self.filter_field.is_empty() {
            options.columns = Columns::Named(self.filter_field.clone());
        }
        let remarks = remarks::of_items(&items, &self.filter_field);
        let asked = match self.kind {
            KindAsked::Auto => None,
            KindAsked::Flat => Some(Kind::Flat),
            KindAsked::Sketch => Some(Kind::Sketch),
            KindAsked::Graph => Some(Kind::Graph),
        };
        options.depth = self.depth;
        let report =
            measure::measure(&items, &options, asked, &progress(json)).map_err(|error| faulty(&error))?;
        options.kind = report.kind;
        options.depth = report.depth;
        let built =
            build_sharded(items, &options, MAX_PIECE_BYTES).map_err(|error| faulty(&error.to_string()))?;
        let pieces: Vec<Piece> = built.into_iter().map(|bytes| Piece::new(bytes, "a built piece")).collect();
        // Opened before it is written: what can't be used on a site is not left lying about.
        let opened = measure::opened(&pieces)?;
        let written = pieces::write(&pieces, &self.output)?;
        let listed: Vec<Value> = (pieces.iter().zip(&opened.items).zip(&written))
            .map(|((piece, items), path)| {
                json!({ "hash": piece.hash, "items": items, "bytes": piece.bytes.len(), "file": path })
            })
            .collect();
        let told = json!({
            "ok": true, "model": gathered.model, "dimension": opened.dimension, "items": opened.items.iter().sum::<usize>(),
            "kind": report.kind.name(), "depth": report.depth, "pieces": listed, "load_millis": opened.load_millis,
            "bill": gathered.bill.json(), "measured": report.json(), "remarks": remarks,
        });
        let text = self.text(&gathered.model, &gathered.bill, &report, &pieces, &opened);
        let remarks: String = remarks.iter().map(|remark| format!("\nremark: {remark}")).collect();
        Ok(Said { json: told, text: text + &remarks })
    }

    fn text(
        &self,
        model: &str,
        bill: &embed::Bill,
        report: &Report,
        pieces: &[Piece],
        opened: &measure::Opened,
    ) -> String {
        let n_items: usize = opened.items.iter().sum();
        let bytes: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
        let mut out = format!(
            "{}{n_items} items of model {model}, dimension {}: {}, {} in {} piece{}, opened in {:.1} ms\n\n",
            bill.text(),
            opened.dimension,
            report.kind.name(),
            size(bytes as u64),
            pieces.len(),
            if pieces.len() == 1 { "" } else { "s" },
            opened.load_millis
        );
        out.push_str(&report.text());
        out.push('\n');
        for (piece, items) in pieces.iter().zip(&opened.items) {
            out.push_str(&format!("{}  {items} items  {}\n", piece.hash, size(piece.bytes.len() as u64)));
        }
        out + &format!("written to {}", self.output.display())
    }
}
