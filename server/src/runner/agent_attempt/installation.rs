//! What of the machine an agent's program needs to see to run.

use std::path::{Path, PathBuf};

/// What is shown of a program: where it is found, and where it really is. One from npm is a link into a `node_modules`, and
/// one from pip is in an environment of its own, of which they need everything; beside others there are only programs to
/// see in a `bin`. Of any other place only the program itself is shown: it may be somebody's home.
pub(super) fn shown(program: &Path) -> Vec<PathBuf> {
    let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    [program, &real].map(|file| installed_with(file).unwrap_or(file).to_owned()).into()
}

/// The directory that was installed together with a program.
fn installed_with(file: &Path) -> Option<&Path> {
    let modules = file.ancestors().filter(|path| path.ends_with("node_modules")).last();
    let environment = || file.ancestors().find(|path| path.join("pyvenv.cfg").is_file());
    let programs = || file.parent().filter(|path| path.ends_with("bin"));
    modules.or_else(environment).or_else(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_sees_what_was_installed_with_it() {
        let installed_with = |file: &str| installed_with(Path::new(file)).map(Path::to_owned);
        assert_eq!(
            installed_with("/home/ada/.npm/lib/node_modules/@a/agent/node_modules/b/cli.js"),
            Some("/home/ada/.npm/lib/node_modules".into())
        );
        assert_eq!(installed_with("/home/ada/.local/bin/agent"), Some("/home/ada/.local/bin".into()));
        let environment = tempfile::tempdir().unwrap();
        std::fs::write(environment.path().join("pyvenv.cfg"), "").unwrap();
        let program = environment.path().join("bin/aider");
        assert_eq!(installed_with(program.to_str().unwrap()).as_deref(), Some(environment.path()));
    }

    #[test]
    fn nothing_of_a_home_is_shown_but_the_program_that_lies_in_it() {
        let program = Path::new("/home/ada/my-agent");
        assert_eq!(shown(program), [program, program]);
    }
}
