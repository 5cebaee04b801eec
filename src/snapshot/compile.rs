//! From stored shapes to a snapshot: every check, once. A bad item costs only itself and leaves a warning.
//! Names are resolved to positions, texts to rules, patterns and markup, beliefs to shares, so that a decision looks nothing up
//! by name. Warnings carry a JSON pointer into the configuration, for editors and the console.

mod arms;

use super::blocks::{Blocks, limit};
use super::experiment::{self, Experiment, MAX_SUMS};
use super::list::{self, Earned, ListPlace};
use super::store::Stored;
use super::targeting::Targeting;
use super::terms::{self, ArmTerms};
use super::warning::{Item, Warning};
use super::{Arm, Cap, Goal, Page, Slot, Snapshot, wire};
use crate::audience::{AudienceIndex, AudienceSet};
use crate::id::{ArmId, GoalId, LayerId, SlotId};
use crate::json::number::Decimal;
use crate::pattern::Pattern;
use crate::saturation::SeenKey;
use crate::seed::HOUR_MILLIS;
use crate::slot::Place;
use crate::sorted::SortedMap;
use crate::split::{Holdout, LayerPart};
use crate::statistics::MAX_CONTEXT_PERIODS;
use std::fmt::Display;
use std::sync::Arc;

/// Most slots of a site; each costs a decision per page it is on.
const MAX_SLOTS: usize = 1_000;
/// Most arms of a slot: P(best) of 1,000 arms is the limit of what a publication may compute.
const MAX_ARMS: usize = 1_000;
/// Longest life of a page that only the configuration states: a mistake there is over within a day.
const MAX_LIFE_SECONDS: u32 = 86_400;
/// Arms that are counted by period at most: 72 periods of 140 bytes each are 10 KB, and the ledger's statistics have a row of 2 MB.
const MAX_PERIODIC: usize = 100;
/// Largest cost of showing an arm, and of its margin, either way.
const MAX_MARGIN: f64 = 10.0;
/// Share of visitors that is held out, unless configured: without a control group nobody knows what was earned.
pub const DEFAULT_HOLDOUT: f64 = 0.05;

/// How long after a decision its events count, hours, unless configured.
pub const DEFAULT_WINDOW_HOURS: u32 = 72;

/// Compiles what was stored.
/// Total: whatever was stored gives a snapshot, with fewer items where some can't be used.
///
/// ```
/// use edgeloom::snapshot::store::{Stored, decode, encode};
/// use edgeloom::snapshot::{compile, wire::{Config, Published, Slot}};
///
/// let slot = Slot { id: "hero".into(), goal: "nothing".into(), ..Slot::default() };
/// let config = Config { site: "shop".into(), slots: vec![slot], ..Config::default() };
/// let stored = decode(&encode(&Published { config, learned: Vec::new() }, 1, 0)?)?;
/// let (snapshot, warnings) = compile(&stored);
/// assert!(snapshot.slots.is_empty());
/// assert_eq!(warnings[0].pointer, "/slots/0/goal");
/// # Ok::<(), edgeloom::snapshot::store::StoreError>(())
/// ```
#[must_use]
pub fn compile(stored: &Stored) -> (Snapshot, Vec<Warning>) {
    let config = &stored.published.config;
    let mut compiler = Compiler { warnings: stored.warnings.clone(), ..Compiler::default() };
    compiler.audiences(&config.audiences);
    let window_hours =
        compiler.in_range("/ledger/window_hours", config.ledger.window_hours, DEFAULT_WINDOW_HOURS, 1, 336);
    compiler.goals(&config.goals, window_hours);
    compiler.blocks = Blocks::of(config, &mut compiler.warnings);
    let indexes = list::indexes(config, &mut compiler.warnings);
    let slots = compiler.slots(config, &stored.published.learned);
    let snapshot = Snapshot {
        version: stored.version,
        sequence: stored.sequence,
        published_millis: stored.published_millis,
        site: compiler.site(&config.site),
        holdout: compiler.holdout(config.holdout.as_ref()),
        privacy: compiler.privacy(&config.privacy),
        window_millis: HOUR_MILLIS * u64::from(window_hours),
        shards: compiler.in_range("/ledger/shards", config.ledger.shards, 1, 1, 64),
        origins: compiler.origins(&config.ledger.origins),
        pages: compiler.pages(&config.pages),
        goals: compiler.goals,
        combinations: compiler.blocks.combinations,
        indexes,
        slots,
        audiences: compiler.audiences,
    };
    (snapshot, compiler.warnings)
}

/// Checks a configuration without publishing it: everything [`compile`] would say.
#[must_use]
pub fn check(config: &wire::Config) -> Vec<Warning> {
    let stored = Stored {
        version: crate::id::SnapshotVersion([0; 16]),
        sequence: 0,
        published_millis: 0,
        published: wire::Published { config: config.clone(), learned: Vec::new() },
        warnings: Vec::new(),
    };
    compile(&stored).1
}

/// What is compiled so far; later parts refer to earlier ones, so the order is audiences, goals, blocks, slots.
#[derive(Default)]
struct Compiler {
    warnings: Vec<Warning>,
    audiences: AudienceSet,
    audience_ids: SortedMap<String, AudienceIndex>,
    goals: Vec<Goal>,
    /// Arms of slots that are counted by period, so far.
    n_periodic: usize,
    /// Numbers that regressions add up, so far.
    n_sums: usize,
    blocks: Blocks,
}

impl Compiler {
    fn error(&mut self, pointer: impl Into<String>, message: impl Display) {
        self.warnings.push(Warning::error(pointer, message));
    }

    fn note<T>(&mut self, item: Item<T>) -> Option<T> {
        item.map_err(|warning| self.warnings.push(warning)).ok()
    }

    fn site(&mut self, site: &str) -> String {
        if let Err(error) = SlotId::new(site) {
            self.error("/site", error);
        }
        site.to_string()
    }

    fn holdout(&mut self, holdout: Option<&wire::Holdout>) -> Option<Holdout> {
        let made = match holdout {
            Some(holdout) => Holdout::new(holdout.share, &holdout.salt),
            None => Holdout::new(DEFAULT_HOLDOUT, ""),
        };
        self.note(made.map_err(|error| Warning::error("/holdout/share", error)))
    }

    fn privacy(&mut self, privacy: &wire::Privacy) -> wire::Privacy {
        if privacy.mode != wire::Mode::Contextual && privacy.consent.is_none() {
            self.warnings.push(Warning::advice(
                "/privacy/mode",
                "without `privacy.consent` nobody has consented, so every visit is contextual; hint: name the cookie of the site's consent banner",
            ));
        }
        if let Some(days) = privacy.cookie_days
            && !(1..=390).contains(&days)
        {
            self.error("/privacy/cookie_days", format_args!("{days} is out of range; hint: 1 to 390 days"));
        }
        privacy.clone()
    }

    /// A number, or its default with a warning where it is out of range.
    fn in_range<T: Copy + PartialOrd + Display>(
        &mut self,
        pointer: &str,
        value: Option<T>,
        default: T,
        least: T,
        most: T,
    ) -> T {
        let value = value.unwrap_or(default);
        if value < least || value > most {
            self.error(
                pointer,
                format_args!("{value} is out of range, {default} is used; hint: {least} to {most}"),
            );
            return default;
        }
        value
    }

    fn origins(&mut self, origins: &[String]) -> Vec<String> {
        let mut sound = Vec::new();
        for (i, origin) in origins.iter().enumerate() {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if host.is_some_and(|h| !h.is_empty() && !h.contains(['/', '?', '#', '@', ' ', '*'])) {
                sound.push(origin.to_ascii_lowercase());
            } else {
                self.error(
                    format!("/ledger/origins/{i}"),
                    format_args!(
                        "'{origin}' is no origin; hint: scheme and host only, as in https://app.example.org"
                    ),
                );
            }
        }
        sound
    }

    fn audiences(&mut self, audiences: &[wire::Audience]) {
        for (i, audience) in audiences.iter().enumerate() {
            let pointer = format!("/audiences/{i}");
            if let Err(error) = crate::id::AudienceId::new(&audience.id) {
                self.error(format!("{pointer}/id"), error);
            } else if self.audience_ids.contains_key(&audience.id) {
                self.error(format!("{pointer}/id"), twice("audience", &audience.id));
            } else {
                match self.audiences.add(&audience.when) {
                    Ok(index) => {
                        self.audience_ids.insert(audience.id.clone(), index);
                    }
                    Err(error) => {
                        let at = format!("{pointer}/when{}", error.pointer());
                        self.error(at, error);
                    }
                }
            }
        }
    }

    fn pages(&mut self, pages: &[wire::Page]) -> Vec<Page> {
        let mut made = Vec::new();
        for (i, page) in pages.iter().enumerate() {
            let pointer = format!("/pages/{i}/life_seconds");
            let life_seconds = self.in_range(&pointer, Some(page.life_seconds), 0, 0, MAX_LIFE_SECONDS);
            match Pattern::parse(&page.path) {
                Ok(path) => made.push(Page { path, life_seconds, is_shared: page.shared }),
                Err(error) => self.error(format!("/pages/{i}/path"), error),
            }
        }
        made
    }

    fn goals(&mut self, goals: &[wire::Goal], window: u32) {
        for (i, goal) in goals.iter().enumerate() {
            let made = self.goal(goal, window, &format!("/goals/{i}"));
            let made = self.note(made);
            self.goals.extend(made);
        }
    }

    fn goal(&self, goal: &wire::Goal, window: u32, pointer: &str) -> Item<Goal> {
        let id = GoalId::new(&goal.id).map_err(|e| Warning::error(format!("{pointer}/id"), e))?;
        if self.goals.iter().any(|g| g.id == id) {
            return Err(Warning::error(format!("{pointer}/id"), twice("goal", &goal.id)));
        }
        let value = goal.value.unwrap_or(1.0);
        let margin = goal.margin.unwrap_or(1.0);
        for (name, found, most) in [("value", value, crate::event::MAX_VALUE), ("margin", margin, MAX_MARGIN)]
        {
            if !(found.is_finite() && found.abs() <= most) {
                return Err(out_of_range(&format!("{pointer}/{name}"), found, most));
            }
        }
        let window_hours = goal.window_hours.unwrap_or(window);
        if !(1..=window).contains(&window_hours) {
            return Err(Warning::error(
                format!("{pointer}/window_hours"),
                format_args!("{window_hours} is out of range; hint: 1 to {window}, the window of the ledger"),
            ));
        }
        let path = goal.path.as_deref().map(Pattern::parse).transpose();
        let path = path.map_err(|e| Warning::error(format!("{pointer}/path"), e))?;
        Ok(Goal { id, path, value, margin, window_millis: HOUR_MILLIS * u64::from(window_hours) })
    }

    /// Slots in the order of the configuration, which is the order of their worth: an earlier slot shows a block first.
    fn slots(&mut self, config: &wire::Config, learned: &[wire::LearnedSlot]) -> Vec<Slot> {
        if config.slots.len() > MAX_SLOTS {
            self.error("/slots", format_args!("{} slots; hint: {MAX_SLOTS} at most", config.slots.len()));
        }
        let mut slots: Vec<Slot> = Vec::new();
        let nothing = wire::LearnedSlot::default();
        for (i, wire) in config.slots.iter().enumerate().take(MAX_SLOTS) {
            let pointer = format!("/slots/{i}");
            let known = |id: &str| learned.iter().find(|l| l.slot == id).unwrap_or(&nothing);
            let Some(own) = &wire.list else {
                let stored = StoredSlot { wire, goals: &config.goals, known: known(&wire.id), of: None };
                let made = self.slot(stored, &pointer, &slots);
                let made = self.note(made);
                slots.extend(made);
                continue;
            };
            let made = list::list((wire, own), config, &slots, &pointer);
            let Some(list) = self.note(made).map(Arc::new) else { continue };
            let places = list::places(wire);
            let earned = known(&list::place_name(&wire.id, 1));
            let earned = earned.arms.iter().find_map(|arm| arm.items.as_ref());
            for (place, wire) in places.iter().enumerate() {
                let of = Some((ListPlace { list: list.clone(), place }, earned));
                let stored = StoredSlot { wire, goals: &config.goals, known: known(&wire.id), of };
                let n_warnings = self.warnings.len();
                let made = self.slot(stored, &pointer, &slots);
                let made = self.note(made);
                let Some(made) = made else { break };
                // What is odd about one place is odd about all.
                if place > 0 {
                    self.warnings.truncate(n_warnings);
                }
                slots.push(made);
            }
        }
        slots
    }

    fn audience(&self, name: Option<&String>, pointer: &str) -> Item<Option<AudienceIndex>> {
        name.map(|name| {
            self.audience_ids.get(name).copied().ok_or_else(|| {
                Warning::error(
                    format!("{pointer}/audience"),
                    format_args!("there is no audience '{name}'; hint: define it under audiences"),
                )
            })
        })
        .transpose()
    }

    /// Everything a slot needs, or the one warning that stops it.
    fn slot(
        &mut self,
        StoredSlot { wire, goals, known, of }: StoredSlot<'_>,
        at: &str,
        before: &[Slot],
    ) -> Item<Slot> {
        let id = SlotId::new(&wire.id).map_err(|e| Warning::error(format!("{at}/id"), e))?;
        if before.iter().any(|slot| slot.id == id || *slot.name() == id) {
            let message = match &of {
                None => twice("slot", &wire.id),
                Some(_) => format!(
                    "the list needs the name '{}' for one of its places, and another slot has it; hint: rename one",
                    wire.id
                ),
            };
            return Err(Warning::error(format!("{at}/id"), message));
        }
        // The places of a list are one place in the page, with the same visitors.
        let name = of.as_ref().map_or(&id, |(own, _)| &own.list.id).clone();
        let place = Place::of(&name, wire.selector.as_deref());
        let place = place.map_err(|e| Warning::error(format!("{at}/selector"), e))?;
        let mut paths = Vec::new();
        for (i, path) in wire.paths.iter().enumerate() {
            paths.push(Pattern::parse(path).map_err(|e| Warning::error(format!("{at}/paths/{i}"), e))?);
        }
        let audience = self.audience(wire.audience.as_ref(), at)?;
        let schedule = experiment::schedule(wire, at)?;
        self.warnings.extend(wire.targeting.iter().flat_map(|own| Targeting::remarks(own, at)));
        let targeting =
            wire.targeting.as_ref().map(|own| Targeting::of(own, &format!("{at}/targeting"))).transpose()?;
        let holdout = wire.holdout.as_ref();
        // With the slot's name in the salt, other visitors than those of the site's holdout, or of another slot's.
        let holdout =
            holdout.map(|part| Holdout::new(part.share, &format!("{name}/{}", part.salt))).transpose();
        let holdout = holdout.map_err(|e| Warning::error(format!("{at}/holdout/share"), e))?;
        let cap = wire.cap.map(|cap| limit(cap, at)).transpose()?;
        let cap = cap.map(|limit| Cap { key: SeenKey::of_slot(&name), limit });
        let layer = wire.layer.as_ref().map(|part| layer_part(part, at)).transpose()?;
        let goal = self.goal_named(&wire.goal, &format!("{at}/goal"))?;
        for (i, name) in wire.also.iter().enumerate() {
            let pointer = format!("{at}/also/{i}");
            self.goal_named(name, &pointer)?;
            if *name == wire.goal || wire.also.iter().take(i).any(|other| other == name) {
                return Err(Warning::error(
                    pointer,
                    format_args!("goal '{name}' counts twice; hint: name it once"),
                ));
            }
        }
        let goals = terms::goals_of(wire, goals);
        self.check_learning(wire, &goals, at)?;
        let mut arms = self.arms(wire, &known.arms, &id, at)?;
        let terms: Vec<ArmTerms<'_>> = arms.iter().map(|arm| arm_terms(wire, arm, &goals)).collect();
        let nothing = wire::LearnedArm::default();
        let learned: Vec<&wire::LearnedArm> = arms
            .iter()
            .map(|arm| known.arms.iter().find(|l| l.arm == arm.id.as_str()).unwrap_or(&nothing))
            .collect();
        for (arm, (terms, learned)) in arms.iter_mut().zip(terms.iter().zip(&learned)) {
            (arm.belief, arm.posterior) = (terms.belief(learned), terms.rate(learned));
        }
        let items = arms.iter().zip(&terms).find(|(arm, _)| arm.id.as_str() == list::ITEMS);
        let earned =
            wire.list.as_ref().zip(of.as_ref()).zip(items).and_then(|((own, (_, earned)), (_, terms))| {
                Earned::of(*earned, list::shared_weight(own), &terms.prior_worth())
            });
        let earned = earned.map(Arc::new);
        let experiment = Experiment { arms: &arms, terms: &terms, learned: &learned, earned, wire, at };
        let chooser = experiment.chooser(&wire.policy, "policy", false)?;
        let challenger =
            wire.challenger.as_ref().map(|policy| experiment.chooser(policy, "challenger", true));
        // It is never shown: one that can't be used costs only itself.
        let challenger = challenger.and_then(|made| made.map_err(|warning| self.warnings.push(warning)).ok());
        let choosers = std::iter::once(&chooser).chain(&challenger);
        let period_hours = terms::period_hours(wire, &goals);
        // Once for all time, and once for each period that is kept.
        let times = period_hours.map_or(1, |_| 1 + MAX_CONTEXT_PERIODS as usize);
        let n_sums = choosers.map(|chooser| times * chooser.n_sums(arms.len())).max().unwrap_or(0);
        self.take_room(n_sums, period_hours.map_or(0, |_| arms.len()), at)?;
        let shares_block = |arm: &Arm| {
            arm.block.is_some()
                && before.iter().flat_map(|slot| &slot.arms).any(|other| other.block == arm.block)
        };
        let drops_out: Vec<bool> = arms
            .iter()
            .enumerate()
            .map(|(at, arm)| {
                arm.audience.is_some()
                    || arm.is_shadow
                    || arm.cap.is_some()
                    || shares_block(arm)
                    || self.blocks.is_combined(arm)
                    || chooser.stands_for_actions(at)
            })
            .collect();
        arms.iter_mut().zip(&drops_out).for_each(|(arm, drops_out)| arm.drops_out = *drops_out);
        let partial = drops_out.contains(&true);
        let fades = self.blocks.fades(&arms, at)?;
        let enabled = wire.enabled.unwrap_or(true);
        Ok(Slot {
            id,
            list: of.map(|(own, _)| own),
            css: place.css(),
            place,
            paths,
            enabled,
            audience,
            targeting,
            schedule,
            layer,
            cap,
            holdout,
            goal,
            chooser,
            challenger,
            period_hours,
            tripped: known.tripped.clone(),
            options: arms.iter().map(Arm::as_option).collect(),
            arms,
            partial,
            fades,
        })
    }

    /// Takes what a slot's statistics need of the ledger's row; one that does not fit costs only itself.
    fn take_room(&mut self, n_sums: usize, n_periodic: usize, at: &str) -> Item<()> {
        let (sums, periodic) = (self.n_sums + n_sums, self.n_periodic + n_periodic);
        if n_sums > 0 && sums > MAX_SUMS {
            let message = format!(
                "the contextual slots up to this one make {sums} sums, {} times as many where a half-life or a goal's window tells old from new; hint: {MAX_SUMS} at most in a site",
                1 + MAX_CONTEXT_PERIODS
            );
            return Err(Warning::error(format!("{at}/policy/features"), message));
        }
        if n_periodic > 0 && periodic > MAX_PERIODIC {
            let message = format!(
                "the slots up to this one have {periodic} arms that are counted by period, for a half-life or a goal's window; hint: {MAX_PERIODIC} at most in a site"
            );
            return Err(Warning::error(format!("{at}/arms"), message));
        }
        (self.n_sums, self.n_periodic) = (sums, periodic);
        Ok(())
    }

    fn goal_named(&self, name: &str, pointer: &str) -> Item<usize> {
        self.goals.iter().position(|goal| goal.id.as_str() == name).ok_or_else(|| {
            Warning::error(pointer, format_args!("there is no goal '{name}'; hint: define it under goals"))
        })
    }

    /// What decides how a slot learns, and when it stops.
    fn check_learning(&mut self, wire: &wire::Slot, goals: &[terms::SlotGoal], at: &str) -> Item<()> {
        if let Some(hours) = wire.half_life_hours
            && !(2..=8_760).contains(&hours)
        {
            let message = format!("{hours} is out of range; hint: 2 to 8760 hours");
            return Err(Warning::error(format!("{at}/half_life_hours"), message));
        }
        if wire.half_life_hours.is_some() && terms::window_hours(goals).is_some() {
            return Err(Warning::error(
                format!("{at}/half_life_hours"),
                "a half-life beside a goal with `window_hours`: what fades would fade before it may be learned; hint: keep one of them",
            ));
        }
        let policies = std::iter::once(&wire.policy).chain(&wire.challenger);
        let mut sets = policies.filter(|policy| policy.kind == wire::PolicyKind::Contextual);
        if let (Some(own), Some(challenger)) = (sets.next(), sets.next())
            && own.features != challenger.features
        {
            return Err(Warning::error(
                format!("{at}/challenger/features"),
                "policy and challenger look at different features, but a receipt carries one set; hint: give both the same",
            ));
        }
        let is_open = |arm: &wire::Arm| arm.enabled.unwrap_or(true) && !arm.actions.is_empty();
        let for_actions = wire.arms.iter().position(is_open);
        if let Some(i) = for_actions
            && wire.policy.kind != wire::PolicyKind::Contextual
        {
            return Err(Warning::error(
                format!("{at}/arms/{i}/actions"),
                "only a contextual policy chooses among what requests bring; hint: set the policy's `kind` to contextual",
            ));
        }
        let baseline = wire.policy.baseline.as_deref();
        if for_actions.and_then(|i| wire.arms.get(i)).is_some_and(|arm| {
            baseline.is_some() && arm_id(arm).is_ok_and(|id| baseline == Some(id.as_str()))
        }) {
            return Err(Warning::error(
                format!("{at}/policy/baseline"),
                "the baseline stands for what requests bring, and most bring nothing; hint: name another arm",
            ));
        }
        for (i, tripwire) in wire.tripwires.iter().enumerate() {
            self.goal_named(&tripwire.goal, &format!("{at}/tripwires/{i}/goal"))?;
            if let Some(p) = tripwire.probability
                && !(0.5..1.0).contains(&p)
            {
                let message = format!("{} is out of range; hint: from 0.5 to below 1, e.g. 0.99", Decimal(p));
                return Err(Warning::error(format!("{at}/tripwires/{i}/probability"), message));
            }
        }
        Ok(())
    }
}

/// What is stored of a slot.
struct StoredSlot<'s> {
    /// As it was configured.
    wire: &'s wire::Slot,
    goals: &'s [wire::Goal],
    /// What was learned of it.
    known: &'s wire::LearnedSlot,
    /// Where it is a place of a list: which, and what the items earned themselves.
    of: Option<(ListPlace, Option<&'s wire::LearnedItems>)>,
}

/// A number that is too large, either way.
fn out_of_range(pointer: &str, found: f64, most: f64) -> Warning {
    let [found, most] = [found, most].map(Decimal);
    Warning::error(pointer, format_args!("{found} is out of range; hint: at most {most} either way"))
}

pub(super) fn twice(what: &str, id: &str) -> String {
    format!("{what} '{id}' is defined twice; the first one counts; hint: rename one")
}

/// The name of an arm: its own, else its block's, else `page` for the page as it is.
///
/// # Errors
/// The name is no identifier.
pub(super) fn arm_id(arm: &wire::Arm) -> Result<ArmId, crate::id::IdError> {
    ArmId::new(arm.id.as_deref().or(arm.block.as_deref()).unwrap_or("page"))
}

/// A part of a layer, with both ends in [0, 1].
fn layer_part(part: &wire::LayerPart, at: &str) -> Item<LayerPart> {
    LayerId::new(&part.id).map_err(|e| Warning::error(format!("{at}/layer/id"), e))?;
    LayerPart::new(&part.id, part.from, part.to).map_err(|e| Warning::error(format!("{at}/layer"), e))
}

/// What is believed of an arm of a slot, given its place in the configuration.
fn arm_terms<'g>(wire: &wire::Slot, arm: &Arm, goals: &'g [terms::SlotGoal]) -> ArmTerms<'g> {
    ArmTerms { goals, prior: arm.posterior, cost: arm.cost, costs: terms::costs_of(wire) }
}
