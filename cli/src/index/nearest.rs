//! `edgeloom index nearest`: what an index answers, to look at.

use super::embed::{self, Embedder};
use super::push::{catalogue, said};
use super::{Said, pieces, remarks};
use crate::plain::plain;
use crate::problem::{Stop, did_you_mean};
use crate::table::columns;
use edgeloom::embedding::Embedding;
use edgeloom::index::{Catalogue, Filter, ItemRef};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Longest text of an item's fields in a table, characters.
const MOST_SHOWN: usize = 72;

/// What is looked for.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("query").required(true))]
pub struct Nearest {
    /// What `edgeloom index build` wrote: files, or the folder of several
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Those nearest to this item
    #[arg(long, group = "query", value_name = "ID")]
    item: Option<String>,
    /// Those nearest to this text, embedded as the index was
    #[arg(long, group = "query", value_name = "TEXT")]
    text: Option<String>,
    /// How many
    #[arg(short, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    k: u16,
    /// Which may come, as in {"tests":[{"field":"topic","one_of":["tea"]}]}
    #[arg(long, value_name = "JSON")]
    filter: Option<String>,
    #[command(flatten)]
    embed: embed::Asked,
}

impl Nearest {
    /// Looks.
    ///
    /// # Errors
    /// Files that are no index, no such item, a filter that is none, a text that can't be embedded.
    pub fn run(&self) -> Result<Said, Stop> {
        let catalogue = catalogue(&pieces::read(&self.files)?)?;
        let allowed = self.filter.as_deref().map(|text| filter(&catalogue, text)).transpose()?;
        let (embedding, except) = match (&self.item, &self.text) {
            (Some(id), _) => {
                let item = item(&catalogue, id)?;
                let embedding = catalogue.embedding(item);
                (embedding.ok_or_else(|| Stop::new(format!("'{id}' has no vector"), ""))?, vec![item])
            }
            (None, text) => {
                let embedder = Embedder::new(&self.embed, Some(catalogue.model()))?;
                (of_text(&embedder, text.as_deref().unwrap_or_default())?, Vec::new())
            }
        };
        let query = catalogue.query(None, &embedding).map_err(|error| said(&error.to_string(), ""))?;
        let hits =
            catalogue.nearest(&query, usize::from(self.k), allowed.as_ref().map(|filter| &filter.0), &except);
        let fields = |item| {
            catalogue.fields(item).and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
        };
        let hits: Vec<(&str, f32, Value)> = hits
            .iter()
            .map(|hit| (catalogue.id(hit.item).unwrap_or_default(), hit.similarity, fields(hit.item)))
            .collect();
        let mut lines = vec![["id", "similarity", "fields"].map(String::from).to_vec()];
        lines.extend(hits.iter().map(|(id, similarity, fields)| {
            let shown = fields.to_string();
            let cut: String = shown.chars().take(MOST_SHOWN).collect();
            let more = if cut.len() < shown.len() { "…" } else { "" };
            vec![(*id).to_string(), format!("{similarity:.4}"), cut + more]
        }));
        let remarks = allowed.map_or(Vec::new(), |filter| filter.1);
        let listed: Value = (hits.iter())
            .map(|(id, similarity, fields)| json!({ "id": id, "similarity": similarity, "fields": fields }))
            .collect();
        Ok(Said {
            json: json!({ "ok": true, "model": catalogue.model(), "hits": listed, "remarks": remarks }),
            text: columns(&lines)
                + &remarks.iter().map(|remark| format!("\nremark: {remark}")).collect::<String>(),
        })
    }
}

/// What a filter lets through, and what is odd about it.
fn filter(catalogue: &Catalogue, text: &str) -> Result<(edgeloom::index::Allowed, Vec<String>), Stop> {
    let filter: Filter = serde_json::from_str(text).map_err(|error| {
        Stop::new(
            format!("--filter: {}", plain(&error.to_string())),
            r#"as in {"tests":[{"field":"price","max":30},{"field":"topic","one_of":["tea"]}]}"#,
        )
    })?;
    let fields = || filter.tests.iter().map(|test| test.field.as_str());
    let known = fields().filter(|field| catalogue.has_column(field)).collect();
    let allowed = catalogue.allow(&filter);
    let nothing = (allowed.n_items() == 0).then(|| "no item passes the filter".into());
    let remarks = remarks::unknown(fields(), &known).into_iter().chain(nothing).collect();
    Ok((allowed, remarks))
}

/// The item of a name.
fn item(catalogue: &Catalogue, id: &str) -> Result<ItemRef, Stop> {
    catalogue.find(id).ok_or_else(|| {
        let known = catalogue.items().filter_map(|item| catalogue.id(item));
        let help =
            did_you_mean(id, known).unwrap_or_else(|| "ids are those of the files it was built from".into());
        Stop::new(format!("there is no item '{id}'"), &help)
    })
}

/// The embedding of one text.
///
/// # Errors
/// What stops the embedder; a text that points nowhere.
pub fn of_text(embedder: &Embedder, text: &str) -> Result<Embedding, Stop> {
    let (vectors, _) = embedder.embed(&[text], &ProgressBar::hidden())?;
    let numbers = vectors.first().map(Vec::as_slice).unwrap_or_default();
    Embedding::new(numbers).map_err(|error| {
        Stop::new(format!("the text gives no vector: {error}"), "hashing needs a word of letters or digits")
    })
}
