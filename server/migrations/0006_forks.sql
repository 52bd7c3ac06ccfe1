-- The branch of a fork that gets the work on its pull request: its repository's name and its own.
ALTER TABLE github_answers ADD COLUMN fork text, ADD COLUMN fork_branch text;
