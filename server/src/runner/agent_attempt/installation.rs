//! What of the machine an agent's program needs to see to run.

use std::path::{Path, PathBuf};

/// The directories that a program was installed into: where it is found, and where it really is. One from npm is a link into
/// a `node_modules`, of which it needs everything.
pub(super) fn shown(program: &Path) -> Vec<PathBuf> {
    let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    [program, &real]
        .into_iter()
        .filter_map(|file| package(file).or_else(|| file.parent()))
        .map(Path::to_owned)
        .collect()
}

/// The directory that holds the outermost `node_modules` above a file.
fn package(file: &Path) -> Option<&Path> {
    file.ancestors().filter(|path| path.ends_with("node_modules")).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_from_npm_sees_everything_that_was_installed_with_it() {
        let file = Path::new("/home/ada/.npm/lib/node_modules/@a/agent/node_modules/b/cli.js");
        assert_eq!(package(file), Some(Path::new("/home/ada/.npm/lib/node_modules")));
        assert_eq!(package(Path::new("/usr/bin/aider")), None);
    }
}
