//! The demo's simulated readers: the hidden truth about what they like, and how they go from note to note by what lists show.

use crate::browser::{Browser, between, decisions, exposure, has_receipt, links, reward, told};
use crate::dice::Dice;
use crate::notes::{NOTES, Note, TOPICS};
use anyhow::{Context, Result};
use serde_json::Value;

/// Share of visitors who read notes, in [0, 1].
pub const READERS: f64 = 0.2;
/// Topics that a reader likes.
const N_LIKED: usize = 2;
/// Chance to open a note of a liked topic, and any other one, that stands first in a list, in [0, 1].
const OPENED: [f64; 2] = [0.3, 0.05];
/// How much oftener a better note is opened: a text can be good, too.
const BETTER: f64 = 1.6;
/// One note of so many is better.
const BETTER_OF: u64 = 5;
/// What each further place of a list takes from the chance, as a factor.
const FURTHER: f64 = 0.85;
/// Chance to look for a note of a liked topic where nothing on the home page appeals, in [0, 1].
const SEARCHES: f64 = 0.8;
/// Notes in a row at most.
const MOST_NOTES: usize = 5;

/// A list of the demo.
pub struct List {
    /// Name of its slot.
    pub slot: &'static str,
    is_at_home: bool,
}

/// The lists of `www/demo/edgeloom.toml`, in its order.
pub const LISTS: [List; 3] = [
    List { slot: "read-next", is_at_home: false },
    List { slot: "note-of-the-day", is_at_home: true },
    List { slot: "for-you", is_at_home: true },
];

/// What a list showed one reader or several, where it was filled.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Notes shown.
    pub n_shown: u64,
    /// Those of a topic the reader likes.
    pub n_liked: u64,
    /// Those the reader opened.
    pub n_opened: u64,
}

impl std::ops::AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.n_shown += other.n_shown;
        self.n_liked += other.n_liked;
        self.n_opened += other.n_opened;
    }
}

/// The share of liked notes among all, in [0, 1]: what a list has that knows nothing.
pub fn liked_by_chance() -> f64 {
    N_LIKED as f64 / TOPICS.len() as f64
}

/// What a reader likes. No part of it is ever told.
struct Taste([&'static str; N_LIKED]);

impl Taste {
    fn of(dice: &mut Dice) -> Self {
        let first = dice.pick(TOPICS.len());
        // Another one than the first.
        let second = (first + 1 + dice.pick(TOPICS.len() - 1)) % TOPICS.len();
        Self([first, second].map(|at| TOPICS.get(at).copied().unwrap_or_default()))
    }

    fn likes(&self, note: &Note) -> bool {
        self.0.contains(&note.topic.as_str())
    }

    /// Chance to open a note that is shown at a place of a list, from 0.
    fn chance(&self, note: &Note, place: usize) -> f64 {
        let [liked, other] = OPENED;
        let appeal = if self.likes(note) { liked } else { other };
        let quality = if is_better(&note.id) { BETTER } else { 1.0 };
        appeal * quality * FURTHER.powi(place as i32)
    }
}

/// Whether a note is better than others: by its name, which says nothing about it.
fn is_better(id: &str) -> bool {
    // FNV-1a (Fowler, Noll, Vo).
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 32).is_multiple_of(BETTER_OF)
}

/// A note as a list shows it.
struct Shown {
    note: &'static Note,
    link: String,
}

/// The notes that a slot of a page shows, in their order.
fn shown(html: &str, slot: &str) -> Result<Vec<Shown>> {
    let start = format!("<edge-slot name=\"{slot}\"");
    let inside = between(html, &start, "</edge-slot>").with_context(|| format!("the page has no {start}"))?;
    let notes = links(inside).filter(|link| link.starts_with("/notes/")).map(|link| {
        let id = link["/notes/".len()..].split('?').next().unwrap_or_default();
        let note = NOTES.iter().find(|note| note.id == id);
        Ok(Shown { note: note.with_context(|| format!("nobody knows note {id} of slot {slot}"))?, link })
    });
    notes.collect()
}

/// A visitor who reads.
pub struct Reader<'b> {
    browser: &'b Browser<'b>,
    site: &'b str,
    dice: Dice,
    taste: Taste,
    /// Per list of [`LISTS`], what it showed.
    pub seen: [Seen; LISTS.len()],
    /// What a page with consent has to send.
    pub events: Vec<Value>,
}

impl<'b> Reader<'b> {
    /// The reader at this browser.
    pub fn new(browser: &'b Browser<'b>, site: &'b str, mut dice: Dice) -> Self {
        let taste = Taste::of(&mut dice);
        Self { browser, site, dice, taste, seen: Default::default(), events: Vec::new() }
    }

    /// From the home page, which is open, along the notes as long as they appeal; who may be remembered comes back then.
    ///
    /// # Errors
    /// When a page does not come, or does not hold what a reader needs.
    pub fn read(&mut self, home: &str) -> Result<()> {
        let address = format!("{}/", self.site);
        let first = self.look(home, true)?.or_else(|| self.search());
        let Some(last) = self.follow(first, &address)? else { return Ok(()) };
        if !self.browser.consent.is_empty() {
            let home = self.browser.open(&address, Some(&last))?;
            let again = self.look(&home, true)?;
            self.follow(again, &address)?;
        }
        Ok(())
    }

    /// Opens note after note; the address of the last one, where there was one.
    fn follow(&mut self, first: Option<String>, from: &str) -> Result<Option<String>> {
        let (mut next, mut last) = (first, None);
        for _ in 0..MOST_NOTES {
            let Some(link) = next else { break };
            let address = format!("{}{link}", self.site);
            let html = self.browser.open(&address, Some(last.as_deref().unwrap_or(from)))?;
            next = self.look(&html, false)?;
            last = Some(address);
        }
        Ok(last)
    }

    /// Looks at the lists of a page and returns the link that appeals.
    fn look(&mut self, html: &str, is_home: bool) -> Result<Option<String>> {
        let decisions = decisions(html)?;
        let mut opened = None;
        let lists = LISTS.iter().zip(&mut self.seen);
        for (list, seen) in lists.filter(|(list, _)| list.is_at_home == is_home) {
            let receipt = |place: usize| told(&decisions, &format!("{}.{}", list.slot, place + 1), "receipt");
            self.events.extend((0..).map_while(receipt).map(exposure));
            for (place, Shown { note, link }) in shown(html, list.slot)?.into_iter().enumerate() {
                let opens = opened.is_none() && self.dice.falls(self.taste.chance(note, place));
                if has_receipt(&link) {
                    let (n_liked, n_opened) = (self.taste.likes(note).into(), opens.into());
                    *seen += Seen { n_shown: 1, n_liked, n_opened };
                } else if opens {
                    // Held out: the site's script says what was reached, where it may.
                    self.events.extend(receipt(place).map(|receipt| reward(receipt, "read")));
                }
                opened = if opens { Some(link) } else { opened };
            }
        }
        Ok(opened)
    }

    /// A note of a liked topic, as the page of all notes or a search engine would lead there.
    fn search(&mut self) -> Option<String> {
        let liked: Vec<&Note> = NOTES.iter().filter(|note| self.taste.likes(note)).collect();
        let searches = self.dice.falls(SEARCHES);
        let found = liked.get(self.dice.pick(liked.len())).filter(|_| searches)?;
        Some(format!("/notes/{}", found.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_those_of_the_configuration_and_stand_in_their_pages() {
        let config: Value = toml::from_str(include_str!("../../www/demo/edgeloom.toml")).unwrap();
        let slots = config["slots"].as_array().unwrap().iter().filter(|slot| !slot["list"].is_null());
        let names: Vec<&str> = slots.map(|slot| slot["id"].as_str().unwrap()).collect();
        assert_eq!(names, LISTS.map(|list| list.slot));
        let pages =
            [include_str!("../../www/demo/note.html"), include_str!("../../www/demo/public/index.html")];
        for list in &LISTS {
            assert!(
                pages[usize::from(list.is_at_home)].contains(&format!("<edge-slot name=\"{}\">", list.slot))
            );
        }
    }

    #[test]
    fn the_home_page_shows_notes_without_the_worker_too() {
        let home = include_str!("../../www/demo/public/index.html");
        assert_eq!(shown(home, "note-of-the-day").unwrap().len(), 1);
        assert_eq!(shown(home, "for-you").unwrap().len(), 4);
        assert!(shown(home, "read-next").is_err());
    }

    #[test]
    fn a_reader_likes_two_topics_and_opens_their_notes_oftener() {
        for seed in 0..50 {
            let taste = Taste::of(&mut Dice(seed));
            assert_ne!(taste.0[0], taste.0[1]);
            let n_liked = NOTES.iter().filter(|note| taste.likes(note)).count();
            assert!((n_liked as f64 / NOTES.len() as f64 - liked_by_chance()).abs() < 1e-12);
        }
        let (taste, ids) =
            (Taste(["tides", "knots"]), |id: &str| NOTES.iter().find(|note| note.id == id).unwrap());
        let (liked, other) = (ids("spring-tide"), ids("kipper"));
        assert!(taste.chance(liked, 0) > 2.0 * taste.chance(other, 0));
        assert!(taste.chance(liked, 2) < taste.chance(liked, 0));
    }

    #[test]
    fn some_notes_are_better_and_no_chance_is_above_one() {
        let n_better = NOTES.iter().filter(|note| is_better(&note.id)).count();
        // One of five of 240: 48, give or take two standard deviations.
        assert!((36..=60).contains(&n_better), "{n_better}");
        const { assert!(OPENED[0] * BETTER < 1.0) };
    }

    #[test]
    fn links_of_a_list_are_its_notes_in_their_order() {
        let html = "<a href=\"/notes/kipper\">0</a><edge-slot name=\"read-next\"><a href=\"/notes/bowline?_el=a\">1</a>\
            <a href=\"/notes/\">all</a></edge-slot><a href=\"/notes/kipper\">2</a>";
        assert!(shown(html, "read-next").is_err(), "a note without a name is none");
        let html = html.replace("<a href=\"/notes/\">all</a>", "");
        let found: Vec<String> =
            shown(&html, "read-next").unwrap().into_iter().map(|shown| shown.link).collect();
        assert_eq!(found, ["/notes/bowline?_el=a"]);
    }
}
