//! The laws of folding: the same counts for every order, repetition, batch and shard.

use super::*;
use crate::bandit::Codes;
use crate::event::{EventId, Kind, MAX_VALUE, shard_of};
use crate::id::{ArmId, DecisionId, GoalId};
use crate::receipt::tests::sample;
use crate::receipt::{Basis, Fatigue, Flags, Loss, Receipt};
use crate::seed::Generator;
use crate::statistics::{GoalCounts, Statistics};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::num::NonZeroU16;

fn goal(name: &str) -> GoalId {
    GoalId::new(name).unwrap()
}

fn shared() -> Receipt {
    Receipt { unit: None, flags: Flags::default().with_shared(true), ..sample() }
}

fn id(n: u8) -> Option<EventId> {
    Some(EventId([n; 16]))
}

fn reward(receipt: &Receipt, value: f64, n: u8) -> Event {
    Event::reward(receipt, &goal("buy"), value, id(n)).unwrap()
}

/// Rewards of `n` exposures that were worth the same.
fn worth(n: u64, micros: i64) -> GoalCounts {
    let one = GoalCounts::of(micros / i64::try_from(n).unwrap());
    let n_times = i128::from(n);
    GoalCounts { n, value_micros: n_times * one.value_micros, square_micros: n_times * one.square_micros }
}

/// A ledger in memory: the rows of a shard, and its statistics.
#[derive(Default)]
struct Ledger {
    rows: BTreeMap<RowId, Vec<u8>>,
    statistics: Statistics,
}

impl Ledger {
    /// One commit: rows are read from and written to their stored form, statistics of the batch are merged.
    fn commit(&mut self, batch: &[Event]) -> Vec<Outcome> {
        let mut counted = Statistics::default();
        let mut outcomes = Vec::new();
        for event in batch {
            let stored = self.rows.get(&RowId::of(event));
            let mut tokens = stored.map(|bytes| Tokens::from_bytes(bytes).unwrap()).unwrap_or_default();
            let before = tokens.clone();
            let (outcome, delta) = fold(&mut tokens, event);
            assert_eq!(outcome.changes_tokens(), tokens != before, "{outcome:?}");
            self.rows.insert(RowId::of(event), tokens.to_bytes());
            counted.apply(&delta);
            outcomes.push(outcome);
        }
        let counted = Statistics::from_bytes(&counted.to_bytes()).unwrap();
        self.statistics.merge(&counted);
        outcomes
    }

    fn of(events: &[Event]) -> Self {
        let mut ledger = Self::default();
        ledger.commit(events);
        ledger
    }

    fn buys(&self) -> (u64, GoalCounts) {
        let receipt = sample();
        let counts = self.statistics.counts(&receipt.slot, &Treatment::of(&receipt)).cloned();
        let counts = counts.unwrap_or_default();
        (counts.exposures, counts.goals.get(&goal("buy")).copied().unwrap_or_default())
    }
}

#[test]
fn a_reward_before_its_exposure_waits_and_then_counts() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.commit(&[reward(&sample(), 2.0, 0)]), [Outcome::Waiting]);
    assert_eq!(ledger.buys(), (0, GoalCounts::default()));
    assert_eq!(ledger.commit(&[Event::exposure(&sample(), None)]), [Outcome::New]);
    assert_eq!(ledger.buys(), (1, worth(1, 2_000_000)));
}

#[test]
fn a_visitors_reward_counts_once_per_goal_whatever_id_it_carries() {
    let receipt = sample();
    let other = Event::reward(&receipt, &goal("join"), 1.0, None).unwrap();
    let events =
        [Event::exposure(&receipt, id(1)), reward(&receipt, 1.0, 1), reward(&receipt, 1.0, 2), other];
    let mut ledger = Ledger::default();
    let outcomes = ledger.commit(&events);
    assert_eq!(outcomes, [Outcome::New, Outcome::New, Outcome::Repeat, Outcome::New]);
    assert_eq!(ledger.buys(), (1, worth(1, 1_000_000)));
    assert_eq!(ledger.statistics.repeats(), 1);
}

#[test]
fn a_repeat_can_lower_a_value_but_never_raise_it() {
    let receipt = sample();
    let exposure = Event::exposure(&receipt, None);
    let (low, high) = (reward(&receipt, 1.0, 0), reward(&receipt, 99.0, 0));
    let mut up = Ledger::default();
    assert_eq!(up.commit(&[exposure.clone(), low.clone(), high.clone()])[2], Outcome::Repeat);
    let mut down = Ledger::default();
    assert_eq!(down.commit(&[high, low, exposure])[1], Outcome::Revised);
    assert_eq!(up.buys(), (1, worth(1, 1_000_000)));
    assert_eq!(up.statistics, down.statistics);
}

#[test]
fn a_shared_token_never_has_more_rewards_than_views() {
    let receipt = shared();
    let mut events: Vec<Event> = (0..100).map(|n| reward(&receipt, 1.0, n)).collect();
    events.extend((100..103).map(|n| Event::exposure(&receipt, id(n))));
    let ledger = Ledger::of(&events);
    assert_eq!(ledger.buys(), (3, worth(3, 3_000_000)));
    let tokens = ledger.rows.values().next().map(|bytes| Tokens::from_bytes(bytes).unwrap()).unwrap();
    assert_eq!((tokens.exposures(), tokens.waiting()), (3, 97));
}

#[test]
fn treatments_and_slots_have_tokens_of_their_own_in_the_row_of_their_decision() {
    let receipt = sample();
    let held_out = Receipt { arm: None, flags: Flags::default().with_held_out(true), ..sample() };
    let untouched = Receipt { arm: None, ..sample() };
    let other_arm = Receipt { arm: Some(ArmId::new("winter").unwrap()), ..sample() };
    let other_slot = Receipt { slot: SlotId::new("footer").unwrap(), ..sample() };
    let all = [receipt, held_out, untouched, other_arm, other_slot];
    let mut ledger = Ledger::default();
    for receipt in &all {
        let event = Event::exposure(receipt, None);
        assert_eq!(ledger.commit(&[event.clone(), event]), [Outcome::New, Outcome::Repeat]);
    }
    assert_eq!(ledger.rows.len(), 1);
}

#[test]
fn decisions_that_share_a_row_are_told_apart() {
    let other = Receipt { decision: DecisionId([8; 16]), ..sample() };
    let mut tokens = Tokens::default();
    for receipt in [sample(), other] {
        // Each reward waits for an exposure of its own decision.
        assert_eq!(fold(&mut tokens, &reward(&receipt, 1.0, 0)).0, Outcome::Waiting);
    }
    assert_eq!(fold(&mut tokens, &Event::exposure(&sample(), None)).0, Outcome::New);
    assert_eq!((tokens.exposures(), tokens.waiting()), (1, 1));
}

/// Tokens of one slot with so many exposures, whose keys are even numbers.
fn exposed(n: u64) -> Tokens {
    let mut tokens = Tokens::default();
    for n in 0..n {
        let exposure = Event { key: 2 * n, ..Event::exposure(&shared(), id(0)) };
        assert_eq!(fold(&mut tokens, &exposure).0, Outcome::New);
    }
    tokens
}

#[test]
fn a_full_row_refuses_what_is_new_and_knows_what_is_not() {
    let receipt = shared();
    let footer = Receipt { slot: SlotId::new("footer").unwrap(), ..shared() };
    let mut tokens = exposed(237_412);
    let mut statistics = Statistics::default();
    let new = [
        Event { key: 1, ..Event::exposure(&receipt, id(0)) },
        reward(&receipt, 1.0, 0),
        reward(&footer, 1.0, 0),
    ];
    for event in &new {
        let before = tokens.clone();
        let (outcome, delta) = fold(&mut tokens, event);
        assert_eq!((outcome, tokens == before), (Outcome::Full, true));
        statistics.apply(&delta);
    }
    assert_eq!(statistics.refused().collect::<Vec<_>>(), [("full", 3)]);
    assert_eq!(fold(&mut tokens, &Event { key: 10, ..new[0].clone() }).0, Outcome::Repeat);
    let bytes = tokens.to_bytes();
    assert!((MAX_ROW_BYTES - 700..=MAX_ROW_BYTES).contains(&bytes.len()), "{}", bytes.len());
    assert_eq!(Tokens::from_bytes(&bytes), Ok(tokens));
}

#[test]
fn a_row_never_grows_beyond_its_bound_whatever_fills_it() {
    // The dearest there is: tokens and goals of their own, the longest names, the largest values.
    let mut tokens = Tokens::default();
    let goal = goal(&"g".repeat(64));
    let mut n = 0_u128;
    let last = loop {
        let receipt = Receipt { decision: DecisionId(n.to_le_bytes()), ..shared() };
        let reward = Event::reward(&receipt, &goal, -MAX_VALUE, id(0)).unwrap();
        match fold(&mut tokens, &reward).0 {
            Outcome::Waiting => n += 1,
            last => break last,
        }
    };
    assert_eq!((last, n), (Outcome::Full, 13_864));
    let bytes = tokens.to_bytes();
    assert!(bytes.len() <= MAX_ROW_BYTES, "{}", bytes.len());
    assert_eq!(Tokens::from_bytes(&bytes), Ok(tokens));
}

#[test]
fn a_row_that_could_not_have_been_written_is_not_read() {
    let stored = |n: u64, count: [u8; 3]| {
        let keys = (0..n).flat_map(u64::to_le_bytes);
        // A key of zeros, and a slot whose page stayed as it is.
        let origin = [0; 9].into_iter().chain(*b"\x04hero").chain(1.0_f64.to_le_bytes()).chain([0]);
        [1, 1].into_iter().chain(origin).chain(count).chain(keys).chain([0]).collect::<Vec<u8>>()
    };
    assert!(Tokens::from_bytes(&stored(237_494, [0xb6, 0xbf, 0x0e])).is_ok());
    assert_eq!(Tokens::from_bytes(&stored(237_495, [0xb7, 0xbf, 0x0e])), Err(TokensError::Malformed));
}

#[test]
fn the_stored_form_never_changes_within_a_format() {
    let mut tokens = Tokens::default();
    let receipt = sample();
    let exposure = Event { key: 0x0102, ..Event::exposure(&receipt, None) };
    let reward = Event { key: 0x0304, ..reward(&receipt, -0.000_002, 0) };
    fold(&mut tokens, &exposure);
    fold(&mut tokens, &reward);
    let stored = b"\x01\x01\x50\x2f\xb9\x44\xbe\x4d\x70\x3a\x0a\x04hero\x06summer333333\xd3\x3f\xe0\xb8\xa3\xed\xa0\x34\x5c\x73\x86\xc6\x6c\x5f\x7f\x4e\x01\x02\x01\0\0\0\0\0\0\x01\x03buy\x01\x04\x03\0\0\0\0\0\0\x03";
    assert_eq!(tokens.to_bytes(), stored);
    assert_eq!(RowId::of(&exposure).number(), 4_284_290_396_212_829);
    assert_eq!(Tokens::from_bytes(b"\x02"), Err(TokensError::Format { found: 2 }));
    assert_eq!(Tokens::from_bytes(b""), Err(TokensError::Malformed));
    assert_eq!(Tokens::default().to_bytes(), [1, 0]);
}

/// Events of a few decisions, visitors' and shared ones, with values at their limits among them.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let value = prop_oneof![Just(MAX_VALUE), Just(-MAX_VALUE), Just(0.0), -100.0..100.0_f64];
    let one = (0_u8..6, 0_u8..6, 0_u8..8, proptest::option::of(("(buy|join)", value)));
    proptest::collection::vec(one, 1..60).prop_map(|all| {
        let event = |(decision, place, n, reward): (u8, u8, u8, Option<(String, f64)>)| {
            let (slot, treatment) = (["hero", "cta"][usize::from(place % 2)], place / 2);
            let shared = decision % 2 == 0;
            // A view has one propensity and its own features; another view of a shared decision may have others.
            let view = if shared { n } else { 0 };
            let receipt = Receipt {
                decision: DecisionId([decision; 16]),
                slot: SlotId::new(slot).unwrap(),
                arm: (treatment < 2).then(|| ArmId::new(["a", "b"][usize::from(treatment)]).unwrap()),
                flags: Flags::default().with_shared(shared).with_held_out(treatment == 2),
                propensity: 1.0 / f64::from(1 + decision + treatment + view),
                time_millis: 3_600_000 * u64::from(decision) * 40,
                // Some decisions have features of one or the other set, some are counted by period.
                basis: Basis {
                    fatigue: (decision == 3).then(|| Fatigue {
                        chosen: Loss::of_left(0.25 + f64::from(view) / 16.0),
                        arms: Vec::new(),
                    }),
                    features: (decision % 3 == 0).then(|| codes(decision, view)),
                    period_hours: NonZeroU16::new(u16::from(decision % 4)),
                    ..Basis::default()
                },
                ..sample()
            };
            match reward {
                None => Event::exposure(&receipt, id(n)),
                Some((name, value)) => Event::reward(&receipt, &goal(&name), value, id(n)).unwrap(),
            }
        };
        all.into_iter().map(event).collect()
    })
}

/// Features of a view.
fn codes(decision: u8, view: u8) -> Codes {
    Codes::new(u32::from(decision), &[1.0, f64::from(view) - 3.5, f64::from(view % 2)]).unwrap()
}

/// The same events in another order, each one to five times.
fn disturbed(events: &[Event], generator: &mut Generator) -> Vec<Event> {
    let mut all: Vec<(u64, Event)> = Vec::new();
    for event in events {
        for _ in 0..=generator.bits() % 5 {
            all.push((generator.bits(), event.clone()));
        }
    }
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, event)| event).collect()
}

/// The rule of the module, computed from the sets of keys at once.
fn by_definition(events: &[Event]) -> Statistics {
    let mut exposures: BTreeMap<TokenOf, BTreeMap<u64, &Event>> = BTreeMap::new();
    type TokenOf<'e> = ([u8; 16], &'e SlotId, &'e Treatment, u64, Vec<u8>);
    type Values<'e> = BTreeMap<u64, (i64, &'e Event)>;
    let mut rewards: BTreeMap<(TokenOf, &GoalId), Values> = BTreeMap::new();
    for event in events {
        let mut basis = Vec::new();
        event.basis.write(&mut basis);
        let token = match event.shared {
            true => (event.decision.0, &event.slot, &event.treatment, event.propensity.to_bits(), basis),
            false => (event.decision.0, &event.slot, &event.treatment, 0, Vec::new()),
        };
        match &event.kind {
            Kind::Exposure => drop(exposures.entry(token).or_default().insert(event.key, event)),
            Kind::Reward { goal, value_micros } => {
                let known = rewards.entry((token, goal)).or_default();
                let smallest = known.get(&event.key).map_or(*value_micros, |(v, _)| *v.min(value_micros));
                known.insert(event.key, (smallest, event));
            }
        }
    }
    let mut statistics = Statistics::default();
    let mut add = |event: &Event, mut counts: Counts| {
        counts.note(&Origin::of(event));
        let (slot, treatment) = (&event.slot, &event.treatment);
        statistics.apply(&Delta { slot, treatment, counts, repeats: 0, refused: None });
    };
    for event in exposures.values().flat_map(BTreeMap::values) {
        add(event, Counts::of_exposure(event.propensity));
    }
    for ((token, goal), keys) in &rewards {
        let n = exposures.get(token).map_or(0, BTreeMap::len);
        for (value, event) in keys.values().take(n) {
            let mut counts = Counts::default();
            counts.add_goal(goal, GoalCounts::of(*value));
            add(event, counts);
        }
    }
    statistics
}

proptest! {
    #[test]
    fn order_repetition_batches_and_shards_do_not_matter(events in events(), seed: u64, shards in 1_u8..5) {
        let mut generator = Generator::new(seed);
        let once = Ledger::of(&events);
        let disturbed = disturbed(&events, &mut generator);

        let mut ledgers: Vec<Ledger> = (0..shards).map(|_| Ledger::default()).collect();
        let mut rest = &disturbed[..];
        while !rest.is_empty() {
            let size = 1 + usize::try_from(generator.bits()).unwrap() % rest.len();
            let (batch, later) = rest.split_at(size);
            for (shard, ledger) in ledgers.iter_mut().enumerate() {
                let mine = |event: &&Event| usize::from(shard_of(&event.decision, shards)) == shard;
                ledger.commit(&batch.iter().filter(mine).cloned().collect::<Vec<_>>());
            }
            rest = later;
        }

        let mut merged = Statistics::default();
        let mut rows = BTreeMap::new();
        for ledger in ledgers.into_iter().rev() {
            merged.merge(&ledger.statistics);
            rows.extend(ledger.rows);
        }
        prop_assert_eq!(&rows, &once.rows, "what is known differs");
        let repeats = once.statistics.repeats() + (disturbed.len() - events.len()) as u64;
        prop_assert_eq!(merged.repeats(), repeats);

        // The same numbers of repeats on both sides: everything else must be equal, to the byte.
        let extra = repeats - once.statistics.repeats();
        let mut expected = once.statistics;
        let (slot, treatment) = (&sample().slot, &Treatment::Holdout);
        expected.apply(&Delta { slot, treatment, counts: Counts::default(), repeats: extra, refused: None });
        prop_assert_eq!(merged.to_bytes(), expected.to_bytes());
    }

    #[test]
    fn what_is_counted_is_what_the_rule_says(events in events()) {
        let ledger = Ledger::of(&events);
        let counted: Vec<_> = ledger.statistics.iter().collect();
        let expected = by_definition(&events);
        prop_assert_eq!(counted, expected.iter().collect::<Vec<_>>());
    }

    #[test]
    fn there_are_never_more_rewards_than_exposures(events in events(), seed: u64) {
        let ledger = Ledger::of(&disturbed(&events, &mut Generator::new(seed)));
        for (_, _, counts) in ledger.statistics.iter() {
            for goal in counts.goals.values() {
                prop_assert!(goal.n <= counts.exposures);
            }
        }
    }

    #[test]
    fn any_bytes_are_tokens_or_refused_and_tokens_have_one_spelling(
        bytes: Vec<u8>,
        events in events(),
        at: usize,
        to: u8,
    ) {
        let mut stored: Vec<Vec<u8>> = Ledger::of(&events).rows.into_values().collect();
        for row in &mut stored {
            let at = at % row.len();
            row[at] = to;
        }
        stored.push([&[1], &bytes[..]].concat());
        stored.push(bytes);
        for bytes in stored {
            if let Ok(tokens) = Tokens::from_bytes(&bytes) {
                prop_assert_eq!(tokens.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn tokens_cut_anywhere_are_refused(events in events()) {
        for bytes in Ledger::of(&events).rows.into_values() {
            for end in 0..bytes.len() {
                prop_assert!(Tokens::from_bytes(&bytes[..end]).is_err(), "{} of {}", end, bytes.len());
            }
        }
    }
}
