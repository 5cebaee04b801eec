//! A site that publishes, decides, counts and learns, as the Worker and its ledger have it, without either.

use edgeloom::context::Context;
use edgeloom::decide::{Choice, Decision, decide};
use edgeloom::event::Event;
use edgeloom::fold::{Tokens, fold};
use edgeloom::id::{DecisionId, GoalId, VisitorKey};
use edgeloom::receipt::Receipt;
use edgeloom::seed::{Generator, Seed};
use edgeloom::snapshot::wire::{Config, Published};
use edgeloom::snapshot::{Since, Slot, Snapshot, compile, learn, store};
use edgeloom::statistics::Statistics;
use serde_json::Value;

/// 2026-11-24 13:05 UTC.
pub const NOW: u64 = 1_795_525_500_000;

/// A configuration, what was counted of it, and the snapshot in use.
pub struct Site {
    config: Config,
    pub statistics: Statistics,
    pub snapshot: Snapshot,
    sequence: u64,
}

impl Site {
    /// Publishes a configuration of which nothing is known; it must be sound.
    pub fn new(config: Value) -> Self {
        let config: Config = serde_json::from_value(config).unwrap();
        let statistics = Statistics::default();
        let snapshot = publish(&config, &statistics, (1, 0), None);
        Self { config, statistics, snapshot, sequence: 1 }
    }

    /// Learns from what was counted, and decides by it from now on.
    pub fn publish(&mut self, now_millis: u64) {
        self.sequence += 1;
        self.snapshot = publish(&self.config, &self.statistics, (self.sequence, now_millis), None);
    }

    /// The same with a slot that a tripwire has stopped.
    pub fn trip(&mut self, slot: &str) {
        self.snapshot = publish(&self.config, &self.statistics, (self.sequence, NOW), Some(slot));
    }

    /// What a visit gets, and the receipts of it.
    pub fn visit(&self, context: &Context, seed: &Seed) -> (Decision, Vec<Receipt>) {
        let decision = decide(&self.snapshot, context, seed);
        let receipt = |choice: &Choice| choice.receipt(&self.snapshot, seed, context.time_millis);
        let receipts = decision.choices.iter().filter_map(receipt).collect();
        (decision, receipts)
    }

    /// The slot of a choice.
    pub fn slot(&self, choice: &Choice) -> &Slot {
        &self.snapshot.slots[choice.slot]
    }

    /// Counts the exposure of a receipt and its rewards; returns what the ledger's log has of it.
    pub fn count(&mut self, receipt: &Receipt, rewards: &[(&GoalId, f64)]) -> Tokens {
        let mut tokens = Tokens::default();
        let rewards = rewards.iter().map(|(goal, value)| Event::reward(receipt, goal, *value, None).unwrap());
        for event in std::iter::once(Event::exposure(receipt, None)).chain(rewards) {
            self.statistics.apply(&fold(&mut tokens, &event).1);
        }
        tokens
    }
}

fn publish(
    config: &Config,
    statistics: &Statistics,
    (sequence, now_millis): (u64, u64),
    tripped: Option<&str>,
) -> Snapshot {
    let mut learned = learn(config, statistics, Since { now_millis, before: &[] });
    for slot in learned.iter_mut().filter(|slot| tripped == Some(slot.slot.as_str())) {
        slot.tripped = Some("behind the holdout".into());
    }
    let published = Published { config: config.clone(), learned };
    let (snapshot, warnings) =
        compile(&store::decode(&store::encode(&published, sequence, now_millis).unwrap()).unwrap());
    assert_eq!(warnings, []);
    snapshot
}

/// The seed of a visitor in one of their views.
pub fn of_visitor(visitor: u64, view: u64) -> Seed {
    let id = |n: u64| {
        let mut generator = Generator::new(n);
        (u128::from(generator.bits()) << 64 | u128::from(generator.bits())).to_le_bytes()
    };
    Seed::of_visitor("shop", &VisitorKey(id(visitor)), DecisionId(id(visitor ^ (view + 1) << 48)))
}
