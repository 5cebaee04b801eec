//! What holds for every condition and every visit, and the small print of the language as examples.

use super::{AudienceSet, Cause, MAX_DEPTH};
use crate::context::Context;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn answer(condition: &Value, attributes: &Value) -> bool {
    let mut set = AudienceSet::default();
    let audience = set.add(condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
    let context =
        Context { attributes: attributes.as_object().cloned().unwrap_or_default(), ..Context::default() };
    set.matches(audience, &set.facts(&context))
}

fn refusal(condition: &Value) -> (String, Cause, String) {
    let mut set = AudienceSet::default();
    let error = set.add(condition).expect_err("a mistake");
    let text = error.to_string();
    (error.at, error.cause, text)
}

#[test]
fn an_audience_sees_the_built_in_facts_of_a_visit() {
    let mut set = AudienceSet::default();
    let audience =
        set.add(&json!({"path": {"$regex": "^/shop/"}, "query.ref": "mail", "hour": {"$gte": 13}})).unwrap();
    let mut context =
        Context { path: "/shop/tea".into(), time_millis: 1_795_525_500_000, ..Context::default() };
    assert!(!set.matches(audience, &set.facts(&context)));
    context.query.insert("ref".into(), json!("mail"));
    assert!(set.matches(audience, &set.facts(&context)));
}

#[test]
fn every_refusal_says_where_what_and_what_to_write_instead() {
    let cases = [
        (json!(3), ""),
        (json!({"a": {"$regx": "b"}}), "/a/$regx"),
        (json!({"$in": ["b"]}), "/$in"),
        (json!({"a": {"$gt": 1, "b": 2}}), "/a"),
        (json!({"$or": [{}, {"a/b~c": {"$in": [1, [2]]}}]}), "/$or/1/a~1b~0c/$in/1"),
        (json!({"$and": {"a": 1}}), "/$and"),
        (json!({"a": {"$gte": null}}), "/a/$gte"),
        (json!({"a": {"$type": "text"}}), "/a/$type"),
        (json!({"a": {"$regex": "(?=look)"}}), "/a/$regex"),
        (json!({"a": {"$elemMatch": [1]}}), "/a/$elemMatch"),
        (json!({"a": {"$exists": "no"}}), "/a/$exists"),
    ];
    for (condition, place) in cases {
        let (at, _, text) = refusal(&condition);
        assert_eq!(at, place, "{condition}");
        assert!(text.contains("; hint: "), "{text}");
    }
    assert!(refusal(&json!({"a": {"$regx": "b"}})).2.contains("did you mean \"$regex\""));
}

#[test]
fn a_refused_condition_leaves_no_name_behind() {
    let mut set = AudienceSet::default();
    let audience = set.add(&json!({"a": 1})).unwrap();
    set.add(&json!({"b": 1, "c": {"$elemMatch": {"d": 1}}, "e": {"$nope": 1}})).unwrap_err();
    assert_eq!((set.visit.attributes.len(), set.inside.attributes.len()), (1, 1));
    assert!(set.matches(audience, &set.facts_of_map(json!({"a": 1}).as_object().unwrap())));
}

#[test]
fn groups_hold_scalars_only() {
    let groups = json!({"good": [1, "a"], "bad": [[1]]});
    let error = AudienceSet::with_groups(groups.as_object().unwrap()).unwrap_err();
    assert_eq!(error.at, "/bad/0");
}

#[test]
fn kinds_are_converted_only_where_the_language_says_so() {
    for (condition, attributes, expected) in [
        (json!({"a": "8"}), json!({"a": 8}), true),
        (json!({"a": "8.0"}), json!({"a": 8}), false),
        (json!({"a": 8}), json!({"a": "8.0"}), true),
        (json!({"a": {"$eq": 8}}), json!({"a": "8"}), false),
        (json!({"a": {"$eq": 8}}), json!({"a": 8.0}), true),
        (json!({"a": "true"}), json!({"a": true}), true),
        (json!({"a": "null"}), json!({}), false),
        (json!({"a": {"$regex": "null"}}), json!({}), false),
        (json!({"a": true}), json!({"a": "yes"}), true),
        (json!({"a": {"$lt": 18}}), json!({}), true),
        (json!({"a": {"$lt": 18, "$exists": true}}), json!({}), false),
        (json!({"a": {"$lt": 18}}), json!({"a": "young"}), false),
        (json!({"a": {"$gte": "b"}}), json!({"a": ["b"]}), false),
        (json!({"a": {"$eq": {"x": [1, 2]}}}), json!({"a": {"x": [1.0, 2]}}), true),
        (json!({"a": {"$in": [null]}}), json!({}), true),
        (json!({"a": {"$ini": ["Ä", 5]}}), json!({"a": ["x", "ä"]}), true),
        (json!({"a": {"$ini": ["Ä", 5]}}), json!({"a": 5}), true),
        (json!({"a": {"$elemMatch": {"$lt": 1}}}), json!({"a": [0]}), true),
        (json!({"a": {"$elemMatch": {"$not": {"$in": [1]}}}}), json!({"a": [1, 2]}), true),
        (json!({"a": {"$elemMatch": {"$not": {"b": 1}}}}), json!({"a": [{"b": 1}]}), false),
        (
            json!({"a": {"$elemMatch": {"b": {"$elemMatch": {"c": "x"}}}}}),
            json!({"a": [{"b": [{"c": "x"}]}]}),
            true,
        ),
        (json!({"a.1.b": 2}), json!({"a": [0, {"b": 2}]}), true),
        (json!({"a": {"$notRegex": "^b"}}), json!({"a": "bc"}), false),
        (json!({"a": {"$notRegex": "^b"}}), json!({"a": "BC"}), true),
        (json!({"a": {"$notRegexi": "^b"}}), json!({"a": "BC"}), false),
        (json!({"a": {"$notRegexi": "^b"}}), json!({}), true),
        (json!({"$nor": []}), json!({}), true),
    ] {
        assert_eq!(answer(&condition, &attributes), expected, "{condition} on {attributes}");
    }
}

#[test]
fn nesting_ends_in_an_error_and_never_in_an_overflow() {
    let nest = |levels: usize, wrap: fn(Value) -> Value| {
        let mut condition = json!({"a": 1});
        for _ in 0..levels {
            condition = wrap(condition);
        }
        condition
    };
    // `json!` would copy what it wraps, recursing itself.
    fn under(key: &str, value: Value) -> Value {
        Value::Object(Map::from_iter([(key.to_string(), value)]))
    }
    let wraps: [fn(Value) -> Value; 5] = [
        |c| under("$not", c),
        |c| under("$and", Value::Array(vec![c])),
        |c| under("a", under("$elemMatch", c)),
        |c| under("a", under("$not", c)),
        |c| under("a", c),
    ];
    for wrap in wraps {
        assert!(AudienceSet::default().add(&nest(10, wrap)).is_ok());
        // A JSON parser stops at 128 levels; not so deep that dropping the test's own value overflows.
        let (_, cause, _) = refusal(&nest(1000, wrap));
        assert!(matches!(cause, Cause::TooDeep));
    }
    assert!(AudienceSet::default().add(&nest(MAX_DEPTH - 1, wraps[0])).is_ok());
    assert!(AudienceSet::default().add(&nest(MAX_DEPTH, wraps[0])).is_err());
}

#[test]
fn no_pattern_is_slow_on_a_long_text() {
    let bad = [
        "(a+)+$",
        "(a|a)*$",
        "(a|aa)+$",
        "(.*a){12}$",
        "(a*)*b",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(x+x+)+y",
        "(a?){30}a{30}$",
        r"(\w*\s?)*!$",
        "((a{1,9}){1,9}){1,9}b",
        "(((a{0,99}){0,99}){0,99}){0,99}",
        "(.|\\s|\\w|a)*(.|\\s|\\w|a)*(.|\\s|\\w|a)*!$",
    ];
    let text = json!({"a": "a".repeat(100_000)});
    let mut refused = 0;
    for pattern in bad {
        let mut set = AudienceSet::default();
        let Ok(audience) = set.add(&json!({"a": {"$regex": pattern}})) else {
            refused += 1;
            continue;
        };
        // A backtracking engine would not come back; the clock is for whoever runs the test.
        let facts = set.facts_of_map(text.as_object().unwrap());
        assert!(!set.matches(audience, &facts) || !pattern.ends_with(['b', 'y', '!']), "{pattern}");
    }
    assert!((1..bad.len() / 2).contains(&refused), "{refused} refused");
}

fn word() -> impl Strategy<Value = String> {
    let words = [
        "a",
        "b",
        "a.b",
        "a.0",
        "path",
        "query",
        "$groups",
        "",
        "$and",
        "$or",
        "$nor",
        "$not",
        "$eq",
        "$ne",
        "$lt",
        "$lte",
        "$gt",
        "$gte",
        "$in",
        "$nin",
        "$ini",
        "$nini",
        "$inGroup",
        "$notInGroup",
        "$all",
        "$alli",
        "$elemMatch",
        "$size",
        "$type",
        "$exists",
        "$regex",
        "$regexi",
        "$notRegex",
        "$notRegexi",
        "$veq",
        "$vgt",
        "$nonsense",
    ];
    prop::sample::select(words.to_vec()).prop_map(String::from)
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::sample::select(vec!["a", "A", "0", "1.2.3", "v2-rc.1", "string", "array", "^a+$", "(", "true"])
            .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Conditions that compile more often than not.
fn condition() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..3).prop_map(Value::from),
        prop::sample::select(vec!["a", "A", "1", "2.0"]).prop_map(Value::from),
    ];
    let list = prop::collection::vec(scalar.clone(), 0..4).prop_map(Value::from);
    let name = || prop::sample::select(vec!["a", "b", "a.b", "b.0"]).prop_map(String::from);
    let bound = prop_oneof![(-2_i64..3).prop_map(Value::from), Just(json!("1")), Just(json!("a"))];
    let line = prop_oneof![
        (name(), scalar).prop_map(|(n, v)| json!({n: v})),
        (name(), prop::sample::select(vec!["$in", "$nin", "$ini", "$nini", "$all", "$alli"]), list)
            .prop_map(|(n, o, v)| json!({n: {o: v}})),
        (
            name(),
            prop::sample::select(vec!["$lt", "$lte", "$gt", "$gte", "$eq", "$ne", "$vgt", "$size"]),
            bound
        )
            .prop_map(|(n, o, v)| json!({n: {o: v}})),
    ];
    line.prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            (prop::sample::select(vec!["$and", "$or", "$nor"]), prop::collection::vec(inner.clone(), 1..4))
                .prop_map(|(o, v)| json!({o: v})),
            (name(), inner).prop_map(|(n, v)| json!({n: {"$elemMatch": v}})),
        ]
    })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => [("a".to_string(), other)].into_iter().collect(),
    }
}

proptest! {
    #[test]
    fn any_condition_on_any_attributes_gives_an_answer_or_an_error(c in any_json(), attributes in any_json()) {
        let mut set = AudienceSet::default();
        match set.add(&c) {
            Ok(audience) => {
                let context = Context { attributes: object(attributes), ..Context::default() };
                let facts = set.facts(&context);
                prop_assert_eq!(set.matches(audience, &facts), set.matches(audience, &facts));
            }
            Err(error) => prop_assert!(error.to_string().contains("hint:") && (error.at.is_empty() || c.pointer(&error.at).is_some())),
        }
    }

    #[test]
    fn the_logical_operators_are_logic(c in condition(), d in condition(), attributes in any_json()) {
        let attributes = Value::Object(object(attributes));
        let (x, y) = (answer(&c, &attributes), answer(&d, &attributes));
        prop_assert_eq!(answer(&json!({"$not": c}), &attributes), !x);
        prop_assert_eq!(answer(&json!({"$and": [c, d]}), &attributes), x && y);
        prop_assert_eq!(answer(&json!({"$or": [c, d]}), &attributes), x || y);
        prop_assert_eq!(answer(&json!({"$nor": [c, d]}), &attributes), !(x || y));
    }

    #[test]
    fn an_answer_does_not_depend_on_the_other_audiences(cs in prop::collection::vec(condition(), 1..6), attributes in any_json()) {
        let attributes = Value::Object(object(attributes));
        let mut set = AudienceSet::default();
        let indices: Vec<_> = cs.iter().map(|c| set.add(c).unwrap()).collect();
        let facts = set.facts_of_map(attributes.as_object().unwrap());
        for (c, index) in cs.iter().zip(indices) {
            prop_assert_eq!(set.matches(index, &facts), answer(c, &attributes));
        }
    }

    #[test]
    fn a_list_finds_exactly_its_members(list in prop::collection::vec("[a-cA-C]{1,2}", 0..90), value in "[a-cA-C]{1,2}") {
        let attributes = json!({"a": value});
        let strict = list.contains(&value);
        let folded = list.iter().any(|item| item.eq_ignore_ascii_case(&value));
        prop_assert_eq!(answer(&json!({"a": {"$in": list}}), &attributes), strict);
        prop_assert_eq!(answer(&json!({"a": {"$nin": list}}), &json!({"a": ["none", value]})), !strict);
        prop_assert_eq!(answer(&json!({"a": {"$ini": list}}), &attributes), folded);
    }
}
