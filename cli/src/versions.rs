//! `edgeloom versions`: the stored versions of the configuration, newest first as the service tells them.

use crate::failure::Failure;
use crate::output::Output;
use crate::site::Site;
use crate::table::{self, utc};
use serde::{Deserialize, Serialize};
use std::process::ExitCode;

/// The service's list.
#[derive(Serialize, Deserialize)]
struct Versions {
    versions: Vec<Version>,
}

#[derive(Serialize, Deserialize)]
struct Version {
    version: String,
    at_millis: u64,
    published_millis: Option<u64>,
    #[serde(default)]
    message: String,
}

/// The command.
///
/// # Errors
/// The service can't be reached or refuses.
pub fn run(site: &Site, output: &Output) -> Result<ExitCode, Failure> {
    let list: Versions = site.get("versions")?.document()?;
    output.result(&list, || text(&list));
    Ok(ExitCode::SUCCESS)
}

fn text(list: &Versions) -> String {
    if list.versions.is_empty() {
        return "There is no version yet.".to_string();
    }
    let rows = list.versions.iter().map(|version| {
        let published = version.published_millis.map_or_else(|| "-".to_string(), utc);
        vec![version.version.clone(), utc(version.at_millis), published, version.message.clone()]
    });
    table::render(&["version", "stored", "published", "message"], rows)
}
