-- A job that starts changes no column of an index any more, and its page has room for the new row beside the old one: so
-- Postgres writes the row and nothing else.
DROP INDEX jobs_active, jobs_scheduled, jobs_parked;
ALTER TABLE jobs SET (fillfactor = 50);
-- What the queue is filled from again, and the board's upper half. What runs is found by its attempts.
CREATE INDEX jobs_active ON jobs (priority, id) WHERE finished_at IS NULL;
-- What waits for a time: its own, or that at which its agent's quota is there again.
CREATE INDEX jobs_later ON jobs (run_at) WHERE run_at IS NOT NULL AND finished_at IS NULL;
-- What belongs to a conversation and may have to wait for its turn in it.
CREATE INDEX jobs_open_thread ON jobs (thread_id, id) WHERE thread_id IS NOT NULL AND finished_at IS NULL;
