//! What becomes of views and rewards when they are learned: with contexts, by age, and of views that were worth less.

use super::*;
use crate::context::{Context, Device};
use crate::event::Event;
use crate::fold::{Tokens, fold};
use crate::id::DecisionId;
use crate::receipt::{Basis, Candidates, Fatigue, Flags, Loss, Receipt};
use crate::snapshot::wire::Published;
use crate::snapshot::{compile, store};
use serde_json::{Value, json};

#[test]
fn what_is_published_of_a_regression_has_seven_digits() {
    for (number, text) in [
        (0.1 + 0.2, "0.3"),
        (-1.0 / 3.0, "-0.3333333"),
        (123_456_789.123, "123456800"),
        (2.0 / 3e10, "6.666667e-11"),
        (0.0, "0"),
        (1e-300, "1e-300"),
    ] {
        assert_eq!(Ok(short(number)), text.parse());
    }
}

/// A configuration with one slot, and statistics of its arm `one`: each view with a device, an hour and whether it was rewarded.
fn learned_of(
    slot: Value,
    now_hours: u64,
    views: impl Iterator<Item = (u64, Device, Option<f64>, bool)>,
) -> LearnedArm {
    let config = json!({
        "site": "shop",
        "goals": [{ "id": "order" }, { "id": "late", "window_hours": 48 }],
        "slots": [slot],
    });
    let config: Config = serde_json::from_value(config).unwrap();
    let stored = store::encode(&Published { config: config.clone(), learned: Vec::new() }, 1, 1).unwrap();
    let (snapshot, warnings) = compile(&store::decode(&stored).unwrap());
    assert_eq!(warnings, []);
    let goal = &snapshot.goals[snapshot.slots[0].goal].id;
    let mut statistics = Statistics::default();
    for (n, (hour, device, left, is_rewarded)) in views.enumerate() {
        let context = Context { device, ..Context::default() };
        let slot = &snapshot.slots[0];
        let fatigue =
            left.map(|left| Fatigue { chosen: Loss::of_left(left), arms: vec![(0, Loss::of_left(left))] });
        let basis = Basis {
            features: slot.chooser.codes(&context),
            period_hours: slot.period_hours,
            fatigue,
            ..Basis::default()
        };
        let receipt = Receipt {
            decision: DecisionId((n as u128 + 1).to_le_bytes()),
            unit: None,
            slot: slot.id.clone(),
            arm: Some(ArmId::new("one").unwrap()),
            propensity: 0.5,
            version: snapshot.version,
            time_millis: hour * 3_600_000,
            flags: Flags::default(),
            candidates: Candidates::All,
            shards: 1,
            basis,
        };
        let mut tokens = Tokens::default();
        statistics.apply(&fold(&mut tokens, &Event::exposure(&receipt, None)).1);
        if is_rewarded {
            statistics.apply(&fold(&mut tokens, &Event::reward(&receipt, goal, 1.0, None).unwrap()).1);
        }
    }
    let statistics = Statistics::from_bytes(&statistics.to_bytes()).unwrap();
    let since = Since { now_millis: now_hours * 3_600_000, before: &[] };
    learn(&config, &statistics, since).remove(0).arms.remove(0)
}

fn contextual(more: Value) -> Value {
    let policy = json!({ "kind": "contextual", "features": [{ "name": "device", "one_of": ["phone"] }] });
    let mut slot = json!({ "id": "hero", "goal": "order", "policy": policy, "arms": [{ "id": "one" }, { "id": "two" }] });
    slot.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    slot
}

/// What a regression expects of a phone.
fn on_phone(arm: &LearnedArm) -> f64 {
    arm.regression.as_ref().unwrap().mean.iter().sum()
}

#[test]
fn what_a_regression_learned_fades() {
    // Five of ten phones are rewarded for three days, then one in ten for three days.
    let views = || {
        (0..4_000_u64).map(|n| {
            let hour = n * 144 / 4_000;
            (hour, Device::Phone, None, if hour < 72 { n % 2 == 0 } else { n % 10 == 0 })
        })
    };
    let steady = on_phone(&learned_of(contextual(json!({})), 144, views()));
    let fading = on_phone(&learned_of(contextual(json!({ "half_life_hours": 12 })), 144, views()));
    assert!((steady - 0.3).abs() < 0.01, "{steady}");
    // Of what was learned in the first half a 64th is left: 0.1 + 0.4 / 65 at most.
    assert!((0.09..0.112).contains(&fading), "{fading}");
    let plain = learned_of(contextual(json!({ "half_life_hours": 12 })), 144, views());
    let rate = plain.goals[0].n / plain.weighed.unwrap();
    assert!((fading - rate).abs() < 0.01, "both ways of learning forget alike: {fading} {rate}");
}

#[test]
fn a_regression_waits_until_a_window_is_over() {
    // Everybody is rewarded at once in the last 20 hours, nobody before.
    let views = (0..2_000_u64).map(|n| (n / 20, Device::Phone, None, n / 20 >= 80));
    let waiting = |now| {
        let config = contextual(json!({ "goal": "late" }));
        on_phone(&learned_of(config, now, views.clone()))
    };
    let (early, late) = (waiting(100), waiting(300));
    assert!(early < 0.03, "{early}");
    assert!((late - 0.2).abs() < 0.02, "{late}");
}

#[test]
fn views_that_are_worth_less_say_less() {
    // At half of its worth the arm earns half as often; what is learned is what it earns at its whole worth.
    let views = || (0..4_000_u64).map(|n| (0, Device::Phone, Some(0.5), n % 10 == 0));
    let slot = json!({ "id": "hero", "goal": "order", "arms": [{ "id": "one" }, { "id": "two" }] });
    let plain = learned_of(slot, 1, views());
    assert_eq!((plain.exposures, plain.rewards, plain.weighed), (4_000, 400, Some(2_000.0)));
    let contextual = on_phone(&learned_of(contextual(json!({})), 1, views()));
    assert!((contextual - 0.2).abs() < 0.005, "{contextual}");
}
