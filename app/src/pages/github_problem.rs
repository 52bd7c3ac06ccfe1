//! What went wrong on the way to GitHub and back, by the word in the address.

/// What happened and what to do; nothing for a word that is not one of these.
pub fn github_problem(word: &str) -> Option<&'static str> {
    Some(match word {
        "github_off" => {
            "Nobody can sign in with GitHub here yet. An owner can connect GitHub on the settings page."
        }
        "github_denied" => {
            "You did not allow it at GitHub, so nothing has changed. To come in, try again and press Authorize there."
        }
        "github_state" => {
            "This sign-in began in another browser, was used already, or took longer than ten minutes. Please start again \
             here."
        }
        "github_refused" => {
            "GitHub did not accept this sign-in. Please start again. If it goes on, an owner should check the App's client \
             secret."
        }
        "github_not_listed" => {
            "Your GitHub account is not on the list of those who may come in. Ask an owner to add your login, organisation \
             or team to `members` under [github] in Leptos.toml."
        }
        "github_removed" => {
            "An owner has taken this account off. Ask an owner to let it in again on the settings page."
        }
        "github_unclear" => {
            "GitHub does not tell Millrace whether you belong to the organisations or teams on the list. Ask an owner to \
             install the App for the organisation, or to put your own login on the list."
        }
        "github_malformed" => {
            "What answers instead of GitHub makes no sense to Millrace. Try again; if it goes on, an owner should check `url` \
             under [github] in Leptos.toml, and whether a proxy answers in GitHub's place."
        }
        "github_away" => {
            "GitHub does not answer at the moment. Nothing is wrong with your account; try again soon."
        }
        "github_taken" => {
            "This GitHub account belongs to another person here. Sign out, and sign in with GitHub to be that person."
        }
        "app_state" => {
            "This began in another browser, was used already, or took longer than an hour. Nothing was stored. Start again \
             with Connect GitHub, and delete an App that GitHub has made already."
        }
        "app_code" => {
            "GitHub does not know the code that the browser brought back: it works once, within an hour. Nothing was \
             stored. Start again with Connect GitHub."
        }
        "app_incomplete" => {
            "What GitHub said about the App lacks something, or is wrong. Nothing was stored. Delete the App at GitHub and \
             start again with Connect GitHub."
        }
        "app_connected" => {
            "Millrace has a GitHub App already. Delete the one that you have just made at GitHub."
        }
        "app_away" => {
            "GitHub, or the database, did not answer. Nothing was stored. Delete the App at GitHub and start again with \
             Connect GitHub."
        }
        "app_not_read" => {
            "The App is there, but GitHub did not say where it is installed. Press Refresh in a moment."
        }
        "app_owners" => "Only an owner of this installation can connect GitHub. Ask one of them.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_words_say_something() {
        assert!(github_problem("github_denied").is_some_and(|text| text.contains("try again")));
        assert_eq!(github_problem("<script>"), None);
    }
}
