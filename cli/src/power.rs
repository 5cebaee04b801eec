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
    #[arg(long)]
    lift: f64,
    /// Share of visitors that is held out
    #[arg(long, default_value_t = 0.05)]
    holdout: f64,
    /// New visitors a day, for how long it takes
    #[arg(long, value_name = "N")]
    visitors_per_day: Option<f64>,
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
    Ok(
        json!({ "visitors": visitors, "held_out": held_out, "personalised": visitors as f64 - held_out, "days": days }),
    )
}

/// The plan for people.
pub fn text(plan: &Plan, found: &Value) -> String {
    let number = |name: &str| found.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    let days = match found.get("days").and_then(Value::as_f64) {
        Some(days) => format!("\ndays          {days}"),
        None => String::new(),
    };
    format!(
        "to see a rate of {} become {} with a probability of {}\nvisitors      {}\nheld out      {}\npersonalised  {}{days}",
        plan.rate,
        (plan.rate * (1.0 + plan.lift) * 1e9).round() / 1e9,
        plan.power,
        number("visitors"),
        number("held_out"),
        number("personalised"),
    )
}
