//! Policies that were not in use, and the chance that each gives the arms of a logged view. What they would have earned is the
//! business of `choice`.

use super::views::{DAY_MILLIS, View, Views};
use crate::check::check;
use crate::problem::{Severity, Stop, did_you_mean};
use crate::replay;
use edgeloom::bandit::Codes;
use edgeloom::event::{Event, Kind, Treatment};
use edgeloom::fold::{Tokens, fold};
use edgeloom::id::{ArmId, DecisionId, GoalId, SlotId, SnapshotVersion};
use edgeloom::receipt::Basis;
use edgeloom::snapshot::store::Stored;
use edgeloom::snapshot::wire::{Config, Published};
use edgeloom::snapshot::{Sight, Since, Slot, Snapshot, compile, learn};
use edgeloom::statistics::Statistics;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Views with the same features on a day, from which the challenger's chances are told; with fewer its own choice counts.
const LEAST_ALIKE: u64 = 50;

/// A policy to evaluate.
#[derive(Debug)]
pub enum Policy {
    /// All candidates alike.
    Uniform,
    /// Always this arm.
    Arm(String),
    /// As a published snapshot would choose.
    Snapshot(Box<Snapshot>, String),
    /// As a configuration would choose, having learned each day from the days before.
    Config(Box<Config>, String),
    /// As the challenger chose, which was never shown.
    Shadow,
}

impl Policy {
    /// The policy of a word or of a snapshot's file.
    ///
    /// # Errors
    /// A file that can't be read or is no snapshot.
    pub fn parse(text: &str) -> Result<Self, Stop> {
        match text.strip_prefix("arm=") {
            Some(arm) => Ok(Self::Arm(arm.into())),
            None if text == "uniform" => Ok(Self::Uniform),
            None if text == "shadow" => Ok(Self::Shadow),
            None if Path::new(text).extension().is_some_and(|extension| extension == "toml") => {
                Err(Stop::new(format!("{text} is a configuration"), &format!("--config {text}")))
            }
            None => {
                let failed = |stop: Stop| Stop {
                    help: Some(
                        "a policy is uniform, shadow, arm=NAME or a file from /_edgeloom/admin/snapshots/ID"
                            .into(),
                    ),
                    ..stop
                };
                Ok(Self::Snapshot(Box::new(replay::read(Path::new(text)).map_err(failed)?), text.into()))
            }
        }
    }

    /// What it is called.
    pub fn name(&self) -> String {
        match self {
            Self::Uniform => "uniform".into(),
            Self::Arm(arm) => format!("always {arm}"),
            Self::Snapshot(_, file) | Self::Config(_, file) => file.clone(),
            Self::Shadow => "challenger".into(),
        }
    }

    /// The policy made ready for the rows of a slot.
    ///
    /// # Errors
    /// An arm that was never shown, a slot that is not in the file.
    pub fn ready(&self, views: &Views<'_>) -> Result<Ready<'_>, Stop> {
        let without = |file: &str| {
            Stop::new(format!("{file} has no slot '{}'", views.slot), "evaluate another one with --slot")
        };
        Ok(match self {
            Self::Uniform => Ready::Uniform,
            Self::Arm(arm) => {
                let unknown = || {
                    let near = did_you_mean(arm, views.arms.iter().copied());
                    let there = format!("there are: {}", views.arms.join(", "));
                    Stop::new(
                        format!("there is no arm '{arm}' in the log of slot '{}'", views.slot),
                        &near.unwrap_or(there),
                    )
                };
                Ready::Arm(views.arms.binary_search(&arm.as_str()).map_err(|_| unknown())?)
            }
            Self::Snapshot(snapshot, file) => {
                Ready::Slot(slot_of(snapshot, views).ok_or_else(|| without(file))?)
            }
            Self::Config(config, file) => {
                let by_day = by_day(config, views);
                match by_day.iter().all(|(_, snapshot)| slot_of(snapshot, views).is_some()) {
                    true => Ready::Days(by_day),
                    false => return Err(without(file)),
                }
            }
            Self::Shadow => Ready::Shadow(Shadows::of(views)),
        })
    }
}

/// The configuration in a file.
///
/// # Errors
/// A file that can't be read, or that can't be published.
pub fn config(file: &Path) -> Result<Config, Stop> {
    let checked = check(file)?;
    let first = checked.problems.iter().find(|problem| problem.severity == Severity::Error);
    match (checked.config, first) {
        (Some(config), None) => Ok(config),
        (_, problem) => {
            let what = problem.map_or(String::new(), |problem| format!(": {}", problem.message));
            let help = format!("`edgeloom check {}` says all that is wrong, and where", file.display());
            Err(Stop::new(format!("{} can't be published{what}", file.display()), &help))
        }
    }
}

fn slot_of<'s>(snapshot: &'s Snapshot, views: &Views<'_>) -> Option<&'s Slot> {
    snapshot.slots.iter().find(|slot| slot.id.as_str() == views.slot)
}

/// A policy for the rows of a slot.
pub enum Ready<'p> {
    /// All candidates alike.
    Uniform,
    /// Always this arm.
    Arm(usize),
    /// As the slot chose.
    Slot(&'p Slot),
    /// As the slot would have chosen from each of these days on.
    Days(Vec<(u64, Snapshot)>),
    /// As the challenger chose.
    Shadow(Shadows),
}

impl Ready<'_> {
    /// The chances of the arms in a view, by position, those above 0 only; they add up to less than 1 where the policy would also
    /// show what the log never shows. `None` where it would show nothing.
    pub fn shares(&self, views: &Views<'_>, view: &View<'_>) -> Option<Vec<(usize, f64)>> {
        let listed = views.sets.get(view.set).filter(|_| view.set > 0);
        match self {
            Self::Uniform => {
                let n = listed.map_or(views.arms.len(), Vec::len);
                let among: Vec<usize> = listed.map_or_else(|| (0..n).collect(), Clone::clone);
                Some(among.into_iter().map(|arm| (arm, 1.0 / n as f64)).collect())
            }
            Self::Arm(arm) => listed.is_none_or(|set| set.contains(arm)).then(|| vec![(*arm, 1.0)]),
            Self::Slot(slot) => of_slot(slot, views, view, listed),
            Self::Days(by_day) => {
                let place = by_day.partition_point(|(day, _)| *day <= view.day).checked_sub(1)?;
                of_slot(slot_of(&by_day.get(place)?.1, views)?, views, view, listed)
            }
            Self::Shadow(shadows) => shadows.shares(views, view),
        }
    }
}

fn of_slot(
    slot: &Slot,
    views: &Views<'_>,
    view: &View<'_>,
    listed: Option<&Vec<usize>>,
) -> Option<Vec<(usize, f64)>> {
    let place = |at: usize| views.arms.binary_search(&slot.arms.get(at)?.id.as_str()).ok();
    if slot.tripped.is_some() {
        let baseline = slot.chooser.policy.shape.limits().baseline?;
        return Some(place(baseline).map(|arm| (arm, 1.0)).into_iter().collect());
    }
    // Who was eligible for an arm that the log does not know is not known either: such arms are open where nobody noted candidates.
    let is_open = |at: usize| {
        let is_listed = listed.is_none_or(|set| place(at).is_some_and(|arm| set.contains(&arm)));
        is_listed && slot.arms.get(at).is_some_and(|arm| !arm.is_shadow)
    };
    let open: Vec<usize> = (0..slot.arms.len()).filter(|at| is_open(*at)).collect();
    let codes = codes(view);
    // Features of another set are other numbers: by them nothing can be judged.
    slot.chooser.reads(codes.as_ref()).then_some(())?;
    let sight = Sight { codes: codes.as_ref(), ..Sight::default() };
    let shares = slot.chooser.shares_among(&slot.options, &open, sight)?;
    let named = open.into_iter().zip(shares).filter(|(_, share)| *share > 0.0);
    Some(named.filter_map(|(at, share)| Some((place(at)?, share.min(1.0)))).collect())
}

fn codes(view: &View<'_>) -> Option<Codes> {
    Codes::new(u32::from_str_radix(view.row.features.as_deref()?, 16).ok()?, &view.row.x)
}

/// Arms of a slot that are not candidates in every view, by its configuration.
pub fn closed(config: &Config, slot: &str) -> BTreeSet<String> {
    let (snapshot, _) = compile(&stored(config));
    let own = snapshot.slots.iter().filter(|own| own.id.as_str() == slot);
    own.flat_map(|own| &own.arms).filter(|arm| arm.drops_out).map(|arm| arm.id.to_string()).collect()
}

/// A configuration as it is stored before anything was learned.
fn stored(config: &Config) -> Stored {
    Stored {
        version: SnapshotVersion([0; 16]),
        sequence: 0,
        published_millis: 0,
        published: Published { config: config.clone(), learned: Vec::new() },
        warnings: Vec::new(),
    }
}

/// Snapshots of a configuration, each from the day on which it would have been published: learned from all days before, so that no
/// view is judged by what came of it.
fn by_day(config: &Config, views: &Views<'_>) -> Vec<(u64, Snapshot)> {
    let mut stored = stored(config);
    let (mut statistics, mut found) = (Statistics::default(), Vec::new());
    for rows in views.all.chunk_by(|a, b| a.day == b.day) {
        let Some(day) = rows.first().map(|view| view.day) else { continue };
        let since = Since { now_millis: day * DAY_MILLIS, ..Since::default() };
        stored.published.learned = learn(&stored.published.config, &statistics, since);
        let (snapshot, _) = compile(&stored);
        let period_hours = slot_of(&snapshot, views).and_then(|slot| slot.period_hours);
        for view in rows.iter().filter(|view| !view.row.held_out) {
            let _ = count(view, period_hours, &mut statistics);
        }
        found.push((day, snapshot));
    }
    found
}

/// Counts a row as the ledger did; nothing for names that a ledger would not take.
fn count(
    view: &View<'_>,
    period_hours: Option<std::num::NonZeroU16>,
    statistics: &mut Statistics,
) -> Option<()> {
    let slot = SlotId::new(&view.row.slot).ok()?;
    let exposure = Event {
        key: 0,
        decision: DecisionId(u128::from(view.unit).to_le_bytes()),
        slot,
        treatment: Treatment::Arm(ArmId::new(view.row.arm.as_deref()?).ok()?),
        shared: view.row.exposures > 1,
        kind: Kind::Exposure,
        time_millis: view.row.time_millis,
        propensity: view.row.propensity,
        shards: 1,
        unit: None,
        basis: Basis { features: codes(view), period_hours, ..Basis::default() },
    };
    let mut tokens = Tokens::default();
    let mut events: Vec<Event> =
        (0..u64::from(view.row.exposures)).map(|key| Event { key, ..exposure.clone() }).collect();
    for (name, reward) in &view.row.rewards {
        let goal = GoalId::new(name).ok()?;
        let value_micros = (reward.value / f64::from(reward.n.max(1)) * 1e6) as i64;
        let of =
            |key| Event { key, kind: Kind::Reward { goal: goal.clone(), value_micros }, ..exposure.clone() };
        events.extend((0..u64::from(reward.n)).map(of));
    }
    for event in &events {
        let (_, delta) = fold(&mut tokens, event);
        statistics.apply(&delta);
    }
    Some(())
}

/// What the challenger chose.
///
/// It draws independently of the policy, so that its own choice, taken as certain, already gives what it would have earned. How often
/// it chose each arm on a day and with the same features tells the same with less chance in it, wherever that is known; nothing
/// else moves its chances.
#[derive(Debug, Default)]
pub struct Shadows {
    alike: BTreeMap<Alike, BTreeMap<usize, u64>>,
}

/// A day and the features, as bits.
type Alike = (u64, Vec<u64>);

impl Shadows {
    fn of(views: &Views<'_>) -> Self {
        let mut shadows = Self::default();
        for view in &views.all {
            if let Some(arm) = Self::arm(views, view) {
                *shadows.alike.entry(Self::kind(view)).or_default().entry(arm).or_default() +=
                    view.exposures();
            }
        }
        shadows
    }

    /// The arm that it chose; what was never shown has a place of its own.
    fn arm(views: &Views<'_>, view: &View<'_>) -> Option<usize> {
        let shadow = view.row.shadow.as_deref()?;
        Some(views.arms.binary_search(&shadow).unwrap_or(views.arms.len()))
    }

    fn kind(view: &View<'_>) -> Alike {
        (view.day, view.row.x.iter().map(|x| x.to_bits()).collect())
    }

    fn shares(&self, views: &Views<'_>, view: &View<'_>) -> Option<Vec<(usize, f64)>> {
        let own = Self::arm(views, view)?;
        let counts = self.alike.get(&Self::kind(view))?;
        let n = counts.values().sum::<u64>();
        if n < LEAST_ALIKE {
            return Some(vec![(own, 1.0)]);
        }
        Some(counts.iter().map(|(arm, k)| (*arm, *k as f64 / n as f64)).collect())
    }
}
