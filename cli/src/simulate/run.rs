//! One simulated run through the real core: learn, compile, decide, count, and again. Rewards come at once, and every visitor
//! comes once.

use super::world::{Watched, World};
use edgeloom::decide::{Choice, Reason, decide};
use edgeloom::event::Treatment;
use edgeloom::fold::Delta;
use edgeloom::id::{DecisionId, VisitorKey};
use edgeloom::seed::{Generator, Seed};
use edgeloom::snapshot::{Since, compile, learn};
use edgeloom::statistics::{Counts, GoalCounts, Statistics};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Days of a week.
pub const DAYS: usize = 7;
/// A day in milliseconds.
const DAY_MILLIS: u64 = 86_400_000;
/// When simulations begin: Monday, 5 January 2026, 0:00 UTC. Hours and weekdays then are what conditions on them see.
const START_MILLIS: u64 = 1_767_571_200_000;
/// P(best) from which on an arm counts as decided for.
pub const DECIDED: f64 = 0.95;

/// How much is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Length of a run.
    pub days: usize,
    /// Visitors on each day.
    pub visitors_per_day: u32,
    /// How often a day what was learned is published.
    pub publications_per_day: u32,
    /// Number of runs.
    pub runs: usize,
    /// What all randomness comes from.
    pub seed: u64,
}

/// What became of a slot in one run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Course {
    /// Regret up to the end of each day: expected rewards lost against the best arm of each visit.
    pub regret: Vec<f64>,
    /// Exposures of each arm on each day, by day and then by position.
    pub exposures: Vec<Vec<u32>>,
    /// Exposures and rewards of all arms together.
    pub personalised: (u64, u64),
    /// Exposures and rewards of the holdout.
    pub held_out: (u64, u64),
    /// The day (counted from 0, with parts) and the arm when P(best) first was above [`DECIDED`].
    pub decided: Option<(f64, usize)>,
}

/// All runs, in their order, by slot of the snapshot (empty courses for those without rates). The same for any number of threads: a
/// run depends on its number alone.
pub fn runs(world: &World, extent: &Extent, threads: usize, tick: &(dyn Fn() + Sync)) -> Vec<Vec<Course>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= extent.runs {
                return done;
            }
            done.push((number, run(world, extent, number)));
            tick();
        }
    };
    let mut all: Vec<(usize, Vec<Course>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for worker in workers {
            // A worker that panicked has found a mistake of this program: its panic goes on here.
            all.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    });
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, courses)| courses).collect()
}

/// What is counted of a slot between two publications.
#[derive(Default)]
struct Batch {
    /// Exposures and rewards by arm.
    arms: Vec<(u32, u32)>,
    held_out: (u32, u32),
    regret: f64,
}

impl Batch {
    fn of(watched: Option<&Watched>) -> Self {
        Self { arms: vec![(0, 0); watched.map_or(0, |slot| slot.arms.len())], ..Self::default() }
    }

    /// Counts what a visit got and whether it was rewarded.
    fn count(&mut self, watched: &Watched, choice: &Choice, week: usize, chance: f64) {
        let Some(arm) = choice.arm else {
            if let (Reason::Holdout, Some(rate)) = (choice.reason, &watched.untouched) {
                self.held_out.0 += 1;
                self.held_out.1 += u32::from(chance < rate.at(week));
            }
            return;
        };
        let rates = watched.arms.iter().map(|(_, rate)| rate.at(week)).enumerate();
        let eligible = rates.clone().filter(|(other, _)| choice.candidates.contains(*other));
        let best = eligible.map(|(_, rate)| rate).fold(0.0, f64::max);
        if let (Some((_, rate)), Some(counts)) = (rates.clone().nth(arm), self.arms.get_mut(arm)) {
            counts.0 += 1;
            counts.1 += u32::from(chance < rate);
            self.regret += best - rate;
        }
    }
}

/// One run: a function of its number and of the extent's seed.
fn run(world: &World, extent: &Extent, number: usize) -> Vec<Course> {
    let seed = edgeloom::seed::hash(
        edgeloom::seed::Purpose::Draw,
        &[b"simulate", &extent.seed.to_le_bytes(), &(number as u64).to_le_bytes()],
    );
    let mut generator = Generator::new(seed);
    let mut courses = vec![Course::default(); world.slots.len()];
    let (mut stored, mut statistics) = (world.stored.clone(), Statistics::default());
    let mut contexts: Vec<_> = world.kinds.iter().map(|(_, context)| context.clone()).collect();
    let parts = u64::from(extent.publications_per_day.max(1));
    for (day, part) in (0..extent.days).flat_map(|day| (0..parts).map(move |part| (day, part))) {
        let time = day as f64 + part as f64 / parts as f64;
        stored.published.learned = learn(&stored.published.config, &statistics, Since::default());
        note_decided(world, &stored.published.learned, time, &mut courses);
        let (snapshot, _) = compile(&stored);
        for context in &mut contexts {
            // The middle of the time until the next publication.
            context.time_millis =
                START_MILLIS + day as u64 * DAY_MILLIS + DAY_MILLIS * (2 * part + 1) / (2 * parts);
        }
        let mut batches: Vec<Batch> = world.slots.iter().map(|slot| Batch::of(slot.as_ref())).collect();
        let until = |part: u64| u64::from(extent.visitors_per_day) * part / parts;
        for _ in until(part)..until(part + 1) {
            let Some(context) = contexts.get(world.kind_at(generator.unit())) else { continue };
            let mut id =
                || ((u128::from(generator.bits()) << 64) | u128::from(generator.bits())).to_le_bytes();
            let (key, decision) = (VisitorKey(id()), DecisionId(id()));
            let decision = decide(&snapshot, context, &Seed::of_visitor(&snapshot.site, &key, decision));
            for choice in &decision.choices {
                if let (Some(Some(watched)), Some(batch)) =
                    (world.slots.get(choice.slot), batches.get_mut(choice.slot))
                {
                    batch.count(watched, choice, day / DAYS, generator.unit());
                }
            }
        }
        let slots = world.slots.iter().zip(&batches).zip(&mut courses);
        for ((watched, batch), course) in slots.filter_map(|((w, b), c)| Some(((w.as_ref()?, b), c))) {
            apply(watched, batch, &mut statistics);
            course.take(batch, day);
        }
    }
    courses
}

impl Course {
    /// Adds what was counted on a day, which may have been counted in part.
    fn take(&mut self, batch: &Batch, day: usize) {
        let so_far = self.regret.last().copied().unwrap_or(0.0);
        if self.regret.len() <= day {
            self.regret.push(so_far);
            self.exposures.push(vec![0; batch.arms.len()]);
        }
        if let (Some(regret), Some(exposures)) = (self.regret.last_mut(), self.exposures.last_mut()) {
            *regret += batch.regret;
            exposures.iter_mut().zip(&batch.arms).for_each(|(sum, (exposures, _))| *sum += exposures);
        }
        let sides = batch.arms.iter().map(|counts| (false, counts)).chain([(true, &batch.held_out)]);
        for (held_out, (exposures, rewards)) in sides {
            let sum = if held_out { &mut self.held_out } else { &mut self.personalised };
            sum.0 += u64::from(*exposures);
            sum.1 += u64::from(*rewards);
        }
    }
}

/// Folds a batch into the statistics, as the ledger would its single events. Propensity sums stay out: learning reads none.
fn apply(watched: &Watched, batch: &Batch, statistics: &mut Statistics) {
    let arms = watched.arms.iter().map(|(treatment, _)| treatment).zip(&batch.arms);
    for (treatment, (exposures, rewards)) in arms.chain([(&Treatment::Holdout, &batch.held_out)]) {
        let mut counts = Counts { exposures: u64::from(*exposures), ..Counts::default() };
        if *rewards > 0 {
            // Each is worth what the goal says, also where amounts are learned.
            let (n, micros) = (i128::from(*rewards), i128::from((1e6 * watched.value) as i64));
            let own = GoalCounts {
                n: u64::from(*rewards),
                value_micros: n * micros,
                square_micros: n * micros * micros,
            };
            counts.goals.insert(watched.goal.clone(), own);
        }
        let delta = Delta { slot: &watched.id, treatment, counts, repeats: 0, refused: None };
        statistics.apply(&delta);
    }
}

/// Notes which slots have come to a decision with what was learned.
fn note_decided(
    world: &World,
    learned: &[edgeloom::snapshot::wire::LearnedSlot],
    time: f64,
    courses: &mut [Course],
) {
    for (watched, course) in world.slots.iter().zip(courses) {
        let Some(watched) = watched.as_ref().filter(|_| course.decided.is_none()) else { continue };
        let learned = learned.iter().find(|slot| slot.slot == watched.id.as_str());
        let best = learned.and_then(|slot| slot.arms.iter().position(|arm| arm.weight > DECIDED));
        // One arm alone is the best from the beginning; that is no decision.
        course.decided = best.filter(|_| watched.arms.len() > 1).map(|arm| (time, arm));
    }
}
