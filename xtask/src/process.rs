//! Starting, watching and ending other programs.

use anyhow::{Context, Result, bail, ensure};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a child may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Runs a program to its end, its output on our terminal.
///
/// # Errors
/// When it can't be started or fails.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {}", name_of(command)))?;
    ensure!(status.success(), "`{}` failed ({status})", name_of(command));
    Ok(())
}

/// Runs a program to its end and returns what it printed; its errors are part of ours.
///
/// # Errors
/// When it can't be started or fails.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("starting {}", name_of(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({})\n{}", name_of(command), output.status, said.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn name_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// From now on Ctrl-C and termination don't end this process but make [`interrupted`] true, so that children can be
/// ended in order. Call it before the first [`Running::start`].
///
/// # Errors
/// When a handler is already there.
pub fn catch_interrupts() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)).context("catching Ctrl-C")
}

/// Whether somebody asked us to stop.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// A program that runs beside us, with all its children, until this value is dropped.
pub struct Running {
    name: String,
    child: Child,
}

impl Running {
    /// Starts a program in a process group of its own: Ctrl-C reaches only us, and the whole group ends together.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::null());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let child = command.spawn().with_context(|| format!("starting {name}"))?;
        Ok(Self { name: name.to_string(), child })
    }

    /// Waits until something listens on this port of this machine.
    ///
    /// # Errors
    /// When the program ends first, the time is over or somebody interrupts.
    pub fn wait_for_port(&mut self, port: u16, limit: Duration) -> Result<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let start = Instant::now();
        while TcpStream::connect_timeout(&address, POLL).is_err() {
            self.check()?;
            ensure!(!interrupted(), "interrupted");
            ensure!(
                start.elapsed() < limit,
                "{} did not listen on port {port} in {} s",
                self.name,
                limit.as_secs()
            );
            sleep(POLL);
        }
        Ok(())
    }

    /// Waits until somebody interrupts.
    ///
    /// # Errors
    /// When the program ends by itself.
    pub fn wait_for_interrupt(&mut self) -> Result<()> {
        while !interrupted() {
            self.check()?;
            sleep(POLL);
        }
        Ok(())
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// When it ended.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait().with_context(|| format!("asking for {}", self.name))? {
            Some(status) => bail!("{} ended ({status})", self.name),
            None => Ok(()),
        }
    }

    fn signal(&self, signal: &str) {
        // The standard library can only kill, and only the child itself; its group is what we started.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()).status();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if cfg!(unix) {
            self.signal("-TERM");
            let start = Instant::now();
            while start.elapsed() < GRACE && matches!(self.child.try_wait(), Ok(None)) {
                sleep(POLL);
            }
            // Also for what a child that ended in good time has left behind.
            self.signal("-KILL");
        } else {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// Whether nobody listens on this port of this machine.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
