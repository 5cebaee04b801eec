//! The 248 cases of the condition language that its implementations share, read from outside the project.

use super::AudienceSet;
use serde_json::Value;

/// Cases whose condition is refused here; the expected answer is "nobody" in each, which is what a refused
/// audience gives. Their conditions are mistakes that the person who writes them should hear of.
const REFUSED: [&str; 7] = [
    "$in - not array",
    "$nin - not array",
    "$ini - not array",
    "$nini - not array",
    "unknown operator - pass",
    "$regex invalid - pass",
    "$regex invalid - fail",
];

#[test]
fn every_shared_case_has_the_expected_answer() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/growthbook/evalCondition.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: no ../shared");
        return;
    };
    let file: Value = serde_json::from_str(&text).unwrap();
    let cases = file["evalCondition"].as_array().unwrap();
    assert!(cases.len() >= 248, "{} cases", cases.len());
    let mut refused = Vec::new();
    for case in cases {
        let name = case[0].as_str().unwrap();
        let expected = case[3].as_bool().unwrap();
        let groups = case.get(4).and_then(Value::as_object).cloned().unwrap_or_default();
        let mut set = AudienceSet::with_groups(&groups).unwrap();
        let answer = match set.add(&case[1]) {
            Ok(audience) => set.matches(audience, &set.facts_of_map(case[2].as_object().unwrap())),
            Err(_) => {
                refused.push(name);
                false
            }
        };
        assert_eq!(answer, expected, "{name}: {} on {}", case[1], case[2]);
    }
    assert_eq!(refused, REFUSED);
    println!("{} cases, {} of them refused as mistakes", cases.len(), refused.len());
}

#[test]
fn all_shared_cases_in_one_set_do_not_disturb_each_other() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/growthbook/evalCondition.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: no ../shared");
        return;
    };
    let file: Value = serde_json::from_str(&text).unwrap();
    let mut set = AudienceSet::default();
    let without_groups =
        file["evalCondition"].as_array().unwrap().iter().filter(|case| case.get(4).is_none());
    let compiled: Vec<_> = without_groups.map(|case| (case, set.add(&case[1]).ok())).collect();
    for (case, audience) in compiled {
        let facts = set.facts_of_map(case[2].as_object().unwrap());
        let answer = audience.is_some_and(|audience| set.matches(audience, &facts));
        assert_eq!(Some(answer), case[3].as_bool(), "{}", case[0]);
    }
}
