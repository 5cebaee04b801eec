//! How the stored shapes are read from JSON; what they mean stands in `wire`.

use super::wire::{
    Arm, Assignment, Audience, Block, Config, Consent, Field, Goal, Holdout, Image, LayerPart, LearnedArm,
    LearnedSlot, Ledger, Mode, Page, Policy, PolicyKind, Privacy, Published, Slot,
};
use crate::json::{self, JsonError, Shape};
use serde_json::Value;

json::fields! {
    Config {; site, holdout, privacy, ledger, pages, audiences, goals, blocks, slots }
    Holdout { share; salt }
    Privacy {; mode, consent, cookie_days }
    Consent { cookie, measured, personal; }
    Ledger {; shards, window_hours, origins }
    Page { path, life_seconds; }
    Audience { id, when; }
    Goal { id; path, value }
    Block { id, template; fields }
    Image { src, alt; width, height }
    Slot {; id, selector, paths, enabled, audience, rollout, layer, goal, policy, arms }
    LayerPart { id, from, to; }
    Policy {; kind, assignment, exploration_floor, burn_in, max_share, baseline, baseline_share }
    Arm {; id, block, enabled, audience, prior }
    Published {; config, learned }
    LearnedSlot {; slot, arms }
    LearnedArm {; arm, exposures, rewards, weight }
}

json::words! {
    Mode { "contextual" Contextual, "measured" Measured, "personal" Personal }
    PolicyKind { "thompson" Thompson, "uniform" Uniform, "fixed" Fixed }
    Assignment { "sticky" Sticky, "per_view" PerView }
}

impl Shape for Field {
    fn fill(&mut self, value: &Value) -> Result<(), JsonError> {
        let (kind, content) = json::variant(value, "enum Field")?;
        *self = match kind {
            "text" => Self::Text(json::shape(content)?),
            "rich" => Self::Rich(json::shape(content)?),
            "url" => Self::Url(json::shape(content)?),
            "image" => Self::Image(json::shape(content)?),
            "number" => Self::Number(json::shape(content)?),
            _ => return Err(json::unknown(kind, &["text", "rich", "url", "image", "number"])),
        };
        Ok(())
    }
}
