//! Names of branches.

use app::model::JobId;

/// How much of a title a name keeps.
const SLUG_CHARS: usize = 40;

/// `millrace/<short id>-<title>`, of characters that every git host and shell takes.
pub fn branch_name(id: JobId, title: &str) -> String {
    let mut slug = String::new();
    for char in title.chars().flat_map(char::to_lowercase) {
        if slug.len() >= SLUG_CHARS {
            break;
        }
        if char.is_ascii_alphanumeric() {
            slug.push(char);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        format!("millrace/{}", id.short())
    } else {
        format!("millrace/{}-{slug}", id.short())
    }
}

/// Whether a branch was named after this job.
pub fn is_own_branch(id: JobId, branch: &str) -> bool {
    let rest = branch.strip_prefix("millrace/").and_then(|name| name.strip_prefix(&id.short()));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_readable_and_harmless() {
        let id = JobId::new();
        let name = |title: &str| branch_name(id, title).replace(&id.short(), "ID");
        assert_eq!(name("Fix the *wheel*, please!"), "millrace/ID-fix-the-wheel-please");
        assert_eq!(name("../../etc; rm -rf @{-1}..lock"), "millrace/ID-etc-rm-rf-1-lock");
        assert_eq!(name("日本語"), "millrace/ID");
        assert_eq!(name(&"wheel ".repeat(20)), "millrace/ID-wheel-wheel-wheel-wheel-wheel-wheel-whee");
    }

    #[test]
    fn a_job_knows_its_own_branches() {
        let id = JobId::new();
        assert!(is_own_branch(id, &branch_name(id, "Fix it")) && is_own_branch(id, &branch_name(id, "")));
        assert!(!is_own_branch(id, "feature") && !is_own_branch(id, &branch_name(JobId::new(), "Fix it")));
    }
}
