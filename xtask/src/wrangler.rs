//! Runs the Worker on this machine, under wrangler.

use crate::process::Running;
use crate::project::Project;
use anyhow::Result;
use std::time::Duration;

/// wrangler starts the runtime, builds once more and opens the port at last.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How to run it.
pub struct Dev<'a> {
    /// Port of this machine.
    pub port: u16,
    /// Overrides of `[vars]`, each `(name, value)`.
    pub vars: &'a [(&'a str, &'a str)],
    /// Folder, relative to the root, that keeps the local KV and the Durable Objects.
    pub state: &'a str,
    /// wrangler's own `--log-level`.
    pub log_level: &'a str,
}

/// Starts `wrangler dev` and waits until it listens. It ends, with the runtime, when the value is dropped.
///
/// # Errors
/// When it ends early or never listens.
pub fn dev(project: &Project, options: &Dev) -> Result<Running> {
    // An inspector port of our own choice: two of these would fight for the usual one.
    let inspector = options.port.wrapping_add(1).to_string();
    let mut command = project.tool("wrangler");
    command.args([
        "dev",
        "--ip",
        "127.0.0.1",
        "--port",
        &options.port.to_string(),
        "--inspector-port",
        &inspector,
    ]);
    command.args(["--persist-to", options.state, "--log-level", options.log_level]);
    command.args(["--show-interactive-dev-session", "false"]);
    for (name, value) in options.vars {
        command.args(["--var", &format!("{name}:{value}")]);
    }
    let mut running = Running::start("wrangler dev", &mut command)?;
    running.wait_for_port(options.port, START_LIMIT)?;
    Ok(running)
}
