//! The memory on which JavaScript writes one visit and reads the arms, call by call; `form.js` is its other half.
//!
//! JavaScript writes while no call is running, so no reference of ours is alive then: to the compiler it is what the caller of
//! an exported function did with a pointer it was given. What it wrote is checked like everything from outside: a wrong
//! mark costs a fact, no more.

use edgeloom::decide::{arms, decide};
use edgeloom::form::{Entry, Form};
use edgeloom::seed::Seed;
use edgeloom::snapshot::Snapshot;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// Digits of an id; `form.js` has the same, and the same marks. A mark from 0 on is where a text ends.
const ID: usize = 32;
const MISSING: i32 = -1;
const NUMBER: i32 = -2;
const FALSE: i32 = -3;
const TRUE: i32 = -4;

/// A form on paper: what stands where is agreed on with `form.js`, which is what programs use.
#[wasm_bindgen]
pub struct Sheet {
    snapshot: Rc<Snapshot>,
    form: Form,
    /// Visitor and decision, then the texts among the facts, without anything between them; UTF-8.
    texts: Vec<u8>,
    /// A mark each for the visitor and the facts.
    marks: Vec<i32>,
    /// A place for each fact, used where its mark says so.
    numbers: Vec<f64>,
    /// Per slot of the snapshot the position of its arm, or -1.
    arms: Vec<i32>,
    /// Per slot of the snapshot the chance of what it got, where it was asked for.
    propensities: Vec<f64>,
}

impl Sheet {
    pub(crate) fn new(snapshot: Rc<Snapshot>, form: Form) -> Self {
        let (n_facts, n_slots) = (form.len(), snapshot.slots.len());
        Self {
            snapshot,
            form,
            texts: Vec::new(),
            marks: vec![MISSING; n_facts + 1],
            numbers: vec![0.0; n_facts],
            arms: vec![-1; n_slots],
            propensities: vec![1.0; n_slots],
        }
    }
}

#[wasm_bindgen]
impl Sheet {
    /// The memory all addresses are in.
    pub fn memory(&self) -> JsValue {
        wasm_bindgen::memory()
    }

    /// Address of the texts, with room for so many bytes; what is written there stays.
    pub fn texts(&mut self, n_bytes: usize) -> *mut u8 {
        self.texts.resize(n_bytes, 0);
        self.texts.as_mut_ptr()
    }

    /// Address of the marks.
    pub fn marks(&mut self) -> *mut i32 {
        self.marks.as_mut_ptr()
    }

    /// Address of the numbers.
    pub fn numbers(&mut self) -> *mut f64 {
        self.numbers.as_mut_ptr()
    }

    /// Address of the arms.
    pub fn arms(&mut self) -> *mut i32 {
        self.arms.as_mut_ptr()
    }

    /// Address of the propensities.
    pub fn propensities(&mut self) -> *mut f64 {
        self.propensities.as_mut_ptr()
    }

    /// Number of slots of the snapshot.
    #[wasm_bindgen(getter)]
    pub fn n_slots(&self) -> usize {
        self.arms.len()
    }

    /// Finds the arms for the visit on the sheet, of which so many bytes are texts; false where the visitor or the decision is not
    /// 32 hexadecimal digits.
    pub fn choose(&mut self, n_bytes: usize) -> bool {
        let Some(seed) = self.read(n_bytes) else { return false };
        self.arms.fill(-1);
        for (slot, arm) in arms(&self.snapshot, self.form.context(), &seed) {
            if let (Some(place), Some(arm)) = (self.arms.get_mut(slot), arm) {
                *place = i32::try_from(arm).unwrap_or(-1);
            }
        }
        true
    }

    /// The same, with the propensities: 1 for a slot that is not on the page.
    pub fn decide(&mut self, n_bytes: usize) -> bool {
        let Some(seed) = self.read(n_bytes) else { return false };
        self.arms.fill(-1);
        self.propensities.fill(1.0);
        for choice in &decide(&self.snapshot, self.form.context(), &seed).choices {
            if let (Some(place), Some(arm)) = (self.arms.get_mut(choice.slot), choice.arm) {
                *place = i32::try_from(arm).unwrap_or(-1);
            }
            if let Some(place) = self.propensities.get_mut(choice.slot) {
                *place = choice.propensity;
            }
        }
        true
    }
}

impl Sheet {
    /// Takes the facts over and tells the seed.
    fn read(&mut self, n_bytes: usize) -> Option<Seed> {
        let Self { snapshot, form, texts, marks, numbers, .. } = self;
        let [visitor, marks @ ..] = marks.as_slice() else { return None };
        let written = texts.get(..n_bytes).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let (ids, _) = written.and_then(|text| text.split_at_checked(2 * ID))?;
        let (id, decision) = ids.split_at_checked(ID)?;
        let visitor = (*visitor != MISSING).then_some(id);
        let seed = Seed::of_text(&snapshot.site, visitor, decision).ok()?;
        let mut texts = Texts { all: written.unwrap_or_default(), at: 2 * ID };
        form.fill(marks.iter().zip(numbers).map(|(mark, number)| match *mark {
            NUMBER => Entry::Number(*number),
            FALSE => Entry::Truth(false),
            TRUE => Entry::Truth(true),
            end => texts.until(end).map_or(Entry::Missing, Entry::Text),
        }));
        Some(seed)
    }
}

/// Texts without anything between them.
struct Texts<'a> {
    all: &'a str,
    at: usize,
}

impl<'a> Texts<'a> {
    /// The text from where the last one ended; none before a mark below 0.
    fn until(&mut self, end: i32) -> Option<&'a str> {
        let end = usize::try_from(end).ok()?;
        let text = self.all.get(self.at..end)?;
        self.at = end;
        Some(text)
    }
}
