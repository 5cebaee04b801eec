//! Forests that a configuration names by their files, read into it: what is published has no files beside it.

use edgeloom::snapshot::wire::Config;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Largest file, bytes: 5,000 nodes in many words.
const MAX_BYTES: u64 = 4 << 20;

/// Puts each forest in the place of its file's name, which counts from the folder of the configuration. Returns what could not be
/// read: where it is named, and why; it then stays without targeting, for the one error that counts.
pub fn read(config: &mut Config, file: &Path) -> Vec<(String, String)> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut faults = Vec::new();
    for (i, slot) in config.slots.iter_mut().enumerate() {
        let Some(targeting) = &mut slot.targeting else { continue };
        let Value::String(name) = &targeting.forest else { continue };
        match forest(&folder.join(name)) {
            Ok(forest) => targeting.forest = forest,
            Err(reason) => {
                faults.push((format!("/slots/{i}/targeting/forest"), reason));
                slot.targeting = None;
            }
        }
    }
    faults
}

fn forest(path: &Path) -> Result<Value, String> {
    let name = path.display();
    let cannot = |error: std::io::Error| format!("cannot read {name}: {error}");
    if fs::metadata(path).map_err(cannot)?.len() > MAX_BYTES {
        return Err(format!("{name} has over {MAX_BYTES} bytes; hint: grow fewer or smaller trees"));
    }
    let text = fs::read_to_string(path).map_err(cannot)?;
    serde_json::from_str(&text).map_err(|error| format!("{name} is no JSON: {error}"))
}
