//! What the columns of logged features mean, where a configuration says so, and which kind of visitor a view is of.

use super::views::{View, Views, features};
use crate::problem::{Stop, did_you_mean};
use edgeloom::bandit::{Feature, FeatureKind, Features};
use edgeloom::snapshot::wire::{Config, Ordinary};
use serde_json::Value;
use std::collections::BTreeSet;

/// Values of one column that are told apart; of others only whether they are above the median.
const MOST_VALUES: usize = 12;

/// Names of columns.
#[derive(Debug, Default)]
pub struct Columns {
    list: Vec<Feature>,
}

impl Columns {
    /// The features of a slot, if they are those of the log.
    pub fn of(config: Option<&Config>, views: &Views<'_>) -> Self {
        let slot = config.and_then(|config| config.slot(views.slot));
        let policies =
            slot.into_iter().flat_map(|slot| std::iter::once(&slot.policy).chain(&slot.challenger));
        for policy in policies {
            let list: Vec<Feature> = policy
                .features
                .iter()
                .map(|feature| {
                    let kind = match (&feature.number, feature.boolean, &feature.one_of[..], feature.hashed) {
                        (Some(Ordinary { mean, scale }), ..) => {
                            FeatureKind::Number { mean: *mean, scale: *scale }
                        }
                        (_, Some(true), ..) => FeatureKind::Boolean,
                        (.., Some(columns)) => FeatureKind::Hashed { columns: usize::from(columns) },
                        (_, _, words, _) => FeatureKind::OneOf(words.to_vec()),
                    };
                    Feature { name: feature.name.clone(), kind }
                })
                .collect();
            let set = Features::new(list.clone()).map(|features| format!("{:08x}", features.set()));
            if set.ok().as_deref() == views.feature_set().map(|(set, _)| set) {
                return Self { list };
            }
        }
        Self::default()
    }

    /// Each column with its feature and its place in it; the intercept is none.
    fn places(&self) -> impl Iterator<Item = (&Feature, usize)> {
        self.list.iter().flat_map(|feature| (0..width(&feature.kind)).map(move |place| (feature, place)))
    }

    /// Name of a column, by its position in `x`.
    pub fn name(&self, column: usize) -> String {
        match self.places().nth(column.saturating_sub(1)) {
            Some((Feature { name, kind: FeatureKind::OneOf(words) }, place)) => {
                format!("{name}={}", words.get(place).map_or("", String::as_str))
            }
            Some((Feature { name, kind: FeatureKind::Hashed { .. } }, place)) => format!("{name}#{place}"),
            Some((Feature { name, .. }, _)) => name.clone(),
            None => format!("x[{column}]"),
        }
    }

    /// Names by which visitors can be told apart.
    fn known(&self, views: &Views<'_>) -> BTreeSet<String> {
        let others = views.all.iter().flat_map(|view| view.row.others.keys().cloned());
        let columns = (1..views.feature_set().map_or(1, |(_, n)| n)).map(|column| format!("x[{column}]"));
        let features = self.list.iter().filter(|feature| !matches!(feature.kind, FeatureKind::Hashed { .. }));
        others.chain(columns).chain(features.map(|feature| feature.name.clone())).collect()
    }

    /// The kind of each view by a feature of the configuration, a column `x[2]`, or any other field of the log.
    ///
    /// # Errors
    /// A name that neither the log nor the configuration has.
    pub fn kinds(&self, by: &str, views: &Views<'_>) -> Result<Vec<Option<String>>, Stop> {
        if let Some(at) = self.list.iter().position(|feature| feature.name == by) {
            let start = 1 + self.list.iter().take(at).map(|feature| width(&feature.kind)).sum::<usize>();
            if let Some(kind) = self
                .list
                .get(at)
                .map(|feature| &feature.kind)
                .filter(|kind| !matches!(kind, FeatureKind::Hashed { .. }))
            {
                let set = views.feature_set();
                let of = |view: &View<'_>| {
                    let x = set.and_then(|set| features(view.row, set))?;
                    Some(told(kind, x.get(start..start + width(kind))?))
                };
                return Ok(views.all.iter().map(of).collect());
            }
        }
        let column = by
            .strip_prefix("x[")
            .and_then(|rest| rest.strip_suffix(']'))
            .and_then(|column| column.parse().ok());
        if let (Some(column), Some(set)) =
            (column, views.feature_set().filter(|(_, n)| column.is_some_and(|c: usize| c < *n)))
        {
            return Ok(of_numbers(views, &|view| features(view.row, set)?.get(column).copied()));
        }
        let of = |view: &View<'_>| match view.row.others.get(by)? {
            Value::String(text) => Some(text.clone()),
            Value::Bool(yes) => Some(yes.to_string()),
            _ => None,
        };
        let kinds: Vec<Option<String>> = views.all.iter().map(of).collect();
        if kinds.iter().any(Option::is_some) {
            return Ok(kinds);
        }
        let kinds = of_numbers(views, &|view| view.row.others.get(by)?.as_f64());
        if kinds.iter().any(Option::is_some) {
            return Ok(kinds);
        }
        let known = self.known(views);
        let help = match did_you_mean(by, known.iter().map(String::as_str)) {
            Some(near) => near,
            None if known.is_empty() => {
                "the log holds neither features nor other fields; join one to its lines, by `unit`".into()
            }
            None => {
                let list = known.iter().cloned().collect::<Vec<_>>().join(", ");
                format!("there are: {list}; the names of features are known with --config edgeloom.toml")
            }
        };
        Err(Stop::new(format!("the log of slot '{}' has nothing called '{by}'", views.slot), &help))
    }
}

fn width(kind: &FeatureKind) -> usize {
    match kind {
        FeatureKind::Number { .. } | FeatureKind::Boolean => 1,
        FeatureKind::OneOf(words) => words.len(),
        FeatureKind::Hashed { columns } => *columns,
    }
}

/// What the columns of a feature say.
fn told(kind: &FeatureKind, x: &[f64]) -> String {
    let first = x.first().copied().unwrap_or(0.0);
    match kind {
        FeatureKind::OneOf(words) => {
            let has = words.iter().zip(x).filter(|(_, x)| **x > 0.5).map(|(word, _)| word.as_str());
            let has: Vec<&str> = has.collect();
            if has.is_empty() { "(other)".into() } else { has.join("+") }
        }
        FeatureKind::Boolean if first > 0.0 => "yes".into(),
        FeatureKind::Boolean if first < 0.0 => "no".into(),
        FeatureKind::Number { mean, .. } if first >= 0.0 => format!("{mean} or more"),
        FeatureKind::Number { mean, .. } => format!("below {mean}"),
        _ => "(unknown)".into(),
    }
}

/// Few numbers are kinds of their own; of many it is told on which side of the median they are.
fn of_numbers(views: &Views<'_>, number: &dyn Fn(&View<'_>) -> Option<f64>) -> Vec<Option<String>> {
    let numbers: Vec<Option<f64>> = views.all.iter().map(number).collect();
    let mut sorted: Vec<f64> = numbers.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    sorted.dedup();
    let kind = |x: &Option<f64>| {
        x.map(|x| match sorted.len() <= MOST_VALUES {
            true => format!("{x}"),
            false if x >= median => format!("{median} or more"),
            false => format!("below {median}"),
        })
    };
    numbers.iter().map(kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_the_names_and_words_of_their_features() {
        let feature = |name: &str, kind| Feature { name: name.into(), kind };
        let words = ["phone", "desktop"].map(String::from).to_vec();
        let columns = Columns {
            list: vec![
                feature("hour", FeatureKind::Number { mean: 12.0, scale: 6.0 }),
                feature("device", FeatureKind::OneOf(words)),
                feature("campaign", FeatureKind::Hashed { columns: 2 }),
                feature("member", FeatureKind::Boolean),
            ],
        };
        let names: Vec<String> = (1..8).map(|column| columns.name(column)).collect();
        assert_eq!(
            names,
            ["hour", "device=phone", "device=desktop", "campaign#0", "campaign#1", "member", "x[7]"]
        );
        let kind = |at: usize, x: &[f64]| told(&columns.list[at].kind, x);
        assert_eq!([kind(0, &[0.5]), kind(0, &[-0.5])], ["12 or more", "below 12"]);
        assert_eq!([kind(1, &[0.0, 1.0]), kind(1, &[0.0, 0.0])], ["desktop", "(other)"]);
        assert_eq!([kind(3, &[0.5]), kind(3, &[-0.5]), kind(3, &[0.0])], ["yes", "no", "(unknown)"]);
    }
}
