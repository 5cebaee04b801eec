//! Texts become vectors: which embedder is asked for, its name in the index, and what it cost. Each embedder is a file of its own.

mod endpoint;
#[cfg(feature = "model2vec")]
mod folder;
mod hashing;
mod words;

use crate::problem::Stop;
use endpoint::Endpoint;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Texts whose progress is told at once.
const STEP: usize = 1_024;
/// Largest dimension that hashing is asked for.
const MOST_DIMENSIONS: usize = 4_096;

/// Who makes vectors of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Words by their hashes: no model, no network
    Hashing,
    /// Any endpoint that speaks OpenAI's /embeddings
    Openai,
    /// A Model2Vec folder (needs the cargo feature model2vec)
    Model2vec,
}

/// What is asked of an embedder.
#[derive(Debug, Clone, clap::Args)]
pub struct Asked {
    /// Who makes vectors of texts; hashing unless another one is named
    #[arg(long, value_name = "KIND")]
    pub embedder: Option<Kind>,
    /// What the vectors come from, which the index remembers; with openai the model that is asked for
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Dimension of hashing (384), or the one to ask the endpoint for
    #[arg(long, value_name = "N")]
    pub dimensions: Option<usize>,
    /// Address of the endpoint
    #[arg(long, value_name = "URL", default_value = endpoint::ADDRESS)]
    pub endpoint: String,
    /// Name of the environment variable that holds the endpoint's key
    #[arg(long, value_name = "NAME", default_value = "OPENAI_API_KEY")]
    pub key_env: String,
    /// Price of a million tokens, to say what it cost
    #[arg(long, value_name = "AMOUNT")]
    pub price_per_million: Option<f64>,
    /// Folder of the Model2Vec model
    #[arg(long, value_name = "FOLDER")]
    pub model_folder: Option<PathBuf>,
}

/// What embedding took.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bill {
    /// Texts that were embedded.
    pub texts: usize,
    /// Tokens the endpoint counted; 0 for the others.
    pub tokens: u64,
    /// Their price, where one was given.
    pub cost: Option<f64>,
}

impl Bill {
    /// For machines.
    pub fn json(&self) -> Value {
        json!({ "texts": self.texts, "tokens": self.tokens, "cost": self.cost })
    }

    /// For people; empty where nothing was counted.
    pub fn text(&self) -> String {
        let cost = self.cost.map_or(String::new(), |cost| format!(", {cost:.4} in all"));
        if self.tokens == 0 {
            String::new()
        } else {
            format!("{} texts, {} tokens{cost}\n", self.texts, self.tokens)
        }
    }
}

/// A way from text to vector.
#[derive(Debug)]
enum Way {
    Hashing(usize),
    Endpoint(Box<Endpoint>),
    #[cfg(feature = "model2vec")]
    Folder(Box<folder::Folder>),
}

/// An embedder, ready.
#[derive(Debug)]
pub struct Embedder {
    way: Way,
    /// The name the index remembers.
    pub model: String,
    price_per_million: Option<f64>,
}

impl Embedder {
    /// The embedder that is asked for. `known` is the model of an index that the vectors have to fit.
    ///
    /// # Errors
    /// A name, key or folder is missing; the index was made with another model.
    pub fn new(asked: &Asked, known: Option<&str>) -> Result<Self, Stop> {
        let of_known = known.and_then(|known| known.strip_prefix("hashing-")).and_then(|n| n.parse().ok());
        let kind = match (asked.embedder, known) {
            (Some(kind), _) => kind,
            (None, Some(known)) if of_known.is_none() => {
                let help = "name the embedder that made it with --embedder, or give a vector or an item";
                return Err(Stop::new(format!("vectors of this index come from '{known}'"), help));
            }
            (None, _) => Kind::Hashing,
        };
        let (way, model) = match kind {
            Kind::Hashing => {
                let dimension = asked.dimensions.or(of_known).unwrap_or(hashing::DIMENSION);
                if !(1..=MOST_DIMENSIONS).contains(&dimension) {
                    return Err(Stop::new(
                        format!("--dimensions is {dimension}"),
                        "1 to 4096; 384 is a good one",
                    ));
                }
                let model = hashing::model(dimension);
                if let Some(other) = asked.model.as_deref().filter(|other| *other != model) {
                    let help = "leave --model out, or give vectors that come from it";
                    return Err(Stop::new(
                        format!("hashing makes vectors of '{model}', not of '{other}'"),
                        help,
                    ));
                }
                (Way::Hashing(dimension), model)
            }
            Kind::Openai => {
                let name = named(asked, "--model is missing: which one is the endpoint asked for?")?;
                let way = Endpoint::new(&asked.endpoint, &name, &asked.key_env, asked.dimensions)?;
                // A shortened vector has nothing in common with the whole one but its beginning.
                let model =
                    asked.dimensions.map_or(name.clone(), |dimensions| format!("{name}-{dimensions}"));
                (Way::Endpoint(Box::new(way)), model)
            }
            Kind::Model2vec => folder(asked)?,
        };
        match known {
            Some(known) if known != model => Err(Stop::new(
                format!("the index was made with the model '{known}', this would be '{model}'"),
                "vectors of two models have nothing in common: use the same one, or build the index anew",
            )),
            _ => Ok(Self { way, model, price_per_million: asked.price_per_million }),
        }
    }

    /// The vectors of some texts in their order. `bar` counts them where it is shown.
    ///
    /// # Errors
    /// What stops the endpoint.
    pub fn embed(&self, texts: &[&str], bar: &ProgressBar) -> Result<(Vec<Vec<f32>>, Bill), Stop> {
        let style = ProgressStyle::with_template("{bar:40} {pos} of {len} texts, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_length(texts.len() as u64);
        let mut bill = Bill { texts: texts.len(), ..Bill::default() };
        let in_steps = |embed: &dyn Fn(&[&str]) -> Vec<Vec<f32>>| -> Vec<Vec<f32>> {
            let step = |texts: &[&str]| {
                bar.inc(texts.len() as u64);
                embed(texts)
            };
            texts.chunks(STEP).flat_map(step).collect()
        };
        let vectors = match &self.way {
            Way::Hashing(dimension) => {
                in_steps(&|texts| texts.iter().map(|text| hashing::embed(text, *dimension)).collect())
            }
            Way::Endpoint(endpoint) => {
                let (vectors, tokens) = endpoint.embed(texts, &|n| bar.inc(n as u64))?;
                bill.tokens = tokens;
                bill.cost = self.price_per_million.map(|price| tokens as f64 * price / 1e6);
                vectors
            }
            #[cfg(feature = "model2vec")]
            Way::Folder(folder) => in_steps(&|texts| folder.embed(texts)),
        };
        bar.finish_and_clear();
        Ok((vectors, bill))
    }
}

fn named(asked: &Asked, missing: &str) -> Result<String, Stop> {
    let help = "as in --model text-embedding-3-small";
    asked.model.clone().filter(|model| !model.is_empty()).ok_or_else(|| Stop::new(missing, help))
}

#[cfg(feature = "model2vec")]
fn folder(asked: &Asked) -> Result<(Way, String), Stop> {
    let help = "the folder that StaticModel.save_pretrained wrote";
    let folder = asked.model_folder.as_deref().ok_or_else(|| Stop::new("--model-folder is missing", help))?;
    let model = named(asked, "--model is missing: what is the model of this folder called?")?;
    Ok((Way::Folder(Box::new(folder::Folder::open(folder)?)), model))
}

#[cfg(not(feature = "model2vec"))]
fn folder(_: &Asked) -> Result<(Way, String), Stop> {
    let help = "build it with `cargo build --release -p edgeloom-cli --features model2vec`";
    Err(Stop::new("this program was built without Model2Vec", help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        Asked {
            embedder: None,
            model: None,
            dimensions: None,
            endpoint: endpoint::ADDRESS.into(),
            key_env: "EDGELOOM_TEST_NO_SUCH_KEY".into(),
            price_per_million: None,
            model_folder: None,
        }
    }

    #[test]
    fn an_index_says_which_embedder_its_queries_need() {
        assert_eq!(Embedder::new(&asked(), None).unwrap().model, "hashing-384");
        assert_eq!(Embedder::new(&asked(), Some("hashing-64")).unwrap().model, "hashing-64");
        let stop = Embedder::new(&asked(), Some("text-embedding-3-small")).unwrap_err();
        assert!(stop.message.contains("'text-embedding-3-small'"), "{stop}");
        let other = Asked { dimensions: Some(32), ..asked() };
        assert!(Embedder::new(&other, Some("hashing-64")).unwrap_err().message.contains("'hashing-32'"));
        assert!(Embedder::new(&Asked { dimensions: Some(0), ..asked() }, None).is_err());
    }

    #[test]
    fn an_endpoint_elsewhere_needs_a_model_and_a_key() {
        let openai = Asked { embedder: Some(Kind::Openai), ..asked() };
        assert!(Embedder::new(&openai, None).unwrap_err().message.contains("--model is missing"));
        let named = Asked { model: Some("m".into()), ..openai };
        assert!(Embedder::new(&named, None).unwrap_err().message.contains("EDGELOOM_TEST_NO_SUCH_KEY"));
        let here = Asked { endpoint: "http://localhost:1".into(), dimensions: Some(8), ..named };
        assert_eq!(Embedder::new(&here, None).unwrap().model, "m-8");
    }
}
