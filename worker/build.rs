//! Hands the bundled snapshot to the compiler; without one the Worker bundles nothing.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../build/bundled.snapshot");
    println!("cargo::rerun-if-changed={}", bundled.display());
    let out = std::env::var_os("OUT_DIR").ok_or(std::io::ErrorKind::NotFound)?;
    let bytes = if bundled.exists() { std::fs::read(&bundled)? } else { Vec::new() };
    std::fs::write(Path::new(&out).join("bundled.snapshot"), bytes)
}
