//! Compiles the two wasm crates and generates the JavaScript around them.
//!
//! The generator is linked in as a library, so the workspace's lock file keeps it and the crates at one version.

use crate::order;
use crate::process::run;
use crate::project::Project;
use crate::stamp::{Inputs, Stamp};
use crate::steps::step;
use anyhow::{Context, Result, anyhow};
use std::fs;
use std::path::Path;
use std::thread;
use wasm_bindgen_cli_support::Bindgen;

const TARGET: &str = "wasm32-unknown-unknown";

/// One wasm crate and what it becomes.
struct Face {
    package: &'static str,
    /// Base name of the generated files.
    name: &'static str,
    /// Folder they go to.
    into: &'static str,
    /// Profile of cargo, and the folder it builds into.
    profile: &'static str,
    /// A written file that goes there with them.
    beside: Option<&'static str>,
    host: Host,
}

enum Host {
    /// An ES module that imports its `.wasm` as the runtime's compiled module and can be restarted after a trap.
    Worker,
    /// An ES module that is initialised by its user: by URL in a browser, by compiled module in a Worker or in Node.
    Web,
}

const FACES: [Face; 2] = [
    Face {
        package: "edgeloom-worker",
        name: "index",
        into: "build/worker",
        profile: "release",
        beside: None,
        host: Host::Worker,
    },
    Face {
        package: "edgeloom-wasm",
        name: "edgeloom",
        into: "build/web",
        profile: "web",
        beside: Some("www/wasm/form.js"),
        host: Host::Web,
    },
];

/// The peer of `bench startup`; no other command builds it.
const HELLO: Face = Face {
    package: "edgeloom-hello",
    name: "index",
    into: "build/bench/hello",
    profile: "release",
    beside: None,
    host: Host::Worker,
};

/// What `bench vectors` searches; no other command builds it.
const VECTORS: Face = Face {
    package: "edgeloom-vectors",
    name: "vectors",
    into: "build/bench/vectors",
    profile: "release",
    beside: None,
    host: Host::Web,
};

/// The index's inner loops and their twins, for a test.
const TWINS: Face = Face {
    package: "edgeloom-twins",
    name: "twins",
    into: "build/test/twins",
    profile: "release",
    beside: None,
    host: Host::Web,
};

/// Whether the wasm keeps the names of its functions: readable stack traces for half as much size again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// For looking into a trap.
    Keep,
    /// What is shipped.
    Drop,
}

/// Brings `build/worker` and `build/web` up to date.
///
/// # Errors
/// When the compiler or the generator fails.
pub fn build(project: &Project, names: Names) -> Result<()> {
    make(project, &FACES, names, "compiling the Worker and the browser's core to wasm")
}

/// Brings `build/bench/hello` up to date, made with the settings of the Worker.
///
/// # Errors
/// See [`build`].
pub fn build_hello(project: &Project) -> Result<()> {
    make(project, &[HELLO], Names::Drop, "compiling a hello in Rust to wasm")
}

/// Brings `build/bench/vectors` up to date, made with the settings of the Worker.
///
/// # Errors
/// See [`build`].
pub fn build_vectors(project: &Project) -> Result<()> {
    make(project, &[VECTORS], Names::Drop, "compiling the index for its bench to wasm")
}

/// Brings `build/test/twins` up to date, made with the settings of the Worker.
///
/// # Errors
/// See [`build`].
pub fn build_twins(project: &Project) -> Result<()> {
    make(project, &[TWINS], Names::Drop, "compiling the index's inner loops for their test to wasm")
}

fn make(project: &Project, faces: &[Face], names: Names, what: &str) -> Result<()> {
    let compile = |face: &Face| {
        let args =
            ["build", "--lib", "--target", TARGET, "--profile", face.profile, "--package", face.package];
        run(project.cargo().args(args))
    };
    // Side by side: most of the time is spent on one whole program, by one processor. Profiles have folders of their own.
    step(what, || {
        thread::scope(|scope| {
            let started: Vec<_> = faces.iter().map(|face| scope.spawn(|| compile(face))).collect();
            started
                .into_iter()
                .try_for_each(|one| one.join().map_err(|_| anyhow!("a compiler's thread ended"))?)
        })
    })?;
    for face in faces {
        generate(project, face, names)?;
    }
    Ok(())
}

fn generate(project: &Project, face: &Face, names: Names) -> Result<()> {
    let file = format!("{}.wasm", face.package.replace('-', "_"));
    let wasm = project.path("target").join(TARGET).join(face.profile).join(file);
    let out = project.path(face.into);
    let kept = if names == Names::Keep { "names" } else { "" };
    // This source is an input too: other flags make other files.
    let mut inputs = Inputs::default()
        .path(&wasm)?
        .text(include_str!("wasm.rs"))
        .text(include_str!("order.rs"))
        .text(kept);
    if let Some(beside) = face.beside {
        inputs = inputs.path(&project.path(beside))?;
    }
    let stamp = Stamp::new(project, face.package, inputs);
    if stamp.is_fresh() && out.join(format!("{}.js", face.name)).exists() {
        return Ok(());
    }
    step(&format!("generating {}", face.into), || {
        let fresh = project.path("target/xtask-out").join(face.name);
        let _ = fs::remove_dir_all(&fresh);
        bindgen(face, &wasm, names).and_then(|mut generator| generator.generate(&fresh))?;
        if names == Names::Drop {
            let file = fresh.join(format!("{}_bg.wasm", face.name));
            fs::write(&file, order::for_compression(&fs::read(&file)?)?)?;
        }
        if matches!(face.host, Host::Worker) {
            // wrangler's bundler knows `.wasm` imports as compiled modules, but not yet their newer spelling.
            let glue = fresh.join(format!("{}.js", face.name));
            fs::write(&glue, fs::read_to_string(&glue)?.replace("import source ", "import "))?;
        }
        if let Some(beside) = face.beside.map(|file| project.path(file)) {
            fs::copy(&beside, fresh.join(beside.file_name().unwrap_or_default()))?;
        }
        replace_folder(&fresh, &out)
    })?;
    stamp.renew()
}

fn bindgen(face: &Face, wasm: &Path, names: Names) -> Result<Bindgen> {
    let mut generator = Bindgen::new();
    generator.input_path(wasm).out_name(face.name).typescript(matches!(face.host, Host::Web));
    generator.remove_name_section(names == Names::Drop).remove_producers_section(true);
    match face.host {
        Host::Worker => {
            // The guard in worker/entry.mjs restarts the instance with these after a trap.
            generator.module(true)?.reset_state_function(true).force_enable_abort_handler(true);
        }
        Host::Web => {
            generator.web(true)?;
        }
    }
    Ok(generator)
}

/// Swaps a finished folder in, so that a running `wrangler dev` never sees half of one.
fn replace_folder(fresh: &Path, place: &Path) -> Result<()> {
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent)?;
    }
    if place.exists() {
        fs::remove_dir_all(place)?;
    }
    fs::rename(fresh, place).with_context(|| format!("moving the generated files to {}", place.display()))
}
