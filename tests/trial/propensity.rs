//! Arms are chosen as often as receipts say: 200,000 decisions of each case, through a snapshot that has learned.
//!
//! All seeds are fixed. With other ones, all tests of all cases together would be wrong about a sound product once in 10,000 times
//! ([`FALSE_ALARMS`], shared out by Bonferroni).

use crate::cases::{Case, cases};
use crate::site::{NOW, Site, of_visitor};
use crate::tally::{Finding, Key, Tally, share};
use edgeloom::context::Context;
use edgeloom::decide::{Choice, Reason, counted, decide};
use edgeloom::id::GoalId;
use edgeloom::seed::{Generator, HOUR_MILLIS, Purpose, hash};
use edgeloom::snapshot::{Sight, Slot};
use std::collections::BTreeMap;

/// Decisions of a case.
const DECISIONS: u64 = 200_000;
/// Probability that any test of any case is wrong about a sound product.
const FALSE_ALARMS: f64 = 1e-4;
/// Visits that a site learns from, twice.
const LEARNED: u64 = 1_500;
/// Hours between two views of a visitor.
const HOURS: u64 = 7;

/// A propensity as it is logged; a control logs others.
type Logged = fn(&Slot, &Choice) -> f64;

/// Positions of the arms that were eligible.
fn candidates(slot: &Slot, choice: &Choice) -> impl Iterator<Item = usize> {
    (0..slot.arms.len()).filter(|arm| choice.candidates.contains(*arm))
}

/// The number of a cell within another one.
fn within(cell: u64, part: u64) -> u64 {
    (cell.rotate_left(23) ^ part).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn logged(_: &Slot, choice: &Choice) -> f64 {
    choice.propensity
}

/// A site that has learned twice from visits of all kinds: arms and kinds of visits differ by some hundredths.
fn learned(case: &Case) -> Site {
    let mut site = Site::new(case.config.clone());
    let mut generator = Generator::new(17);
    for round in 0..2 {
        let time = NOW - (10 - round) * 24 * HOUR_MILLIS;
        for n in 0..LEARNED {
            let kind = n as usize % case.visits.len();
            let context = Context { time_millis: time, ..case.visits[kind].clone() };
            let (_, receipts) = site.visit(&context, &of_visitor(u64::MAX - n, round));
            for receipt in receipts {
                let goals: Vec<GoalId> = site.snapshot.goals.iter().map(|goal| goal.id.clone()).collect();
                let arm = receipt.arm.as_ref().map_or("", |arm| arm.as_str());
                let part = |of: u64| {
                    let bits = hash(
                        Purpose::Event,
                        &[receipt.slot.as_str().as_bytes(), arm.as_bytes(), &[of as u8]],
                    );
                    (bits % 1_000) as f64 / 1_000.0
                };
                let rate = 0.05 + 0.02 * part(200) + 0.03 * part(kind as u64);
                let mut rewards = Vec::new();
                for goal in &goals {
                    if generator.unit() < rate {
                        rewards.push((goal, 20.0 + 40.0 * part(100) + 30.0 * generator.unit()));
                    }
                }
                site.count(&receipt, &rewards);
            }
        }
        site.publish(NOW - (9 - round) * 24 * HOUR_MILLIS);
    }
    if let Some(slot) = case.tripped {
        site.trip(slot);
    }
    site
}

/// What is counted of a case.
#[derive(Default)]
struct Counted {
    arms: Tally,
    /// Pairs of an arm and what the challenger would have shown.
    shadows: Tally,
    /// By slot and view: visitors, those who take part, those held out of them.
    shares: BTreeMap<(usize, u64), [u64; 3]>,
    /// Laws that one visitor broke.
    broken: Vec<Finding>,
}

/// Runs a case with so many decisions: every test of it.
fn run(case: &Case, n: u64, logged: Logged) -> Vec<Finding> {
    let site = learned(case);
    let mut counted = Counted::default();
    // Visitors of its own, so that luck of one case is not that of all.
    let first = hash(Purpose::Event, &[case.name.as_bytes()]) >> 20;
    for visitor in 0..n.div_ceil(case.views) {
        counted.visitor(case, &site, first + visitor, logged);
    }
    let n_choices = counted.arms.n();
    assert!(case.choices_least * n as f64 <= n_choices as f64, "{}: {n_choices} choices", case.name);
    counted.findings(case, &site)
}

impl Counted {
    /// All views of one visitor, who remembers what was shown.
    fn visitor(&mut self, case: &Case, site: &Site, visitor: u64, logged: Logged) {
        let kind = visitor as usize % case.visits.len();
        let mut context = case.visits[kind].clone();
        let mut before: BTreeMap<usize, (u64, usize)> = BTreeMap::new();
        for view in 0..case.views {
            context.time_millis = NOW + HOURS * HOUR_MILLIS * view;
            let decision = decide(&site.snapshot, &context, &(case.seeds)(visitor, view));
            let mut history = Vec::new();
            context.seen.write(&mut history);
            let history = history.iter().fold(kind as u64, |cell, byte| within(cell, u64::from(*byte)));
            let mut cell = within(history, view);
            for choice in &decision.choices {
                let slot = site.slot(choice);
                let shares = self.shares.entry((choice.slot, view)).or_default();
                shares[0] += 1;
                shares[1] += u64::from(choice.reason != Reason::Default);
                shares[2] += u64::from(choice.reason == Reason::Holdout);
                let Some(arm) = choice.arm.or(choice.ghost) else {
                    if case.stays && before.contains_key(&choice.slot) {
                        self.broken(format!("visitor {visitor} left {}", slot.id));
                    }
                    continue;
                };
                let of_choice = candidates(slot, choice)
                    .fold(u64::from(choice.ghost.is_some()), |set, arm| set | 2 << arm);
                let is_per_view = slot.chooser.is_per_view();
                // Where every view draws anew, all are of one group; else a visitor counts once in each.
                let group = (choice.slot, if is_per_view { 0 } else { view });
                let key = Key { group, cell: within(cell, of_choice) };
                // An action is an arm of its own.
                let place = choice.action.map_or(arm, |action| slot.arms.len() + usize::from(action));
                self.arms.add(key, place, logged(slot, choice));
                self.shadow(key, slot, choice);
                // Earlier slots decide what is left for later ones, and places of a list which items.
                cell = within(cell, place as u64);
                let last = before.insert(choice.slot, (of_choice, arm));
                if !is_per_view && last.is_some_and(|(was, had)| was == of_choice && had != arm) {
                    self.broken(format!("visitor {visitor} did not keep the arm of {}", slot.id));
                }
            }
            if let Some(broken) = case.law.and_then(|law| law(&decision)) {
                self.broken(format!("visitor {visitor}: {broken}"));
            }
            for choice in &decision.choices {
                for (key, hours) in counted(site.slot(choice), choice) {
                    context.seen.add(key, hours, context.time_millis);
                }
            }
        }
    }

    fn broken(&mut self, what: String) {
        self.broken.push(Finding { what, p_value: 0.0 });
    }

    /// The challenger's choice is one of its own: with the arm that is shown it makes a pair of independent draws.
    fn shadow(&mut self, key: Key, slot: &Slot, choice: &Choice) {
        let Some(challenger) = &slot.challenger else { return };
        let basis = choice.basis.as_deref().unwrap();
        let shadow = slot.arms.iter().position(|arm| Some(&arm.id) == basis.shadow.as_ref()).unwrap();
        let is_open = |arm: &usize| choice.candidates.contains(*arm) || slot.arms[*arm].is_shadow;
        let members: Vec<usize> = (0..slot.arms.len()).filter(is_open).collect();
        let sight = Sight { codes: basis.features.as_ref(), ..Sight::default() };
        let shares = challenger.shares_among(&slot.options, &members, sight).unwrap();
        let share = shares[members.iter().position(|member| *member == shadow).unwrap()];
        let arm = choice.arm.or(choice.ghost).unwrap();
        self.shadows.add(key, arm * slot.arms.len() + shadow, choice.propensity * share);
    }

    fn findings(self, case: &Case, site: &Site) -> Vec<Finding> {
        let slot = |slot: usize| site.snapshot.slots[slot].id.to_string();
        let mut findings = self.broken;
        findings.extend(self.arms.findings(slot));
        findings.extend(self.shadows.findings(|at| format!("shadow of {}", slot(at))));
        for ((at, view), [n, in_it, held_out]) in &self.shares {
            let name = format!("{} view {view}", slot(*at));
            if let Some(expected) = case.takes_part.iter().find(|part| part.0 == slot(*at) && part.1 == *view)
            {
                findings.push(share(format!("{name}: takes part"), (*in_it, *n), expected.2));
            }
            // Of the later views, those who reached a cap are gone.
            if *view == 0 {
                findings.push(share(format!("{name}: held out"), (*held_out, *in_it), case.held_out));
            }
        }
        findings
    }
}

#[test]
fn arms_are_chosen_as_often_as_receipts_say() {
    let cases = cases();
    let found = crate::for_each(cases.len(), |at| run(&cases[at], DECISIONS, logged));
    let n_tests: usize = found.iter().map(Vec::len).sum();
    let least = FALSE_ALARMS / n_tests as f64;
    let mut faults = Vec::new();
    for (case, findings) in cases.iter().zip(&found) {
        let smallest = findings.iter().map(|finding| finding.p_value).fold(1.0, f64::min);
        println!("{}: {} tests, least probable finding {smallest:.1e}", case.name, findings.len());
        let odd = findings.iter().filter(|finding| finding.p_value < least).take(8);
        faults.extend(odd.map(|odd| format!("{}: {} ({:.1e})", case.name, odd.what, odd.p_value)));
    }
    println!("{n_tests} tests, alarm below {least:.1e}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A fifth of the decisions is enough for that.
#[test]
fn wrong_propensities_are_found() {
    // As if nobody had dropped out: P(best) among all arms.
    let of_all: Logged = |slot, choice| slot.chooser.shares().unwrap()[choice.arm.or(choice.ghost).unwrap()];
    // As if whoever dropped out had left the others' shares in proportion: P(best) of a part is not the part of P(best).
    let cut: Logged = |slot, choice| {
        let shares = slot.chooser.shares().unwrap();
        let left: f64 = candidates(slot, choice).map(|arm| shares[arm]).sum();
        shares[choice.arm.or(choice.ghost).unwrap()] / left
    };
    let controls = [("arms of audiences", of_all), ("arms of audiences", cut), ("slates", of_all)];
    let found = crate::for_each(controls.len(), |at| {
        let (name, logged) = controls[at];
        let case = cases().into_iter().find(|case| case.name == name).unwrap();
        let findings = run(&case, DECISIONS / 5, logged);
        findings.iter().map(|finding| finding.p_value).fold(1.0, f64::min)
    });
    println!("{found:?}");
    assert!(found.iter().all(|p_value| *p_value < 1e-12), "{found:?}");
}
