//! The questions that most conditions consist of, answered for all audiences at once: one row of bits for what is known of the
//! visit, one bit per audience. Deliberately blind to everything but a few constants: the rest is left to [`Rule`].

use super::constants::CodeSet;
use super::facts::{Fact, Seen};
use super::rule::{Bound, Rule, Side, Test};

/// Bits in a word of a row.
const WORD: usize = 64;

/// Sets of audiences by the constants and by the numbers that they want.
#[derive(Debug, Clone, Default)]
pub(super) struct Sieve {
    columns: Vec<Column>,
    spans: Vec<Span>,
}

/// The numbers that one audience wants of one name, both ends included; none where an end is not a number.
#[derive(Debug, Clone, Copy)]
struct Span {
    name: u32,
    audience: usize,
    from: f64,
    to: f64,
}

impl Span {
    /// The numbers on one side of a finite bound.
    fn of(name: u32, audience: usize, side: Side, bound: f64) -> Option<Self> {
        let (from, to) = match side {
            Side::Less => (f64::NEG_INFINITY, bound.next_down()),
            Side::LessOrEqual => (f64::NEG_INFINITY, bound),
            Side::GreaterOrEqual => (bound, f64::INFINITY),
            Side::Greater => (bound.next_up(), f64::INFINITY),
            Side::Equal | Side::NotEqual => return None,
        };
        bound.is_finite().then_some(Self { name, audience, from, to })
    }
}

/// All questions of one kind about one name.
#[derive(Debug, Clone)]
struct Column {
    name: u32,
    /// Whether an element of a list will do.
    has: bool,
    /// The audiences that ask.
    asking: Vec<u64>,
    /// By the number of a constant: those of them that it satisfies. A row that is short or missing goes on with zeros.
    satisfied: Vec<Vec<u64>>,
}

impl Sieve {
    /// Takes a question that an audience must have answered with yes, or gives it back.
    pub(super) fn take(&mut self, audience: usize, rule: Rule) -> Option<Rule> {
        let (name, has, set) = match rule {
            Rule::Ask(name, Test::Is(CodeSet::Mask(set))) => (name, false, set),
            Rule::Ask(name, Test::In(CodeSet::Mask(set))) => (name, true, set),
            Rule::Ask(name, Test::Compare(side, Bound { text: None, number })) => {
                let span = Span::of(name, audience, side, number);
                self.spans.extend(span);
                return if span.is_some() { None } else { Some(rule) };
            }
            other => return Some(other),
        };
        let column = match self.columns.iter_mut().find(|column| column.name == name && column.has == has) {
            // A list may have one element in this set and another in that one: two questions are not one.
            Some(column) if holds(&column.asking, audience) => return Some(rule),
            Some(column) => column,
            None => self.columns.push_mut(Column { name, has, asking: Vec::new(), satisfied: Vec::new() }),
        };
        add(&mut column.asking, audience);
        for code in (0..u64::BITS as usize).filter(|code| set >> code & 1 == 1) {
            if column.satisfied.len() <= code {
                column.satisfied.resize_with(code + 1, Vec::new);
            }
            if let Some(row) = column.satisfied.get_mut(code) {
                add(row, audience);
            }
        }
        None
    }

    /// The audiences that a visit does not belong to, whatever else they ask.
    pub(super) fn refused(&self, facts: &[Fact<'_>], n_audiences: usize) -> Refused {
        let mut refused = match n_audiences {
            0..=WORD => Refused::Few([0]),
            more => Refused::Many(vec![0; more.div_ceil(WORD)]),
        };
        let row = refused.row_mut();
        for column in &self.columns {
            if let Some(fact) = facts.get(column.name as usize) {
                column.refuse(fact, row);
            }
        }
        // Spans of one name mostly stand together: a text is turned into a number once for them.
        let mut last = (u32::MAX, f64::NAN);
        for Span { name, audience, from, to } in &self.spans {
            if *name != last.0 {
                last = (*name, facts.get(*name as usize).map_or(f64::NAN, |fact| fact.seen.number()));
            }
            let is_outside = !((*from <= last.1) & (last.1 <= *to));
            if let Some(word) = row.get_mut(audience / WORD) {
                *word |= u64::from(is_outside) << (audience % WORD);
            }
        }
        refused
    }
}

impl Column {
    fn satisfied(&self, code: u32, word: usize) -> u64 {
        self.satisfied.get(code as usize).and_then(|row| row.get(word)).copied().unwrap_or(0)
    }

    fn refuse(&self, fact: &Fact<'_>, refused: &mut [u64]) {
        for (word, (refused, asking)) in refused.iter_mut().zip(&self.asking).enumerate() {
            let mut satisfied = self.satisfied(fact.code, word);
            if let (true, Seen::List(list)) = (self.has, fact.seen) {
                let codes = list.iter().map(|element| fact.constants.code(element.into()));
                satisfied = codes.fold(satisfied, |all, code| all | self.satisfied(code, word));
            }
            *refused |= asking & !satisfied;
        }
    }
}

/// A set of audiences.
#[derive(Debug, Clone)]
pub(super) enum Refused {
    /// The common case, without memory of its own.
    Few([u64; 1]),
    Many(Vec<u64>),
}

impl Refused {
    fn row(&self) -> &[u64] {
        match self {
            Self::Few(row) => row,
            Self::Many(row) => row,
        }
    }

    fn row_mut(&mut self) -> &mut [u64] {
        match self {
            Self::Few(row) => row,
            Self::Many(row) => row,
        }
    }

    pub(super) fn contains(&self, audience: usize) -> bool {
        holds(self.row(), audience)
    }
}

fn holds(row: &[u64], audience: usize) -> bool {
    row.get(audience / WORD).is_some_and(|word| word >> (audience % WORD) & 1 == 1)
}

fn add(row: &mut Vec<u64>, audience: usize) {
    if row.len() <= audience / WORD {
        row.resize(audience / WORD + 1, 0);
    }
    if let Some(word) = row.get_mut(audience / WORD) {
        *word |= 1 << (audience % WORD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_span_is_its_side() {
        let tiny = f64::from_bits(1);
        let numbers = [f64::MIN, -1.0, -tiny, -0.0, 0.0, tiny, 1.0, 1.0 + f64::EPSILON, f64::MAX, f64::NAN];
        for (bound, x) in numbers.iter().flat_map(|bound| numbers.map(|x| (*bound, x))) {
            for side in [Side::Less, Side::LessOrEqual, Side::GreaterOrEqual, Side::Greater] {
                let Some(Span { from, to, .. }) = Span::of(0, 0, side, bound) else {
                    assert!(bound.is_nan());
                    continue;
                };
                let expected = x.partial_cmp(&bound).is_some_and(|ordering| side.holds(ordering));
                assert_eq!(from <= x && x <= to, expected, "{x} {side:?} {bound}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_row_is_a_set(audiences in prop::collection::vec(0_usize..300, 0..40)) {
            let mut row = Vec::new();
            audiences.iter().for_each(|audience| add(&mut row, *audience));
            prop_assert!((0..400).all(|n| holds(&row, n) == audiences.contains(&n)));
        }
    }
}
