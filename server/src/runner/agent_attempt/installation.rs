//! What of the machine an agent's program needs to see to run.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Says of a directory that it is an environment of Python's.
const ENVIRONMENT: &str = "pyvenv.cfg";

/// What is shown of a program: where it is found, and where it really is. One from npm is a link into a `node_modules`, and
/// one from pip is in an environment of its own, of which they need everything; beside others there are only programs to
/// see in a `bin`. Of any other place only the program itself is shown: it may be somebody's home.
pub(super) fn shown(program: &Path) -> Vec<PathBuf> {
    let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    let own = [program, &real].map(|file| installed_with(file).unwrap_or(file).to_owned());
    let python = own.iter().filter_map(|directory| python_of(directory)).flatten().collect::<Vec<_>>();
    own.into_iter().chain(python).collect()
}

/// The directory that was installed together with a program.
fn installed_with(file: &Path) -> Option<&Path> {
    let modules = file.ancestors().filter(|path| path.ends_with("node_modules")).last();
    let environment = || file.ancestors().find(|path| path.join(ENVIRONMENT).is_file());
    let programs = || file.parent().filter(|path| path.ends_with("bin"));
    modules.or_else(environment).or_else(programs)
}

/// Where the interpreter of an environment is, which only links to it, and that one's libraries.
fn python_of(environment: &Path) -> Option<impl Iterator<Item = PathBuf>> {
    let settings = fs::read_to_string(environment.join(ENVIRONMENT)).ok()?;
    let mut settings = settings.lines().filter_map(|line| line.split_once('='));
    let (_, home) = settings.find(|(name, _)| name.trim() == "home")?;
    let programs = Path::new(home.trim()).to_owned();
    let libraries = programs.parent()?.join("lib");
    let is_usual = programs.is_absolute() && programs.ends_with("bin");
    is_usual.then(|| [programs, libraries].into_iter().filter(|path| path.is_dir()))
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
        fs::write(environment.path().join("pyvenv.cfg"), "").unwrap();
        let program = environment.path().join("bin/aider");
        assert_eq!(installed_with(program.to_str().unwrap()).as_deref(), Some(environment.path()));
    }

    #[test]
    fn an_environment_of_pythons_comes_with_its_interpreter() {
        let directory = tempfile::tempdir().unwrap();
        let place = |path: &str| directory.path().canonicalize().unwrap().join(path);
        for path in ["python/bin", "python/lib", "environment/bin"] {
            fs::create_dir_all(place(path)).unwrap();
        }
        fs::write(place("environment/bin/aider"), "").unwrap();
        let shown_with = |home: &str| {
            fs::write(place("environment/pyvenv.cfg"), format!("version = 3.12\nhome = {home}\n")).unwrap();
            shown(&place("environment/bin/aider")).split_off(2)
        };
        let python = ["python/bin", "python/lib"].map(place);

        assert_eq!(shown_with(python[0].to_str().unwrap()), [&python[..], &python[..]].concat());
        for home in ["/", "", "python/bin", "/nowhere/bin"] {
            assert_eq!(shown_with(home), <[PathBuf; 0]>::default(), "{home}");
        }
    }

    #[test]
    fn nothing_of_a_home_is_shown_but_the_program_that_lies_in_it() {
        let program = Path::new("/home/ada/my-agent");
        assert_eq!(shown(program), [program, program]);
    }
}
