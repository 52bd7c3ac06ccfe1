-- What agents do: how their attempts ended, what they changed, how their work is continued.

ALTER TABLE attempts
    -- The serde form of `AgentRun`.
    ADD COLUMN agent jsonb;

ALTER TABLE jobs
    -- How the latest attempt of an agent ended: `changed`, `no_change`, or why it failed.
    ADD COLUMN outcome   text,
    -- The job that this one continues, and the first of the whole conversation.
    ADD COLUMN parent_id uuid REFERENCES jobs ON DELETE SET NULL,
    ADD COLUMN thread_id uuid,
    -- Where the work is published.
    ADD COLUMN branch    text;
CREATE INDEX jobs_parent ON jobs (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX jobs_thread ON jobs (thread_id, id) WHERE thread_id IS NOT NULL;

-- What an attempt changed: a zstd-compressed unified diff against the commit that was checked out, cut at a bound.
CREATE TABLE attempt_changes (
    job_id    uuid NOT NULL,
    attempt   integer NOT NULL,
    patch     bytea NOT NULL,
    -- The patch was longer than what is kept.
    cut       boolean NOT NULL,
    PRIMARY KEY (job_id, attempt),
    FOREIGN KEY (job_id, attempt) REFERENCES attempts ON DELETE CASCADE
);
ALTER TABLE attempt_changes ALTER COLUMN patch SET STORAGE EXTERNAL;

-- An agent's own files of a conversation (tar, zstd), so that the next job of the thread can go on with it on any runner.
CREATE TABLE agent_sessions (
    thread_id  uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    agent      text NOT NULL,
    session    text NOT NULL,
    files      bytea NOT NULL,
    updated_at timestamptz(3) NOT NULL DEFAULT now(),
    PRIMARY KEY (thread_id, agent)
);
ALTER TABLE agent_sessions ALTER COLUMN files SET STORAGE EXTERNAL;

-- Agents whose provider says that the quota is used up; their jobs are parked until then.
CREATE TABLE agent_quotas (
    agent      text PRIMARY KEY,
    reason     text NOT NULL,
    resumes_at timestamptz(3) NOT NULL,
    -- How often in a row it was used up again without the provider naming a time; each makes the pause longer.
    strikes    integer NOT NULL DEFAULT 0
);
CREATE INDEX jobs_parked ON jobs (run_at) WHERE state = 'parked';

-- What each runner has of the agents: the serde form of `AgentStatus`.
ALTER TABLE runners ADD COLUMN agents jsonb NOT NULL DEFAULT '[]';
