//! What the lists of a page may show: candidates looked up in the isolate's indexes, each with its HTML. Chosen is elsewhere; an
//! index that is missing brings nothing, and the arms of its slots stand in.
//!
//! Items come again and again, so their HTML is kept, as are the ranks of what is popular and what was found: all are functions of
//! snapshot, index and look-up.

use crate::interests;
use edgeloom::block::Markup;
use edgeloom::context::{Action, Context};
use edgeloom::id::{ArmId, SlotId, SnapshotVersion};
use edgeloom::index::{Catalogue, ItemRef};
use edgeloom::lookup::Lookup;
use edgeloom::retrieval::{Interest, Popular, candidates, lookup, own_item};
use edgeloom::seed::{Purpose, hash};
use edgeloom::snapshot::{List, Snapshot};
use serde_json::Value;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Items whose HTML is kept; one takes the place of another. A teaser of half a kilobyte makes half a megabyte.
const KEPT: usize = 1_024;
/// Look-ups whose candidates are kept; without a trail all visits of a page look up the same for an hour. 256 of twenty are two megabytes.
const KEPT_LOOKUPS: usize = 256;

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
    items: Rc<Shown>,
}

/// Items that may be shown.
struct Shown {
    actions: Arc<[Action]>,
    /// The HTML of each.
    markups: Vec<Rc<Markup>>,
}

impl Items {
    /// Looks up what the lists on the page of a visit may show; `key` is that of what the site uploaded of the visitor's interests.
    pub fn of(shelves: &Shelves, snapshot: &Snapshot, context: &Context, key: Option<&str>) -> Self {
        let lists = snapshot.slots_on(&context.path).filter_map(|(_, slot)| slot.list.as_ref());
        let brought = lists.filter(|own| own.place == 0).filter_map(|own| {
            let list = &own.list;
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
            let items = MEMORY.with_borrow_mut(|memory| {
                memory.begin(snapshot.version, shelves);
                memory.found(list, catalogue, interest)
            });
            Some(Listed { list: list.id.clone(), lookup, items })
        });
        Self(brought.collect())
    }

    /// The facts of the visit with what may be shown; `None` where that is nothing.
    pub fn into_context(&self, context: &Context) -> Option<Context> {
        let mut context = (!self.0.is_empty()).then(|| context.clone())?;
        for Listed { list, lookup, items } in self.0.iter().filter(|listed| !listed.items.actions.is_empty())
        {
            context.actions.insert(list.to_string(), items.actions.clone());
            context.lookups.insert(list.to_string(), lookup.clone());
        }
        Some(context)
    }

    /// The HTML of an item of a list.
    pub fn markup(&self, list: &SlotId, item: &ArmId) -> Option<&Markup> {
        let Shown { actions, markups } = &*self.0.iter().find(|listed| listed.list == *list)?.items;
        let at = actions.iter().position(|action| action.id == *item)?;
        markups.get(at).map(|markup| &**markup)
    }
}

/// What was made from a snapshot and its indexes; as good as they are, and not longer.
#[derive(Default)]
struct Memory {
    snapshot: Option<SnapshotVersion>,
    shelves: Shelves,
    markups: Vec<Option<Kept>>,
    /// By index and field.
    popular: Vec<((String, String), Rc<Popular>)>,
    found: Vec<Option<Found>>,
}

/// What was found with a look-up.
struct Found {
    list: SlotId,
    lookup: Lookup,
    items: Rc<Shown>,
}

struct Kept {
    list: SlotId,
    item: ItemRef,
    /// `None` where its fields don't fit the block.
    markup: Option<Rc<Markup>>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::new(Memory::default());
}

/// Lets go of everything that was made from indexes, and of them.
pub fn forget() {
    MEMORY.with_borrow_mut(|memory| *memory = Memory::default());
}

impl Memory {
    fn begin(&mut self, snapshot: SnapshotVersion, shelves: &Shelves) {
        let is_same = |(own, other): (&Shelf, &Shelf)| own.0 == other.0 && Rc::ptr_eq(&own.1, &other.1);
        let is_known = self.snapshot == Some(snapshot)
            && self.shelves.0.len() == shelves.0.len()
            && self.shelves.0.iter().zip(&shelves.0).all(is_same);
        if !is_known {
            *self = Self { snapshot: Some(snapshot), shelves: shelves.clone(), ..Self::default() };
        }
    }

    /// The candidates of a list with their HTML: a function of list, index and look-up, but for a vector of the visitor's own.
    fn found(&mut self, list: &List, catalogue: &Catalogue, interest: Interest<'_>) -> Rc<Shown> {
        self.found.resize_with(KEPT_LOOKUPS, || None);
        let Lookup { own, seen, .. } = interest.lookup;
        let seen: Vec<u8> = seen.iter().flat_map(|(item, _)| item.to_le_bytes()).collect();
        let own = own.map(u32::to_le_bytes);
        let parts = [list.id.as_str().as_bytes(), own.as_ref().map_or(&[][..], |own| own), &seen];
        let place = hash(Purpose::Content, &parts) as usize % KEPT_LOOKUPS;
        let is_same = |found: &&Found| found.list == list.id && found.lookup == *interest.lookup;
        let known = self.found.get(place).and_then(Option::as_ref).filter(is_same);
        if let Some(known) = known.filter(|_| interest.declared.is_none()) {
            return known.items.clone();
        }
        let popular = self.popular(list, catalogue);
        let found = candidates(list, catalogue, popular.as_deref(), interest).into_iter();
        let items = found.filter_map(|found| Some((found.action, self.markup(list, catalogue, found.item)?)));
        let (actions, markups): (Vec<_>, Vec<_>) = items.unzip();
        let items = Rc::new(Shown { actions: actions.into(), markups });
        if let Some(kept) = self.found.get_mut(place).filter(|_| interest.declared.is_none()) {
            *kept =
                Some(Found { list: list.id.clone(), lookup: interest.lookup.clone(), items: items.clone() });
        }
        items
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
        self.markups.resize_with(KEPT, || None);
        let key = [&item.piece.to_le_bytes()[..], &item.position.to_le_bytes()].concat();
        let place = hash(Purpose::Content, &[list.id.as_str().as_bytes(), &key]) as usize % KEPT;
        let kept = self.markups.get_mut(place)?;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.item == item && kept.list == list.id) {
            return kept.markup.clone();
        }
        let fields = edgeloom::json::parse(catalogue.fields(item)?.as_bytes()).ok();
        let fields = fields.as_ref().and_then(Value::as_object);
        let markup = fields.and_then(|fields| list.markup(fields)).map(Rc::new);
        *kept = Some(Kept { list: list.id.clone(), item, markup: markup.clone() });
        markup
    }
}
