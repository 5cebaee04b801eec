//! Sends simulated visitors through the real HTTP path and shows live how traffic moves to the best arm.

use crate::admin::Admin;
use crate::process::interrupted;
use crate::readers::{LISTS, Seen, liked_by_chance};
use crate::visitors::{PLACES, Place, Visit, rate_of_all, visit};
use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};
use ureq::Agent;

/// How many visitors "now" and "at first" mean.
const WINDOW: usize = 300;
const N_THREADS: usize = 4;
/// Between two looks at the status.
const LOOK: Duration = Duration::from_secs(1);
/// Looks between two tables in a log.
const LOOKS_PER_LOG: u64 = 10;
/// A visit that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// So many visits may fail before we give up: a restart of the runtime costs a handful.
const MOST_FAILURES: u64 = 50;
/// Last events are counted and published within a few seconds.
const SETTLE: Duration = Duration::from_secs(3);

/// Which visitors come where.
pub struct Options {
    /// Address of the site, e.g. `http://127.0.0.1:8787`.
    pub site: String,
    /// Token for the status.
    pub token: String,
    /// Number of visitors.
    pub n_visitors: u64,
    /// Visitors per second at most, > 0: learning takes seconds, and a rush would be over before it.
    pub per_second: f64,
}

/// What was seen so far.
#[derive(Default)]
struct Tally {
    /// The first [`WINDOW`] visits.
    first: VecDeque<Visit>,
    /// The last [`WINDOW`] visits.
    last: VecDeque<Visit>,
    n_visits: u64,
    n_orders: u64,
    n_failures: u64,
    /// Why a visit failed, the first time.
    failure: Option<anyhow::Error>,
}

impl Tally {
    fn add(&mut self, outcome: Result<Visit>) {
        let visit = match outcome {
            Ok(visit) => visit,
            Err(error) => {
                self.n_failures += 1;
                self.failure.get_or_insert(error);
                return;
            }
        };
        self.n_visits += 1;
        self.n_orders += visit.n_orders;
        if self.first.len() < WINDOW {
            self.first.push_back(visit.clone());
        }
        self.last.push_back(visit);
        if self.last.len() > WINDOW {
            self.last.pop_front();
        }
    }
}

/// Share of an arm among the visits in which the place was filled, in [0, 1].
fn share(visits: &VecDeque<Visit>, place: usize, arm: &str) -> f64 {
    let shown = || visits.iter().filter_map(|visit| visit.shown.get(place)?.as_deref());
    let n_shown = shown().count().max(1);
    shown().filter(|shown| *shown == arm).count() as f64 / n_shown as f64
}

/// Share of the visits in which the place was filled that got the best there is for them, in [0, 1].
fn share_of_best(visits: &VecDeque<Visit>, place: usize) -> f64 {
    let filled = || visits.iter().filter(|visit| visit.shown.get(place).is_some_and(Option::is_some));
    let best = filled().filter(|visit| visit.is_best.get(place) == Some(&true)).count();
    best as f64 / filled().count().max(1) as f64
}

/// What a list showed the readers among the visits.
fn seen(visits: &VecDeque<Visit>, list: usize) -> Seen {
    let mut all = Seen::default();
    visits.iter().filter_map(|visit| visit.lists.get(list)).for_each(|seen| all += *seen);
    all
}

/// A part of the notes shown, in [0, 1].
fn share_of(part: u64, seen: Seen) -> f64 {
    part as f64 / seen.n_shown.max(1) as f64
}

/// Sends the visitors; ends early, in order, when somebody interrupts.
///
/// # Errors
/// When too many visits fail, or the status can't be read in the end.
pub fn run(options: &Options) -> Result<()> {
    let style = ProgressStyle::with_template("{msg}\n  {bar:40} {pos} of {len} visitors, {eta} left")?;
    let traffic = Traffic {
        options,
        agent: Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_idle_connections_per_host(N_THREADS)
            .build()
            .into(),
        start: Instant::now(),
        next: AtomicU64::new(0),
        tally: Mutex::default(),
        bar: ProgressBar::new(options.n_visitors).with_style(style),
    };
    let admin = Admin::new(&options.site, &options.token);
    scope(|threads| {
        let senders: Vec<_> = (0..N_THREADS).map(|_| threads.spawn(|| traffic.send())).collect();
        let mut n_looks = 0;
        while !senders.iter().all(|sender| sender.is_finished()) {
            sleep(LOOK);
            n_looks += 1;
            traffic.show(&admin, n_looks);
        }
    });
    traffic.bar.finish_and_clear();
    let tally = traffic.tally();
    if tally.n_failures >= MOST_FAILURES || tally.n_visits == 0 {
        let why = tally.failure.as_ref().map(|error| format!("{error:#}")).unwrap_or_default();
        bail!("{} visits failed; the first one: {why}", tally.n_failures);
    }
    if !interrupted() {
        sleep(SETTLE);
    }
    println!("{}\n{}", table(&admin.status()?, &tally), summary(&tally));
    Ok(())
}

/// Visitors on their way.
struct Traffic<'o> {
    options: &'o Options,
    agent: Agent,
    start: Instant,
    /// Number of the next visitor.
    next: AtomicU64,
    tally: Mutex<Tally>,
    bar: ProgressBar,
}

impl Traffic<'_> {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What one thread does: visitor after visitor, each not before its time.
    fn send(&self) {
        loop {
            let nth = self.next.fetch_add(1, Ordering::Relaxed);
            if nth >= self.options.n_visitors || interrupted() || self.tally().n_failures >= MOST_FAILURES {
                return;
            }
            let due = Duration::from_secs_f64(nth as f64 / self.options.per_second);
            sleep(due.saturating_sub(self.start.elapsed()));
            let outcome = visit(&self.agent, &self.options.site, nth);
            self.tally().add(outcome);
            self.bar.inc(1);
        }
    }

    /// Brings the table up to date; where nobody watches, prints it now and then.
    fn show(&self, admin: &Admin, n_looks: u64) {
        let Ok(status) = admin.status() else { return };
        let table = table(&status, &self.tally());
        if !self.bar.is_hidden() {
            self.bar.set_message(table);
        } else if n_looks.is_multiple_of(LOOKS_PER_LOG) {
            println!("{table}\n  {} of {} visitors", self.bar.position(), self.options.n_visitors);
        }
    }
}

/// Per slot and arm: share of the last visits, what the Worker believes, and the truth.
fn table(status: &Value, tally: &Tally) -> String {
    let mut out = String::new();
    for (nth, place) in PLACES.iter().enumerate() {
        let _ = writeln!(
            out,
            "\n  {:<10}{:<30} {:>10} {:>10} {:>10}",
            place.slot, "traffic now", "P(best)", "believed", "true rate"
        );
        for truth in place.arms {
            let (arm, _) = truth;
            let share = share(&tally.last, nth, arm);
            let told =
                |name: &str| believed(status, place, arm, name).map_or_else(|| "-".to_string(), percent);
            let mark = if place.is_best_somewhere(arm) { "★" } else { " " };
            let _ = writeln!(
                out,
                "  {mark} {arm:<8}{:<24}{:>6} {:>10} {:>10} {:>10}",
                bar(share),
                percent(share),
                told("p_best"),
                told("mean"),
                percent(rate_of_all(truth))
            );
        }
    }
    let _ = writeln!(
        out,
        "\n  {:<16}{:<24} {:>10} {:>10} {:>10}",
        "lists", "liked now", "", "by chance", "opened"
    );
    for (nth, list) in LISTS.iter().enumerate() {
        let seen = seen(&tally.last, nth);
        let liked = share_of(seen.n_liked, seen);
        let _ = writeln!(
            out,
            "    {:<14}{:<24}{:>11} {:>10} {:>10}",
            list.slot,
            bar(liked),
            percent(liked),
            percent(liked_by_chance()),
            percent(share_of(seen.n_opened, seen))
        );
    }
    let sequence = status.pointer("/snapshot/sequence").and_then(Value::as_u64).unwrap_or_default();
    let _ = write!(
        out,
        "\n  {} orders; snapshot {sequence}; ★ is truly the best, on some device at least",
        tally.n_orders
    );
    if tally.n_failures > 0 {
        let _ = write!(out, "; {} visits failed", tally.n_failures);
    }
    out
}

/// A number the Worker tells about an arm.
fn believed(status: &Value, place: &Place, arm: &str, name: &str) -> Option<f64> {
    let slots = status.get("slots")?.as_array()?;
    let slot = slots.iter().find(|slot| slot["slot"] == place.slot)?;
    let arms = slot.get("arms")?.as_array()?;
    arms.iter().find(|found| found["arm"] == arm)?.get(name)?.as_f64()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A share in [0, 1] as a bar of 22 characters.
fn bar(share: f64) -> String {
    "█".repeat((share * 22.0).round() as usize)
}

/// Whether traffic moved to the best arms, in words.
fn summary(tally: &Tally) -> String {
    let mut n_moved = 0;
    let mut out = String::new();
    for (nth, place) in PLACES.iter().enumerate() {
        let (first, last) = (share_of_best(&tally.first, nth), share_of_best(&tally.last, nth));
        n_moved += usize::from(last > first);
        let _ = writeln!(
            out,
            "  {}: {} of the first {} visitors got the best arm for them, and {} of the last {}.",
            place.slot,
            percent(first),
            tally.first.len(),
            percent(last),
            tally.last.len()
        );
    }
    for (nth, list) in LISTS.iter().enumerate() {
        let [first, last] = [&tally.first, &tally.last].map(|visits| seen(visits, nth));
        let _ = writeln!(
            out,
            "  {}: {} of the notes it showed the readers among the first {} visitors were of topics they like, {} among the last {}; \
             they opened {} and {}.",
            list.slot,
            percent(share_of(first.n_liked, first)),
            tally.first.len(),
            percent(share_of(last.n_liked, last)),
            tally.last.len(),
            percent(share_of(first.n_opened, first)),
            percent(share_of(last.n_opened, last))
        );
    }
    let _ = write!(
        out,
        "  After {} visitors more of them get the best arm in {n_moved} of {} slots.",
        tally.n_visits,
        PLACES.len()
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;
    use serde_json::json;

    fn shown(arm: &str) -> Visit {
        let is_best = [arm == "tide", false, false];
        let lists = [
            Seen { n_shown: 4, n_liked: u64::from(is_best[0]), n_opened: 0 },
            Seen::default(),
            Seen::default(),
        ];
        Visit { shown: [Some(arm.to_string()), None, Some("trial".to_string())], is_best, n_orders: 1, lists }
    }

    #[test]
    fn shares_are_of_the_visits_in_which_the_place_was_filled() {
        let visits =
            VecDeque::from([shown("tide"), shown("walk"), Visit::default(), shown("tide"), shown("tide")]);
        assert!((share(&visits, 0, "tide") - 0.75).abs() < 1e-12);
        assert!(share(&visits, 1, "map").abs() < 1e-12);
    }

    #[test]
    fn the_first_and_the_last_visits_are_kept_and_failures_counted() {
        let mut tally = Tally::default();
        (0..WINDOW).for_each(|_| tally.add(Ok(shown("light"))));
        tally.add(Err(anyhow!("gone")));
        (0..WINDOW).for_each(|_| tally.add(Ok(shown("tide"))));
        assert!((share(&tally.first, 0, "light") - 1.0).abs() < 1e-12);
        assert!((share(&tally.last, 0, "tide") - 1.0).abs() < 1e-12);
        assert_eq!((tally.n_visits, tally.n_orders, tally.n_failures), (600, 600, 1));
        assert!(summary(&tally).contains(
            "hero: 0.0 % of the first 300 visitors got the best arm for them, and 100.0 % of the last"
        ));
        assert!(summary(&tally).contains(
            "read-next: 0.0 % of the notes it showed the readers among the first 300 visitors were of topics they like, 25.0 %"
        ));
    }

    #[test]
    fn the_table_shows_belief_beside_truth() {
        let status = json!({
            "snapshot": { "sequence": 7 },
            "slots": [{ "slot": "hero", "arms": [{ "arm": "tide", "p_best": 0.931, "mean": 0.127 }] }],
        });
        let table = table(&status, &Tally::default());
        let row = table.lines().find(|line| line.contains("tide")).unwrap();
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(words, ["★", "tide", "0.0", "%", "93.1", "%", "12.7", "%", "14.0", "%"]);
        assert!(table.contains("snapshot 7"));
    }
}
