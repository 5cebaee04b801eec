//! `edgeloom power`: how many visitors it takes to see a lift, and how long; the arithmetic is the core's.

use crate::problem::Stop;
use edgeloom::measure::power::Design;
use serde_json::{Value, json};

/// What is planned.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Plan {
    /// Share of held-out visitors that convert, in (0, 1)
    #[arg(long)]
    rate: f64,
    /// What is to be seen: a relative lift, as in 0.1 for a tenth more
    #[arg(long, allow_hyphen_values = true)]
    lift: f64,
    /// Share of visitors that is held out
    #[arg(long, default_value_t = 0.05)]
    holdout: f64,
    /// New visitors a day, for how long it takes
    #[arg(long, value_name = "N")]
    visitors_per_day: Option<f64>,
    /// Visitors at hand: which lift they show
    #[arg(long, value_name = "N")]
    visitors: Option<u64>,
    /// Standard deviation of the value between visitors, those who buy nothing included; with --value the same lift of it
    #[arg(long, value_name = "SD", requires = "value")]
    value_sd: Option<f64>,
    /// Mean value of a held-out visitor
    #[arg(long, value_name = "AMOUNT", requires = "value_sd")]
    value: Option<f64>,
    /// Probability of seeing it where it is there
    #[arg(long, default_value_t = 0.8)]
    power: f64,
    /// Probability that an interval holds the truth
    #[arg(long, default_value_t = 0.95)]
    level: f64,
}

/// The plan for machines.
///
/// # Errors
/// The first number out of its range.
pub fn run(plan: &Plan) -> Result<Value, Stop> {
    let failed = |error: edgeloom::measure::power::PowerError| {
        let message = error.to_string();
        let (what, hint) = message.split_once("; hint: ").unwrap_or((&message, ""));
        Stop::new(what, hint)
    };
    let design = Design::new(plan.holdout, plan.level, plan.power).map_err(failed)?;
    let visitors = design.visitors_for_rate(plan.rate, plan.rate * plan.lift).map_err(failed)?;
    let held_out = (visitors as f64 * plan.holdout).ceil();
    let days =
        plan.visitors_per_day.map(|per_day| design.days(visitors, per_day)).transpose().map_err(failed)?;
    let smallest =
        plan.visitors.map(|n| design.smallest_rate_effect(plan.rate, n)).transpose().map_err(failed)?;
    let value = plan.value.zip(plan.value_sd).map(|(value, deviation)| {
        let visitors = design.visitors_for_value(deviation, value * plan.lift)?;
        let days = plan.visitors_per_day.map(|per_day| design.days(visitors, per_day)).transpose()?;
        let smallest = plan.visitors.map(|n| design.smallest_value_effect(deviation, n)).transpose()?;
        Ok(json!({ "visitors": visitors, "days": days, "smallest_lift": smallest.map(|smallest| smallest / value.abs()) }))
    });
    Ok(json!({
        "visitors": visitors, "held_out": held_out, "personalised": visitors as f64 - held_out, "days": days,
        "smallest_lift": smallest.map(|smallest| smallest / plan.rate),
        "value": value.transpose().map_err(failed)?,
    }))
}

/// The plan for people.
pub fn text(plan: &Plan, found: &Value) -> String {
    let number = |name: &str| found.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    let more = |found: &Value, what: &str| {
        let days = found.get("days").and_then(Value::as_f64).map(|days| format!("\ndays          {days}"));
        let lift = found.get("smallest_lift").and_then(Value::as_f64).zip(plan.visitors);
        let lift = lift.map(|(lift, n)| {
            format!("\n{n} visitors show a lift of the {what} from {:.2} % on", 100.0 * lift)
        });
        days.unwrap_or_default() + &lift.unwrap_or_default()
    };
    let value = found.get("value").filter(|value| value.is_object()).map(|value| {
        let visitors = value.get("visitors").and_then(Value::as_f64).unwrap_or(0.0);
        format!("\nto see the same lift of the value\nvisitors      {visitors}{}", more(value, "value"))
    });
    format!(
        "to see a rate of {} become {} with a probability of {}\nvisitors      {}\nheld out      {}\npersonalised  {}{}{}",
        plan.rate,
        (plan.rate * (1.0 + plan.lift) * 1e9).round() / 1e9,
        plan.power,
        number("visitors"),
        number("held_out"),
        number("personalised"),
        more(found, "rate"),
        value.unwrap_or_default(),
    )
}
