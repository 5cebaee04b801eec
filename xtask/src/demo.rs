//! `cargo xtask demo`: the demo site, the Worker in front of it, and visitors if wanted, until Ctrl-C.

use crate::admin::Admin;
use crate::process::{Running, catch_interrupts, interrupted, is_free};
use crate::project::Project;
use crate::steps::step;
use crate::visitors::DESKTOP_AGENT;
use crate::{build, notes, traffic, wrangler};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs;
use std::io::{IsTerminal, stdout};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Port of the Worker, unless chosen.
const PORT: u16 = 8787;
/// The site's own server takes the first of these that is free.
const ORIGIN_PORTS: std::ops::Range<u16> = 9000..9020;
/// Folder of the local KV and the Durable Objects: what was learned stays for the next run.
const STATE: &str = "target/demo";
const ORIGIN_LIMIT: Duration = Duration::from_secs(10);
/// The first page waits for the runtime to compile the wasm.
const PAGE_LIMIT: Duration = Duration::from_secs(60);
/// A page whose list shows that the index is in use.
const NOTE: &str = "/notes/spring-tide";
/// `wrangler dev` passes some hundred requests per second, and a visitor makes some three, a reader some ten.
const VISITORS_PER_SECOND: f64 = 80.0;

struct Options {
    port: u16,
    /// Simulated visitors; none by default.
    traffic: Option<u64>,
    /// Forget what the last run has learned.
    fresh: bool,
}

/// The command.
///
/// # Errors
/// When the set-up or the build fails, or one of the servers can't be started.
pub fn run(project: &Project, args: &[String]) -> Result<()> {
    let options = parse(args)?;
    ensure!(is_free(options.port), "port {} is in use\nhint: choose another with --port", options.port);
    build::ensure_built(project)?;
    catch_interrupts()?;
    if options.fresh && project.path(STATE).exists() {
        fs::remove_dir_all(project.path(STATE)).with_context(|| format!("removing {STATE}"))?;
    }
    let token = dev_token(project)?;
    let site = format!("http://127.0.0.1:{}", options.port);

    let (origin, origin_address) = start_origin(project)?;
    let mut worker = step("starting the Worker", || {
        // In seconds instead of the usual ten to fifteen: a demo is watched.
        let vars = [
            ("ORIGIN", origin_address.as_str()),
            ("SITE", "demo"),
            ("PUBLISH_MILLIS", "1000"),
            ("FRESH_MILLIS", "1000"),
        ];
        let dev = wrangler::Dev { port: options.port, vars: &vars, state: STATE, log_level: "warn" };
        let mut worker = wrangler::dev(project, &dev)?;
        wait_for_page(&format!("{site}/"), &mut worker, |_| true)?;
        Ok(worker)
    })?;
    step("publishing www/demo/edgeloom.toml", || {
        let config = fs::read_to_string(project.path("www/demo/edgeloom.toml"))?;
        let config: Value = toml::from_str(&config).context("reading edgeloom.toml")?;
        Admin::new(&site, &token).publish(&config)?;
        // The isolate asks for news once a second.
        wait_for_page(&format!("{site}/"), &mut worker, |page| page.contains("edgeloom-decisions"))
    })?;
    step("building the index of www/demo/notes.jsonl", || notes::build(project))?;
    step("pushing the index", || {
        notes::push(project, &site, &token)?;
        // One visitor in five is held out, and sees the page's own list.
        wait_for_page(&format!("{site}{NOTE}"), &mut worker, |page| page.contains("class=\"note-card\""))
    })?;
    println!(
        "\n  Site    {site}/\n  Status  {site}/_edgeloom/status   (user admin, password {token})\n  Origin  {origin_address}/   \
         (the same site, untouched)\n"
    );
    if let Some(n_visitors) = options.traffic {
        let per_second = VISITORS_PER_SECOND;
        traffic::run(&traffic::Options { site, token, n_visitors, per_second })?;
        // In a script nobody is there to press Ctrl-C.
        if !stdout().is_terminal() {
            return Ok(());
        }
    }
    println!("\n  Ctrl-C ends it; what was learned stays in {STATE} (--fresh forgets it).");
    worker.wait_for_interrupt()?;
    // Named to the end: dropping it ends the site.
    drop(origin);
    Ok(())
}

fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options { port: PORT, traffic: None, fresh: false };
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a number"));
        match word.as_str() {
            "--port" => options.port = value()?.parse().context("--port is a number from 1 to 65535")?,
            "--traffic" => {
                options.traffic = Some(value()?.parse().context("--traffic is a number of visitors")?)
            }
            "--fresh" => options.fresh = true,
            other => bail!("demo does not know `{other}`"),
        }
    }
    Ok(options)
}

/// The site's own server and its address.
fn start_origin(project: &Project) -> Result<(Running, String)> {
    let port = ORIGIN_PORTS.clone().find(|port| is_free(*port));
    let port = port.with_context(|| format!("no port from {} on is free", ORIGIN_PORTS.start))?;
    let mut command = project.node();
    command.args(["www/demo/origin.mjs", "--port", &port.to_string()]).stdout(std::process::Stdio::null());
    let mut origin = Running::start("the demo site", &mut command)?;
    origin.wait_for_port(port, ORIGIN_LIMIT)?;
    Ok((origin, format!("http://127.0.0.1:{port}")))
}

/// Waits until the Worker brings a page as it should be: wrangler listens before the runtime is ready.
fn wait_for_page(address: &str, worker: &mut Running, is_right: fn(&str) -> bool) -> Result<()> {
    let start = Instant::now();
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10)));
    let agent: ureq::Agent = config.build().into();
    let page = || {
        // Asked for no coding at all, wrangler's own front sends gzip.
        let ask = agent.get(address).header("accept", "text/html").header("user-agent", DESKTOP_AGENT);
        ask.header("accept-encoding", "identity").call()?.body_mut().read_to_string()
    };
    loop {
        let found = page();
        if found.as_ref().is_ok_and(|page| is_right(page)) {
            return Ok(());
        }
        worker.check()?;
        ensure!(!interrupted(), "interrupted");
        let seen = found.map_or_else(|error| error.to_string(), |_| "it is not personalised".to_string());
        ensure!(start.elapsed() < PAGE_LIMIT, "the Worker does not bring {address}: {seen}");
        sleep(Duration::from_millis(200));
    }
}

/// The current admin token of this machine: the first of `ADMIN_TOKENS` in `.dev.vars`.
fn dev_token(project: &Project) -> Result<String> {
    let text = fs::read_to_string(project.path(".dev.vars")).context("reading .dev.vars")?;
    first_token(&text).context("`.dev.vars` holds no ADMIN_TOKENS\nhint: remove it, it is made again")
}

fn first_token(vars: &str) -> Option<String> {
    let list = vars.lines().find_map(|line| line.trim().strip_prefix("ADMIN_TOKENS="))?;
    let (_, token) = list.trim_matches(['"', '\'', ' ']).split(',').next()?.split_once(':')?;
    Some(token.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn options_are_read_and_mistakes_named() {
        let options = parse(&words("--traffic 4000 --port 9 --fresh")).unwrap();
        assert_eq!((options.port, options.traffic, options.fresh), (9, Some(4000), true));
        assert!(parse(&words("--trafic 1")).is_err() && parse(&words("--port")).is_err());
    }

    #[test]
    fn the_first_token_is_the_current_one() {
        assert_eq!(first_token("# x\nADMIN_TOKENS=\"new:abc,old:def\"\n").as_deref(), Some("abc"));
        assert_eq!(first_token("A=b"), None);
        assert!(first_token(include_str!("../../.dev.vars.example")).is_some());
    }
}
