//! A slot's rule of choosing, fitted to all of its arms or to a part of them.

use crate::bandit::{Assignment, Limits, PolicyKind, Shape};

/// Rule of choosing with its limits, for all arms of a slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Kind of choosing.
    pub kind: PolicyKind,
    /// Limits for all arms.
    pub shape: Shape,
    /// The limits as they were asked for, before they were fitted to any number of arms.
    pub limits: Limits,
}

impl Policy {
    /// Whether every view draws anew.
    #[must_use]
    pub const fn is_per_view(&self) -> bool {
        matches!(
            self.kind,
            PolicyKind::Thompson(Assignment::PerView) | PolicyKind::Uniform(Assignment::PerView)
        )
    }

    /// The rule for a part of the arms, given by their positions; `None` for no arm, or without the fixed one.
    ///
    /// A baseline that is not among them has no share; limits that so few arms can't keep become the nearest ones.
    #[must_use]
    pub fn among(&self, members: &[usize]) -> Option<(PolicyKind, Shape)> {
        let place_of = |arm: usize| members.iter().position(|member| *member == arm);
        let kind = match self.kind {
            PolicyKind::Fixed(arm) => PolicyKind::Fixed(place_of(arm)?),
            other => other,
        };
        let limits = self.limits;
        let baseline = limits.baseline.and_then(place_of);
        let fitted = Limits { baseline, ..limits }.fitted(members.len());
        Some((kind, Shape::new(fitted, members.len()).ok()?))
    }
}
