//! From a slot's stored policy to one that is ready: limits checked, features read, parts prepared, a schedule made of times.
//! Part of compiling; what a warning costs is the business of `compile`.

use super::Arm;
use super::chooser::{Chooser, MAX_PARTS, Scoring};
use super::list::Earned;
use super::offer::Offering;
use super::policy::Policy;
use super::scoring::{self, ScoringError};
use super::terms::ArmTerms;
use super::warning::{Item, Warning};
use super::wire;
use crate::audience::AudienceIndex;
use crate::bandit::{self, Assignment, Largest, Limits, LimitsError, PolicyKind, Scorer, Shape};
use crate::json::number::Decimal;
use crate::schedule::{Schedule, millis_of};
use std::sync::Arc;

/// Exposures per arm before the policy may prefer one, unless configured.
const BURN_IN: u64 = 100;

/// Numbers that the regressions of a site may add up: 20 arms of 32 columns are 10,560. With up to
/// fifteen digits each they fit into the ledger's row of statistics (2 MB) beside everything else.
pub(super) const MAX_SUMS: usize = 20_000;

/// A slot's arms with what was learned of them, while its policies are made.
pub(super) struct Experiment<'e> {
    /// Sorted by name; those that only a challenger may choose are among them.
    pub(super) arms: &'e [Arm],
    pub(super) terms: &'e [ArmTerms<'e>],
    pub(super) learned: &'e [&'e wire::LearnedArm],
    /// What the items of its list earned themselves.
    pub(super) earned: Option<Arc<Earned>>,
    /// The slot as it was configured, and its pointer.
    pub(super) wire: &'e wire::Slot,
    pub(super) at: &'e str,
}

impl Experiment<'_> {
    /// The policy of the slot, or its challenger; `field` is where it stands. Only the challenger may choose arms in shadow.
    pub(super) fn chooser(&self, wire: &wire::Policy, field: &str, is_challenger: bool) -> Item<Chooser> {
        let at = format!("{}/{field}", self.at);
        let is_open = |arm: &Arm| is_challenger || !arm.is_shadow;
        let members: Vec<usize> =
            self.arms.iter().enumerate().filter(|(_, arm)| is_open(arm)).map(|(at, _)| at).collect();
        if members.is_empty() {
            return Err(Warning::error(
                &at,
                "no arm is left that may be shown; hint: take `shadow` from one",
            ));
        }
        let policy = policy(wire, (self.arms, self.wire.list.is_some()), members.len(), &at)?;
        if wire.kind == wire::PolicyKind::Contextual {
            let scoring = self.scoring(wire, &at)?;
            return Ok(Chooser::contextual(policy, Arc::new(scoring)));
        }
        if wire.width.is_some() {
            let message =
                "only a contextual policy draws so wide; hint: set `kind` to contextual, or remove it";
            return Err(Warning::error(format!("{at}/width"), message));
        }
        if !wire.features.is_empty() {
            let message =
                "only a contextual policy looks at features; hint: set `kind` to contextual, or remove them";
            return Err(Warning::error(format!("{at}/features"), message));
        }
        let options: Vec<bandit::Arm> = self.arms.iter().map(Arm::as_option).collect();
        let weights = if members.len() == self.arms.len() { self.published_weights() } else { None };
        // All arms are prepared with the limits of those that are open: nobody chooses from all where some are in shadow.
        let parts = self.parts(&members);
        let made = Chooser::prepared(policy, &options, weights.as_deref(), parts);
        made.map_err(|error| Warning::error(at, error))
    }

    fn scoring(&self, wire: &wire::Policy, at: &str) -> Item<Scoring> {
        let features = scoring::features(&wire.features).map_err(|error| {
            let place = match error {
                ScoringError::Kind(nth) => format!("{at}/features/{nth}"),
                ScoringError::Feature(_) | ScoringError::Columns(_) => format!("{at}/features"),
            };
            Warning::error(place, error)
        })?;
        let columns = features.n_columns();
        let sums = self.arms.len() * columns * (columns + 1) / 2;
        let looks_at_nothing = columns < 2 && self.wire.list.is_none();
        if looks_at_nothing || sums > MAX_SUMS {
            let message = if looks_at_nothing {
                "a contextual policy needs features; hint: name what it looks at, e.g. { name = \"device\", one_of = [\"phone\"] }"
                    .to_string()
            } else {
                format!(
                    "{} arms with {columns} columns each make {sums} sums; hint: {MAX_SUMS} at most, so take fewer words or arms",
                    self.arms.len()
                )
            };
            return Err(Warning::error(format!("{at}/features"), message));
        }
        let width = wire.width.unwrap_or(1.0);
        if !(0.1..=4.0).contains(&width) {
            let message = format!("{} is out of range; hint: 0.1 to 4, e.g. 0.5", Decimal(width));
            return Err(Warning::error(format!("{at}/width"), message));
        }
        let offering = Offering::of(self.wire, self.arms, &features, self.at)?;
        let usual = (columns, features.set());
        let columns_of = |arm: usize| match &offering {
            Some(offering) if offering.arm == arm => offering.columns(&features),
            _ => usual,
        };
        let scorer = |(arm, (terms, learned)): (usize, (&ArmTerms<'_>, &&wire::LearnedArm))| {
            let warm = offering.as_ref().filter(|offering| offering.arm == arm && self.wire.list.is_some());
            let warm = warm.map(Offering::warm).unwrap_or_default();
            scoring::scorer(columns_of(arm), width, (terms, &warm), learned)
        };
        let scorers: Option<Vec<Scorer>> =
            self.terms.iter().zip(self.learned).enumerate().map(scorer).collect();
        let scorers = scorers.ok_or_else(|| {
            Warning::error(
                format!("{at}/features"),
                "values and priors are too far apart to compute with; hint: use amounts in one currency",
            )
        })?;
        let earned = self.earned.clone();
        Ok(Scoring { features, scorers, largest: Largest::new(), offering, earned })
    }

    /// The parts of the open arms that audiences can leave: each answer of the audiences there are, if they are few.
    fn parts(&self, open: &[usize]) -> Vec<Vec<usize>> {
        let mut audiences: Vec<AudienceIndex> = Vec::new();
        for audience in open.iter().filter_map(|at| self.arms.get(*at)?.audience) {
            if !audiences.contains(&audience) {
                audiences.push(audience);
            }
        }
        let n_answers =
            1_usize.checked_shl(u32::try_from(audiences.len()).unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
        if n_answers > MAX_PARTS {
            return if open.len() < self.arms.len() { vec![open.to_vec()] } else { Vec::new() };
        }
        let mut parts: Vec<Vec<usize>> = Vec::new();
        for answers in 0..n_answers {
            let is_in = |at: &usize| {
                let audience = self.arms.get(*at).and_then(|arm| arm.audience);
                let place = audience.and_then(|own| audiences.iter().position(|other| *other == own));
                place.is_none_or(|place| answers >> place & 1 == 1)
            };
            let part: Vec<usize> = open.iter().copied().filter(is_in).collect();
            if part.len() < self.arms.len() && !part.is_empty() && !parts.contains(&part) {
                parts.push(part);
            }
        }
        parts
    }

    /// The published P(best), where it was computed for just these arms; else it is computed anew.
    fn published_weights(&self) -> Option<Vec<f64>> {
        if self.arms.iter().any(|arm| arm.is_shadow) {
            return None;
        }
        let is_known = |(arm, learned): (&Arm, &&wire::LearnedArm)| learned.arm == arm.id.as_str();
        let weights: Vec<f64> = self.learned.iter().map(|learned| learned.weight).collect();
        let sum: f64 = weights.iter().sum();
        let is_sound = self.arms.iter().zip(self.learned).all(is_known)
            && weights.iter().all(|w| (0.0..=1.0).contains(w))
            && (sum - 1.0).abs() < 1e-6;
        is_sound.then_some(weights)
    }
}

/// Rule of choosing with its limits checked against each other and against the number of arms that it chooses from.
fn policy(wire: &wire::Policy, (arms, is_list): (&[Arm], bool), n_open: usize, at: &str) -> Item<Policy> {
    let baseline = match &wire.baseline {
        None => None,
        Some(name) => Some(arms.iter().position(|arm| arm.id.as_str() == name).ok_or_else(|| {
            Warning::error(
                format!("{at}/baseline"),
                format_args!("there is no enabled arm '{name}'; hint: name an arm of this slot"),
            )
        })?),
    };
    if baseline.and_then(|at| arms.get(at)).is_some_and(|arm| arm.is_shadow) && n_open < arms.len() {
        return Err(Warning::error(
            format!("{at}/baseline"),
            "the baseline is an arm in shadow, which is never shown; hint: name another arm",
        ));
    }
    // Whether a visitor has reached a cap, or an arm has faded, tells which arm they had. With an arm that is kept the next choice would follow from that,
    // whatever propensity is logged: someone who has not reached it is one whose arm was another. New draws know nothing of old ones.
    // So does what a visitor has read of a list.
    let depends_on_views = is_list || arms.iter().any(|arm| arm.cap.is_some() || arm.fading.is_some());
    let assignment = match wire.assignment {
        wire::Assignment::Sticky if !depends_on_views => Assignment::Sticky,
        _ => Assignment::PerView,
    };
    let kind = match (wire.kind, baseline) {
        // A contextual policy is Thompson sampling, too: where its scores come from is told apart elsewhere.
        (wire::PolicyKind::Thompson | wire::PolicyKind::Contextual, _) => PolicyKind::Thompson(assignment),
        (wire::PolicyKind::Uniform, _) => PolicyKind::Uniform(assignment),
        (wire::PolicyKind::Fixed, Some(arm)) => PolicyKind::Fixed(arm),
        (wire::PolicyKind::Fixed, None) => {
            return Err(Warning::error(
                format!("{at}/baseline"),
                "a fixed policy shows its baseline; hint: set `baseline` to an arm of this slot",
            ));
        }
    };
    let limits = Limits {
        // A tenth of the traffic explores at most, unless more is asked for.
        exploration_floor: wire.exploration_floor.unwrap_or(f64::min(0.01, 0.1 / n_open as f64)),
        burn_in: wire.burn_in.unwrap_or(BURN_IN),
        max_share: wire.max_share.unwrap_or(1.0),
        baseline,
        baseline_share: wire.baseline_share.unwrap_or(0.0),
    };
    let refused = |error: LimitsError| {
        let field = match &error {
            LimitsError::Range { field, .. } => field,
            LimitsError::Baseline { .. } | LimitsError::BaselineMissing => "baseline",
            LimitsError::NoArms => "",
        };
        Warning::error(format!("{at}/{field}"), error)
    };
    // What the open arms can't keep is refused, though all arms together could.
    let open = Limits { baseline: baseline.map(|_| 0), ..limits };
    Shape::new(open, n_open).map_err(refused)?;
    let shape = Shape::new(limits.fitted(arms.len()), arms.len()).map_err(refused)?;
    Ok(Policy { kind, shape, limits })
}

/// When a slot runs and for whom.
pub(super) fn schedule(wire: &wire::Slot, at: &str) -> Item<Schedule> {
    let time = |text: &Option<String>, field: &str| {
        let millis = text.as_deref().map(millis_of).transpose();
        millis.map_err(|error| Warning::error(format!("{at}/{field}"), error))
    };
    let (start_millis, end_millis) = (time(&wire.start, "start")?, time(&wire.end, "end")?);
    if let (Some(start), Some(end)) = (start_millis, end_millis)
        && end <= start
    {
        return Err(Warning::error(
            format!("{at}/end"),
            "it ends before it starts; hint: give it a later end",
        ));
    }
    let is_share = |share: f64| (0.0..=1.0).contains(&share);
    let mut steps = Vec::new();
    for (nth, step) in wire.ramp.iter().enumerate() {
        let from = millis_of(&step.from).map_err(|e| Warning::error(format!("{at}/ramp/{nth}/from"), e))?;
        if steps.last().is_some_and(|(before, _)| *before >= from) {
            return Err(Warning::error(
                format!("{at}/ramp/{nth}/from"),
                "steps go backwards; hint: earliest first",
            ));
        }
        if !is_share(step.share) {
            let error = crate::split::ShareError::OutOfRange { found: step.share };
            return Err(Warning::error(format!("{at}/ramp/{nth}/share"), error));
        }
        steps.push((from, step.share));
    }
    if let Some(share) = wire.rollout {
        if !is_share(share) {
            return Err(Warning::error(
                format!("{at}/rollout"),
                crate::split::ShareError::OutOfRange { found: share },
            ));
        }
        if !steps.is_empty() {
            return Err(Warning::error(
                format!("{at}/rollout"),
                "rollout beside a ramp; hint: keep one of them",
            ));
        }
        steps.push((0, share));
    }
    Ok(Schedule { start_millis, end_millis, steps })
}
