//! `cargo xtask budget`: the sizes of what is shipped, against their limits.

use crate::process::capture;
use crate::project::Project;
use crate::{build, bundle, table};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fs;

/// Prints raw, gzip and brotli size of each file given, as JSON. Node has both compressors, so this tool needs none.
const MEASURE: &str = "\
const { readFileSync } = require('node:fs'), { gzipSync, brotliCompressSync } = require('node:zlib');
console.log(JSON.stringify(process.argv.slice(1).map((file) => {
  const bytes = readFileSync(file);
  return { raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length, brotli: brotliCompressSync(bytes).length };
})));";

/// Something we ship: its name, the files it consists of, and its limit.
struct Item {
    name: &'static str,
    /// Folder, and the ending of the files in it that count.
    files: (&'static str, &'static str),
    unit: Unit,
    limit_bytes: Option<u64>,
}

#[derive(Clone, Copy)]
enum Unit {
    Gzip,
    Brotli,
}

const ITEMS: [Item; 6] = [
    // Two fifths of the platform's oldest limit, 1 MB, and an eighth of today's smallest. Deciding by context, worth, repetition and
    // what stands together, learning it, and measuring it against a holdout are a sixth of it; indexes, lists and what brings
    // them to the site another.
    Item {
        name: "Worker wasm",
        files: ("build/worker", ".wasm"),
        unit: Unit::Gzip,
        limit_bytes: Some(395_000),
    },
    Item { name: "Worker glue", files: ("build/worker", ".js"), unit: Unit::Gzip, limit_bytes: None },
    // The modules beside the wasm and its glue in one, minified.
    Item { name: "Worker script", files: ("build/bundle", ".js"), unit: Unit::Gzip, limit_bytes: None },
    Item { name: "web wasm", files: ("build/web", ".wasm"), unit: Unit::Brotli, limit_bytes: None },
    Item { name: "web glue", files: ("build/web", ".js"), unit: Unit::Brotli, limit_bytes: None },
    // Under half of the smallest library that decides anything in a browser.
    Item {
        name: "beacon",
        files: ("build/assets/_edgeloom", ".js"),
        unit: Unit::Brotli,
        limit_bytes: Some(4_096),
    },
];

/// The command.
///
/// # Errors
/// When the build fails or something is over its limit.
pub fn run(project: &Project) -> Result<()> {
    build::ensure_built(project)?;
    bundle::ensure_bundled(project)?;
    let mut rows = Vec::new();
    let mut lines = vec![["", "raw", "gzip", "brotli", "limit"].map(String::from).to_vec()];
    for item in &ITEMS {
        let [raw, gzip, brotli] = measure(project, item)?;
        if raw == 0 {
            continue;
        }
        let (ours, unit) = match item.unit {
            Unit::Gzip => (gzip, "gzip"),
            Unit::Brotli => (brotli, "brotli"),
        };
        let holds = item.limit_bytes.is_none_or(|limit| ours <= limit);
        rows.push(json!({
            "name": item.name, "unit": format!("bytes {unit}"), "ours": ours, "others": {},
            "target": item.limit_bytes, "holds": holds,
        }));
        let limit = item.limit_bytes.map(|limit| format!("{limit} {unit} {}", if holds { "✓" } else { "✗" }));
        let sizes = [raw, gzip, brotli].map(|size| size.to_string());
        lines.push([item.name.to_string()].into_iter().chain(sizes).chain(limit).collect());
    }
    println!();
    table::print_columns(&lines);
    fs::create_dir_all(project.path("target/bench"))?;
    let file = project.path("target/bench/budget.json");
    fs::write(&file, serde_json::to_string_pretty(&rows)?).context("writing target/bench/budget.json")?;
    let n_over = rows.iter().filter(|row| row["holds"] == Value::Bool(false)).count();
    ensure!(n_over == 0, "{n_over} over the limit");
    Ok(())
}

/// Bytes raw, gzipped and brotli-compressed, summed over the files of an item; zeros when there are none.
fn measure(project: &Project, item: &Item) -> Result<[u64; 3]> {
    let mut files = crate::stamp::files_below(&project.path(item.files.0))?;
    files.retain(|file| file.to_string_lossy().ends_with(item.files.1));
    if files.is_empty() {
        return Ok([0; 3]);
    }
    let text = capture(project.node().args(["-e", MEASURE, "--"]).args(&files))?;
    let sizes: Vec<Value> = serde_json::from_str(&text).context("sizes")?;
    let sum = |key: &str| sizes.iter().filter_map(|size| size[key].as_u64()).sum();
    Ok([sum("raw"), sum("gzip"), sum("brotli")])
}
