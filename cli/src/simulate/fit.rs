//! Whether assumed rates fit a configuration: names, ranges, what is missing. Reading them is not its business.

use super::rates::{Rate, Rates, SlotRates};
use crate::problem::{Code, Problem, did_you_mean};
use crate::source::{Outline, join};
use edgeloom::context::Device;
use edgeloom::snapshot::{Slot, Snapshot};

/// What rates and configuration say about each other.
pub struct Fit<'a> {
    /// The rates.
    pub rates: &'a Rates,
    /// The configuration, compiled.
    pub snapshot: &'a Snapshot,
    /// Where things stand in the file of rates.
    pub outline: &'a Outline,
}

impl Fit<'_> {
    /// Everything that does not fit.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.rates.slots.is_empty() {
            problems.push(self.error(
                "",
                "no slot has rates; hint: add a table [slots.NAME.arms] with the rate of each arm",
            ));
        }
        for (name, rates) in &self.rates.slots {
            let pointer = join("/slots", name);
            match self.snapshot.slots.iter().find(|slot| slot.id.as_str() == name) {
                Some(slot) => self.slot(slot, rates, &pointer, &mut problems),
                None => {
                    let known = self.snapshot.slots.iter().map(|slot| slot.id.as_str());
                    problems.push(self.unknown("slot", &pointer, known));
                }
            }
        }
        let has_none = |slot: &&Slot| slot.enabled && !self.rates.slots.contains_key(slot.id.as_str());
        for slot in self.snapshot.slots.iter().filter(has_none) {
            let message =
                format!("slot '{0}' has no rates and is not told of; hint: add [slots.{0}.arms]", slot.id);
            problems.push(Problem::advice(Code::Meaning, &message).about(join("/slots", slot.id.as_str())));
        }
        for (i, kind) in self.rates.visits.iter().enumerate() {
            let pointer = format!("/visits/{i}");
            if !(kind.share > 0.0 && kind.share.is_finite()) {
                problems
                    .push(self.error(&format!("{pointer}/share"), "a share must be above 0; hint: e.g. 0.7"));
            }
            if !kind.path.starts_with('/') {
                problems.push(self.error(
                    &format!("{pointer}/path"),
                    "a path starts with '/'; hint: path only, as in /news",
                ));
            }
            if let Some(device) =
                kind.device.as_deref().filter(|word| Device::of_word(word) == Device::Unknown)
            {
                let words = ["phone", "tablet", "desktop", "crawler"];
                let help =
                    did_you_mean(device, words).unwrap_or_else(|| format!("there are {}", words.join(", ")));
                let problem = self.error(&format!("{pointer}/device"), &format!("unknown device '{device}'"));
                problems.push(problem.helped(Some(help)));
            }
        }
        problems
    }

    fn slot(&self, slot: &Slot, rates: &SlotRates, pointer: &str, problems: &mut Vec<Problem>) {
        let known = || slot.arms.iter().map(|arm| arm.id.as_str());
        for (name, rate) in &rates.arms {
            let at = join(&format!("{pointer}/arms"), name);
            if known().all(|arm| arm != name) {
                problems.push(self.unknown("arm", &at, known()));
            } else {
                problems.extend(self.rate(rate, &at));
            }
        }
        problems
            .extend(rates.untouched.iter().flat_map(|rate| self.rate(rate, &format!("{pointer}/untouched"))));
        let missing: Vec<_> = known().filter(|arm| !rates.arms.contains_key(*arm)).collect();
        if !missing.is_empty() {
            let message = format!(
                "no rate for {}; hint: each enabled arm of the slot needs one, e.g. {} = 0.03",
                missing.join(", "),
                missing.first().unwrap_or(&"NAME"),
            );
            problems.push(self.error(&format!("{pointer}/arms"), &message));
        }
    }

    fn rate(&self, rate: &Rate, pointer: &str) -> Vec<Problem> {
        if rate.0.is_empty() {
            return vec![
                self.error(pointer, "an empty list of rates; hint: one rate per week, the last one stays"),
            ];
        }
        let wrong = rate.0.iter().enumerate().filter(|(_, rate)| !(0.0..=1.0).contains(*rate));
        let problem = |(i, found): (usize, &f64)| {
            let week = if rate.0.len() > 1 { format!("{pointer}/{i}") } else { pointer.to_string() };
            self.error(&week, &format!("{found} is no rate; hint: rates are from 0 to 1, so 3 % is 0.03"))
        };
        wrong.map(problem).collect()
    }

    /// A name that the configuration does not have; `pointer` ends in it.
    fn unknown<'n>(
        &self,
        what: &str,
        pointer: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) -> Problem {
        let name = pointer.rsplit('/').next().unwrap_or(pointer);
        let help = did_you_mean(name, known.clone()).unwrap_or_else(|| {
            let listed: Vec<_> = known.map(|known| format!("`{known}`")).collect();
            format!("there are {}", listed.join(", "))
        });
        Problem::error(Code::Meaning, &format!("the configuration has no enabled {what} '{name}'"))
            .at(self.outline.key_span(pointer), "here")
            .helped(Some(help))
            .about(pointer)
    }

    fn error(&self, pointer: &str, message: &str) -> Problem {
        let span = self.outline.span(pointer);
        Problem::error(Code::Meaning, message).at(span, "here").about(pointer)
    }
}
