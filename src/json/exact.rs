//! The nearest `f64` of a decimal number, by whole numbers of any size: slow beside methods with tables of powers, at a
//! microsecond still quick, and a tenth of their wasm.
//!
//! It does not read text; which spellings are numbers is said elsewhere.

use std::cmp::Ordering;

/// Digits that can matter: halfway between two `f64` lies no number with more than 767 significant ones.
const MOST_DIGITS: usize = 770;
/// 10^0 … 10^22: those powers of ten that are an `f64` to the last bit.
const EXACT_POWER: u32 = 22;

/// The `f64` nearest to `digits` × 10^`exponent`, ties to even; infinite where it is too large. `digits` are ASCII.
///
/// Long division to 64 bits and one bit for whatever remains, then one rounding: the simple method of
/// W. D. Clinger, How to read floating point numbers accurately, PLDI 1990, doi:10.1145/93542.93557.
pub(super) fn nearest(digits: impl Iterator<Item = u8>, exponent: i64) -> f64 {
    let mut digits = digits.skip_while(|digit| *digit == b'0');
    let (mut number, mut n_digits) = (Whole::default(), 0);
    for digit in digits.by_ref().take(MOST_DIGITS) {
        number.times_plus(10, u32::from(digit.wrapping_sub(b'0')));
        n_digits += 1;
    }
    if n_digits == 0 {
        return 0.0;
    }
    // Of what follows it only matters whether it is nothing.
    let mut exponent = exponent;
    let mut tail = false;
    for digit in digits {
        tail |= digit != b'0';
        exponent = exponent.saturating_add(1);
    }
    match exponent.saturating_add(n_digits) {
        310.. => return f64::INFINITY,
        ..=-330 => return 0.0,
        _ => {}
    }
    let power = u32::try_from(exponent.unsigned_abs()).unwrap_or(u32::MAX);
    if let Some(short) = number.short().filter(|_| power <= EXACT_POWER && !tail) {
        // Both are exact, so that the one operation rounds once.
        let ten = (0..power).fold(1.0, |ten, _| ten * 10.0);
        return if exponent < 0 { short / ten } else { short * ten };
    }
    let mut divisor = Whole::of(1);
    let scaled = if exponent < 0 { &mut divisor } else { &mut number };
    for _ in 0..power {
        scaled.times_plus(10, 0);
    }
    // The number is quotient × 2^-shift; the quotient gets 64 or 65 bits.
    let shift = 64 + divisor.n_bits() - number.n_bits();
    number.shift_left(shift.max(0));
    divisor.shift_left((-shift).max(0));
    let (quotient, rest) = number.divide(divisor);
    rounded(quotient, shift, rest || tail)
}

/// `quotient` × 2^-`shift` and a little where there is a rest.
fn rounded(quotient: u128, shift: i32, has_rest: bool) -> f64 {
    let n_bits = (u128::BITS - quotient.leading_zeros()) as i32;
    let exponent = n_bits - 1 - shift;
    // Subnormals have the bits above 2^-1074, others 53.
    let kept = (exponent + 1075).min(53);
    if kept < 0 {
        return 0.0;
    }
    let dropped = n_bits - kept;
    let (mantissa, tail, half) =
        (quotient >> dropped, quotient & ((1 << dropped) - 1), 1_u128 << (dropped - 1));
    let up = match tail.cmp(&half) {
        Ordering::Less => false,
        Ordering::Equal => has_rest || mantissa & 1 == 1,
        Ordering::Greater => true,
    };
    let biased = u64::try_from(exponent.max(-1022) + 1023).unwrap_or_default();
    // The hidden bit, or the carry of a mantissa that was rounded up to the next power, adds one to the exponent.
    let bits = ((biased - 1) << 52) + (mantissa as u64 + u64::from(up));
    f64::from_bits(bits.min(f64::INFINITY.to_bits()))
}

/// A whole number: its digits to the base 2^32, the lowest first, the highest not 0.
#[derive(Default)]
struct Whole(Vec<u32>);

impl Whole {
    fn of(n: u32) -> Self {
        Self(vec![n])
    }

    /// The number, where an `f64` holds it.
    fn short(&self) -> Option<f64> {
        let n = match self.0.as_slice() {
            [] => 0,
            [low] => u64::from(*low),
            [low, high] => u64::from(*high) << 32 | u64::from(*low),
            _ => return None,
        };
        (n <= 1 << 53).then_some(n as f64)
    }

    fn n_bits(&self) -> i32 {
        let high = self.0.last().map_or(0, |high| 32 - high.leading_zeros());
        (self.0.len().saturating_sub(1) * 32) as i32 + high as i32
    }

    fn times_plus(&mut self, factor: u32, plus: u32) {
        let mut carry = u64::from(plus);
        for digit in &mut self.0 {
            carry += u64::from(*digit) * u64::from(factor);
            *digit = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn shift_left(&mut self, n_bits: i32) {
        let n_bits = n_bits.unsigned_abs();
        self.times_plus(1 << (n_bits % 32), 0);
        self.0.splice(0..0, (0..n_bits / 32).map(|_| 0));
    }

    fn is_less(&self, other: &Self) -> bool {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev())).is_lt()
    }

    /// Takes away what is not more than this.
    fn minus(&mut self, other: &Self) {
        let mut borrow = false;
        let others = other.0.iter().copied().chain(std::iter::repeat(0));
        for (digit, other) in self.0.iter_mut().zip(others) {
            let (less, under) = digit.overflowing_sub(other);
            let (less, under_again) = less.overflowing_sub(u32::from(borrow));
            (*digit, borrow) = (less, under || under_again);
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// A quotient of up to 66 bits, bit by bit, and whether something remains.
    fn divide(mut self, mut by: Self) -> (u128, bool) {
        let ahead = (self.n_bits() - by.n_bits()).max(0);
        by.shift_left(ahead);
        let mut quotient = 0;
        for _ in 0..=ahead {
            let fits = !self.is_less(&by);
            if fits {
                self.minus(&by);
            }
            quotient = quotient << 1 | u128::from(fits);
            // Instead of halving the divisor.
            self.times_plus(2, 0);
        }
        (quotient, !self.0.is_empty())
    }
}
