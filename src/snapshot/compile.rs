//! From stored shapes to a snapshot: every check, once. A bad item costs only itself and leaves a warning.
//! Names are resolved to positions, texts to rules, patterns and markup, beliefs to shares, so that a decision looks nothing up
//! by name. Warnings carry a JSON pointer into the configuration, for editors and the console.

use super::policy::Policy;
use super::store::Stored;
use super::{Arm, Goal, Page, Slot, Snapshot, wire};
use crate::audience::{AudienceIndex, AudienceSet};
use crate::bandit::{Assignment, BetaPosterior, Limits, LimitsError, PolicyKind, Prepared, Shape};
use crate::block::{self, Block, Markup};
use crate::id::{ArmId, BlockId, GoalId, LayerId, SlotId};
use crate::json::number::Decimal;
use crate::pattern::Pattern;
use crate::seed::{HOUR_MILLIS, Purpose, hash};
use crate::slot::Place;
use crate::sorted::{SortedMap, sort_by};
use crate::split::{Holdout, LayerPart, Rollout};
use std::fmt::Display;
use std::sync::Arc;

/// Most slots of a site; each costs a decision per page it is on.
const MAX_SLOTS: usize = 1_000;
/// Most arms of a slot: P(best) of 1,000 arms is the limit of what a publication may compute.
const MAX_ARMS: usize = 1_000;
/// Longest life of a page that only the configuration states: a mistake there is over within a day.
const MAX_LIFE_SECONDS: u32 = 86_400;
/// Exposures per arm before the policy may prefer one, unless configured.
const BURN_IN: u64 = 100;

/// How long after a decision its events count, hours, unless configured.
pub const DEFAULT_WINDOW_HOURS: u32 = 72;

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The item is left out.
    Error,
    /// The item works, but probably not as meant.
    Advice,
}

/// A problem of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where: a JSON pointer (RFC 6901) into the configuration.
    pub pointer: String,
    /// What is wrong and, after `hint:`, how to mend it.
    pub message: String,
    /// How much it matters.
    pub severity: Severity,
}

impl Warning {
    /// A problem that leaves an item out.
    #[must_use]
    pub fn error(pointer: impl Into<String>, message: impl Display) -> Self {
        Self { pointer: pointer.into(), message: message.to_string(), severity: Severity::Error }
    }

    /// A remark.
    #[must_use]
    pub fn advice(pointer: impl Into<String>, message: impl Display) -> Self {
        Self { pointer: pointer.into(), message: message.to_string(), severity: Severity::Advice }
    }
}

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
    compiler.goals(&config.goals);
    compiler.blocks(&config.blocks);
    let slots = compiler.slots(config, &stored.published.learned);
    let snapshot = Snapshot {
        version: stored.version,
        sequence: stored.sequence,
        published_millis: stored.published_millis,
        site: compiler.site(&config.site),
        holdout: compiler.holdout(config.holdout.as_ref()),
        privacy: compiler.privacy(&config.privacy),
        window_millis: HOUR_MILLIS
            * u64::from(compiler.in_range(
                "/ledger/window_hours",
                config.ledger.window_hours,
                DEFAULT_WINDOW_HOURS,
                1,
                336,
            )),
        shards: compiler.in_range("/ledger/shards", config.ledger.shards, 1, 1, 64),
        origins: compiler.origins(&config.ledger.origins),
        pages: compiler.pages(&config.pages),
        goals: compiler.goals,
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
    blocks: SortedMap<String, Arc<Markup>>,
}

/// Stops an item: its warning is noted, nothing of it is kept.
type Item<T> = Result<T, Warning>;

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
        let holdout = holdout?;
        let made = Holdout::new(holdout.share, &holdout.salt);
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

    fn goals(&mut self, goals: &[wire::Goal]) {
        for (i, goal) in goals.iter().enumerate() {
            let made = self.goal(goal, &format!("/goals/{i}"));
            let made = self.note(made);
            self.goals.extend(made);
        }
    }

    fn goal(&self, goal: &wire::Goal, pointer: &str) -> Item<Goal> {
        let id = GoalId::new(&goal.id).map_err(|e| Warning::error(format!("{pointer}/id"), e))?;
        if self.goals.iter().any(|g| g.id == id) {
            return Err(Warning::error(format!("{pointer}/id"), twice("goal", &goal.id)));
        }
        let value = goal.value.unwrap_or(1.0);
        if !(value.is_finite() && value.abs() <= crate::event::MAX_VALUE) {
            return Err(Warning::error(
                format!("{pointer}/value"),
                format_args!(
                    "{} is out of range; hint: at most {} either way",
                    Decimal(value),
                    Decimal(crate::event::MAX_VALUE)
                ),
            ));
        }
        let path = goal.path.as_deref().map(Pattern::parse).transpose();
        let path = path.map_err(|e| Warning::error(format!("{pointer}/path"), e))?;
        Ok(Goal { id, path, value })
    }

    fn blocks(&mut self, blocks: &[wire::Block]) {
        for (i, block) in blocks.iter().enumerate() {
            let pointer = format!("/blocks/{i}");
            if let Err(error) = BlockId::new(&block.id) {
                self.error(format!("{pointer}/id"), error);
            } else if self.blocks.contains_key(&block.id) {
                self.error(format!("{pointer}/id"), twice("block", &block.id));
            } else {
                match Block::compile(block) {
                    Ok(made) => {
                        for remark in made.warnings() {
                            let block::Warning::UnusedField { field } = remark;
                            self.warnings.push(Warning::advice(format!("{pointer}/fields/{field}"), remark));
                        }
                        self.blocks.insert(block.id.clone(), Arc::new(made.markup().clone()));
                    }
                    Err(error) => self.error(format!("{pointer}/template"), error),
                }
            }
        }
    }

    /// Slots in the order of the configuration, which is the order of their worth: an earlier slot shows a block first.
    fn slots(&mut self, config: &wire::Config, learned: &[wire::LearnedSlot]) -> Vec<Slot> {
        if config.slots.len() > MAX_SLOTS {
            self.error("/slots", format_args!("{} slots; hint: {MAX_SLOTS} at most", config.slots.len()));
        }
        let mut slots: Vec<Slot> = Vec::new();
        for (i, wire) in config.slots.iter().enumerate().take(MAX_SLOTS) {
            let pointer = format!("/slots/{i}");
            let known = learned.iter().find(|l| l.slot == wire.id).map_or(&[][..], |l| &l.arms);
            let made = self.slot(wire, known, &pointer, &slots);
            let made = self.note(made);
            slots.extend(made);
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
        wire: &wire::Slot,
        known: &[wire::LearnedArm],
        at: &str,
        before: &[Slot],
    ) -> Item<Slot> {
        let id = SlotId::new(&wire.id).map_err(|e| Warning::error(format!("{at}/id"), e))?;
        if before.iter().any(|slot| slot.id == id) {
            return Err(Warning::error(format!("{at}/id"), twice("slot", &wire.id)));
        }
        let place = Place::of(&id, wire.selector.as_deref());
        let place = place.map_err(|e| Warning::error(format!("{at}/selector"), e))?;
        let mut paths = Vec::new();
        for (i, path) in wire.paths.iter().enumerate() {
            paths.push(Pattern::parse(path).map_err(|e| Warning::error(format!("{at}/paths/{i}"), e))?);
        }
        let audience = self.audience(wire.audience.as_ref(), at)?;
        let rollout = wire.rollout.map(|share| Rollout::new(share, id.as_str())).transpose();
        let rollout = rollout.map_err(|e| Warning::error(format!("{at}/rollout"), e))?;
        let layer = wire.layer.as_ref().map(|part| layer_part(part, at)).transpose()?;
        let goal = self.goals.iter().position(|g| g.id.as_str() == wire.goal).ok_or_else(|| {
            Warning::error(
                format!("{at}/goal"),
                format_args!("there is no goal '{}'; hint: define it under goals", wire.goal),
            )
        })?;
        let arms = self.arms(wire, known, &id, at)?;
        let policy = policy(&wire.policy, &arms, at)?;
        let weights = published_weights(&arms, known);
        let options: Vec<_> = arms.iter().map(Arm::as_option).collect();
        let prepared = Prepared::new(policy.kind, &policy.shape, &options, weights.as_deref());
        let prepared = prepared.map_err(|e| Warning::error(format!("{at}/policy"), e))?;
        let shares_block = |arm: &Arm| {
            arm.block.is_some()
                && before.iter().flat_map(|slot| &slot.arms).any(|other| other.block == arm.block)
        };
        let partial = arms.iter().any(|arm| arm.audience.is_some() || shares_block(arm));
        let enabled = wire.enabled.unwrap_or(true);
        Ok(Slot {
            id,
            css: place.css(),
            place,
            paths,
            enabled,
            audience,
            rollout,
            layer,
            goal,
            policy,
            arms,
            prepared,
            partial,
        })
    }

    /// Arms sorted by name: their positions then depend on the configuration's content, not on its order.
    fn arms(
        &mut self,
        wire: &wire::Slot,
        known: &[wire::LearnedArm],
        slot: &SlotId,
        at: &str,
    ) -> Item<Vec<Arm>> {
        if wire.arms.len() > MAX_ARMS {
            let message = format!("{} arms; hint: {MAX_ARMS} at most", wire.arms.len());
            return Err(Warning::error(format!("{at}/arms"), message));
        }
        let mut arms: Vec<Arm> = Vec::new();
        for (i, arm) in wire.arms.iter().enumerate().filter(|(_, arm)| arm.enabled.unwrap_or(true)) {
            let made = self.arm(arm, known, slot, &format!("{at}/arms/{i}"), &arms);
            let made = self.note(made);
            arms.extend(made);
        }
        sort_by(&mut arms, |a, b| a.id.cmp(&b.id));
        if arms.is_empty() {
            return Err(Warning::error(
                format!("{at}/arms"),
                "no arm is left; hint: give the slot an enabled arm",
            ));
        }
        Ok(arms)
    }

    fn arm(
        &self,
        wire: &wire::Arm,
        known: &[wire::LearnedArm],
        slot: &SlotId,
        at: &str,
        before: &[Arm],
    ) -> Item<Arm> {
        let id = arm_id(wire).map_err(|e| Warning::error(format!("{at}/id"), e))?;
        if before.iter().any(|arm| arm.id == id) {
            return Err(Warning::error(format!("{at}/id"), twice("arm", id.as_str())));
        }
        let audience = self.audience(wire.audience.as_ref(), at)?;
        let markup = wire.block.as_ref().map(|name| {
            self.blocks.get(name).cloned().ok_or_else(|| {
                Warning::error(
                    format!("{at}/block"),
                    format_args!("there is no usable block '{name}'; hint: define it under blocks"),
                )
            })
        });
        let markup = markup.transpose()?;
        let [alpha, beta] = wire.prior.unwrap_or([1.0, 1.0]);
        let prior = BetaPosterior::new(alpha, beta).map_err(|e| Warning::error(format!("{at}/prior"), e))?;
        let learned = known.iter().find(|l| l.arm == id.as_str());
        let (exposures, rewards) = learned.map_or((0, 0), |l| (l.exposures, l.rewards));
        let salt = hash(Purpose::Assign, &[slot.as_str().as_bytes(), id.as_str().as_bytes()]);
        let block = wire.block.as_deref().and_then(|name| BlockId::new(name).ok());
        Ok(Arm {
            posterior: prior.after(exposures, rewards),
            id,
            block,
            markup,
            audience,
            salt,
            exposures,
            rewards,
        })
    }
}

fn twice(what: &str, id: &str) -> String {
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

/// Rule of choosing with its limits checked against each other and against the number of arms.
fn policy(wire: &wire::Policy, arms: &[Arm], at: &str) -> Item<Policy> {
    let baseline = match &wire.baseline {
        None => None,
        Some(name) => Some(arms.iter().position(|arm| arm.id.as_str() == name).ok_or_else(|| {
            Warning::error(
                format!("{at}/policy/baseline"),
                format_args!("there is no enabled arm '{name}'; hint: name an arm of this slot"),
            )
        })?),
    };
    let assignment = match wire.assignment {
        wire::Assignment::Sticky => Assignment::Sticky,
        wire::Assignment::PerView => Assignment::PerView,
    };
    let kind = match (wire.kind, baseline) {
        (wire::PolicyKind::Thompson, _) => PolicyKind::Thompson(assignment),
        (wire::PolicyKind::Uniform, _) => PolicyKind::Uniform(assignment),
        (wire::PolicyKind::Fixed, Some(arm)) => PolicyKind::Fixed(arm),
        (wire::PolicyKind::Fixed, None) => {
            return Err(Warning::error(
                format!("{at}/policy/baseline"),
                "a fixed policy shows its baseline; hint: set `baseline` to an arm of this slot",
            ));
        }
    };
    let limits = Limits {
        // A tenth of the traffic explores at most, unless more is asked for.
        exploration_floor: wire.exploration_floor.unwrap_or(f64::min(0.01, 0.1 / arms.len() as f64)),
        burn_in: wire.burn_in.unwrap_or(BURN_IN),
        max_share: wire.max_share.unwrap_or(1.0),
        baseline,
        baseline_share: wire.baseline_share.unwrap_or(0.0),
    };
    let shape = Shape::new(limits, arms.len()).map_err(|error| {
        let field = match &error {
            LimitsError::Range { field, .. } => field,
            LimitsError::Baseline { .. } | LimitsError::BaselineMissing => "baseline",
            LimitsError::NoArms => "",
        };
        Warning::error(format!("{at}/policy/{field}"), error)
    })?;
    Ok(Policy { kind, shape })
}

/// The published P(best), where it was computed for just these arms; else it is computed anew.
fn published_weights(arms: &[Arm], known: &[wire::LearnedArm]) -> Option<Vec<f64>> {
    if arms.len() != known.len() {
        return None;
    }
    let weight = |arm: &Arm| known.iter().find(|l| l.arm == arm.id.as_str()).map(|l| l.weight);
    let weights: Vec<f64> = arms.iter().map(weight).collect::<Option<_>>()?;
    let sum: f64 = weights.iter().sum();
    (weights.iter().all(|w| (0.0..=1.0).contains(w)) && (sum - 1.0).abs() < 1e-6).then_some(weights)
}
