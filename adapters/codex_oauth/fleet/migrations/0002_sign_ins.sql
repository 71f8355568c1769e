-- Sign-ins that wait for a person, and the workers that drive them.

CREATE TABLE codex_oauth_worker (
    id          text PRIMARY KEY,
    host        text NOT NULL,
    pid         bigint NOT NULL,
    alive_until timestamptz NOT NULL,   -- its lease, by the clock of this database
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE codex_oauth_sign_in (
    name       text PRIMARY KEY,        -- drawn at random: who knows it may ask for it
    tenant     text NOT NULL,
    owner      text NOT NULL,
    provider   text NOT NULL,
    state      text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed')),
    checkpoint bytea,                   -- sealed; none once it is over
    key_id     text,
    prompt     jsonb,                   -- what the person must see
    deadline   timestamptz NOT NULL,    -- after it nobody waits any more
    worker     text,                    -- who drives it, while its lease lasts
    exchanging boolean NOT NULL DEFAULT false,  -- the code may have been sent
    login_key  text,                    -- of the login that came of it
    error      jsonb,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz,
    CHECK ((state = 'pending') = (checkpoint IS NOT NULL)),
    CHECK ((checkpoint IS NULL) = (key_id IS NULL))
) WITH (fillfactor = 70);

CREATE INDEX codex_oauth_sign_in_pending ON codex_oauth_sign_in (deadline) WHERE state = 'pending';
CREATE INDEX codex_oauth_sign_in_worker ON codex_oauth_sign_in (worker) WHERE state = 'pending';
