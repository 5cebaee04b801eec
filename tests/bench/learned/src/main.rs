//! Prints what is published of a contextual slot after some thousand visits went the whole way: decided, shown, rewarded, counted,
//! learned. Bench and fixture only: the visits are made up, the way is the real one.

use anyhow::{Context as _, Result};
use edgeloom::context::Context;
use edgeloom::decide::decide;
use edgeloom::event::Event;
use edgeloom::fold::{Tokens, fold};
use edgeloom::id::{DecisionId, GoalId, VisitorKey};
use edgeloom::seed::{Generator, Seed};
use edgeloom::snapshot::wire::{Config, Published};
use edgeloom::snapshot::{Since, compile, learn, store};
use edgeloom::statistics::Statistics;
use serde_json::json;

const N_ARMS: usize = 20;
const N_FEATURES: usize = 32;
/// How often something is published, and the visits in between.
const ROUNDS: usize = 4;
const VISITS: usize = 2_500;

/// The name of a feature.
fn name(feature: usize) -> String {
    format!("x{feature}")
}

/// About normal: twelve uniform numbers.
fn normal(generator: &mut Generator) -> f64 {
    (0..12).map(|_| generator.unit()).sum::<f64>() - 6.0
}

fn main() -> Result<()> {
    let features: Vec<_> =
        (0..N_FEATURES).map(|k| json!({ "name": name(k), "number": { "mean": 0, "scale": 1 } })).collect();
    let arms: Vec<_> = (0..N_ARMS).map(|arm| json!({ "id": format!("arm-{arm}") })).collect();
    let config: Config = serde_json::from_value(json!({
        "site": "bench",
        "holdout": { "share": 0 },
        "goals": [{ "id": "order" }],
        "slots": [{
            "id": "hero", "goal": "order", "arms": arms,
            "policy": { "kind": "contextual", "features": features, "burn_in": 0, "exploration_floor": 0.002 },
        }],
    }))?;
    let goal = GoalId::new("order")?;
    let mut generator = Generator::new(7);
    // The truth: a rate of 0.1 to 0.2 for everybody, and what each feature changes about it.
    let truth: Vec<Vec<f64>> = (0..N_ARMS)
        .map(|_| {
            let base = 0.1 + 0.1 * generator.unit();
            [base].into_iter().chain((0..N_FEATURES).map(|_| 0.015 * normal(&mut generator))).collect()
        })
        .collect();
    let mut statistics = Statistics::default();
    let mut published = Published { config, learned: Vec::new() };
    for _ in 0..ROUNDS {
        let (snapshot, warnings) = compile(&store::decode(&store::encode(&published, 1, 1)?)?);
        anyhow::ensure!(warnings.is_empty(), "{warnings:?}");
        let _slot = snapshot.slots.first().context("a slot")?;
        for _ in 0..VISITS {
            let x: Vec<f64> = (0..N_FEATURES).map(|_| normal(&mut generator)).collect();
            let attributes = x.iter().enumerate().map(|(k, x)| (name(k), (*x).into())).collect();
            let context = Context { path: "/".into(), attributes, ..Context::default() };
            let mut id = || (u128::from(generator.bits()) << 64 | u128::from(generator.bits())).to_le_bytes();
            let seed = Seed::of_visitor(&snapshot.site, &VisitorKey(id()), DecisionId(id()));
            let decision = decide(&snapshot, &context, &seed);
            let choice = decision.choices.first().context("a choice")?;
            let arm = choice.arm.context("an arm")?;
            let receipt = choice.receipt(&snapshot, &seed, 0).context("a receipt")?;
            let mut tokens = Tokens::default();
            statistics.apply(&fold(&mut tokens, &Event::exposure(&receipt, None)).1);
            let coefficients = truth.get(arm).context("a truth")?;
            let rate: f64 = [1.0].iter().chain(&x).zip(coefficients).map(|(x, c)| x * c).sum();
            if generator.unit() < rate
                && let Ok(reward) = Event::reward(&receipt, &goal, 0.0, None)
            {
                statistics.apply(&fold(&mut tokens, &reward).1);
            }
        }
        published.learned = learn(&published.config, &statistics, Since::default());
    }
    println!("{}", serde_json::to_string(&published)?);
    Ok(())
}
