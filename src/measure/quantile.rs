//! Quantiles of the normal and of the chi-square distribution, as thresholds need them: to four digits, not to the last bit.

/// The point a standard normal variable stays below with probability `share`, in (0, 1); absolute error below 1e-9 between
/// 1e-15 and 1 − 1e-15. Shares outside of that range are held to it.
pub(super) fn normal(share: f64) -> f64 {
    let upper = share > 0.5;
    let tail = if upper { 1.0 - share } else { share }.max(1e-15);
    // Newton on the logarithm of the tail, which is concave: from the right of the root it never overshoots. A tail is at most
    // exp(−x²/2)/2, so this is the right of it.
    let mut x = libm::sqrt((-2.0 * libm::log(2.0 * tail)).max(0.0));
    for _ in 0..60 {
        let mass = 0.5 * libm::erfc(x * std::f64::consts::FRAC_1_SQRT_2);
        let density = libm::exp(-0.5 * x * x) * 0.398_942_280_401_432_7;
        let step = mass * (libm::log(mass) - libm::log(tail)) / density;
        x += step;
        if step.abs() < 1e-12 {
            break;
        }
    }
    if upper { x } else { -x }
}

/// The point a chi-square variable with `degrees` ≥ 1 degrees of freedom stays below with probability `share`: the cube of a
/// normal variable (Wilson & Hilferty 1931, doi:10.1073/pnas.17.12.684). Relative error below 1 % from 2 degrees on, for
/// shares from 0.9 to 0.9999; 3 % for 1 degree, on the side of fewer alarms.
pub(super) fn chi_square(degrees: f64, share: f64) -> f64 {
    let spread = 2.0 / (9.0 * degrees);
    let root = (1.0 - spread + normal(share) * libm::sqrt(spread)).max(0.0);
    degrees * root * root * root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_quantiles_are_those_of_the_tables() {
        let table = [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.025, -1.959_963_984_540_054),
            (0.999, 3.090_232_306_167_813),
            (1e-9, -5.997_807_015_007_686),
        ];
        for (share, expected) in table {
            assert!((normal(share) - expected).abs() < 1e-9, "{share}: {}", normal(share));
        }
        assert!(normal(0.0).is_finite() && normal(1.0).is_finite());
    }

    #[test]
    fn chi_square_quantiles_are_near_those_of_the_tables() {
        let table =
            [(2.0, 0.99, 9.210_34), (9.0, 0.95, 16.918_98), (9.0, 0.999, 27.877_16), (50.0, 0.9, 63.167_12)];
        for (degrees, share, expected) in table {
            let found = chi_square(degrees, share);
            assert!((found / expected - 1.0).abs() < 0.01, "{degrees} {share}: {found}");
        }
        let one = chi_square(1.0, 0.999);
        assert!((10.8276..11.2).contains(&one), "{one}");
    }
}
