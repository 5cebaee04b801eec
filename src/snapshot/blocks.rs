//! The blocks of a configuration and what they mean to each other, ready for the arms that show them. Part of compiling.

use super::compile::twice;
use super::warning::{Item, Warning};
use super::wire;
use super::{Arm, Cap};
use crate::block::{self, Block, Markup};
use crate::id::BlockId;
use crate::json::number::Decimal;
use crate::receipt::MAX_FADING_ARMS;
use crate::saturation::{Fading, Limit, MAX_HOURS, SeenKey};
use crate::slate::Combination;
use crate::sorted::SortedMap;
use std::sync::Arc;

/// Longest tag.
const MAX_TAG_BYTES: usize = 64;
/// Most tags of a block.
const MAX_TAGS: usize = 16;
/// Most combinations of a site: each view of a page counts all of them.
const MAX_COMBINATIONS: usize = 64;

/// A block as its arms need it.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    pub(super) markup: Arc<Markup>,
    pub(super) cap: Option<Cap>,
    pub(super) fading: Option<(SeenKey, Fading)>,
    /// Positions of the combinations it belongs to, ascending.
    pub(super) combinations: Vec<usize>,
    tags: Vec<String>,
}

/// All blocks that can be used, and their combinations.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    pub(super) ready: SortedMap<String, Ready>,
    pub(super) combinations: Vec<Combination>,
}

impl Blocks {
    /// A bad block or combination costs only itself.
    pub(super) fn of(config: &wire::Config, warnings: &mut Vec<Warning>) -> Self {
        let mut blocks = Self::default();
        for (i, block) in config.blocks.iter().enumerate() {
            let made = blocks.block(block, &format!("/blocks/{i}"), warnings);
            match made {
                Ok((name, ready)) => drop(blocks.ready.insert(name, ready)),
                Err(warning) => warnings.push(warning),
            }
        }
        if config.combinations.len() > MAX_COMBINATIONS {
            let message =
                format!("{} combinations; hint: {MAX_COMBINATIONS} at most", config.combinations.len());
            warnings.push(Warning::error("/combinations", message));
        }
        for (i, combination) in config.combinations.iter().enumerate().take(MAX_COMBINATIONS) {
            if let Err(warning) = blocks.combine(combination, &format!("/combinations/{i}"), warnings) {
                warnings.push(warning);
            }
        }
        blocks
    }

    fn block(&self, block: &wire::Block, at: &str, warnings: &mut Vec<Warning>) -> Item<(String, Ready)> {
        let id = BlockId::new(&block.id).map_err(|error| Warning::error(format!("{at}/id"), error))?;
        if self.ready.contains_key(&block.id) {
            return Err(Warning::error(format!("{at}/id"), twice("block", &block.id)));
        }
        let made = Block::compile(block).map_err(|e| Warning::error(format!("{at}/template"), e))?;
        for remark in made.warnings() {
            let block::Warning::UnusedField { field } = remark;
            warnings.push(Warning::advice(format!("{at}/fields/{field}"), remark));
        }
        // What can't be counted costs the block nothing else.
        let mut note = |warning| warnings.push(warning);
        let limit = block.cap.map(|cap| limit(cap, at)).transpose().map_err(&mut note).ok().flatten();
        let fading = block.fades.map(|fades| fading(fades, at)).transpose().map_err(&mut note).ok().flatten();
        let is_tag = |tag: &String| (1..=MAX_TAG_BYTES).contains(&tag.len());
        if let Some(i) = block.tags.iter().position(|tag| !is_tag(tag)) {
            let message = format!("a tag has 1 to {MAX_TAG_BYTES} bytes; hint: a word");
            note(Warning::error(format!("{at}/tags/{i}"), message));
        }
        if block.tags.len() > MAX_TAGS {
            let message = format!("{} tags; hint: {MAX_TAGS} at most", block.tags.len());
            note(Warning::error(format!("{at}/tags"), message));
        }
        let ready = Ready {
            markup: Arc::new(made.markup().clone()),
            cap: limit.map(|limit| Cap { key: SeenKey::of_block(&id), limit }),
            fading: fading.map(|fading| (SeenKey::of_fading(&id), fading)),
            combinations: Vec::new(),
            tags: block.tags.iter().filter(|tag| is_tag(tag)).take(MAX_TAGS).cloned().collect(),
        };
        Ok((block.id.clone(), ready))
    }

    /// A block that can't be used is left out of its combination: the others must not meet on a page for its sake.
    fn combine(&mut self, wire: &wire::Combination, at: &str, warnings: &mut Vec<Warning>) -> Item<()> {
        let rule = rule(wire, at)?;
        let members: Vec<String> = match (&wire.blocks[..], &wire.tag) {
            ([_, _, ..], None) => {
                for (i, name) in wire.blocks.iter().enumerate() {
                    if !self.ready.contains_key(name) {
                        let message =
                            format!("there is no usable block '{name}'; hint: define it under blocks");
                        warnings.push(Warning::error(format!("{at}/blocks/{i}"), message));
                    }
                }
                wire.blocks.iter().filter(|name| self.ready.contains_key(*name)).cloned().collect()
            }
            ([], Some(tag)) => {
                let has = |(_, ready): &(&String, &Ready)| ready.tags.contains(tag);
                let members: Vec<String> =
                    self.ready.iter().filter(has).map(|(name, _)| name.clone()).collect();
                if members.is_empty() {
                    let message =
                        format!("no block has the tag '{tag}'; hint: write it into the `tags` of some");
                    return Err(Warning::error(format!("{at}/tag"), message));
                }
                members
            }
            _ => {
                let message = "it names no blocks, or names them twice; hint: give it either `blocks`, two at least, or a `tag`";
                return Err(Warning::error(at, message));
            }
        };
        let position = self.combinations.len();
        self.combinations.push(rule);
        for name in members {
            if let Some(ready) = self.ready.get_mut(&name)
                && ready.combinations.last() != Some(&position)
            {
                ready.combinations.push(position);
            }
        }
        Ok(())
    }

    /// Whether what stands already can take an arm away, or all others.
    pub(super) fn is_combined(&self, arm: &Arm) -> bool {
        let rules = arm.combinations.iter().filter_map(|at| self.combinations.get(*at));
        rules.into_iter().any(|rule| !matches!(rule, Combination::Fading(_)))
    }

    /// Whether arms can be worth less than else; more than receipts carry are refused.
    pub(super) fn fades(&self, arms: &[Arm], at: &str) -> Item<bool> {
        let rule = |place: &usize| self.combinations.get(*place);
        let fades = |arm: &&Arm| {
            let mut rules = arm.combinations.iter().filter_map(rule);
            arm.fading.is_some() || rules.any(|rule| matches!(rule, Combination::Fading(_)))
        };
        let n = arms.iter().filter(fades).count();
        if n > MAX_FADING_ARMS {
            let message = format!("{n} arms whose blocks fade; hint: {MAX_FADING_ARMS} at most in a slot");
            return Err(Warning::error(format!("{at}/arms"), message));
        }
        Ok(n > 0)
    }
}

fn rule(wire: &wire::Combination, at: &str) -> Item<Combination> {
    match (wire.most, wire.pinned, wire.fades) {
        (Some(0), None, None) => Err(Warning::error(
            format!("{at}/most"),
            "none at most would never show them; hint: 1 or more, or disable their arms",
        )),
        (Some(most), None, None) => Ok(Combination::AtMost(most)),
        (None, Some(true), None) => Ok(Combination::Pinned),
        (None, None, Some(share)) if share > 0.0 && share < 1.0 => Ok(Combination::Fading(share)),
        (None, None, Some(share)) => {
            let message = format!("{} is out of range; hint: above 0 and below 1, e.g. 0.5", Decimal(share));
            Err(Warning::error(format!("{at}/fades"), message))
        }
        _ => Err(Warning::error(
            at,
            "it has no rule, or several; hint: give it one of `most`, `pinned = true` and `fades`",
        )),
    }
}

/// A frequency cap in its range.
pub(super) fn limit(cap: wire::Cap, at: &str) -> Item<Limit> {
    Limit::new(cap.times, cap.hours).ok_or_else(|| {
        let message = format!(
            "{} times in {} hours is out of range; hint: 1 to 255 times in 1 to {MAX_HOURS} hours",
            cap.times, cap.hours
        );
        Warning::error(format!("{at}/cap"), message)
    })
}

fn fading(fades: wire::Fading, at: &str) -> Item<Fading> {
    Fading::new(fades.factor, fades.hours).ok_or_else(|| {
        let message = format!(
            "a factor of {} in {} hours is out of range; hint: above 0 and below 1, in 1 to {MAX_HOURS} hours",
            Decimal(fades.factor),
            fades.hours
        );
        Warning::error(format!("{at}/fades"), message)
    })
}
