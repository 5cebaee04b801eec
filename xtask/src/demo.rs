//! `cargo xtask demo`: the Worker on this machine, until Ctrl-C.

use crate::process::{catch_interrupts, is_free};
use crate::project::Project;
use crate::{build, wrangler};
use anyhow::{Context, Result, bail, ensure};

const PORT: u16 = 8787;

struct Options {
    port: u16,
    /// Simulated visitors; none by default.
    traffic: Option<u64>,
}

/// The command.
///
/// # Errors
/// When the set-up or the build fails, or the Worker can't be started.
pub fn run(project: &Project, args: &[String]) -> Result<()> {
    let options = parse(args)?;
    ensure!(is_free(options.port), "port {} is in use\nhint: choose another with --port", options.port);
    ensure!(options.traffic.is_none(), "there is no demo site to send visitors to yet");
    build::ensure_built(project)?;
    catch_interrupts()?;
    let state = "target/demo-state";
    let mut worker =
        wrangler::dev(project, &wrangler::Dev { port: options.port, vars: &[], state, log_level: "log" })?;
    eprintln!("\nThe Worker runs at http://127.0.0.1:{}/ - Ctrl-C ends it.\n", options.port);
    worker.wait_for_interrupt()
}

fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options { port: PORT, traffic: None };
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a number"));
        match word.as_str() {
            "--port" => options.port = value()?.parse().context("--port is a number from 1 to 65535")?,
            "--traffic" => {
                options.traffic = Some(value()?.parse().context("--traffic is a number of visitors")?)
            }
            other => bail!("demo does not know `{other}`"),
        }
    }
    Ok(options)
}
