//! `/_edgeloom/nearest`: the items most like another one, or most like a vector. `GET` is for pages and whoever else, by the name
//! of an item; `POST` is for servers that embed by themselves, and takes a key: one of those that trusted logs come with.

use crate::admin::{login, surplus, unknown};
use crate::bindings::settings;
use crate::collect::gate::{self, Sender};
use crate::fields::{Kind, faults};
use crate::indexes::{Found, asked};
use crate::json::{self, text};
use crate::platform::{Context, Env, Method, Request, Response};
use crate::problem::{FieldError, Problem};
use crate::{request, respond, snapshots};
use edgeloom::Value;
use edgeloom::embedding::Embedding;
use edgeloom::index::{Catalogue, Filter, ItemRef, Query, Test};
use edgeloom::json::{Tell, object};
use std::rc::Rc;

/// A vector of 4,096 numbers of 20 digits, and a filter.
const MAX_BODY_BYTES: usize = 128 * 1024;
/// How many items are told where it is not said, and at most.
const K: (usize, usize) = (10, 100);
/// What may be asked with a vector.
const FIELDS: [(&str, Kind); 5] = [
    ("index", Kind::Text),
    ("vector", Kind::Numbers),
    ("model", Kind::Text),
    ("k", Kind::Count),
    ("filter", Kind::Object),
];

/// Answers the route. Every answer to a `GET` carries the headers that let the sender's page read it.
///
/// # Errors
/// No valid key for a `POST`, and whatever can't be asked.
pub async fn answer(request: Request, env: &Env, context: &Context) -> Result<Response, Problem> {
    if request.method() == Method::Post {
        return of_vector(&request, env, context).await;
    }
    let state = snapshots::fresh(env).await;
    let origins = state.snapshot.as_ref().map_or(&[][..], |snapshot| &snapshot.origins);
    let sender = gate::sender(&request, &settings(env), origins);
    let answer = match (request.method(), &sender) {
        (_, Sender::Foreign) => Err(Problem::new(
            403,
            "Forbidden",
            "This origin may not ask here; the configuration lists those that may.",
        )),
        (Method::Get, _) => of_item(&request, env, context).await,
        (Method::Options, _) => Ok(respond::with(204, "text/plain", Vec::new())),
        _ => Err(Problem::method("GET, POST")),
    };
    let response = answer.unwrap_or_else(|problem| problem.respond());
    gate::let_read(&response, &sender, "GET");
    Ok(response)
}

async fn of_item(request: &Request, env: &Env, context: &Context) -> Result<Response, Problem> {
    if !gate::is_within_rate(request, env, &settings(env), "nearest").await {
        let detail = "Ask again in a while; answers may be kept for a minute.";
        return Err(Problem::new(429, "Too many requests", detail).header("retry-after", "30"));
    }
    let parameter = |name: &'static str| request::query(request, name).filter(|value| !value.is_empty());
    let needed = |name: &'static str| parameter(name).ok_or_else(|| bad(name, "is missing"));
    let (name, id) = (needed("index")?, needed("item")?);
    let k = match parameter("k") {
        None => K.0,
        Some(k) => k.parse().ok().filter(is_k).ok_or_else(|| bad("k", IS_NO_K))?,
    };
    let filter = match parameter("filter") {
        None => None,
        Some(text) => {
            let value = json::read(text.as_bytes()).map_err(|error| bad("filter", &error))?;
            Some(filter_of(&value)?)
        }
    };
    let (catalogue, version) = found(env, context, &name).await?;
    let item = catalogue.find(&id).ok_or_else(|| {
        let detail = format!("There is no item '{id}' in the index '{name}'.");
        Problem::new(404, "Unknown item", detail)
    })?;
    let query = catalogue.embedding(item).and_then(|own| catalogue.query(None, &own).ok());
    let query = query.ok_or_else(Problem::internal)?;
    let response = told(&catalogue, (&name, &version), &query, &Wish { k, filter, except: Some(item) });
    respond::set(&response, "cache-control", "public, max-age=60");
    Ok(response)
}

async fn of_vector(request: &Request, env: &Env, context: &Context) -> Result<Response, Problem> {
    let settings = settings(env);
    login(request, &settings.import).ok_or_else(|| unknown("IMPORT_KEYS", "Bearer realm=\"edgeloom\""))?;
    let body = request::read(request, MAX_BODY_BYTES).await?;
    let body = json::read(&body).map_err(|error| Problem::new(400, "Not readable", error))?;
    let errors = faults(&body, &FIELDS);
    if !errors.is_empty() {
        return Err(Problem::new(400, "Not a question", "Some fields can't be used.").errors(errors));
    }
    let said = |name: &str| body.get(name).filter(|value| !value.is_null());
    let k = match said("k") {
        None => K.0,
        Some(k) => {
            let k = k.as_u64().and_then(|k| usize::try_from(k).ok());
            k.filter(is_k).ok_or_else(|| bad("k", IS_NO_K))?
        }
    };
    let filter = said("filter").map(filter_of).transpose()?;
    let vector = said("vector").ok_or_else(|| bad("vector", "is missing"))?;
    let embedding = embedding_of(vector).map_err(|error| bad("vector", &error))?;
    let name = text(&body, "index").ok_or_else(|| bad("index", "is missing"))?;
    let (catalogue, version) = found(env, context, name).await?;
    let model = text(&body, "model")
        .ok_or_else(|| bad("model", "is missing: vectors of two models don't compare"))?;
    let query = catalogue.query(Some(model), &embedding);
    let query = query.map_err(|error| bad("vector", &error.to_string()))?;
    Ok(told(&catalogue, (name, &version), &query, &Wish { k, filter, except: None }))
}

/// The embedding that a list of numbers is.
///
/// # Errors
/// Nothing but numbers, and not too many of them, and not all zero.
pub fn embedding_of(list: &Value) -> Result<Embedding, String> {
    let numbers = list.as_array().into_iter().flatten();
    let numbers: Vec<f32> = numbers.map(|number| number.as_f64().unwrap_or(f64::NAN) as f32).collect();
    Embedding::new(&numbers).map_err(|error| error.to_string())
}

const IS_NO_K: &str = "has to be a number from 1 to 100";

fn is_k(k: &usize) -> bool {
    (1..=K.1).contains(k)
}

fn bad(name: &str, detail: &str) -> Problem {
    let errors = vec![FieldError { pointer: format!("/{name}"), detail: detail.to_string() }];
    Problem::new(400, "Not a question", format!("`{name}` can't be used: {detail}")).errors(errors)
}

/// The filter that a value is; a misspelt field would let through what it should not.
fn filter_of(value: &Value) -> Result<Filter, Problem> {
    let mut errors = Vec::new();
    let filter = edgeloom::json::shape::<Filter>(value).map_err(|error| {
        errors.push(FieldError { pointer: format!("/filter{}", error.pointer()), detail: error.to_string() });
    });
    if let Ok(filter) = &filter {
        surplus(value, &edgeloom::json::value(filter), &mut "/filter".to_string(), &mut errors);
    }
    if let Some(detail) = filter.as_ref().ok().and_then(too_much) {
        errors.push(FieldError { pointer: "/filter/tests".into(), detail });
    }
    filter.ok().filter(|_| errors.is_empty()).ok_or_else(|| {
        Problem::new(400, "Not a filter", "`filter` can't be used; see the fields below.").errors(errors)
    })
}

async fn found(env: &Env, context: &Context, name: &str) -> Result<(Rc<Catalogue>, String), Problem> {
    match asked(env, context, name).await {
        Found::Here(catalogue, version) => Ok((catalogue, version)),
        Found::Unknown => Err(Problem::new(404, "Unknown index", format!("There is no index '{name}'."))),
        Found::NotLoaded => Err(Problem::try_again("The index can't be read at the moment.")),
    }
}

/// Anybody may ask, and each value is compared with each item: 16 · 32 · 100,000 comparisons are some 50 ms.
fn too_much(filter: &Filter) -> Option<String> {
    let n_values = |values: &Option<Vec<Value>>| values.as_ref().map_or(0, Vec::len);
    let is_long = |test: &Test| n_values(&test.one_of) + n_values(&test.none_of) > MAX_VALUES;
    let is_too_much = filter.tests.len() > MAX_TESTS || filter.tests.iter().any(is_long);
    is_too_much.then(|| format!("{MAX_TESTS} tests with {MAX_VALUES} values each are the most"))
}

/// Most tests of a filter.
const MAX_TESTS: usize = 16;
/// Most values of a test.
const MAX_VALUES: usize = 32;

/// What is wanted besides what it is to be like.
struct Wish {
    k: usize,
    filter: Option<Filter>,
    except: Option<ItemRef>,
}

fn told(catalogue: &Catalogue, (name, version): (&str, &str), query: &Query, wish: &Wish) -> Response {
    let allowed = wish.filter.as_ref().map(|filter| catalogue.allow(filter));
    let hits = catalogue.nearest(query, wish.k, allowed.as_ref(), wish.except.as_slice());
    let items = hits.iter().map(|hit| {
        let fields = catalogue.fields(hit.item).and_then(|text| json::read(text.as_bytes()).ok());
        // Of a similarity six digits are more than it is worth.
        let similarity = (f64::from(hit.similarity) * 1e6).round() / 1e6;
        let id = catalogue.id(hit.item).unwrap_or_default();
        object(&[("id", &id), ("similarity", &similarity), ("fields", &fields.unwrap_or_default())])
    });
    let items: Vec<Value> = items.collect();
    let told: [(&str, &dyn Tell); 3] = [("index", &name), ("version", &version), ("items", &items)];
    respond::json(200, &object(&told))
}
