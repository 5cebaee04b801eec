//! The JSON form of an event: one-letter names, each a promise; a new one is optional.
//! One event of an exposure has some 200 bytes, the largest 900:
//!
//! ```text
//! {"k":"<key>","d":"<decision>","s":"hero","a":"bold","t":1764200000000,"p":0.5,"n":1}
//! ```

use super::{Event, Kind, MAX_VALUE_MICROS, Refusal, Treatment};
use crate::bytes::Reader;
use crate::id::{DecisionId, GoalId, SlotId};
use crate::json::{self, Tell};
use crate::receipt::{Basis, MAX_SHARDS, is_propensity};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::Value;

/// The form between Worker, queue and ledger. 64-bit keys are text: a JSON number would lose digits in JavaScript.
#[derive(Default)]
pub(super) struct Wire {
    /// Key, 16 hexadecimal digits.
    k: String,
    /// Decision.
    d: String,
    /// Slot.
    s: String,
    /// Arm.
    a: Option<String>,
    /// Held out.
    h: bool,
    /// Shared.
    m: bool,
    /// Goal; without it the event is an exposure.
    g: Option<String>,
    /// Value in micros.
    v: Option<i64>,
    /// Time of the decision.
    t: u64,
    /// Propensity.
    p: f64,
    /// Shards.
    n: u8,
    /// Hash of the unit, 16 hexadecimal digits.
    u: Option<String>,
    /// What learning needs: the binary form of [`Basis`], in base64url.
    b: Option<String>,
}

json::fields! { Wire { needs k, d, s, t, p, n; may have a, h, m, g, v, u, b; } }

impl Event {
    /// The event of a value in the stored form.
    ///
    /// # Errors
    /// [`Refusal::Malformed`]: another shape, or a field out of its range.
    pub fn from_value(value: &Value) -> Result<Self, Refusal> {
        json::shape::<Wire>(value).map_err(|_| Refusal::Malformed)?.try_into()
    }
}

impl Tell for Event {
    fn value(&self) -> Value {
        Wire::from(self.clone()).value()
    }
}

impl From<Event> for Wire {
    fn from(event: Event) -> Self {
        let (a, h) = event.treatment.to_parts();
        let (g, v) = match event.kind {
            Kind::Exposure => (None, None),
            Kind::Reward { goal, value_micros } => (Some(goal.to_string()), Some(value_micros)),
        };
        Self {
            k: format!("{:016x}", event.key),
            d: event.decision.to_string(),
            s: event.slot.to_string(),
            a,
            h,
            m: event.shared,
            g,
            v,
            t: event.time_millis,
            p: event.propensity,
            n: event.shards,
            u: event.unit.map(|unit| format!("{unit:016x}")),
            b: (event.basis != Basis::default()).then(|| {
                let mut bytes = Vec::new();
                event.basis.write(&mut bytes);
                Base64UrlUnpadded::encode_string(&bytes)
            }),
        }
    }
}

/// The basis in a text; `None` where there is none.
fn basis_of(text: &str) -> Option<Basis> {
    let bytes = Base64UrlUnpadded::decode_vec(text).ok()?;
    let mut reader = Reader::new(&bytes);
    let basis = Basis::read_for_learning(&mut reader)?;
    reader.end().map(|()| basis)
}

impl TryFrom<Wire> for Event {
    type Error = Refusal;

    fn try_from(wire: Wire) -> Result<Self, Refusal> {
        let malformed = |_| Refusal::Malformed;
        let kind = match (wire.g, wire.v) {
            (None, None) => Kind::Exposure,
            (Some(goal), Some(value_micros)) if value_micros.unsigned_abs() <= MAX_VALUE_MICROS as u64 => {
                Kind::Reward { goal: GoalId::new(&goal).map_err(malformed)?, value_micros }
            }
            _ => return Err(Refusal::Malformed),
        };
        if !is_propensity(wire.p) || !(1..=MAX_SHARDS).contains(&wire.n) {
            return Err(Refusal::Malformed);
        }
        Ok(Self {
            key: u64::from_str_radix(&wire.k, 16).map_err(|_| Refusal::Malformed)?,
            decision: DecisionId::parse(&wire.d).map_err(malformed)?,
            slot: SlotId::new(&wire.s).map_err(malformed)?,
            treatment: Treatment::from_parts(wire.a.as_deref(), wire.h).map_err(malformed)?,
            shared: wire.m,
            kind,
            time_millis: wire.t,
            propensity: wire.p,
            shards: wire.n,
            unit: wire
                .u
                .map(|unit| u64::from_str_radix(&unit, 16))
                .transpose()
                .map_err(|_| Refusal::Malformed)?,
            basis: wire.b.map_or(Some(Basis::default()), |text| basis_of(&text)).ok_or(Refusal::Malformed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EventId, MAX_VALUE};
    use super::*;
    use crate::receipt::tests::sample;
    use crate::receipt::{Flags, Receipt};
    use proptest::prelude::*;
    use std::num::NonZeroU16;

    fn buy() -> GoalId {
        GoalId::new("buy").unwrap()
    }

    #[test]
    fn the_stored_names_never_change() {
        let basis = Basis { period_hours: NonZeroU16::new(24), ..Basis::default() };
        let receipt = Receipt { flags: Flags::default().with_shared(true), basis, ..sample() };
        let event = Event::reward(&receipt, &buy(), 2.5, Some(EventId([1; 16]))).unwrap();
        let expected = format!(
            r#"{{"k":"{:016x}","d":"{}","s":"hero","a":"summer","m":true,"g":"buy","v":2500000,"t":1795525500000,"p":0.3,"n":4,"u":"4e7f5f6cc686735c","b":"Ahg"}}"#,
            event.key, event.decision
        );
        let expected = json::parse(expected.as_bytes()).unwrap();
        assert_eq!(event.value(), expected);
        assert_eq!(Event::from_value(&expected), Ok(event));
    }

    #[test]
    fn a_wire_event_outside_its_ranges_is_malformed() {
        let good = Event::reward(&sample(), &buy(), 1.0, None).unwrap().value();
        assert!(Event::from_value(&good).is_ok());
        for (field, bad) in [
            ("k", serde_json::json!("xyz")),
            ("d", serde_json::json!("00")),
            ("s", serde_json::json!("")),
            ("a", serde_json::json!("a b")),
            ("g", serde_json::json!("a/b")),
            ("g", serde_json::json!(null)),
            ("v", serde_json::json!(MAX_VALUE_MICROS + 1)),
            ("v", serde_json::json!(i64::MIN)),
            ("p", serde_json::json!(0.0)),
            ("p", serde_json::json!(1.5)),
            ("n", serde_json::json!(0)),
            ("n", serde_json::json!(65)),
            ("t", serde_json::json!(-1)),
        ] {
            let mut value = good.clone();
            value[field] = bad.clone();
            assert!(Event::from_value(&value).is_err(), "{field}: {bad}");
        }
    }

    proptest! {
        #[test]
        fn an_event_survives_json_bit_for_bit(
            decision: [u8; 16],
            propensity in 1e-12..=1.0_f64,
            value in -MAX_VALUE..=MAX_VALUE,
            held_out: bool,
            basis in crate::receipt::tests::basis(),
        ) {
            let flags = Flags::default().with_held_out(held_out);
            let receipt = Receipt { decision: DecisionId(decision), propensity, flags, basis, ..sample() };
            let event = Event::reward(&receipt, &buy(), value, None).unwrap();
            let text = json::write(&event);
            prop_assert_eq!(Event::from_value(&json::parse(text.as_bytes()).unwrap()), Ok(event));
        }
    }
}
