//! Simulated sites whose best segment is known, adaptive quadrature, and the laws of pooling.

use super::super::site::normal;
use super::*;
use crate::seed::Generator;
use proptest::prelude::*;

/// 20 segments of 1,000 visitors, half of them treated; a rate of 10 % and what `uplift` draws.
fn site(generator: &mut Generator, uplift: impl Fn(&mut Generator) -> f64) -> (Segments, Vec<f64>) {
    let mut segments = Segments::default();
    let mut truth = Vec::new();
    for j in 0..20 {
        let effect = uplift(generator);
        truth.push(effect);
        for i in 0..1_000 {
            let (side, rate) = if i % 2 == 0 { (Side::Treated, 0.1 + effect) } else { (Side::Control, 0.1) };
            segments.add(&format!("{j:02}"), side, if generator.unit() < rate { 1_000_000 } else { 0 });
        }
    }
    (segments, truth)
}

/// Mean of estimate − truth of the segment that looks best, over sites, with its standard error: raw and shrunk.
fn best(sites: u64, uplift: impl Fn(&mut Generator) -> f64 + Copy) -> [(f64, f64); 2] {
    let mut sums = [(0.0, 0.0); 2];
    for seed in 0..sites {
        let (segments, truth) = site(&mut Generator::new(seed), uplift);
        let found = segments.uplifts(0.95).unwrap().segments;
        let raw = |s: &SegmentUplift| s.raw.unwrap().value;
        let shrunk = |s: &SegmentUplift| s.shrunk.value;
        for (sum, value) in sums.iter_mut().zip([&raw as &dyn Fn(&SegmentUplift) -> f64, &shrunk]) {
            let pairs = found.iter().zip(&truth).map(|(s, truth)| (value(s), *truth));
            let (value, truth) = pairs.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
            *sum = (sum.0 + value - truth, sum.1 + (value - truth) * (value - truth));
        }
    }
    let n = sites as f64;
    sums.map(|(sum, squares)| (sum / n, ((squares / n - sum / n * sum / n) / n).sqrt()))
}

#[test]
fn the_belief_is_that_of_adaptive_quadrature() {
    // Made-up segments; computed elsewhere with the formulas above, integrated to 1e-11.
    let raws = [(0.031, 0.012), (-0.012, 0.02), (0.006, 0.009), (0.054, 0.03), (0.018, 0.015)]
        .map(|(y, s)| Estimate::normal(y, s, 0.95));
    let golden = [
        (0.022_461_209_073, 0.010_099_180_453, 0.992_901_156_126),
        (0.008_145_116_468, 0.013_117_195_112, 0.764_522_753_072),
        (0.010_176_817_104, 0.007_949_692_840, 0.897_481_466_293),
        (0.021_838_080_094, 0.015_298_110_346, 0.952_965_182_511),
        (0.016_448_443_054, 0.010_516_238_641, 0.945_565_565_935),
    ];
    let pooled = Pooled::new(raws.iter());
    assert!((pooled.overall(0.95).value - 0.015_813_933_159).abs() < 1e-7);
    for (raw, (mean, sd, p_positive)) in raws.iter().zip(golden) {
        let (found, p) = pooled.segment(Some(raw), 0.95);
        assert!((found.value - mean).abs() < 1e-7 && (found.standard_error - sd).abs() < 1e-7, "{found:?}");
        assert!((p - p_positive).abs() < 1e-5, "{p}");
    }
}

#[test]
fn the_best_segment_is_overestimated_raw_and_not_when_shrunk() {
    // Standard error of a segment: √(0.1·0.9/500·2) = 0.019. Segments differ by as much.
    let [raw, shrunk] = best(100, |generator| 0.02 + 0.019 * normal(generator));
    println!("raw {:.4} ± {:.4}, shrunk {:.4} ± {:.4}", raw.0, raw.1, shrunk.0, shrunk.1);
    // Four standard errors: a false alarm in 1 of 16,000 seeds.
    assert!(raw.0 > 0.015 && raw.0 > 4.0 * raw.1);
    assert!(shrunk.0.abs() < 4.0 * shrunk.1 && shrunk.0.abs() < 0.2 * raw.0);
}

#[test]
fn where_segments_do_not_differ_none_is_a_winner() {
    let mut winners = [0; 2];
    for seed in 0..60 {
        let (segments, _) = site(&mut Generator::new(500 + seed), |_| 0.0);
        let found = segments.uplifts(0.95).unwrap().segments;
        let clear = |estimate: Estimate| estimate.interval.low > 0.0;
        winners[0] += u32::from(found.iter().any(|s| clear(s.raw.unwrap())));
        winners[1] += u32::from(found.iter().any(|s| clear(s.shrunk)));
    }
    println!("sites with a false winner, of 60: raw {}, shrunk {}", winners[0], winners[1]);
    // 20 intervals each with 2.5 % above: 40 % of sites have a raw winner. 5 or more of 60 at 2.5 % is 1.7 % likely.
    assert!(winners[0] >= 15 && winners[1] <= 4);
}

#[test]
fn shrunk_intervals_hold_the_truth() {
    let (mut held, mut n) = (0.0, 0.0);
    for seed in 0..60 {
        let (segments, truth) =
            site(&mut Generator::new(900 + seed), |generator| 0.02 + 0.01 * normal(generator));
        for (found, truth) in segments.uplifts(0.95).unwrap().segments.iter().zip(truth) {
            held += f64::from(u8::from(found.shrunk.interval.contains(truth)));
            n += 1.0;
        }
    }
    println!("{:.3}", held / n);
    // 1,200 intervals of 95 %: 0.63 % each standard deviation, more as those of one site share μ and τ.
    assert!(held / n > 0.92, "{}", held / n);
}

#[test]
fn a_segment_without_a_side_is_believed_to_be_like_the_others() {
    let mut segments = site(&mut Generator::new(3), |_| 0.05).0;
    segments.add("new", Side::Treated, 0);
    let found = segments.uplifts(0.95).unwrap();
    let new = found.segments.iter().find(|s| s.segment == "new").unwrap();
    assert_eq!((new.raw, new.n_treated, new.n_control), (None, 1, 0));
    assert_eq!(new.shrunk.value, found.overall.value);
    assert!(new.shrunk.standard_error > found.overall.standard_error);
}

#[test]
fn no_reward_at_all_is_no_certainty() {
    // In a segment of 30 nobody converted: it is not known better than those of 1,000.
    let mut segments = site(&mut Generator::new(4), |_| 0.0).0;
    for i in 0..60 {
        segments.add("tiny", if i % 2 == 0 { Side::Treated } else { Side::Control }, 0);
    }
    let found = segments.uplifts(0.95).unwrap();
    let (tiny, other) = (found.segments.last().unwrap(), &found.segments[0]);
    assert!(tiny.raw.unwrap().standard_error > 3.0 * other.raw.unwrap().standard_error);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let mut segments = Segments::default();
    assert_eq!(segments.uplifts(0.95), Err(SegmentError::TooFew { found: 0 }));
    for (segment, side) in
        [("a", Side::Treated), ("a", Side::Control), ("b", Side::Treated), ("b", Side::Control)]
    {
        segments.add(segment, side, 0);
        segments.add(segment, side, 0);
    }
    assert_eq!(segments.uplifts(0.95), Err(SegmentError::NoVariance(Side::Treated)));
    segments.add("b", Side::Treated, 5);
    assert_eq!(segments.uplifts(0.95), Err(SegmentError::NoVariance(Side::Control)));
}

fn visitors() -> impl Strategy<Value = Vec<(usize, bool, i64)>> {
    prop::collection::vec((0..5_usize, any::<bool>(), -9_000_000..9_000_000_i64), 0..60)
}

fn counted(visitors: &[(usize, bool, i64)]) -> Segments {
    let mut segments = Segments::default();
    for (segment, treated, micros) in visitors {
        let side = if *treated { Side::Treated } else { Side::Control };
        segments.add(["a", "b", "c", "d", "e"][*segment], side, *micros);
    }
    segments
}

proptest! {
    #[test]
    fn a_segment_is_drawn_towards_the_others_and_never_beyond(visitors in visitors()) {
        if let Ok(found) = counted(&visitors).uplifts(0.9) {
            prop_assert!(found.between_sd >= 0.0 && found.overall.standard_error > 0.0);
            let raws = || found.segments.iter().filter_map(|s| s.raw).map(|raw| raw.value);
            let (low, high) = (raws().fold(f64::MAX, f64::min), raws().fold(f64::MIN, f64::max));
            for segment in &found.segments {
                let value = segment.shrunk.value;
                prop_assert!(low - 1e-9 <= value && value <= high + 1e-9);
                prop_assert!((0.0..=1.0 + 1e-12).contains(&segment.p_positive));
            }
        }
    }

    #[test]
    fn parts_add_up_in_any_order(one in visitors(), other in visitors()) {
        let (mut ahead, mut back) = (counted(&one), counted(&other));
        ahead.merge(&back);
        back.merge(&counted(&one));
        prop_assert_eq!(&ahead, &back);
        prop_assert_eq!(ahead, counted(&[one, other].concat()));
    }
}
