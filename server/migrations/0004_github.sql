-- GitHub: how Millrace is connected, what was delivered, and what is answered.

-- People who come from GitHub have its number for them: a login can change, and be somebody else's later.
ALTER TABLE users
    ADD COLUMN github_id    bigint CONSTRAINT users_github_id UNIQUE,
    ADD COLUMN github_login text,
    -- May sign in. People whose comments make jobs are known, but that alone lets nobody in.
    ADD COLUMN is_admitted  boolean NOT NULL DEFAULT true,
    -- Was sent away by an owner: no list of the settings lets them in again.
    ADD COLUMN removed_at   timestamptz(3),
    ADD CONSTRAINT users_removed CHECK (removed_at IS NULL OR NOT is_admitted);

-- What somebody's own list of sessions shows.
ALTER TABLE sessions
    ADD COLUMN user_id      uuid REFERENCES users ON DELETE CASCADE,
    -- How the list names it: the cookie's hash stays in the database.
    ADD COLUMN id           uuid NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN user_agent   text,
    ADD COLUMN last_seen_at timestamptz(3) NOT NULL DEFAULT now();
UPDATE sessions SET user_id = users.id FROM users WHERE users.id::text = data ->> 'person';
CREATE INDEX sessions_user ON sessions (user_id) WHERE user_id IS NOT NULL;

-- The GitHub App, once it was made: one row at most.
CREATE TABLE github_app (
    only_one   boolean PRIMARY KEY DEFAULT true CONSTRAINT github_app_only_one CHECK (only_one),
    -- Where GitHub is: an app of one GitHub is nothing to another.
    url        text NOT NULL,
    app_id     bigint NOT NULL,
    slug       text NOT NULL,
    name       text NOT NULL,
    -- Its page, below which it is installed.
    html_url   text NOT NULL,
    client_id  text NOT NULL,
    -- Private key, webhook secret and client secret as JSON, encrypted.
    sealed     bytea NOT NULL,
    created_at timestamptz(3) NOT NULL DEFAULT now()
);

CREATE TABLE github_installations (
    id               bigint PRIMARY KEY,
    account          text NOT NULL,
    -- Where it is changed.
    html_url         text NOT NULL,
    -- May change what GitHub runs: `.github/workflows`.
    writes_workflows boolean NOT NULL,
    suspended_at     timestamptz(3),
    created_at       timestamptz(3) NOT NULL DEFAULT now()
);

CREATE TABLE github_repositories (
    id              bigint PRIMARY KEY,
    installation_id bigint NOT NULL REFERENCES github_installations ON DELETE CASCADE,
    full_name       text NOT NULL,
    is_private      boolean NOT NULL
);
CREATE UNIQUE INDEX github_repositories_name ON github_repositories (lower(full_name));

-- Where an agent's work can be reviewed.
ALTER TABLE jobs ADD COLUMN pull_request text;

-- Each delivery of a webhook, with what came of it.
CREATE TABLE deliveries (
    -- GitHub's own id of the delivery. One whose signature was wrong has an id of ours: anybody could have sent it.
    id          uuid PRIMARY KEY,
    event       text NOT NULL,
    action      text,
    repository  text,
    -- The issue or pull request.
    number      bigint,
    sender      text,
    -- What was asked in it: two deliveries with the same one tell of the same.
    subject     text,
    received_at timestamptz(3) NOT NULL DEFAULT now(),
    -- Compressed with zstd.
    payload     bytea NOT NULL,
    -- None yet while it waits to be worked on.
    verdict     text CONSTRAINT deliveries_verdict CHECK (verdict IN ('ran', 'answered', 'duplicate', 'not_for_us',
        'not_allowed', 'loop_guard', 'rate_limited', 'bad_signature', 'error')),
    -- Why, for people.
    detail      text,
    job_id      uuid REFERENCES jobs ON DELETE SET NULL,
    worked_at   timestamptz(3),
    -- How often it came, and how often it was begun.
    seen        integer NOT NULL DEFAULT 1,
    tries       integer NOT NULL DEFAULT 0,
    -- The same since it came, or since somebody had it worked on anew, and how often somebody did.
    in_a_row    integer NOT NULL DEFAULT 0,
    replays     integer NOT NULL DEFAULT 0,
    -- When it may be begun again: in the future while somebody works on it.
    due_at      timestamptz(3) NOT NULL DEFAULT now()
);
ALTER TABLE deliveries ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE INDEX deliveries_waiting ON deliveries (due_at) WHERE verdict IS NULL;
CREATE INDEX deliveries_thread ON deliveries (repository, number, received_at, id) WHERE verdict IS NULL;
CREATE INDEX deliveries_subject ON deliveries (repository, subject) WHERE subject IS NOT NULL;
CREATE INDEX deliveries_latest ON deliveries (received_at DESC, id DESC);
CREATE INDEX deliveries_job ON deliveries (job_id) WHERE job_id IS NOT NULL;

-- Issues and pull requests that have a conversation of jobs: a later mention goes on with it.
CREATE TABLE github_threads (
    repository   text NOT NULL,
    number       bigint NOT NULL,
    -- The first job of the conversation.
    thread_id    uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    -- A pull request of Millrace's has the issue's conversation.
    PRIMARY KEY (repository, number)
);
CREATE INDEX github_threads_thread ON github_threads (thread_id);

-- What GitHub is told of a job. One row for each job that has to do with a repository there.
CREATE TABLE github_answers (
    job_id       uuid PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    repository   text NOT NULL,
    -- Where to answer: an issue or a pull request. None for a job that was not asked for there.
    number       bigint,
    -- What was reacted to with eyes: `issue`, `comment` or `review_comment`, and its number.
    asked_in     text,
    asked_id     bigint,
    is_reacted   boolean NOT NULL DEFAULT false,
    -- Millrace's own comment, once it is there.
    comment_id   bigint,
    -- Check run, 0 where Millrace may make none, and the commit that it belongs to.
    check_run_id bigint,
    head_sha     text,
    -- The branch that a pull request is to be merged into, and the branch that has the work where it is somebody else's.
    base         text,
    -- The pull request with the work.
    pull_number  bigint,
    pull_url     text,
    -- The job's revision that GitHub was told last; 0 before the first.
    told         bigint NOT NULL DEFAULT 0,
    -- A digest of what was said last: the same is not said twice.
    said         text,
    -- Nothing is left to be told.
    is_done      boolean NOT NULL DEFAULT false,
    tries        integer NOT NULL DEFAULT 0,
    -- Why the last try failed, for people.
    error        text,
    -- When it may be tried again: in the future while somebody is at it.
    due_at       timestamptz(3) NOT NULL DEFAULT now()
);
CREATE INDEX github_answers_due ON github_answers (due_at) WHERE NOT is_done;
CREATE INDEX github_answers_thread ON github_answers (repository, number);
