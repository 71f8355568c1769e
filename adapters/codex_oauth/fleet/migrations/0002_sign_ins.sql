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
    issuer     text NOT NULL,
    state      text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed')),
    checkpoint bytea,                   -- sealed: where the sign-in stands, and what the person must see
    key_id     text,                    -- which key sealed it; both are gone once it is over
    deadline   timestamptz NOT NULL,    -- after it nobody waits any more, whatever the state is
    worker     text,                    -- who drives it, while that worker's lease lasts
    exchanging boolean NOT NULL DEFAULT false,  -- the code may have been sent: nobody else sends it
    login_key  text,                    -- of the login that came of it
    error      text,                    -- JSON, without secrets
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz,
    CHECK ((state = 'pending') = (checkpoint IS NOT NULL)),
    CHECK ((checkpoint IS NULL) = (key_id IS NULL))
) WITH (fillfactor = 70);

CREATE INDEX codex_oauth_sign_in_free ON codex_oauth_sign_in (created_at)
    WHERE state = 'pending' AND worker IS NULL;
CREATE INDEX codex_oauth_sign_in_driven ON codex_oauth_sign_in (worker)
    WHERE state = 'pending' AND worker IS NOT NULL;
CREATE INDEX codex_oauth_sign_in_given_up ON codex_oauth_sign_in (worker)
    WHERE state <> 'pending' AND worker IS NOT NULL;
CREATE INDEX codex_oauth_sign_in_deadline ON codex_oauth_sign_in (deadline) WHERE state = 'pending';
CREATE INDEX codex_oauth_sign_in_ended ON codex_oauth_sign_in (ended_at) WHERE ended_at IS NOT NULL;
