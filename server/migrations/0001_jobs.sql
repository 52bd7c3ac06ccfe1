-- People, their sessions and tokens, jobs with their attempts, and what the attempts printed.
-- Times are kept to the millisecond, as the API carries them: a cursor made of one finds its row again.

CREATE TABLE users (
    id         uuid PRIMARY KEY,
    login      text NOT NULL,
    role       text NOT NULL CONSTRAINT users_role CHECK (role IN ('owner', 'member')),
    created_at timestamptz(3) NOT NULL DEFAULT now(),
    CONSTRAINT users_login UNIQUE (login)
);

-- Browsers that are signed in. The cookie's value itself is not kept, only its SHA-256.
CREATE TABLE sessions (
    id_hash    bytea PRIMARY KEY,
    data       jsonb NOT NULL,
    created_at timestamptz(3) NOT NULL DEFAULT now(),
    expires_at timestamptz(3) NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Links that sign somebody in once.
CREATE TABLE sign_in_links (
    token_hash bytea PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    expires_at timestamptz(3) NOT NULL,
    used_at    timestamptz(3)
);

CREATE TABLE api_tokens (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name         text NOT NULL,
    token_hash   bytea NOT NULL,
    created_at   timestamptz(3) NOT NULL DEFAULT now(),
    last_used_at timestamptz(3),
    CONSTRAINT api_tokens_hash UNIQUE (token_hash)
);

CREATE TABLE jobs (
    id                  uuid PRIMARY KEY,
    kind                text NOT NULL,
    state               text NOT NULL CONSTRAINT jobs_state CHECK (state IN
        ('scheduled', 'queued', 'running', 'succeeded', 'failed', 'canceled', 'parked')),
    -- 0 critical, 1 high, 2 normal, 3 low
    priority            smallint NOT NULL CONSTRAINT jobs_priority CHECK (priority BETWEEN 0 AND 3),
    attempt             integer NOT NULL DEFAULT 0,
    max_attempts        integer NOT NULL CONSTRAINT jobs_max_attempts CHECK (max_attempts > 0),
    title               text NOT NULL,
    repository          text NOT NULL,
    git_ref             text,
    agent               text,
    model               text,
    trigger             text NOT NULL,
    created_by          uuid REFERENCES users ON DELETE SET NULL,
    -- The login as it was then: it stays readable when the person is gone or never had an account.
    requested_by        text,
    created_at          timestamptz(3) NOT NULL DEFAULT now(),
    queued_at           timestamptz(3),
    started_at          timestamptz(3),
    finished_at         timestamptz(3),
    run_at              timestamptz(3),
    stage               text,
    exit_code           integer,
    error               text,
    cancel_requested_at timestamptz(3),
    -- Grows with every change, so that a late event can be told from a new one.
    revision            bigint NOT NULL DEFAULT 1
);
-- What the queue is filled from again, and the board's upper half.
CREATE INDEX jobs_active ON jobs (state, priority, id) WHERE finished_at IS NULL;
-- The board's lower half and the figures of the last day.
CREATE INDEX jobs_finished ON jobs (finished_at DESC, id DESC) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_repository ON jobs (repository, id DESC);
CREATE INDEX jobs_created_by ON jobs (created_by, id DESC);

-- What was asked for, apart from the job because it can be megabytes and lists never need it.
CREATE TABLE job_requests (
    job_id uuid PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    script text,
    prompt text
);

CREATE TABLE attempts (
    job_id           uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    attempt          integer NOT NULL,
    state            text NOT NULL CONSTRAINT attempts_state CHECK (state IN
        ('running', 'succeeded', 'failed', 'canceled', 'lost')),
    runner           text NOT NULL,
    started_at       timestamptz(3) NOT NULL DEFAULT now(),
    finished_at      timestamptz(3),
    lease_expires_at timestamptz(3) NOT NULL,
    exit_code        integer,
    error            text,
    commit           text,
    lines            bigint,
    PRIMARY KEY (job_id, attempt)
);
CREATE INDEX attempts_running ON attempts (runner, lease_expires_at) WHERE state = 'running';

-- Lines as zstd-compressed JSON, one a line, in chunks. Keyed by the last seq: "what comes after N" is a range scan.
CREATE TABLE job_output (
    job_id    uuid NOT NULL,
    attempt   integer NOT NULL,
    last_seq  bigint NOT NULL,
    first_seq bigint NOT NULL,
    lines     bytea NOT NULL,
    PRIMARY KEY (job_id, attempt, last_seq),
    FOREIGN KEY (job_id, attempt) REFERENCES attempts ON DELETE CASCADE
);
-- They are compressed already.
ALTER TABLE job_output ALTER COLUMN lines SET STORAGE EXTERNAL;

CREATE TABLE runners (
    name         text PRIMARY KEY,
    version      text NOT NULL,
    slots        integer NOT NULL,
    lanes        text[] NOT NULL,
    started_at   timestamptz(3) NOT NULL DEFAULT now(),
    last_seen_at timestamptz(3) NOT NULL DEFAULT now()
);
