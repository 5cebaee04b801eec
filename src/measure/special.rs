//! Distribution functions that intervals and tests need: normal, Student's t, chi-square. They know no data and no test.

/// √(2π).
const SQRT_2_PI: f64 = 2.506_628_274_631_000_7;

/// Terms of a series or a fraction at most. Both take some 10·√a terms for a degree of freedom 2a, so that this is enough
/// for ten million; beyond it the loop ends all the same, with fewer digits.
const MAX_TERMS: u32 = 40_000;

/// P(Z ≤ x) for a standard normal Z; relative error below 1e-13 down to x = −10, below 1e-12 down to the end of `f64`.
///
/// ½·erfc(−x/√2): not 1 − …, which would have no digits left in the lower tail.
/// ```
/// use edgeloom::measure::normal_cdf;
/// assert!((normal_cdf(-1.959963984540054) - 0.025).abs() < 1e-15);
/// ```
#[must_use]
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// The x with P(Z ≤ x) = `share` for a standard normal Z; error below 1e-13·|x| + 1e-15.
///
/// `share` is held to [1e-300, 1 − 1e-16], so the answer is finite: −37.05 to 8.21; not a number gives the lower end.
///
/// A start by 26.2.23 of Abramowitz & Stegun (1964), exact to 4.5e-4, then Halley's steps, each of which triples the
/// number of digits.
#[must_use]
pub fn normal_quantile(share: f64) -> f64 {
    if share > 0.5 {
        // 1 − share is exact here, and the tail keeps its digits.
        return -lower_quantile((1.0 - share).max(1e-16));
    }
    lower_quantile(share.max(1e-300))
}

/// The quantile of a share in [1e-300, 0.5].
fn lower_quantile(share: f64) -> f64 {
    let t = (-2.0 * libm::log(share)).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut x = above / below - t;
    for _ in 0..3 {
        // (Φ(x) − share) / φ(x), and Halley's correction of Newton's step for φ′ = −x·φ.
        let newton = (normal_cdf(x) - share) * SQRT_2_PI * libm::exp(0.5 * x * x);
        x -= newton / (1.0 + 0.5 * x * newton);
    }
    x
}

/// P(T ≤ t) for Student's t with `degrees` of freedom, not necessarily whole, held to [1, 1e12]; relative error below 1e-10.
#[must_use]
pub fn student_cdf(t: f64, degrees: f64) -> f64 {
    let outside = student_outside(t.abs(), in_range(degrees));
    if t < 0.0 { 0.5 * outside } else { 1.0 - 0.5 * outside }
}

/// The t ≥ 0 with P(|T| ≤ t) = `mass` for Student's t with `degrees` of freedom: the factor of a two-sided interval; relative
/// error below 1e-9. `mass` is held to [0, 1 − 1e-12], `degrees` to [1, 1e12].
#[must_use]
pub fn student_factor(mass: f64, degrees: f64) -> f64 {
    let degrees = in_range(degrees);
    // No mass, and no number, leave no room.
    if mass.is_nan() || mass <= 0.0 {
        return 0.0;
    }
    let wanted = (1.0 - mass).max(1e-12);
    // The normal quantile lies below the answer. Newton's steps are taken between logarithms, where a tail of powers is
    // straight: concave and falling, so that after the first step all come from above.
    let mut t = -normal_quantile(0.5 * wanted);
    for _ in 0..40 {
        let outside = student_outside(t, degrees);
        let step = libm::log(outside / wanted) * outside / (2.0 * t * student_density(t, degrees));
        t *= libm::exp(step);
        if step.abs() < 1e-14 || t == 0.0 {
            break;
        }
    }
    t
}

/// Not a number counts as one degree, of which least is known.
fn in_range(degrees: f64) -> f64 {
    if degrees.is_nan() { 1.0 } else { degrees.clamp(1.0, 1e12) }
}

/// Density of Student's t at `t`: Γ((ν + 1)/2)/(Γ(ν/2)·√(ν·π))·(1 + t²/ν)^(−(ν + 1)/2).
fn student_density(t: f64, degrees: f64) -> f64 {
    let ln_power = -0.5 * (degrees + 1.0) * libm::log1p(t * t / degrees);
    libm::exp(ln_gamma_step(0.5 * degrees) + ln_power) / (degrees * std::f64::consts::PI).sqrt()
}

/// ln(Γ(z + ½)/Γ(z)). From 100 on by its series (DLMF 5.11.13 for this step), where the logarithms themselves would cancel.
fn ln_gamma_step(z: f64) -> f64 {
    if z < 100.0 {
        return libm::lgamma(z + 0.5) - libm::lgamma(z);
    }
    0.5 * libm::log(z) - (1.0 / 8.0 - (1.0 / 192.0 - 1.0 / (640.0 * z * z)) / (z * z)) / z
}

/// P(|T| > t) = I_x(ν/2, ½) with x = ν/(ν + t²) (Abramowitz & Stegun 1964, 26.5.27), for t ≥ 0.
///
/// x^a·(1 − x)^b/(a·B(a, b)) with a = ν/2 and b = ½ is t times the density over a: what stands before the fraction. For many
/// degrees the normal distribution of √((ν − ½)·ln(1 + t²/ν)) (Hill 1970,
/// Communications of the ACM 13, Algorithm 395).
fn student_outside(t: f64, degrees: f64) -> f64 {
    let (a, square) = (0.5 * degrees, t * t);
    if square.is_infinite() {
        return 0.0;
    }
    // Beyond, 1 − x has fewer digits than this is off: by (t⁴ + 3t²)/(48ν²) of itself.
    if degrees > 1e6 {
        return libm::erfc((0.5 * (degrees - 0.5) * libm::log1p(square / degrees)).sqrt());
    }
    let factor = t * student_density(t, degrees);
    let x = degrees / (degrees + square);
    // Each side converges on its side of the mean.
    if x < (a + 1.0) / (a + 2.5) {
        return 2.0 * factor / degrees * beta_fraction(x, [a, 0.5]);
    }
    1.0 - 2.0 * factor * beta_fraction(square / (degrees + square), [0.5, a])
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22) by the method of [`upper_fraction`].
fn beta_fraction(x: f64, [a, b]: [f64; 2]) -> f64 {
    // The fraction begins with 1.
    let (mut c_inverse, mut d, mut value) = (1.0, 0.0, 1.0);
    for i in 0..MAX_TERMS {
        // The numerators d_(2m + 1) and d_(2m + 2).
        let m = f64::from(i);
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let n = m + 1.0;
        let even = n * (b - n) * x / ((a + 2.0 * n - 1.0) * (a + 2.0 * n));
        let before = value;
        for above in [odd, even] {
            let c = 1.0 + above * c_inverse;
            d = 1.0 / (1.0 + above * d);
            c_inverse = 1.0 / c;
            value *= c * d;
        }
        if (value / before - 1.0).abs() < 1e-16 {
            break;
        }
    }
    1.0 / value
}

/// P(X > x) for a chi-square X with `degrees` > 0 degrees of freedom: the p-value of a test.
///
/// Relative error below 1e-11 for up to 1,000 degrees, 1e-9 for up to a million, down to values of 1e-300. Below 0 all mass
/// is above; not a number gives not a number.
#[must_use]
pub fn chi_square_survival(x: f64, degrees: f64) -> f64 {
    upper_gamma(0.5 * degrees, 0.5 * x)
}

/// The regularised upper incomplete gamma function Q(a, x) = Γ(a, x)/Γ(a) (NIST DLMF 8.2.4, <https://dlmf.nist.gov/8.2>).
fn upper_gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    // x^a e^(−x) / Γ(a).
    let factor = libm::exp(a * libm::log(x) - x - libm::lgamma(a));
    // Where one of the two converges slowly the other one is quick; they meet at the mean.
    if x < a + 1.0 { 1.0 - factor * lower_series(a, x) } else { factor * upper_fraction(a, x) }
}

/// Σ x^n / (a·(a + 1)…(a + n)) (DLMF 8.7.1): the lower function without its factor.
fn lower_series(a: f64, x: f64) -> f64 {
    let mut term = 1.0 / a;
    let (mut sum, mut order) = (term, a);
    for _ in 0..MAX_TERMS {
        order += 1.0;
        term *= x / order;
        sum += term;
        if term < 1e-17 * sum {
            break;
        }
    }
    sum
}

/// The continued fraction 1/(x + 1 − a − 1·(1 − a)/(x + 3 − a − …)) (DLMF 8.9.2, even part), from the top by the method of
/// Lentz as changed by Thompson & Barnett (1986, doi:10.1016/0021-9991(86)90046-X). No denominator is 0 for x ≥ a + 1.
fn upper_fraction(a: f64, x: f64) -> f64 {
    let mut b = x + 1.0 - a;
    let mut d = 1.0 / b;
    // The first C is infinite; its second step would divide by it.
    let (mut c_inverse, mut value) = (0.0, d);
    for i in 1..MAX_TERMS {
        let n = f64::from(i);
        let above = n * (a - n);
        b += 2.0;
        d = 1.0 / (b + above * d);
        let c = b + above * c_inverse;
        c_inverse = 1.0 / c;
        let step = c * d;
        value *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(found: f64, exact: f64, relative: f64) {
        assert!((found - exact).abs() <= relative * exact.abs(), "{found:e} instead of {exact:e}");
    }

    // The constants below were computed with 50 digits by arbitrary-precision arithmetic, from the definitions.
    #[test]
    fn the_normal_distribution_agrees_with_known_values() {
        for (x, exact) in [
            (-37.0, 5.725_571_222_524_577e-300),
            (-20.0, 2.753_624_118_606_233_7e-89),
            (-10.0, 7.619_853_024_160_525e-24),
            (-5.0, 2.866_515_718_791_939e-7),
            (-1.5, 0.066_807_201_268_858_07),
            (-0.1, 0.460_172_162_722_971),
            (0.3, 0.617_911_422_188_952_7),
            (2.0, 0.977_249_868_051_820_8),
            (6.0, 0.999_999_999_013_412_3),
        ] {
            near(normal_cdf(x), exact, 1e-12);
        }
        for (share, exact) in [
            (1.0e-300, -37.047_096_299_361_2),
            (1.0e-100, -21.273_453_560_965_326),
            (1.0e-10, -6.361_340_902_404_057),
            (0.000_1, -3.719_016_485_455_680_4),
            (0.022_8, -1.999_077_214_971_77),
            (0.025, -1.959_963_984_540_054_3),
            (0.3, -0.524_400_512_708_040_8),
            (0.499_9, -0.000_250_662_830_088_007_47),
            (0.6, 0.253_347_103_135_799_7),
            (0.8, 0.841_621_233_572_914_4),
            (0.9, 1.281_551_565_544_600_6),
            (0.975, 1.959_963_984_540_053_8),
            (0.999_5, 3.290_526_731_491_926),
        ] {
            assert!((normal_quantile(share) - exact).abs() <= 1e-13 * exact.abs() + 1e-15, "{share}");
        }
    }

    #[test]
    fn the_chi_square_distribution_agrees_with_known_values() {
        for (x, degrees, exact) in [
            (1.0e-6, 1.0, 0.999_202_115_572_177_9),
            (0.5, 1.0, 0.479_500_122_186_953_5),
            (3.841_458_820_694_124, 1.0, 0.050_000_000_000_000_06),
            (30.0, 1.0, 4.320_463_057_827_497_5e-8),
            (1200.0, 1.0, 6.099_568_814_808_433_4e-263),
            (0.7, 3.0, 0.873_203_949_063_954_2),
            (7.8, 3.0, 0.050_331_097_859_853_35),
            (60.0, 3.0, 5.878_230_727_906_912e-13),
            (12.5, 10.0, 0.252_985_323_309_298_24),
            (80.0, 79.0, 0.447_398_803_966_590_8),
            (200.0, 79.0, 1.840_046_021_335_515e-12),
            (1.0, 100.0, 1.0),
            (990.0, 1000.0, 0.582_946_146_355_148_7),
            (1300.0, 1000.0, 3.889_736_499_486_852_6e-10),
            (99_000.0, 100_000.0, 0.987_521_684_361_917_2),
            (101_000.0, 100_000.0, 0.012_868_840_377_233_669),
            (1_000_500.0, 1_000_000.0, 0.361_682_231_710_304_4),
        ] {
            near(chi_square_survival(x, degrees), exact, if degrees > 1_000.0 { 1e-9 } else { 1e-11 });
        }
    }

    #[test]
    fn students_t_agrees_with_known_values() {
        for (mass, degrees, exact) in [
            (0.95, 1.0, 12.706_204_736_174_694),
            (0.95, 2.0, 4.302_652_729_749_462),
            (0.95, 7.3, 2.345_066_736_547_703),
            (0.99, 30.0, 2.749_995_653_567_225),
            (0.8, 4.5, 1.500_885_317_508_557_7),
            (0.95, 1000.0, 1.962_339_080_826_408),
            (0.999, 250_000.0, 3.290_565_650_832_679_3),
            (0.95, 100_000_000.0, 1.959_964_008_262_766_5),
        ] {
            near(student_factor(mass, degrees), exact, 1e-9);
            near(2.0 * student_cdf(-exact, degrees), 1.0 - mass, 1e-9);
            near(student_cdf(exact, degrees), 0.5 * (1.0 + mass), 1e-11);
        }
    }

    #[test]
    fn two_degrees_of_freedom_are_an_exponential() {
        for x in [1e-9, 0.1, 1.0, 2.5, 4.0, 30.0, 600.0] {
            near(chi_square_survival(x, 2.0), libm::exp(-0.5 * x), 1e-13);
        }
    }

    #[test]
    fn ends_have_an_answer() {
        assert_eq!(chi_square_survival(0.0, 3.0), 1.0);
        assert_eq!(chi_square_survival(-1.0, 3.0), 1.0);
        assert_eq!(chi_square_survival(f64::INFINITY, 3.0), 0.0);
        assert!(normal_quantile(0.0) < -37.0 && normal_quantile(1.0) > 8.2);
        assert!(normal_quantile(f64::NAN) < -37.0);
        assert_eq!((normal_cdf(f64::NEG_INFINITY), normal_cdf(f64::INFINITY)), (0.0, 1.0));
        assert_eq!((student_cdf(f64::NEG_INFINITY, 3.0), student_cdf(f64::INFINITY, 3.0)), (0.0, 1.0));
        // One degree of freedom: tan(π·mass/2), here 2/(π·1e-12).
        near(student_factor(1.0, 1.0), 2.0 / std::f64::consts::PI * 1e12, 1e-9);
        assert_eq!((student_factor(0.0, 3.0), student_factor(f64::NAN, 3.0)), (0.0, 0.0));
        assert_eq!(student_factor(0.5, f64::NAN), student_factor(0.5, 1.0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_normal_quantile_is_the_inverse_of_the_distribution(x in -37.0..6.0_f64) {
            prop_assert!((normal_quantile(normal_cdf(x)) - x).abs() < 1e-8 + 1e-13 * x.abs());
        }

        #[test]
        fn a_factor_of_students_t_leaves_its_mass_between(mass in 1e-6..0.999_999_f64, ln_degrees in 0.0..27.0_f64) {
            let degrees = libm::exp(ln_degrees);
            let t = student_factor(mass, degrees);
            prop_assert!((student_cdf(t, degrees) - student_cdf(-t, degrees) - mass).abs() < 1e-11);
        }

        #[test]
        fn a_larger_statistic_is_never_more_likely(x in 0.0..200.0_f64, more in 0.0..10.0_f64, degrees in 0.5..300.0_f64) {
            let (one, other) = (chi_square_survival(x, degrees), chi_square_survival(x + more, degrees));
            prop_assert!((0.0..=1.0).contains(&other) && other <= one * (1.0 + 1e-11));
        }
    }
}
