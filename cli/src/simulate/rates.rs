//! The file of true rates that a simulation assumes: read, and checked against the configuration it is for.
//!
//! ```toml
//! [slots.hero]
//! untouched = 0.02                       # the page as it is, for the holdout
//! [slots.hero.arms]
//! original = 0.02
//! summer-sale = [0.03, 0.028, 0.02]      # by week; the last one stays
//!
//! [[visits]]                             # kinds of visits; without any, each page of a slot is one
//! share = 0.7
//! path = "/"
//! device = "phone"
//! ```

use super::fit::Fit;
use crate::parse::{syntax, wrong_type};
use crate::plain::plain;
use crate::problem::{Code, Problem, Stop};
use crate::source::{Outline, Source};
use edgeloom::context::{Context, Device};
use edgeloom::snapshot::Snapshot;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use toml::de::DeTable;

/// What a simulation assumes.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// By slot.
    pub slots: BTreeMap<String, SlotRates>,
    /// Kinds of visits.
    pub visits: Vec<Kind>,
}

/// What is assumed of a slot.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlotRates {
    /// Rate of the page as it is.
    pub untouched: Option<Rate>,
    /// Rate of each arm.
    pub arms: BTreeMap<String, Rate>,
}

/// A reward rate by week, in [0, 1]; the last one stays.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate(pub Vec<f64>);

impl Rate {
    /// The rate in a week, from 0.
    pub fn at(&self, week: usize) -> f64 {
        self.0.get(week).or(self.0.last()).copied().unwrap_or(0.0)
    }
}

/// A kind of visits.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kind {
    /// How many of all visits, against the shares of the others; above 0.
    pub share: f64,
    /// Path of the page.
    pub path: String,
    /// Query parameters.
    pub query: Map<String, Value>,
    /// Host of the referring page.
    pub referrer: Option<String>,
    /// ISO country, upper case.
    pub country: Option<String>,
    /// First language, lower case.
    pub language: Option<String>,
    /// `phone`, `tablet`, `desktop` or `crawler`.
    pub device: Option<String>,
    /// Whatever the site adds.
    pub attributes: Map<String, Value>,
}

impl Default for Kind {
    fn default() -> Self {
        Self {
            share: 1.0,
            path: "/".into(),
            query: Map::new(),
            referrer: None,
            country: None,
            language: None,
            device: None,
            attributes: Map::new(),
        }
    }
}

impl Kind {
    /// The facts of such a visit, at no time yet.
    pub fn context(&self) -> Context {
        Context {
            path: self.path.clone(),
            query: self.query.clone(),
            referrer: self.referrer.clone(),
            country: self.country.clone(),
            language: self.language.clone(),
            device: self.device.as_deref().map_or(Device::Unknown, Device::of_word),
            time_millis: 0,
            attributes: self.attributes.clone(),
            ..Context::default()
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Rate;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a rate such as 0.03, or a list of them, one per week")
            }

            fn visit_f64<E: Error>(self, rate: f64) -> Result<Rate, E> {
                Ok(Rate(vec![rate]))
            }

            fn visit_i64<E: Error>(self, rate: i64) -> Result<Rate, E> {
                Ok(Rate(vec![rate as f64]))
            }

            fn visit_u64<E: Error>(self, rate: u64) -> Result<Rate, E> {
                Ok(Rate(vec![rate as f64]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Rate, A::Error> {
                let mut rates = Vec::new();
                while let Some(rate) = items.next_element()? {
                    rates.push(rate);
                }
                Ok(Rate(rates))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A rates file with what is wrong with it.
#[derive(Debug)]
pub struct Assumed {
    /// The file.
    pub source: Source,
    /// What it says; nothing where it can't be read.
    pub rates: Option<Rates>,
    /// What was found.
    pub problems: Vec<Problem>,
}

/// Reads a file of rates, JSON where its name ends so, else TOML, and checks it against a configuration.
///
/// # Errors
/// The file can't be read at all.
pub fn read(path: &Path, snapshot: &Snapshot) -> Result<Assumed, Stop> {
    let (source, encoding) = Source::read(path).map_err(|stop| Stop {
        help: Some(
            "name the file of assumed rates with --rates; `edgeloom simulate --help` shows one".into(),
        ),
        ..stop
    })?;
    if let Some(problem) = encoding {
        return Ok(Assumed { source, rates: None, problems: vec![problem] });
    }
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let (rates, outline, mut problems) = if is_json { of_json(&source) } else { of_toml(&source) };
    if let Some(rates) = &rates {
        problems.extend(Fit { rates, snapshot, outline: &outline }.problems());
    }
    problems.sort_by_key(|problem| (problem.span.as_ref().map(|span| span.start), problem.severity));
    Ok(Assumed { source, rates, problems })
}

fn of_toml(source: &Source) -> (Option<Rates>, Outline, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let outline = Outline::of_table(&table);
    if !errors.is_empty() {
        return (None, outline, syntax(&errors));
    }
    match Rates::deserialize(toml::Deserializer::from(table)) {
        Ok(rates) => (Some(rates), outline, Vec::new()),
        Err(error) => (None, outline, vec![wrong_type(&error)]),
    }
}

/// JSON has places for what can't be read; what makes no sense is named by its pointer.
fn of_json(source: &Source) -> (Option<Rates>, Outline, Vec<Problem>) {
    let error = match serde_json::from_str(&source.text) {
        Ok(rates) => return (Some(rates), Outline::default(), Vec::new()),
        Err(error) => error,
    };
    let code = if error.is_data() { Code::Type } else { Code::Syntax };
    let said = error.to_string();
    let message = plain(said.rsplit_once(" at line ").map_or(said.as_str(), |(message, _)| message));
    // The column counts bytes, and is 0 before the first one of a line.
    let line_start: usize =
        source.text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let at = (line_start + error.column().saturating_sub(1)).min(source.text.len());
    let problem = Problem::error(code, &message).at(Some(at..at), "the parser stopped here");
    (None, Outline::default(), vec![problem])
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgeloom::id::SnapshotVersion;
    use edgeloom::snapshot::store::Stored;
    use edgeloom::snapshot::{compile, wire::Published};
    use serde_json::json;

    /// Slot `hero` with the arms `original` and `sale`.
    fn snapshot() -> Snapshot {
        let config = json!({
            "site": "shop",
            "goals": [{ "id": "order" }],
            "slots": [{ "id": "hero", "goal": "order", "arms": [{ "id": "original" }, { "id": "sale" }] }],
        });
        let published = Published { config: serde_json::from_value(config).unwrap(), learned: Vec::new() };
        let version = SnapshotVersion([0; 16]);
        compile(&Stored { version, sequence: 0, published_millis: 0, published, warnings: Vec::new() }).0
    }

    /// Code, message, help and what stands at the place.
    fn problems_of(text: &str) -> Vec<(Code, String, String, String)> {
        let source = Source { name: "rates.toml".into(), text: text.into() };
        let (rates, outline, mut problems) = of_toml(&source);
        if let Some(rates) = &rates {
            let snapshot = snapshot();
            problems.extend(Fit { rates, snapshot: &snapshot, outline: &outline }.problems());
        }
        let place =
            |problem: &Problem| problem.span.clone().map_or(String::new(), |span| text[span].to_string());
        problems
            .into_iter()
            .map(|problem| {
                let place = place(&problem);
                (problem.code, problem.message, problem.help.unwrap_or_default(), place)
            })
            .collect()
    }

    const SOUND: &str = "[slots.hero.arms]\noriginal = 0.02\nsale = [0.03, 0.02]\n";

    #[test]
    fn a_rate_is_a_number_or_a_list_by_week_whose_last_one_stays() {
        assert_eq!(problems_of(SOUND), []);
        let rates: Rates = toml::from_str(SOUND).unwrap();
        let arms = &rates.slots["hero"].arms;
        assert_eq!([0, 9].map(|week| arms["original"].at(week)), [0.02, 0.02]);
        assert_eq!([0, 1, 9].map(|week| arms["sale"].at(week)), [0.03, 0.02, 0.02]);
        let same = json!({ "slots": { "hero": { "arms": { "original": 0.02, "sale": [0.03, 0.02] } } } });
        assert_eq!(serde_json::from_value::<Rates>(same).unwrap(), rates);
    }

    #[test]
    fn a_name_that_is_not_in_the_configuration_is_shown_with_what_was_probably_meant() {
        let found = problems_of("[slots.hreo.arms]\nsale = 1\n");
        assert_eq!((found[0].2.as_str(), found[0].3.as_str()), ("did you mean `hero`?", "hreo"));
        let found = problems_of(&SOUND.replace("sale", "sael"));
        assert_eq!((found[0].2.as_str(), found[0].3.as_str()), ("did you mean `sale`?", "sael"));
        assert!(found[1].1.contains("no rate for sale") && found[1].2.contains("sale = 0.03"), "{found:?}");
    }

    #[test]
    fn a_rate_out_of_range_is_shown_at_its_week() {
        let found = problems_of(&SOUND.replace("0.03", "3.0"));
        assert_eq!((found[0].0, found[0].3.as_str()), (Code::Meaning, "3.0"));
        assert!(found[0].2.contains("3 % is 0.03"), "{found:?}");
        let found = problems_of(&SOUND.replace("[0.03, 0.02]", "[]"));
        assert_eq!(found[0].3, "[]");
    }

    #[test]
    fn what_is_no_rate_and_a_key_that_nobody_reads_are_shown_where_they_stand() {
        let found = problems_of(&SOUND.replace("0.02\n", "\"2 %\"\n"));
        assert_eq!((found[0].0, found[0].3.as_str()), (Code::Type, "\"2 %\""), "{found:?}");
        assert!(found[0].1.contains("a rate such as 0.03"), "{found:?}");
        let found = problems_of(&format!("[[visits]]\ndevise = \"phone\"\n{SOUND}"));
        assert_eq!(
            (found[0].2.as_str(), found[0].3.as_str()),
            ("did you mean `device`?", "devise"),
            "{found:?}"
        );
    }

    #[test]
    fn kinds_of_visits_are_checked() {
        let text = format!("[[visits]]\nshare = 0\npath = \"news\"\ndevice = \"phon\"\n{SOUND}");
        let places: Vec<_> = problems_of(&text).into_iter().map(|found| (found.3, found.2)).collect();
        assert_eq!(places[0].0, "0");
        assert_eq!(places[1].0, "\"news\"");
        assert_eq!(places[2], ("\"phon\"".into(), "did you mean `phone`?".into()));
    }

    #[test]
    fn what_is_missing_is_said() {
        let found = problems_of("");
        assert!(found[0].2.contains("[slots.NAME.arms]"));
        assert!(found[1].1.contains("slot 'hero' has no rates"), "{found:?}");
    }

    #[test]
    fn json_that_cannot_be_read_has_a_place() {
        for (text, code, at) in [
            ("{\n \"slots\": {,}\n}", Code::Syntax, ",}"),
            ("{\n \"slots\": 3\n}", Code::Type, "3"),
            ("", Code::Syntax, ""),
        ] {
            let source = Source { name: "rates.json".into(), text: text.into() };
            let (rates, _, problems) = of_json(&source);
            assert_eq!((rates, problems[0].code), (None, code), "{problems:?}");
            let start = problems[0].span.clone().unwrap().start;
            assert!(text[start..].starts_with(at), "{start} {problems:?}");
            assert!(!problems[0].message.contains("line"), "{problems:?}");
        }
    }
}
