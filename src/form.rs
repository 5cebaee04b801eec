//! The facts of visits handed over again and again, in an order agreed on once: for programs to whom a microsecond is
//! long. The room of one visit is that of the next, so nothing is allocated. Deliberately without lists, objects and
//! the parameters of a query: those come with a [`Visit`](crate::wire::Visit).

use crate::context::{BUILT_IN, Context, Device};
use serde_json::Value;
use std::fmt;

/// One fact of a visit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Entry<'a> {
    /// Not known.
    Missing,
    /// Yes or no; only the site's own attributes have it.
    Truth(bool),
    /// A number; not a number is missing.
    Number(f64),
    /// A text.
    Text(&'a str),
}

/// Where an entry goes.
#[derive(Debug, Clone)]
enum Field {
    Path,
    Referrer,
    Country,
    Language,
    Device,
    Time,
    /// An attribute of the site: the how manieth of them by name.
    Own(usize),
}

/// A fact that no form has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormError {
    /// Its name.
    pub name: String,
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a form has no `{}`; hint: ", self.name)?;
        match self.name.as_str() {
            "query" => f.write_str(
                "it is an object: hand over the whole visit, or the parameter as an attribute of yours",
            ),
            _ => f.write_str("it follows from `time_millis`"),
        }
    }
}

impl std::error::Error for FormError {}

/// A [`Context`] that is filled in again for each visit.
///
/// ```
/// use edgeloom::form::{Entry, Form};
/// let mut form = Form::new(&["country", "plan", "age"])?;
/// form.fill([Entry::Text("DE"), Entry::Text("pro"), Entry::Number(33.0)]);
/// assert_eq!(form.context().country.as_deref(), Some("DE"));
/// form.fill([Entry::Missing, Entry::Text("free")]);
/// assert_eq!(form.context().country, None);
/// # Ok::<(), edgeloom::form::FormError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Form {
    fields: Box<[Field]>,
    context: Context,
    /// What takes the places of the attributes, in the order of their names: nothing has to be looked up.
    next: Box<[Value]>,
}

impl Form {
    /// A form with these facts in this order: built-in ones by the names conditions have for them, `time_millis`, and
    /// any attribute of the site.
    ///
    /// # Errors
    /// `query`, which is no single fact; `hour` and `weekday`, which follow from `time_millis`.
    pub fn new(names: &[impl AsRef<str>]) -> Result<Self, FormError> {
        let mut context = Context::default();
        for name in names.iter().map(AsRef::as_ref).filter(|name| !is_fact(name)) {
            context.attributes.insert(name.into(), Value::Null);
        }
        let field = |name: &str| {
            Ok(match name {
                "path" => Field::Path,
                "referrer" => Field::Referrer,
                "country" => Field::Country,
                "language" => Field::Language,
                "device" => Field::Device,
                "time_millis" => Field::Time,
                name if BUILT_IN.contains(&name) => return Err(FormError { name: name.into() }),
                name => {
                    Field::Own(context.attributes.keys().take_while(|other| other.as_str() < name).count())
                }
            })
        };
        let fields = names.iter().map(AsRef::as_ref).map(field).collect::<Result<_, _>>()?;
        let next = context.attributes.values().cloned().collect();
        Ok(Self { fields, context, next })
    }

    /// Number of facts.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no fact.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Takes the facts of the next visit, in the order of the names; those that are not given are missing, and so is
    /// one of a kind that its field can't have.
    pub fn fill<'a>(&mut self, entries: impl IntoIterator<Item = Entry<'a>>) {
        let Self { fields, context, next } = self;
        let mut entries = entries.into_iter();
        for field in fields {
            let entry = entries.next().unwrap_or(Entry::Missing);
            match field {
                Field::Path => write(&mut context.path, entry),
                Field::Referrer => write_some(&mut context.referrer, entry),
                Field::Country => write_some(&mut context.country, entry),
                Field::Language => write_some(&mut context.language, entry),
                Field::Device => {
                    context.device =
                        if let Entry::Text(word) = entry { Device::of_word(word) } else { Device::Unknown }
                }
                Field::Time => {
                    context.time_millis = if let Entry::Number(millis) = entry { millis as u64 } else { 0 }
                }
                Field::Own(place) => {
                    if let Some(value) = next.get_mut(*place) {
                        write_value(value, entry);
                    }
                }
            }
        }
        for (value, next) in context.attributes.values_mut().zip(next) {
            std::mem::swap(value, next);
        }
    }

    /// The facts of the visit that was filled in last.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }
}

/// Whether a name is that of a built-in fact.
fn is_fact(name: &str) -> bool {
    name == "time_millis" || BUILT_IN.contains(&name)
}

fn write(own: &mut String, entry: Entry<'_>) {
    own.clear();
    if let Entry::Text(text) = entry {
        own.push_str(text);
    }
}

fn write_some(own: &mut Option<String>, entry: Entry<'_>) {
    match entry {
        Entry::Text(_) => write(own.get_or_insert_default(), entry),
        _ => *own = None,
    }
}

fn write_value(own: &mut Value, entry: Entry<'_>) {
    match (entry, own) {
        (Entry::Text(_), Value::String(own)) => write(own, entry),
        (Entry::Text(text), own) => *own = Value::from(text),
        (Entry::Number(number), own) => *own = Value::from(number),
        (Entry::Truth(truth), own) => *own = Value::from(truth),
        (Entry::Missing, own) => *own = Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_form_that_was_filled_before_is_as_good_as_a_new_one() {
        let names =
            ["path", "referrer", "country", "language", "device", "time_millis", "plan", "age", "vip"];
        let text = Entry::Text;
        let visits = [
            vec![
                text("/a"),
                text("x.org"),
                text("DE"),
                text("de"),
                text("phone"),
                Entry::Number(5.0),
                text("pro"),
                Entry::Number(33.0),
                Entry::Truth(true),
            ],
            vec![
                text("/über"),
                Entry::Missing,
                text("A"),
                text("de-at"),
                text("toaster"),
                Entry::Missing,
                text("free"),
                Entry::Number(f64::NAN),
            ],
            vec![Entry::Number(1.0); 9],
            vec![],
            vec![text(""); 12],
        ];
        let mut used = Form::new(&names).unwrap();
        for visit in visits {
            let mut new = Form::new(&names).unwrap();
            new.fill(visit.clone());
            used.fill(visit);
            assert_eq!(used.context(), new.context());
        }
    }

    #[test]
    fn each_fact_goes_where_its_name_says() {
        let mut form = Form::new(&["age", "device", "path", "time_millis"]).unwrap();
        form.fill([Entry::Number(33.0), Entry::Text("tablet"), Entry::Text("/tea"), Entry::Number(7.0)]);
        let attributes = json!({ "age": 33.0 }).as_object().cloned().unwrap();
        let expected = Context {
            path: "/tea".into(),
            device: Device::Tablet,
            time_millis: 7,
            attributes,
            ..Context::default()
        };
        assert_eq!(*form.context(), expected);
        assert_eq!((form.len(), form.is_empty()), (4, false));
    }

    #[test]
    fn what_is_no_single_fact_is_refused_with_advice() {
        for name in ["query", "hour", "weekday"] {
            assert!(Form::new(&["path", name]).unwrap_err().to_string().contains("hint:"));
        }
    }
}
