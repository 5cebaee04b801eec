//! `edgeloom index eval`: how good the answers of an index are, by queries that people labelled, and by a log of what lists showed and
//! earned.

mod drift;
mod labelled;
mod metrics;
mod positions;

use super::embed::{self, Embedder};
use super::measure::{graph_is_quick, search_all, with_kind};
use super::push::{catalogue, said};
use super::{Said, pieces, progress};
use crate::evaluate::rows;
use crate::problem::Stop;
use crate::table::columns;
use drift::{Counted, Moved};
use edgeloom::embedding::Embedding;
use edgeloom::index::{Catalogue, ItemRef, Kind};
use labelled::{Asked, Labelled};
use metrics::{Mean, Worth, mean, worth};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Most answers that are looked at.
const MAX_K: usize = 1_000;

/// What is asked of an index or a log.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("by").required(true).multiple(true))]
pub struct Eval {
    /// What `edgeloom index build` wrote: files, or the folder of several
    files: Vec<PathBuf>,
    /// Labelled queries: lines of {"query": an id, a text or a vector, "relevant": ["id", …] or {"id": grade, …}}
    #[arg(long, group = "by", value_name = "FILE", requires = "files")]
    queries: Option<PathBuf>,
    /// Queries of an earlier time, labelled or not: tells whether others are asked now
    #[arg(long, value_name = "FILE", requires = "queries")]
    before: Option<PathBuf>,
    /// How many answers are looked at
    #[arg(short, default_values_t = [1, 5, 10], value_delimiter = ',')]
    k: Vec<usize>,
    /// What lists showed and earned, as `edgeloom log` brings it
    #[arg(long, group = "by", value_name = "FILE")]
    log: Vec<PathBuf>,
    /// Field whose values the mix of chosen items is counted by; needs the index
    #[arg(long, value_name = "FIELD", requires = "files")]
    category: Option<String>,
    #[command(flatten)]
    embed: embed::Asked,
}

/// A way to search, and what its answers were worth: by k, then by query.
struct Judged {
    name: String,
    worths: Vec<(usize, Vec<Worth>)>,
}

/// The name of a measure, and its value.
type Measure = (&'static str, fn(&Worth) -> f64);

/// The measures, in the order they are told.
const MEASURES: [Measure; 4] = [
    ("recall", |worth| worth.recall),
    ("precision", |worth| worth.precision),
    ("nDCG", |worth| worth.ndcg),
    ("MRR", |worth| worth.reciprocal_rank),
];

impl Eval {
    /// Judges.
    ///
    /// # Errors
    /// A file that can't be read or is at fault, queries that can't be embedded, a log without lists.
    pub fn run(&self, json: bool) -> Result<Said, Stop> {
        let catalogue =
            if self.files.is_empty() { None } else { Some(catalogue(&pieces::read(&self.files)?)?) };
        let (mut told, mut text) = (Map::from_iter([("ok".to_string(), json!(true))]), String::new());
        if let (Some(queries), Some(catalogue)) = (&self.queries, &catalogue) {
            let queries = labelled::read(queries)?;
            let (found, shown) = self.queries(catalogue, &queries, json)?;
            told.insert("queries".into(), found);
            text.push_str(&shown);
            if let Some(before) = &self.before {
                let before = labelled::read_unlabelled(before)?;
                let moved = self.moved(catalogue, (&before, &queries), json)?;
                let [index, verdict, parts] = moved.cells();
                told.insert("mix".into(), Value::Object(moved.json()));
                text.push_str(&format!(
                    "\nmix of what is asked, by what is nearest, against {} earlier queries (population stability index)\n{index}  {verdict}  {parts}\n",
                    before.len()
                ));
            }
        }
        if !self.log.is_empty() {
            let log = rows::read(&self.log)?;
            let rows: Vec<_> = log.rows.values().collect();
            let category = |id: &str| category(catalogue.as_ref()?, id, self.category.as_deref()?);
            let lists = positions::lists(&rows, &category);
            if lists.is_empty() {
                let help = "slots of a list are called by their position, as in read-next.1";
                return Err(Stop::new("the log has no list", help));
            }
            told.insert("lists".into(), lists.json());
            text.push_str(if text.is_empty() { "" } else { "\n" });
            text.push_str(&lists.text());
        }
        Ok(Said { json: Value::Object(told), text })
    }

    fn queries(
        &self,
        catalogue: &Catalogue,
        queries: &[Labelled],
        json: bool,
    ) -> Result<(Value, String), Stop> {
        let mut ks = self.k.clone();
        ks.sort_unstable();
        ks.dedup();
        let (Some(1..), Some(most @ 1..=MAX_K)) = (ks.first(), ks.last().copied()) else {
            return Err(Stop::new("-k is out of range", "1 to 1000, as in -k 1,5,10"));
        };
        let asked = self.embedded(catalogue, queries, json)?;
        let judge = |name: String, rankings: Vec<Vec<String>>| {
            let at = |k: usize| {
                let worths =
                    rankings.iter().zip(queries).map(|(ranking, query)| worth(ranking, &query.relevant, k));
                (k, worths.collect())
            };
            Judged { name, worths: ks.iter().map(|k| at(*k)).collect() }
        };
        let own = catalogue.pieces().map(|piece| piece.kind()).max().unwrap_or(Kind::Flat);
        let mut all = vec![
            judge("exact".into(), search_all(catalogue, &asked, most)),
            judge(format!("{}, this index", own.name()), rankings(catalogue, &asked, most)?),
        ];
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != own) {
            if kind != Kind::Graph || graph_is_quick(catalogue.len()) {
                let other = with_kind(catalogue, kind).map_err(|error: String| said(&error, ""))?;
                // Items of the other catalogue have other places.
                let asked: Vec<_> = asked
                    .iter()
                    .map(|(embedding, except)| {
                        let id = except.and_then(|item| catalogue.id(item));
                        (embedding.clone(), id.and_then(|id| other.find(id)))
                    })
                    .collect();
                all.push(judge(kind.name().into(), rankings(&other, &asked, most)?));
            }
        }
        let unknown = queries
            .iter()
            .flat_map(|query| query.relevant.keys())
            .filter(|id| catalogue.find(id).is_none())
            .count();
        let remark = match unknown {
            0 => String::new(),
            n => format!("remark: {n} relevant ids are not in the index and count as missed\n"),
        };
        let text = format!("{} queries, means with 95 % intervals\n\n{}{remark}", queries.len(), text(&all));
        let told = json!({ "n": queries.len(), "unknown_relevant": unknown, "kinds": told(&all) });
        Ok((told, text))
    }

    /// How far what is asked lies from what was asked before: a query counts as the item nearest to it, or as the category of that.
    fn moved(
        &self,
        catalogue: &Catalogue,
        (before, now): (&[Labelled], &[Labelled]),
        json: bool,
    ) -> Result<Moved, Stop> {
        let mut counted: Vec<Counted> = Vec::new();
        for (is_now, queries) in [(false, before), (true, now)] {
            let asked: Vec<_> =
                self.embedded(catalogue, queries, json)?.into_iter().map(|(own, _)| (own, None)).collect();
            let nearest =
                rankings(catalogue, &asked, 1)?.into_iter().filter_map(|ids| ids.into_iter().next());
            let cell = |id: String| {
                self.category.as_deref().and_then(|field| category(catalogue, &id, field)).unwrap_or(id)
            };
            counted.extend(nearest.map(|id| (is_now, cell(id), 1)));
        }
        drift::moved(&counted).ok_or_else(|| Stop::new("nothing is near the queries of one of the files", ""))
    }

    /// The vectors of the queries, each with the item it is the vector of, which can't be among the answers.
    fn embedded(
        &self,
        catalogue: &Catalogue,
        queries: &[Labelled],
        json: bool,
    ) -> Result<Vec<(Embedding, Option<ItemRef>)>, Stop> {
        let item = |query: &Labelled| match &query.asked {
            Asked::Words(words) => catalogue.find(words),
            Asked::Vector(_) => None,
        };
        let is_text = |query: &&Labelled| matches!(query.asked, Asked::Words(_)) && item(query).is_none();
        let words = |query: &Labelled| match &query.asked {
            Asked::Words(words) => words.clone(),
            Asked::Vector(_) => String::new(),
        };
        let texts: Vec<String> = queries.iter().filter(is_text).map(words).collect();
        let mut vectors = if texts.is_empty() {
            Vec::new()
        } else {
            let embedder = Embedder::new(&self.embed, Some(catalogue.model()))?;
            embedder.embed(&texts.iter().map(String::as_str).collect::<Vec<_>>(), &progress(json))?.0
        }
        .into_iter();
        let one = |query: &Labelled| {
            if let Some(item) = item(query) {
                return catalogue
                    .embedding(item)
                    .map(|embedding| (embedding, Some(item)))
                    .ok_or_else(|| Stop::new("an item has no vector", ""));
            }
            let numbers = match &query.asked {
                Asked::Vector(numbers) => numbers.clone(),
                Asked::Words(_) => vectors.next().unwrap_or_default(),
            };
            let at = |error: &dyn std::fmt::Display| {
                said(
                    &format!("{}: {error}", query.place),
                    "every query needs a vector like those of the index",
                )
            };
            let embedding = Embedding::new(&numbers).map_err(|error| at(&error))?;
            catalogue.query(None, &embedding).map_err(|error| at(&error))?;
            Ok((embedding, None))
        };
        queries.iter().map(one).collect()
    }
}

/// The answers of a catalogue, by their ids.
fn rankings(
    catalogue: &Catalogue,
    asked: &[(Embedding, Option<ItemRef>)],
    k: usize,
) -> Result<Vec<Vec<String>>, Stop> {
    let one = |(embedding, except): &(Embedding, Option<ItemRef>)| {
        let query = catalogue.query(None, embedding).map_err(|error| said(&error.to_string(), ""))?;
        let hits = catalogue.nearest(&query, k, None, except.as_slice());
        Ok(hits.iter().filter_map(|hit| catalogue.id(hit.item)).map(String::from).collect())
    };
    asked.iter().map(one).collect()
}

/// The value of a field as the name of a cell: of several the first.
fn category(catalogue: &Catalogue, id: &str, field: &str) -> Option<String> {
    let fields: Value = serde_json::from_str(catalogue.fields(catalogue.find(id)?)?).ok()?;
    let value = fields.get(field)?;
    let value = value.as_array().and_then(|list| list.first()).unwrap_or(value);
    Some(value.as_str().map_or_else(|| value.to_string(), String::from))
}

fn means(worths: &[Worth]) -> Vec<(&'static str, Mean)> {
    MEASURES.iter().map(|(name, of)| (*name, mean(&worths.iter().map(of).collect::<Vec<_>>()))).collect()
}

/// What a way loses against comparing all vectors: the mean difference of nDCG.
fn loss(exact: &Judged, judged: &Judged, k: usize) -> f64 {
    let ndcg = |judged: &Judged| {
        let worths = judged.worths.iter().find(|(own, _)| *own == k).map_or(&[][..], |(_, worths)| worths);
        worths.iter().map(|worth| worth.ndcg).sum::<f64>() / worths.len().max(1) as f64
    };
    ndcg(exact) - ndcg(judged)
}

fn told(all: &[Judged]) -> Value {
    let Some(exact) = all.first() else { return Value::Null };
    let rows =
        all.iter().flat_map(|judged| judged.worths.iter().map(move |(k, worths)| (judged, *k, worths)));
    rows.map(|(judged, k, worths)| {
        let mut row = Map::from_iter([("kind".to_string(), json!(judged.name)), ("k".to_string(), json!(k))]);
        for (name, mean) in means(worths) {
            row.insert(
                name.to_lowercase(),
                json!({ "value": mean.value, "low": mean.low, "high": mean.high }),
            );
        }
        row.insert("ndcg_loss".into(), json!(loss(exact, judged, k)));
        Value::Object(row)
    })
    .collect()
}

fn text(all: &[Judged]) -> String {
    let Some(exact) = all.first() else { return String::new() };
    let heads = MEASURES.map(|(name, _)| name.to_string());
    let mut lines = vec![[&["kind".to_string(), "k".into()][..], &heads[..], &["nDCG lost".into()]].concat()];
    for judged in all {
        for (k, worths) in &judged.worths {
            let cell =
                |(_, mean): (&str, Mean)| format!("{:.3} ({:.3} to {:.3})", mean.value, mean.low, mean.high);
            let cells: Vec<String> = means(worths).into_iter().map(cell).collect();
            let lost = format!("{:.4}", loss(exact, judged, *k));
            lines.push([&[judged.name.clone(), k.to_string()][..], &cells[..], &[lost]].concat());
        }
    }
    columns(&lines)
}
