//! `edgeloom index push`, `delta`, `rollback`, `list`: pieces to a site, which uses them in one step once all are there. A piece that
//! is there already is not sent again.

use super::build::{Origin, options};
use super::gather::{Gathered, gather};
use super::pieces::{self, Piece};
use super::read::{lines, text};
use super::site::{self, Live, Wanted, checked_name};
use super::{Said, progress};
use crate::Site;
use crate::problem::Stop;
use crate::remote::Remote;
use crate::table::{self, size};
use edgeloom::index::{Catalogue, Index, Kind};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Pieces from which on building anew is the better way: each is searched on its own.
const MOST_PIECES: usize = 8;
/// Share of the items in deltas from which on it is.
const MOST_CHANGED: f64 = 0.1;

/// Pieces to be put in use.
#[derive(Debug, clap::Args)]
pub struct Push {
    /// The index, as slots name it
    name: String,
    /// What `edgeloom index build` wrote: files, or the folder of several
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    site: Site,
    /// Why, in a few words; kept with the version
    #[arg(long, short)]
    message: Option<String>,
    /// Say what would be sent
    #[arg(long)]
    dry_run: bool,
}

/// Items that are new, changed or gone.
#[derive(Debug, clap::Args)]
pub struct Delta {
    /// The index, as slots name it
    name: String,
    /// Files of items that are new or have changed
    #[arg(long, value_name = "FILE")]
    upsert: Vec<PathBuf>,
    /// Ids that are gone
    #[arg(long, value_name = "ID", num_args = 1..)]
    delete: Vec<String>,
    /// File of ids that are gone, one on each line
    #[arg(long, value_name = "FILE")]
    delete_file: Option<PathBuf>,
    #[command(flatten)]
    origin: Origin,
    #[command(flatten)]
    site: Site,
    /// Why, in a few words; kept with the version
    #[arg(long, short)]
    message: Option<String>,
    /// Say what would be sent
    #[arg(long)]
    dry_run: bool,
}

/// An earlier version to go back to.
#[derive(Debug, clap::Args)]
pub struct Rollback {
    /// The index
    name: String,
    /// The version, as `edgeloom index list` shows it
    version: String,
    #[command(flatten)]
    site: Site,
    /// Why, in a few words
    #[arg(long, short)]
    message: Option<String>,
}

/// A site to ask.
#[derive(Debug, clap::Args)]
pub struct List {
    #[command(flatten)]
    site: Site,
}

/// Opens pieces and puts them together, as the site will.
///
/// # Errors
/// A piece that is none, or pieces of several models or dimensions.
pub fn catalogue(pieces: &[Piece]) -> Result<Catalogue, Stop> {
    let open = |piece: &Piece| {
        let help = "`edgeloom index build` writes pieces";
        Index::open(piece.bytes.clone()).map_err(|error| said(&format!("{}: {error}", piece.name), help))
    };
    let indexes = pieces.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    Catalogue::new(indexes)
        .map_err(|error| said(&error.to_string(), "pieces of one index come from one build, and its deltas"))
}

/// A stop of what the core says; its hint, where it gives one, is the help.
pub fn said(message: &str, help: &str) -> Stop {
    match message.split_once("\nhint: ") {
        Some((what, hint)) => Stop::new(what, hint),
        None => Stop::new(message, help),
    }
}

impl Push {
    /// Sends what is missing, then puts it in use.
    ///
    /// # Errors
    /// A file that is no piece, no connection, a refusal.
    pub fn run(&self, json: bool) -> Result<Said, Stop> {
        let name = checked_name(&self.name)?;
        let pieces = pieces::read(&self.files)?;
        let catalogue = catalogue(&pieces)?;
        let items: Vec<usize> = catalogue.pieces().map(Index::len).collect();
        let remote = self.site.remote()?;
        let sent = send(&remote, &pieces, self.dry_run, &progress(json))?;
        let listed: Value = (pieces.iter().zip(&items).zip(&sent))
            .map(|((piece, items), is_sent)| {
                json!({ "hash": piece.hash, "items": items, "bytes": piece.bytes.len(), "sent": is_sent })
            })
            .collect();
        let bytes: usize =
            pieces.iter().zip(&sent).filter(|(_, sent)| **sent).map(|(piece, _)| piece.bytes.len()).sum();
        let n_sent = sent.iter().filter(|sent| **sent).count();
        let what = format!(
            "{n_sent} of {} pieces{}, {}; {} items of model {}, dimension {}",
            pieces.len(),
            if self.dry_run { " would be sent" } else { " sent" },
            size(bytes as u64),
            catalogue.len(),
            catalogue.model(),
            catalogue.dimension()
        );
        if self.dry_run {
            let told = json!({ "ok": true, "dry_run": true, "name": name, "pieces": listed });
            return Ok(Said { json: told, text: format!("{what}\ndry run: nothing was sent") });
        }
        let hashes: Vec<String> = pieces.into_iter().map(|piece| piece.hash).collect();
        let wanted = Wanted { pieces: &hashes, before: None, message: self.message.as_deref() };
        let answer = remote.put_index(name, &wanted, teller(json))?;
        let text = format!("{what}\n{}", in_use("in use", name, &answer));
        Ok(Said { json: json!({ "ok": true, "pieces": listed, "index": answer }), text })
    }
}

/// Sends the pieces the site has not; says which these are.
fn send(remote: &Remote, pieces: &[Piece], dry_run: bool, bar: &ProgressBar) -> Result<Vec<bool>, Stop> {
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_length(pieces.iter().map(|piece| piece.bytes.len() as u64).sum());
    let sent = pieces.iter().map(|piece| {
        let is_missing = !remote.has_piece(&piece.hash)?;
        if is_missing && !dry_run {
            remote.put_piece(&piece.hash, &piece.bytes)?;
        }
        bar.inc(piece.bytes.len() as u64);
        Ok(is_missing)
    });
    let sent = sent.collect();
    bar.finish_and_clear();
    sent
}

/// Says what is being waited for, to people.
fn teller(json: bool) -> impl Fn(&str) {
    move |what| {
        if !json {
            eprintln!("{what}");
        }
    }
}

fn in_use(how: &str, name: &str, answer: &Value) -> String {
    let version = answer.get("version").and_then(Value::as_str).unwrap_or("?");
    format!("{how}: {name}, version {version}")
}

impl Delta {
    /// Builds a piece of changes and puts it over those in use.
    ///
    /// # Errors
    /// Items at fault or of another model, no such index, no connection, a refusal.
    pub fn run(&self, json: bool) -> Result<Said, Stop> {
        let name = checked_name(&self.name)?;
        let mut deleted: BTreeSet<String> = self.delete.iter().cloned().collect();
        if let Some(file) = &self.delete_file {
            deleted.extend(lines(&text(file)?));
        }
        if self.upsert.is_empty() && deleted.is_empty() {
            return Err(Stop::new("nothing changes", "--upsert FILE, --delete ID or --delete-file FILE"));
        }
        let remote = self.site.remote()?;
        let live = site::live(&remote.ask("indexes")?, name)?;
        let gathered = match self.upsert.as_slice() {
            [] => Gathered { items: Vec::new(), model: live.model.clone(), bill: Default::default() },
            inputs => gather(&self.origin.sources(inputs, Some(&live.model)), &progress(json))?,
        };
        let found = gathered.items.first().map_or(live.dimension, |item| item.vector.len());
        if live.dimension > 0 && found != live.dimension {
            let message = format!("the vectors have {found} numbers, those of '{name}' {}", live.dimension);
            return Err(Stop::new(
                message,
                "embed them with the same model and the same number of dimensions",
            ));
        }
        if let Some(item) = gathered.items.iter().find(|item| deleted.contains(&item.id)) {
            return Err(Stop::new(
                format!("'{}' is both changed and gone", item.id),
                "it can be only one of them",
            ));
        }
        let (n_changed, n_deleted) = (gathered.items.len(), deleted.len());
        let options = edgeloom::index::build::Options {
            deleted: deleted.into_iter().collect(),
            ..options(&gathered.model, Kind::Flat)
        };
        let piece = Piece::new(super::build::piece(gathered.items, &options)?, "the piece of changes");
        let hint = rebuild(&live, n_changed + n_deleted);
        let told = json!({ "hash": piece.hash, "items": n_changed, "deleted": n_deleted, "bytes": piece.bytes.len() });
        let what =
            format!("{n_changed} new or changed, {n_deleted} gone: {}", size(piece.bytes.len() as u64));
        let more = hint.as_ref().map_or(String::new(), |hint| format!("\nremark: {hint}"));
        if self.dry_run {
            let json = json!({ "ok": true, "dry_run": true, "name": name, "piece": told, "bill": gathered.bill.json(), "hint": hint });
            return Ok(Said { json, text: format!("{what}\ndry run: nothing was sent{more}") });
        }
        let mut hashes: Vec<String> = live.pieces.iter().map(|piece| piece.hash.clone()).collect();
        // Said again, the same changes count from now on: a piece is named once.
        hashes.retain(|hash| *hash != piece.hash);
        hashes.push(piece.hash.clone());
        send(&remote, &[piece], false, &progress(json))?;
        // Somebody else's changes since then are not among these pieces.
        let before = Some(live.version.as_str());
        let wanted = Wanted { pieces: &hashes, before, message: self.message.as_deref() };
        let answer = remote.put_index(name, &wanted, teller(json))?;
        let text = format!("{}{what}\n{}{more}", gathered.bill.text(), in_use("in use", name, &answer));
        Ok(Said {
            json: json!({ "ok": true, "piece": told, "bill": gathered.bill.json(), "index": answer, "hint": hint }),
            text,
        })
    }
}

/// Why the index should be built anew, once `n_more` changes are on top.
fn rebuild(live: &Live, n_more: usize) -> Option<String> {
    let n_pieces = live.pieces.len() + 1;
    let base = base_of(live);
    let in_base: u64 = live.pieces.iter().take(base).map(|piece| piece.items).sum();
    let in_deltas: u64 = live.pieces.iter().skip(base).map(|piece| piece.items).sum::<u64>() + n_more as u64;
    let how = "build the index anew with all items and push it";
    if n_pieces > MOST_PIECES && n_pieces > base + 1 {
        return Some(format!("{n_pieces} pieces are searched one by one (more than {MOST_PIECES}): {how}"));
    }
    let share = in_deltas as f64 / in_base.max(1) as f64;
    (share > MOST_CHANGED)
        .then(|| format!("changes are {:.0} % of what was built last: {how}", share * 100.0))
}

/// How many of the pieces in use were there before deltas came on top: each version whose pieces are the beginning of the next one's
/// was followed by a delta.
fn base_of(live: &Live) -> usize {
    let mut pieces: &[site::Piece] = &live.pieces;
    for earlier in &live.history {
        if earlier.pieces.len() >= pieces.len()
            || earlier.pieces.is_empty()
            || !pieces.starts_with(&earlier.pieces)
        {
            break;
        }
        pieces = &earlier.pieces;
    }
    pieces.len()
}

impl Rollback {
    /// Goes back.
    ///
    /// # Errors
    /// No such version, no connection, a refusal.
    pub fn run(&self) -> Result<Said, Stop> {
        let name = checked_name(&self.name)?;
        let answer = self.site.remote()?.roll_index_back(name, &self.version, self.message.as_deref())?;
        Ok(Said { text: in_use("back at", name, &answer), json: answer })
    }
}

impl List {
    /// Asks.
    ///
    /// # Errors
    /// No connection or a refusal.
    pub fn run(&self) -> Result<Said, Stop> {
        let answer = self.site.remote()?.ask("indexes")?;
        Ok(Said { text: table::indexes(&answer), json: answer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(pieces: &[(&str, u64)], history: Vec<Live>) -> Live {
        let piece =
            |(hash, items): &(&str, u64)| site::Piece { hash: (*hash).into(), items: *items, bytes: 0 };
        Live {
            name: "next".into(),
            version: "v".into(),
            model: "m".into(),
            dimension: 2,
            items: 0,
            pieces: pieces.iter().map(piece).collect(),
            history,
        }
    }

    #[test]
    fn pieces_that_came_on_top_are_told_from_those_that_were_built() {
        let built = live(&[("a", 100), ("b", 100)], vec![]);
        let once = live(&[("a", 100), ("b", 100), ("c", 5)], vec![live(&[("x", 9)], vec![])]);
        assert_eq!((base_of(&built), base_of(&once)), (2, 3));
        let twice = live(
            &[("a", 100), ("b", 100), ("c", 5), ("d", 5)],
            vec![once, built.clone(), live(&[("x", 9)], vec![])],
        );
        assert_eq!(base_of(&twice), 2);
    }

    #[test]
    fn it_is_time_to_build_anew_after_a_tenth_or_eight_pieces() {
        let base = live(&[("a", 100)], vec![]);
        assert_eq!(rebuild(&base, 10), None);
        assert!(rebuild(&base, 11).unwrap().contains("11 %"));
        let many: Vec<(&str, u64)> =
            ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| (name, 100)).to_vec();
        let deltas = live(&many, vec![live(&many[..1], vec![])]);
        assert!(rebuild(&deltas, 0).unwrap().contains("9 pieces"));
    }
}
