//! Pieces as files: one by itself, or several in a folder with a list that says which belong together and in which order.

use super::site::hash_of;
use crate::problem::Stop;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The list in a folder.
const LIST: &str = "index.json";

/// A piece on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// SHA-256 of its bytes, hexadecimal.
    pub hash: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How it is called where something is wrong with it.
    pub name: String,
}

impl Piece {
    /// A piece of these bytes.
    pub fn new(bytes: Vec<u8>, name: &str) -> Self {
        Self { hash: hash_of(&bytes), bytes, name: name.into() }
    }
}

/// Reads files and folders, in the order they are given.
///
/// # Errors
/// One that can't be read, or is not what its list says.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Piece>, Stop> {
    let mut pieces = Vec::new();
    for path in paths {
        if !path.is_dir() {
            pieces.push(piece(path)?);
            continue;
        }
        for hash in listed(path)? {
            let found = piece(&path.join(file_of(&hash)))?;
            if found.hash != hash {
                let message = format!("{} is not what {LIST} says", found.name);
                return Err(Stop::new(message, "it was changed or broke off: build the index again"));
            }
            pieces.push(found);
        }
    }
    Ok(pieces)
}

/// Whether something can be written there, as far as can be told before there is anything: embedding may have a price.
///
/// # Errors
/// The folder it would stand in is not there.
pub fn check_output(to: &Path) -> Result<(), Stop> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() {
        return Ok(());
    }
    let message = format!("cannot write {}: there is no folder {}", to.display(), folder.display());
    Err(Stop::new(message, "name a file in a folder that is there"))
}

/// Writes pieces: one into the file `to` unless it is a folder, several into the folder `to`, with their list. Returns what was written.
///
/// # Errors
/// A file that can't be written.
pub fn write(pieces: &[Piece], to: &Path) -> Result<Vec<PathBuf>, Stop> {
    let help = "-o names a file, or a folder for several pieces";
    let failed = |path: &Path, error: &std::io::Error| {
        Stop::new(format!("cannot write {}: {error}", path.display()), help)
    };
    let put = |path: PathBuf, bytes: &[u8]| {
        fs::write(&path, bytes).map_err(|error| failed(&path, &error)).map(|()| path)
    };
    let is_folder = to.is_dir() || to.to_string_lossy().ends_with(std::path::MAIN_SEPARATOR);
    if let ([piece], false) = (pieces, is_folder) {
        return Ok(vec![put(to.to_path_buf(), &piece.bytes)?]);
    }
    let earlier: Vec<String> = listed(to).unwrap_or_default();
    fs::create_dir_all(to).map_err(|error| failed(to, &error))?;
    let mut written = Vec::new();
    for piece in pieces {
        written.push(put(to.join(file_of(&piece.hash)), &piece.bytes)?);
    }
    let list: Value = pieces.iter().map(|piece| json!(piece.hash)).collect();
    put(to.join(LIST), format!("{:#}\n", json!({ "pieces": list })).as_bytes())?;
    // What an earlier build left behind belongs to nothing any more.
    let now: BTreeSet<&str> = pieces.iter().map(|piece| piece.hash.as_str()).collect();
    for gone in earlier.iter().filter(|hash| !now.contains(hash.as_str())) {
        let _ = fs::remove_file(to.join(file_of(gone)));
    }
    Ok(written)
}

fn file_of(hash: &str) -> String {
    format!("{hash}.index")
}

fn piece(path: &Path) -> Result<Piece, Stop> {
    let bytes = fs::read(path).map_err(|error| {
        let help = "`edgeloom index build` writes one";
        Stop::new(format!("cannot read {}: {error}", path.display()), help)
    })?;
    Ok(Piece::new(bytes, &path.display().to_string()))
}

/// The pieces of a folder. Names that are no hashes never become a path.
fn listed(folder: &Path) -> Result<Vec<String>, Stop> {
    let path = folder.join(LIST);
    let no_list = || {
        let help = "a folder holds the pieces that `edgeloom index build` wrote there, and their list";
        Stop::new(format!("{} is no list of pieces", path.display()), help)
    };
    let list: Value =
        serde_json::from_slice(&fs::read(&path).map_err(|_| no_list())?).map_err(|_| no_list())?;
    let hashes = list.get("pieces").and_then(Value::as_array).ok_or_else(no_list)?;
    let is_hash = |text: &&str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    hashes.iter().map(|hash| hash.as_str().filter(is_hash).map(String::from).ok_or_else(no_list)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_the_order_and_forgets_what_an_earlier_build_left() {
        let folder = std::env::temp_dir().join(format!("edgeloom-pieces-{}", std::process::id()));
        let piece = |text: &str| Piece::new(text.as_bytes().to_vec(), "");
        let bytes = |pieces: Vec<Piece>| pieces.into_iter().map(|piece| piece.bytes).collect::<Vec<_>>();
        write(&[piece("b"), piece("a")], &folder).unwrap();
        assert_eq!(bytes(read(std::slice::from_ref(&folder)).unwrap()), [b"b".to_vec(), b"a".to_vec()]);
        // One piece stays in the folder where there is one.
        let written = write(&[piece("c")], &folder).unwrap();
        assert_eq!(bytes(read(std::slice::from_ref(&folder)).unwrap()), [b"c".to_vec()]);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::write(&written[0], "d").unwrap();
        assert!(
            read(std::slice::from_ref(&folder)).unwrap_err().message.contains("is not what index.json says")
        );
        assert!(check_output(&folder.join("x")).is_ok() && check_output(&folder.join("x/y")).is_err());
        fs::write(folder.join(LIST), r#"{"pieces":["../../etc/passwd"]}"#).unwrap();
        assert!(read(std::slice::from_ref(&folder)).unwrap_err().message.contains("no list of pieces"));
        fs::remove_dir_all(folder).unwrap();
    }
}
