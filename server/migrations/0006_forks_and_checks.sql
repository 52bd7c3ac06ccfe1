-- The branch of a fork that gets the work on its pull request: its repository's name and its own.
ALTER TABLE github_answers ADD COLUMN fork text, ADD COLUMN fork_branch text;

-- Failed checks that came while a job was at work on their branch: they are looked at again when that has ended.
CREATE INDEX deliveries_behind ON deliveries (job_id) WHERE verdict = 'duplicate' AND event = 'check_run';
