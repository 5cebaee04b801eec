//! How the stored shapes are read from JSON and told as JSON; what they mean stands in `wire`.

use super::wire::{
    Arm, Assignment, Audience, Block, Cap, Combination, Config, Consent, Fading, Feature, Field, Goal,
    Holdout, Image, Index, Interest, ItemFilter, LayerPart, LearnedArm, LearnedGoal, LearnedItem,
    LearnedItems, LearnedSlot, Ledger, List, Mode, Ordinary, Page, Policy, PolicyKind, Privacy, Published,
    Regression, Slot, Step, Targeting, Tripwire,
};
use crate::json::{self, JsonError, Shape, Tell};
use serde_json::Value;

json::fields! {
    Config { has site, privacy, ledger; may have holdout, pages, audiences, goals, blocks, combinations, indexes, slots; }
    Holdout { needs share; has salt; }
    Privacy { has mode; may have consent, cookie_days, interest_cookie; }
    Consent { needs cookie, measured, personal; }
    Ledger { may have shards, window_hours, origins; }
    Page { needs path, life_seconds; has shared; }
    Audience { needs id, when; }
    Goal { needs id; may have path, value, margin, amounts, window_hours; }
    Block { needs id, template; may have fields, cap, fades, tags; }
    Fading { needs factor, hours; }
    Combination { may have blocks, tag, most, pinned, fades; }
    Cap { needs times, hours; }
    Image { needs src, alt; may have width, height; }
    Slot {
        has id, goal, policy, arms;
        may have selector, paths, enabled, audience, rollout, layer, also, challenger, targeting, start, end, ramp, holdout, cap, tripwires,
        half_life_hours, pooled, list;
    }
    Targeting { needs forest, least; }
    Step { needs from, share; }
    Tripwire { needs goal; may have probability, exposures; }
    Feature { needs name; may have number, boolean, one_of, hashed; }
    Ordinary { needs mean, scale; }
    LayerPart { needs id, from, to; }
    Policy { has kind, assignment; may have exploration_floor, burn_in, max_share, baseline, baseline_share, width, features; }
    Arm { may have id, block, enabled, audience, cost, shadow, actions, prior; }
    Index { needs id; may have path; }
    List {
        needs index, block, length;
        may have candidates, filters, same, diversity, interest, popularity, repeats, prior, shared_weight, features;
    }
    ItemFilter { needs field; may have one_of, none_of, min, max, past, future, missing; }
    Interest { may have page, seen, declared, half_life_hours; }
    Published { has config, learned; }
    LearnedSlot { has slot, arms; may have tripped, attention; }
    LearnedArm { has arm, exposures, rewards, weight; may have pooled, weighed, goals, regression, items; }
    LearnedItems { has noise, items; }
    LearnedItem { has item, exposures, worth; }
    LearnedGoal { has n, value, squares; }
    Regression { has set, mean, factor; }
}

json::words! {
    Mode { "contextual" Contextual, "measured" Measured, "personal" Personal }
    PolicyKind { "thompson" Thompson, "uniform" Uniform, "fixed" Fixed, "contextual" Contextual }
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

impl Tell for Field {
    fn value(&self) -> Value {
        let (kind, content): (&str, &dyn Tell) = match self {
            Self::Text(text) => ("text", text),
            Self::Rich(text) => ("rich", text),
            Self::Url(text) => ("url", text),
            Self::Image(image) => ("image", image),
            Self::Number(number) => ("number", number),
        };
        json::object(&[(kind, content)])
    }
}
