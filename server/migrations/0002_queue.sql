-- The queue, complete: settings and pauses of lanes, retries, delays, schedules, idempotency keys.

-- One row for each lane that was paused or given limits of its own; the others follow the configuration.
CREATE TABLE lanes (
    kind         text PRIMARY KEY,
    pause_reason text,
    paused_by    text,
    paused_at    timestamptz(3),
    resume_at    timestamptz(3),
    -- Grows with every change, so that late news of an older one changes nothing.
    revision     bigint NOT NULL DEFAULT 1,
    CONSTRAINT lanes_pause CHECK ((pause_reason IS NULL) = (paused_at IS NULL))
);

ALTER TABLE jobs
    -- Attempts that failed by themselves; `max_attempts` bounds them.
    ADD COLUMN failures   integer NOT NULL DEFAULT 0,
    -- Attempts whose runner died; a job that kills its runner too often is not tried any more.
    ADD COLUMN losses     integer NOT NULL DEFAULT 0,
    -- The pause before the second attempt.
    ADD COLUMN backoff_ms integer NOT NULL DEFAULT 1000 CONSTRAINT jobs_backoff CHECK (backoff_ms >= 0),
    ADD COLUMN progress   smallint CONSTRAINT jobs_progress CHECK (progress BETWEEN 0 AND 100);

-- What is to be queued next.
CREATE INDEX jobs_scheduled ON jobs (run_at) WHERE state = 'scheduled';

-- One key, one job. The digest tells whether the same was asked for again.
CREATE TABLE idempotency_keys (
    user_id        uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    key            text NOT NULL,
    request_sha256 bytea NOT NULL,
    job_id         uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    created_at     timestamptz(3) NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_job ON idempotency_keys (job_id);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TABLE schedules (
    id         uuid PRIMARY KEY,
    name       text NOT NULL,
    cron       text NOT NULL,
    timezone   text NOT NULL,
    missed     text NOT NULL CONSTRAINT schedules_missed CHECK (missed IN ('skip', 'once')),
    -- The request for a job, as it was sent.
    job        jsonb NOT NULL,
    created_by uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz(3) NOT NULL DEFAULT now(),
    next_at    timestamptz(3),
    last_at    timestamptz(3),
    last_job   uuid REFERENCES jobs ON DELETE SET NULL,
    error      text,
    CONSTRAINT schedules_name UNIQUE (created_by, name)
);
CREATE INDEX schedules_next ON schedules (next_at) WHERE next_at IS NOT NULL;

ALTER TABLE runners ADD COLUMN draining boolean NOT NULL DEFAULT false;
