//! `edgeloom evaluate`: what a log says of each slot and goal: the increment against the holdout, arms and other policies by logged
//! propensities, whom it helps, and whether log and world can be trusted. All estimates are the core's.
//!
//! ```text
//! rows ──> views ──> traffic, uplift (increment, segments), choice (sample ratio, arms, policies, regret),
//!                    who (learners, Qini, profit), watch (calibration, drift)  ──> part ──> text, JSON, html + chart
//! ```

mod chart;
mod choice;
mod columns;
mod html;
mod model;
mod part;
mod policy;
mod ratio;
pub mod rows;
mod traffic;
mod uplift;
pub mod views;
mod watch;
mod who;

use crate::problem::Stop;
use choice::Choices;
use columns::Columns;
use edgeloom::snapshot::DEFAULT_HOLDOUT;
use edgeloom::snapshot::wire::Config;
use part::Part;
use policy::Policy;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use views::Views;
use who::Terms;

/// What is asked of a log.
#[derive(Debug, clap::Args)]
pub struct Asked {
    /// Files of JSON lines, as `edgeloom log` brings them
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Only this slot
    #[arg(long)]
    slot: Option<String>,
    /// Only this goal
    #[arg(long)]
    goal: Option<String>,
    /// What it would have earned: uniform, shadow (the challenger), arm=NAME, or the file of a snapshot
    #[arg(long, value_name = "POLICY")]
    policy: Vec<String>,
    /// What this configuration would have earned, learning overnight; it also names features, costs and the holdout
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The increment by kind of visitor: a feature of --config, a column as in x[2], or any other field of the log
    #[arg(long, value_name = "FIELD")]
    segments: Vec<String>,
    /// What showing once costs, for whom to show it to; unless --config says
    #[arg(long, value_name = "AMOUNT")]
    cost: Option<f64>,
    /// What `edgeloom status --json` said: counts events that were not taken
    #[arg(long, value_name = "FILE")]
    status: Option<PathBuf>,
    /// Seed of the resampling behind the intervals
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write the report as a page, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// What a log says.
pub struct Report {
    rows: usize,
    repeats: u64,
    bad: u64,
    told: Vec<String>,
    warnings: Vec<String>,
    slots: Vec<OfSlot>,
}

/// What it says of one slot and goal.
struct OfSlot {
    slot: String,
    goal: String,
    parts: Vec<Part>,
}

/// What is known beside the log.
struct Known {
    policies: Vec<Policy>,
    config: Option<Config>,
    status: Option<Map<String, Value>>,
    /// Slots that are reported on.
    n_slots: usize,
}

/// Reads the log and says what it says; writes the page, where one is asked for.
///
/// # Errors
/// A log or another file that can't be read or written; a slot, goal, arm or field that is not in the log.
pub fn run(asked: &Asked) -> Result<Report, Stop> {
    let log = rows::read(&asked.files)?;
    let mut policies = asked.policy.iter().map(|text| Policy::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let config = asked.config.as_deref().map(policy::config).transpose()?;
    if let (Some(config), Some(file)) = (&config, &asked.config) {
        policies.push(Policy::Config(Box::new(config.clone()), file.display().to_string()));
    }
    let status = asked.status.as_deref().map(traffic::status).transpose()?;
    let names: BTreeSet<&str> = log.rows.values().map(|row| row.slot.as_str()).collect();
    let n_slots = if asked.slot.is_some() { 1 } else { names.len() };
    let known = Known { policies, config, status, n_slots };
    is_among("slot", asked.slot.as_deref(), &names)?;
    let (mut slots, mut goals_of_all) = (Vec::new(), BTreeSet::new());
    for slot in names.iter().filter(|name| asked.slot.as_deref().is_none_or(|slot| slot == **name)) {
        let rows: Vec<_> = log.rows.values().filter(|row| row.slot == *slot).collect();
        let goals: BTreeSet<&str> =
            rows.iter().flat_map(|row| row.rewards.keys().map(String::as_str)).collect();
        goals_of_all.extend(goals.iter().copied());
        for goal in goals.iter().filter(|goal| asked.goal.as_deref().is_none_or(|asked| asked == **goal)) {
            let parts = parts(&Views::new(slot, goal, &rows), asked, &known)?;
            slots.push(OfSlot { slot: (*slot).into(), goal: (*goal).into(), parts });
        }
    }
    if slots.is_empty() {
        is_among("goal", asked.goal.as_deref(), &goals_of_all)?;
        return Err(Stop::new("nothing in the log was rewarded yet", "bring it again later"));
    }
    let bad = (log.bad > 0).then(|| format!("lines that could not be read: {}", log.told.join("; ")));
    let report = Report {
        rows: log.rows.len(),
        repeats: log.repeats,
        bad: log.bad,
        told: log.told,
        warnings: bad.into_iter().collect(),
        slots,
    };
    if let Some(file) = &asked.html {
        let written = std::fs::write(file, html::page(&report));
        let help = "name a file in a folder that is there";
        written.map_err(|error| Stop::new(format!("cannot write {}: {error}", file.display()), help))?;
    }
    Ok(report)
}

/// Everything there is to say of a slot and goal, the most important first.
fn parts(views: &Views<'_>, asked: &Asked, known: &Known) -> Result<Vec<Part>, Stop> {
    let visitors = uplift::visitors(views);
    let columns = Columns::of(known.config.as_ref(), views);
    let (mut kinds, mut untold) = (Vec::new(), Vec::new());
    for name in &asked.segments {
        match columns.kinds(name, views) {
            Ok(found) => kinds.push((name.clone(), found)),
            // One slot without it does not cost the others.
            Err(stop) if known.n_slots > 1 => {
                untold.push(Part::missing("segments", &format!("Segments by {name}"), &stop.message));
            }
            Err(stop) => return Err(stop),
        }
    }
    let choices = Choices::new(views, asked.seed);
    let mut parts = vec![uplift::increment(views, &visitors, asked.seed)];
    for (name, kinds) in &kinds {
        let kinds: std::collections::BTreeMap<&str, &Option<String>> =
            views.all.iter().map(|view| view.row.row.as_str()).zip(kinds).collect();
        let kind = |view: &views::View<'_>| kinds.get(view.row.row.as_str()).and_then(|kind| (*kind).clone());
        parts.push(uplift::segments(views, &visitors, name, &kind));
    }
    parts.append(&mut untold);
    // Of an arm that stands for actions the log has the chance of both together, which says nothing of the arm.
    let brings = views.all.iter().any(|view| view.row.action.is_some());
    let compare = |key: &'static str, title: &str, part: &dyn Fn() -> Part| {
        let why =
            "requests bring actions to this slot, and the log has the chance of arm and action together";
        if brings { Part::missing(key, title, why) } else { part() }
    };
    parts.push(compare("arms", "Arms", &|| choices.arms()));
    if !known.policies.is_empty() {
        parts.push(choices.policies(&known.policies)?);
    }
    parts.push(compare("regret", "Regret", &|| choices.regret()));
    parts.push(who::who(views, &visitors, terms(views, asked, known.config.as_ref())));
    parts.push(compare("calibration", "Calibration", &|| watch::calibration(views, &choices.rows)));
    parts.push(watch::drift(views, &columns, &kinds));
    let configured = known.config.as_ref().and_then(|config| holdout(config, views.slot));
    let found = configured.and_then(|share| {
        let (seen, p) = uplift::holdout_ratio(&visitors, share)?;
        Some((share, seen, p))
    });
    let closed = known.config.as_ref().map(|config| policy::closed(config, views.slot)).unwrap_or_default();
    parts.push(compare("sample_ratio", "Sample ratio", &|| choices.sample_ratio(found, &closed)));
    parts.push(traffic::traffic(views, &visitors, known.status.as_ref()));
    Ok(parts)
}

/// Share of visitors that a configuration holds out of a slot; `None` where the slot has a holdout of its own beside the site's.
fn holdout(config: &Config, slot: &str) -> Option<f64> {
    let own = config.slot(slot)?;
    let share = config.holdout.as_ref().map_or(DEFAULT_HOLDOUT, |holdout| holdout.share);
    (own.holdout.is_none() && share > 0.0 && share < 1.0).then_some(share)
}

/// What showing costs, and what is earned of a value.
fn terms(views: &Views<'_>, asked: &Asked, config: Option<&Config>) -> Terms {
    let slot = config.and_then(|config| config.slot(views.slot));
    let cost_of = |name: &str| {
        let arm = slot.and_then(|slot| {
            slot.arms.iter().find(|arm| arm.id.as_deref().or(arm.block.as_deref()) == Some(name))
        });
        arm.and_then(|arm| arm.cost).unwrap_or(0.0)
    };
    let (mut n, mut cost) = (0.0, 0.0);
    for view in views.shown().filter(|view| !view.row.shared) {
        n += view.exposures() as f64;
        cost += view.exposures() as f64 * view.arm.map_or(0.0, |arm| cost_of(views.name(arm)));
    }
    let goal = config.and_then(|config| config.goals.iter().find(|goal| goal.id == views.goal));
    Terms {
        cost: asked.cost.unwrap_or(if n > 0.0 { cost / n } else { 0.0 }),
        margin: goal.and_then(|goal| goal.margin).unwrap_or(1.0),
    }
}

fn is_among(what: &str, name: Option<&str>, names: &BTreeSet<&str>) -> Result<(), Stop> {
    match name {
        Some(name) if !names.contains(name) => {
            let there = names.iter().copied().collect::<Vec<_>>().join(", ");
            let near = crate::problem::did_you_mean(name, names.iter().copied());
            let help = near
                .map_or_else(|| format!("there are: {there}"), |near| format!("{near} there are: {there}"));
            Err(Stop::new(format!("there is no {what} '{name}' in the log"), &help))
        }
        _ => Ok(()),
    }
}

impl Report {
    /// The first line of every answer.
    fn head(&self) -> String {
        let count = part::count;
        format!(
            "{}; {} told a row again and count once; {} could not be read; intervals hold 95 %",
            count(self.rows as u64, "row"),
            count(self.repeats, "line"),
            count(self.bad, "line")
        )
    }

    /// For machines. Intervals are lists of low, estimate and high.
    pub fn json(&self) -> Value {
        let of = |slot: &OfSlot| {
            let warning = |part: &Part| {
                let told = part.warnings.iter().map(|text| json!({ "part": part.key, "warning": text }));
                told.collect::<Vec<_>>()
            };
            let warnings: Value = slot.parts.iter().flat_map(warning).collect();
            let of_kind =
                |is_wanted: bool| slot.parts.iter().filter(move |part| (part.key == "segments") == is_wanted);
            let segments: Value = of_kind(true).map(|part| part.json.clone()).collect();
            let head =
                json!({ "slot": slot.slot, "goal": slot.goal, "segments": segments, "warnings": warnings });
            part::with(head, of_kind(false).map(|part| (part.key, part.json.clone())))
        };
        json!({
            "rows": self.rows, "repeated_lines": self.repeats, "bad_lines": self.bad, "bad": self.told,
            "slots": self.slots.iter().map(of).collect::<Value>(),
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = self.head() + "\n";
        self.warnings.iter().for_each(|warning| out += &format!("! {warning}\n"));
        for slot in &self.slots {
            out += &format!("\n== {} for {} ==\n\n", slot.slot, slot.goal);
            out += &slot.parts.iter().map(Part::text).collect::<Vec<_>>().join("\n");
        }
        out
    }
}

/// The JSON Schema of a line of the log.
pub fn schema() -> String {
    let mut schema = schemars::schema_for!(rows::LogRow);
    schema.insert("title".into(), "a line of the log".into());
    format!("{:#}", schema.to_value())
}
