//! What the lists of a page may show: candidates looked up in the isolate's indexes, each with its HTML. Chosen is elsewhere; an
//! index that is missing brings nothing, and the arms of its slots stand in.
//!
//! Items come again and again, so their HTML is kept, as are the ranks of what is popular and what was found: all are functions of
//! snapshot, index and look-up.

use crate::interests;
use crate::kept::Kept;
use edgeloom::assortment::Assortment;
use edgeloom::block::Markup;
use edgeloom::context::{Action, Context};
use edgeloom::decide::{Choice, Decision};
use edgeloom::id::{SlotId, SnapshotVersion};
use edgeloom::index::{Catalogue, ItemRef};
use edgeloom::lookup::Lookup;
use edgeloom::retrieval::{Interest, Popular, candidates, lookup, own_item};
use edgeloom::seed::{Purpose, hash};
use edgeloom::snapshot::{List, ListPlace, Slot, Snapshot};
use serde_json::Value;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Items whose HTML is kept, if it has no more bytes than these: eight megabytes at most, four with a teaser of half a kilobyte.
const KEPT: usize = 8_192;
const KEPT_BYTES: usize = 1_024;
/// Look-ups whose candidates are kept: without a trail all visits of a page look up the same for an hour. 512 of twenty candidates are
/// a megabyte and a half.
const KEPT_LOOKUPS: usize = 512;

/// The indexes that are at hand, by name.
#[derive(Clone, Default)]
pub struct Shelves(pub Vec<Shelf>);

/// An index and its name.
type Shelf = (String, Rc<Catalogue>);

impl Shelves {
    /// Those that the lists of a snapshot look into and that are here.
    pub fn of(snapshot: &Snapshot, index: impl Fn(&str) -> Option<Rc<Catalogue>>) -> Self {
        let known = snapshot.indexes.iter().map(|own| &own.id);
        Self(known.filter_map(|name| Some((name.clone(), index(name)?))).collect())
    }

    fn get(&self, name: &str) -> Option<&Rc<Catalogue>> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, catalogue)| catalogue)
    }

    /// Short name of the item whose page this is, in whichever index.
    pub fn item_at(&self, snapshot: &Snapshot, path: &str) -> Option<u32> {
        self.0.iter().find_map(|(name, catalogue)| own_item(snapshot, name, catalogue, path))
    }
}

/// What the lists of one page may show.
#[derive(Default)]
pub struct Items(Vec<Listed>);

/// What one list may show.
struct Listed {
    list: SlotId,
    lookup: Lookup,
    catalogue: Rc<Catalogue>,
    /// The items, as the list's policy reads them.
    assortment: Arc<Assortment>,
}

impl Items {
    /// Looks up what the lists on the page of a visit may show; `key` is that of what the site uploaded of the visitor's interests.
    pub fn of(shelves: &Shelves, snapshot: &Snapshot, context: &Context, key: Option<&str>) -> Self {
        let brought = snapshot.slots_on(&context.path).filter_map(|(_, slot)| {
            let ListPlace { list, place: 0, .. } = slot.list.as_ref()? else { return None };
            // A server that brings its own knows better.
            if context.actions.contains_key(list.id.as_str()) {
                return None;
            }
            let catalogue = shelves.get(&list.index)?;
            let own = own_item(snapshot, &list.index, catalogue, &context.path);
            let now = context.time_millis;
            let declared = key.and_then(|key| interests::current(key, catalogue.model(), now));
            let declared = declared
                .filter(|own| list.interest.declared > 0.0 && own.dimension() == catalogue.dimension());
            let lookup = Lookup { declared: declared.is_some(), ..lookup(catalogue, own, context) };
            let interest = Interest { lookup: &lookup, declared: declared.as_deref() };
            let assortment = MEMORY.with_borrow_mut(|memory| {
                memory.begin(snapshot.version, shelves);
                memory.found(slot, catalogue, interest)
            })?;
            Some(Listed { list: list.id.clone(), lookup, catalogue: catalogue.clone(), assortment })
        });
        Self(brought.collect())
    }

    /// The facts of the visit with what may be shown; `None` where that is nothing.
    pub fn into_context(&self, context: &Context) -> Option<Context> {
        let mut context = (!self.0.is_empty()).then(|| context.clone())?;
        for Listed { list, lookup, assortment, .. } in &self.0 {
            context.assortments.insert(list.to_string(), assortment.clone());
            context.lookups.insert(list.to_string(), lookup.clone());
        }
        Some(context)
    }

    /// The HTML of the items that a decision shows, by position of the slot.
    pub fn shown(&self, snapshot: &Snapshot, decision: &Decision) -> Vec<(usize, Rc<Markup>)> {
        let markup = |choice: &Choice| {
            let list = &snapshot.slots.get(choice.slot)?.list.as_ref()?.list;
            let listed = self.0.iter().find(|listed| listed.list == list.id)?;
            let item = listed.catalogue.find(choice.action_shown()?.as_str())?;
            let markup = MEMORY.with_borrow_mut(|memory| memory.markup(list, &listed.catalogue, item))?;
            Some((choice.slot, markup))
        };
        // Most pages have no list.
        if self.0.is_empty() { Vec::new() } else { decision.choices.iter().filter_map(markup).collect() }
    }
}

/// What was made from a snapshot and its indexes; as good as they are, and not longer.
struct Memory {
    snapshot: Option<SnapshotVersion>,
    shelves: Shelves,
    /// By list and item; `None` where its fields don't fit the block.
    markups: Kept<(SlotId, ItemRef), Option<Rc<Markup>>>,
    /// By index and field.
    popular: Vec<((String, String), Rc<Popular>)>,
    /// By list and look-up.
    found: Kept<(SlotId, Lookup), Option<Arc<Assortment>>>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::new(Memory::new(None, Shelves::default()));
}

/// Lets go of everything that was made from indexes, and of them.
pub fn forget() {
    MEMORY.with_borrow_mut(|memory| *memory = Memory::new(None, Shelves::default()));
}

impl Memory {
    fn new(snapshot: Option<SnapshotVersion>, shelves: Shelves) -> Self {
        let (markups, found) = (Kept::new(KEPT), Kept::new(KEPT_LOOKUPS));
        Self { snapshot, shelves, markups, popular: Vec::new(), found }
    }

    fn begin(&mut self, snapshot: SnapshotVersion, shelves: &Shelves) {
        let is_same = |(own, other): (&Shelf, &Shelf)| own.0 == other.0 && Rc::ptr_eq(&own.1, &other.1);
        let is_known = self.snapshot == Some(snapshot)
            && self.shelves.0.len() == shelves.0.len()
            && self.shelves.0.iter().zip(&shelves.0).all(is_same);
        if !is_known {
            *self = Self::new(Some(snapshot), shelves.clone());
        }
    }

    /// The candidates of a list: a function of list, index and look-up, but for a vector of the visitor's own. Kept is what many
    /// share: what somebody has seen is looked up for them alone, and nothing of it stays here.
    fn found(
        &mut self,
        slot: &Slot,
        catalogue: &Catalogue,
        interest: Interest<'_>,
    ) -> Option<Arc<Assortment>> {
        let list = &slot.list.as_ref()?.list;
        let lookup = interest.lookup;
        let own = lookup.own.map(u32::to_le_bytes);
        let parts = [list.id.as_str().as_bytes(), own.as_ref().map_or(&[][..], |own| own)];
        let place = hash(Purpose::Content, &parts);
        let is_shared = interest.declared.is_none() && lookup.seen.is_empty();
        let is_same = |(id, own): &(SlotId, Lookup)| is_shared && *id == list.id && own == lookup;
        if let Some(known) = self.found.get(place, is_same) {
            return known;
        }
        let popular = self.popular(list, catalogue);
        let mut found = candidates(list, catalogue, popular.as_deref(), interest);
        found.retain(|found| self.markup(list, catalogue, found.item).is_some());
        let actions: Vec<Action> = found.into_iter().map(|found| found.action).collect();
        let assortment = slot.assortment(&actions).filter(|_| !actions.is_empty()).map(Arc::new);
        if is_shared {
            self.found.put(place, (list.id.clone(), lookup.clone()), assortment.clone());
        }
        assortment
    }

    fn popular(&mut self, list: &List, catalogue: &Catalogue) -> Option<Rc<Popular>> {
        let field = list.popularity.as_ref()?;
        let is_same = |(index, own): &(String, String)| *index == list.index && own == field;
        if let Some((_, known)) = self.popular.iter().find(|(own, _)| is_same(own)) {
            return Some(known.clone());
        }
        let made = Rc::new(Popular::of(catalogue, field));
        self.popular.push(((list.index.clone(), field.clone()), made.clone()));
        Some(made)
    }

    fn markup(&mut self, list: &List, catalogue: &Catalogue, item: ItemRef) -> Option<Rc<Markup>> {
        let key = [&item.piece.to_le_bytes()[..], &item.position.to_le_bytes()].concat();
        let place = hash(Purpose::Content, &[list.id.as_str().as_bytes(), &key]);
        if let Some(known) = self.markups.get(place, |(id, own)| *own == item && *id == list.id) {
            return known;
        }
        let fields = edgeloom::json::parse(catalogue.fields(item)?.as_bytes()).ok();
        let fields = fields.as_ref().and_then(Value::as_object);
        let markup = fields.and_then(|fields| list.markup(fields)).map(Rc::new);
        if markup.as_ref().is_none_or(|markup| markup.n_bytes() <= KEPT_BYTES) {
            self.markups.put(place, (list.id.clone(), item), markup.clone());
        }
        markup
    }
}
