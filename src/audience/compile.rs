//! From a condition as JSON to a [`Rule`]: every mistake is found here, none is left for the visit.
//! The language is MongoDB's, as experimentation services use it. Beside the name of an attribute stands a value or an object of
//! operators, all of which must hold:
//!
//! | operators | the attribute … |
//! |---|---|
//! | a plain value, `$eq`, `$ne` | is this; a plain text also equals the number or truth value written so |
//! | `$lt`, `$lte`, `$gt`, `$gte` | is on this side of a number or a text |
//! | `$in`, `$nin`, `$ini`, `$nini` | is one of these, or a list with one of these; `i`: whatever the case |
//! | `$inGroup`, `$notInGroup` | as `$in`, with the members of a saved group |
//! | `$all`, `$alli`, `$elemMatch`, `$size` | is a list with all of these, with such an element, of such a length |
//! | `$regex`, `$regexi`, `$notRegex`, `$notRegexi` | is a text in which the pattern is found |
//! | `$veq`, `$vne`, `$vlt`, `$vlte`, `$vgt`, `$vgte` | is a version on this side of another |
//! | `$exists`, `$type`, `$not` | is there, is of this kind, does not satisfy the rest |
//!
//! `$and`, `$or`, `$nor` and `$not` join whole conditions. An empty `$or` restricts nothing, as in
//! GrowthBook's SDKs.

use super::constants::CodeSet;
use super::error::{Cause, ConditionError, nearest};
use super::facts::{ITSELF, Names, Seen, number_in};
use super::rule::{Bound, Kind, Rule, Side, Test};
use super::{Groups, MAX_DEPTH, MAX_PATTERN_MEMORY_BYTES};
use crate::json::number::decimal;
use regex_lite::RegexBuilder;
use serde_json::{Map, Value};

/// Every operator that asks about a value.
const OPERATORS: [&str; 29] = [
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
    "$not",
    "$regex",
    "$regexi",
    "$notRegex",
    "$notRegexi",
    "$veq",
    "$vne",
    "$vlt",
    "$vlte",
    "$vgt",
    "$vgte",
];

/// A result, or the first mistake with its place.
type Compiled<T> = Result<T, ConditionError>;

/// Which names a part of a condition means.
/// The visit's attributes and those of list elements are numbered apart: a rule about an element never sees the visit.
#[derive(Clone, Copy)]
enum Scope {
    Visit,
    Inside,
}

/// The value that an operator asks about.
#[derive(Clone, Copy)]
struct Target {
    scope: Scope,
    name: u32,
}

/// The element or the length that a nested rule asks about.
const INNER: Target = Target { scope: Scope::Inside, name: ITSELF };

/// Whether upper and lower case are the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Matters,
    Folds,
}

/// Compiles a condition; new names and constants go into the two tables.
pub(super) fn compile(
    condition: &Value,
    groups: &Groups,
    visit: &mut Names,
    inside: &mut Names,
) -> Compiled<Rule> {
    Compiler { groups, visit, inside, at: String::new(), depth: 0 }.condition(condition, Scope::Visit)
}

/// Goes down a condition once. Tables grow as it meets names and constants, so that a visit only compares numbers.
struct Compiler<'a> {
    groups: &'a Groups,
    visit: &'a mut Names,
    inside: &'a mut Names,
    /// JSON pointer to what is being compiled.
    at: String,
    /// Objects and lists around it.
    depth: usize,
}

impl Compiler<'_> {
    /// The mistake, at the place being compiled.
    fn fail<T>(&self, cause: Cause) -> Compiled<T> {
        Err(ConditionError { at: self.at.clone(), cause })
    }

    /// The mistake of a value of the wrong kind: what belongs here, and what was found.
    fn expected<T>(&self, wanted: &'static str, found: &Value) -> Compiled<T> {
        self.fail(Cause::Expected { wanted, found: kind_of(found) })
    }

    /// Does something one level further down, under a key or a position.
    fn below<T>(&mut self, step: &str, f: impl FnOnce(&mut Self) -> Compiled<T>) -> Compiled<T> {
        let outer = self.at.len();
        self.at.push('/');
        self.at.push_str(&step.replace('~', "~0").replace('/', "~1"));
        self.depth += 1;
        let result = if self.depth > MAX_DEPTH { self.fail(Cause::TooDeep) } else { f(self) };
        self.depth -= 1;
        self.at.truncate(outer);
        result
    }

    /// Does something with each item; the first mistake ends it.
    fn list<'v, T>(
        &mut self,
        list: &'v [Value],
        mut f: impl FnMut(&mut Self, &'v Value) -> Compiled<T>,
    ) -> Compiled<Vec<T>> {
        let mut done = Vec::with_capacity(list.len());
        for (i, item) in list.iter().enumerate() {
            done.push(self.below(&i.to_string(), |c| f(c, item))?);
        }
        Ok(done)
    }

    /// `{ "country": …, "$or": [ … ] }`: all of them must hold.
    fn condition(&mut self, condition: &Value, scope: Scope) -> Compiled<Rule> {
        let Value::Object(map) = condition else {
            return self.expected("an object, e.g. { \"country\": \"DE\" }", condition);
        };
        let mut rules = Vec::with_capacity(map.len());
        for (key, value) in map {
            rules.push(self.below(key, |c| match key.as_str() {
                "$and" => c.conditions(value, scope).map(Rule::all),
                "$or" => c.conditions(value, scope).map(any),
                "$nor" => c.conditions(value, scope).map(|rules| not(Rule::Any(rules.into()))),
                "$not" => c.condition(value, scope).map(not),
                // Other names with a `$` are the site's own; an operator is a slip.
                key if OPERATORS.contains(&key) => c.fail(Cause::Misplaced { operator: key.into() }),
                key => {
                    let name = c.names(scope).of(key);
                    c.value(value, Target { scope, name }, Case::Matters)
                }
            })?);
        }
        Ok(Rule::all(rules))
    }

    /// The conditions of `$and`, `$or` and `$nor`.
    fn conditions(&mut self, list: &Value, scope: Scope) -> Compiled<Vec<Rule>> {
        let list = self.array(list, "a list of conditions")?;
        self.list(list, |c, condition| c.condition(condition, scope))
    }

    /// What stands beside the name of an attribute: a plain value, or operators that must all hold.
    fn value(&mut self, expected: &Value, target: Target, case: Case) -> Compiled<Rule> {
        let test = match expected {
            Value::Object(map) if map.keys().any(|key| key.starts_with('$')) => {
                return self.operators(map, target);
            }
            Value::Object(_) | Value::Array(_) => self.deep(expected)?,
            Value::String(text) if case == Case::Folds => Test::IsFolded(self.folded(text, target)),
            Value::String(text) => Test::Is(self.codes(readings(text), target)),
            Value::Number(_) => Test::Counts(Seen::from(expected).number()),
            Value::Bool(truth) => Test::Truth(*truth),
            Value::Null => Test::Exists(false),
        };
        Ok(Rule::Ask(target.name, test))
    }

    /// `{ "$gte": 18, "$lt": 65 }`: all of them must hold. Operators and plain names do not mix, for one of them is a slip.
    fn operators(&mut self, map: &Map<String, Value>, target: Target) -> Compiled<Rule> {
        if let Some(key) = map.keys().find(|key| !key.starts_with('$')) {
            return self.fail(Cause::Mixed { key: key.clone() });
        }
        let mut rules = Vec::with_capacity(map.len());
        for (operator, value) in map {
            rules.push(self.below(operator, |c| c.operator(operator, value, target))?);
        }
        Ok(Rule::all(rules))
    }

    /// One operator with its value. Negations are compiled as the negated positive one, so that each question exists once.
    fn operator(&mut self, operator: &str, value: &Value, target: Target) -> Compiled<Rule> {
        let test = match operator {
            "$eq" => self.exactly(value, target)?,
            "$lt" => Test::Compare(Side::Less, self.bound(value)?),
            "$lte" => Test::Compare(Side::LessOrEqual, self.bound(value)?),
            "$gt" => Test::Compare(Side::Greater, self.bound(value)?),
            "$gte" => Test::Compare(Side::GreaterOrEqual, self.bound(value)?),
            "$in" => Test::In(self.constants(value, target)?),
            "$ini" => self.folded_constants(value, target)?,
            "$inGroup" => Test::In(self.group(value, target)?),
            "$exists" => Test::Exists(self.switch(value)?),
            "$type" => Test::Kind(self.kind(value)?),
            "$regex" => self.pattern(value, Case::Matters)?,
            "$regexi" => self.pattern(value, Case::Folds)?,
            "$size" => Test::Size(self.value(value, INNER, Case::Matters)?.into()),
            "$elemMatch" => Test::Element(self.element(value)?.into()),
            "$all" => self.each(value, Case::Matters)?,
            "$alli" => self.each(value, Case::Folds)?,
            "$veq" => Test::Version(Side::Equal, self.version(value)?),
            "$vne" => Test::Version(Side::NotEqual, self.version(value)?),
            "$vlt" => Test::Version(Side::Less, self.version(value)?),
            "$vlte" => Test::Version(Side::LessOrEqual, self.version(value)?),
            "$vgt" => Test::Version(Side::Greater, self.version(value)?),
            "$vgte" => Test::Version(Side::GreaterOrEqual, self.version(value)?),
            "$not" => return self.value(value, target, Case::Matters).map(not),
            "$ne" => return self.operator("$eq", value, target).map(not),
            "$nin" => return self.operator("$in", value, target).map(not),
            "$nini" => return self.operator("$ini", value, target).map(not),
            "$notRegex" => return self.operator("$regex", value, target).map(not),
            "$notRegexi" => return self.operator("$regexi", value, target).map(not),
            "$notInGroup" => return self.operator("$inGroup", value, target).map(not),
            _ => {
                let nearest = nearest(operator, &OPERATORS);
                return self.fail(Cause::UnknownOperator { name: operator.into(), nearest });
            }
        };
        Ok(Rule::Ask(target.name, test))
    }

    /// Equal in kind and value; a list or an object deeply.
    fn exactly(&mut self, value: &Value, target: Target) -> Compiled<Test> {
        match value {
            Value::Array(_) | Value::Object(_) => self.deep(value),
            scalar => Ok(Test::Is(self.codes([Seen::from(scalar)], target))),
        }
    }

    fn deep(&self, value: &Value) -> Compiled<Test> {
        // Comparing recurses as deep as the constant.
        if depth_within(value, MAX_DEPTH.saturating_sub(self.depth)) {
            Ok(Test::Equals(value.clone()))
        } else {
            self.fail(Cause::TooDeep)
        }
    }

    /// What `$lt` and its like compare with; a text that reads as a number compares as one with numbers.
    fn bound(&self, value: &Value) -> Compiled<Bound> {
        match value {
            Value::Number(_) => Ok(Bound { text: None, number: Seen::from(value).number() }),
            Value::String(text) => Ok(Bound { text: Some(text.as_str().into()), number: number_in(text) }),
            other => self.expected("a number or a text", other),
        }
    }

    /// A version for `$veq` and its like; numbers are taken as written.
    fn version(&self, value: &Value) -> Compiled<Box<str>> {
        match value {
            Value::String(text) => Ok(text.as_str().into()),
            Value::Number(number) => Ok(number.to_string().into()),
            other => self.expected("a version as text, e.g. \"2.10.0\"", other),
        }
    }

    fn switch(&self, value: &Value) -> Compiled<bool> {
        match value {
            Value::Bool(truth) => Ok(*truth),
            // MongoDB's own examples use both forms.
            Value::Number(number) => Ok(number.as_f64() != Some(0.0)),
            other => self.expected("true or false", other),
        }
    }

    /// The kind that `$type` asks for.
    fn kind(&self, value: &Value) -> Compiled<Kind> {
        let word = value.as_str().unwrap_or_default();
        match Kind::WORDS.iter().find(|(known, _)| *known == word) {
            Some((_, kind)) => Ok(*kind),
            None => self.expected("null, boolean, number, string, array or object", value),
        }
    }

    /// A pattern with bounded memory; matching takes time linear in the text (`regex-lite` has no backtracking).
    fn pattern(&self, value: &Value, case: Case) -> Compiled<Test> {
        let Value::String(pattern) = value else {
            return self.expected("a pattern as text", value);
        };
        RegexBuilder::new(pattern)
            .case_insensitive(case == Case::Folds)
            .size_limit(MAX_PATTERN_MEMORY_BYTES)
            .build()
            .map(|regex| Test::Pattern(regex.into()))
            .or_else(|error| self.fail(Cause::Pattern(error)))
    }

    /// What `$elemMatch` asks of an element: operators for a scalar one, a condition for one with fields.
    fn element(&mut self, value: &Value) -> Compiled<Rule> {
        match value {
            Value::Object(map)
                if map.keys().any(|key| OPERATORS.contains(&key.as_str()) && key != "$not") =>
            {
                self.operators(map, INNER)
            }
            // `$not` alone may stand before an operator or before a condition.
            Value::Object(map) if map.len() == 1 && map.contains_key("$not") => {
                let inner = map.get("$not").unwrap_or(&Value::Null);
                self.below("$not", |c| c.element(inner)).map(not)
            }
            condition => self.condition(condition, Scope::Inside),
        }
    }

    /// What `$all` asks: for every item some element that is it.
    fn each(&mut self, value: &Value, case: Case) -> Compiled<Test> {
        let list = self.array(value, "a list")?;
        let rules = self.list(list, |c, item| c.value(item, INNER, case))?;
        Ok(Test::Each(rules.into()))
    }

    /// The constants of a list; equal in kind and value.
    fn constants(&mut self, value: &Value, target: Target) -> Compiled<CodeSet> {
        let list = self.array(value, "a list, e.g. [\"DE\", \"AT\"]")?;
        let scalars = self.list(list, |c, item| c.scalar(item))?;
        Ok(self.codes(scalars.iter().map(|item| Seen::from(*item)), target))
    }

    /// The constants of `$ini`; other kinds than texts have no case and compare as usual.
    fn folded_constants(&mut self, value: &Value, target: Target) -> Compiled<Test> {
        let list = self.array(value, "a list, e.g. [\"de\", \"at\"]")?;
        let scalars = self.list(list, |c, item| c.scalar(item))?;
        let (texts, others): (Vec<_>, Vec<_>) = scalars.into_iter().partition(|item| item.is_string());
        let texts = texts.iter().filter_map(|text| text.as_str());
        let codes = match self.names(target.scope).constants(target.name) {
            Some(constants) => texts.map(|text| constants.add_folded(text)).collect(),
            None => Vec::new(),
        };
        let others = self.codes(others.iter().map(|item| Seen::from(*item)), target);
        Ok(Test::InFolded { texts: CodeSet::new(codes), others })
    }

    fn folded(&mut self, text: &str, target: Target) -> CodeSet {
        let constants = self.names(target.scope).constants(target.name);
        CodeSet::new(constants.map(|constants| constants.add_folded(text)).into_iter().collect())
    }

    /// The members of a saved group; a group that is not there is empty.
    fn group(&mut self, value: &Value, target: Target) -> Compiled<CodeSet> {
        let Value::String(name) = value else {
            return self.expected("the name of a group", value);
        };
        let groups = self.groups;
        let members = groups.get(name).map_or(&[][..], Vec::as_slice);
        Ok(self.codes(members.iter().map(Seen::from), target))
    }

    /// The numbers of some constants of an attribute; none where the attribute is not a name but the value itself.
    fn codes<'v>(&mut self, constants: impl IntoIterator<Item = Seen<'v>>, target: Target) -> CodeSet {
        let table = self.names(target.scope).constants(target.name);
        CodeSet::new(table.map_or_else(Vec::new, |table| {
            constants.into_iter().filter_map(|constant| table.add(constant)).collect()
        }))
    }

    /// A constant that a set can hold.
    fn scalar<'v>(&self, value: &'v Value) -> Compiled<&'v Value> {
        match value {
            Value::Array(_) | Value::Object(_) => {
                self.expected("a text, a number, true, false or null", value)
            }
            scalar => Ok(scalar),
        }
    }

    fn array<'v>(&self, value: &'v Value, wanted: &'static str) -> Compiled<&'v [Value]> {
        match value {
            Value::Array(list) => Ok(list),
            other => self.expected(wanted, other),
        }
    }

    fn names(&mut self, scope: Scope) -> &mut Names {
        match scope {
            Scope::Visit => self.visit,
            Scope::Inside => self.inside,
        }
    }
}

/// The saved groups, checked.
pub(super) fn groups(groups: &Map<String, Value>) -> Compiled<Groups> {
    let (mut visit, mut inside) = (Names::default(), Names::inside());
    let none = Groups::new();
    let mut checker =
        Compiler { groups: &none, visit: &mut visit, inside: &mut inside, at: String::new(), depth: 0 };
    let mut checked = Groups::new();
    for (name, members) in groups {
        let members = checker.below(name, |c| {
            let list = c.array(members, "a list of members")?;
            c.list(list, |c, member| c.scalar(member).cloned())
        })?;
        checked.insert(name.clone(), members);
    }
    Ok(checked)
}

/// What a plain text equals: itself, and the number or truth value that is written exactly so.
fn readings(text: &str) -> Vec<Seen<'_>> {
    let mut readings = vec![Seen::Text(text)];
    let number = number_in(text);
    if decimal(number) == text {
        readings.push(Seen::Number(number));
    }
    if let Ok(truth) = text.parse() {
        readings.push(Seen::Truth(truth));
    }
    readings
}

/// One of them; but no alternatives is no restriction.
fn any(mut rules: Vec<Rule>) -> Rule {
    match (rules.len(), rules.pop()) {
        (1, Some(rule)) => rule,
        (_, None) => Rule::All(Box::default()),
        (_, last) => Rule::Any(rules.into_iter().chain(last).collect()),
    }
}

fn not(rule: Rule) -> Rule {
    Rule::Not(rule.into())
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Whether a value has at most `levels` levels of lists and objects.
fn depth_within(value: &Value, levels: usize) -> bool {
    let mut inner: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(list) => Box::new(list.iter()),
        Value::Object(map) => Box::new(map.values()),
        _ => return true,
    };
    levels.checked_sub(1).is_some_and(|levels| inner.all(|value| depth_within(value, levels)))
}
