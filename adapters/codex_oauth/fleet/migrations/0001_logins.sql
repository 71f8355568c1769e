-- Logins, each of one owner of one tenant. What is secret is sealed by the application, in `body`.

CREATE TABLE codex_oauth_login (
    tenant       text NOT NULL,
    owner        text NOT NULL,
    key          text NOT NULL,
    body         bytea,             -- sealed; none: somebody has the lock of a place where no login is
    key_id       text,              -- which key sealed it
    fingerprint  text,              -- SHA-256 of the refresh token: what a compare-and-set compares
    generation   bigint,
    renew_at     timestamptz,       -- when it is to be renewed though nobody asks; none: not at all
    intent_owner text,              -- the hold that is about to spend the refresh token, since `intent_at`
    intent_at    double precision,  -- Unix seconds, by the clock of this database
    intent_pid   bigint,
    intent_host  text,
    holder       text,              -- who has the lock, until `holder_until`
    holder_until timestamptz,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    saved_at     timestamptz,
    PRIMARY KEY (tenant, owner, key),
    CHECK ((body IS NULL) = (fingerprint IS NULL)),
    CHECK ((body IS NULL) = (key_id IS NULL))
) WITH (fillfactor = 70);           -- room for the marks, which touch no index

CREATE INDEX codex_oauth_login_due ON codex_oauth_login (renew_at) WHERE renew_at IS NOT NULL;

-- What could not be stored in its place, for whoever locks the login next.
CREATE TABLE codex_oauth_rescued (
    tenant     text NOT NULL,
    owner      text NOT NULL,
    key        text NOT NULL,
    id         text NOT NULL,
    body       bytea NOT NULL,
    key_id     text NOT NULL,
    is_sign_in boolean NOT NULL,
    rescued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, owner, key, id)
);

-- The login in use.
CREATE TABLE codex_oauth_selected (
    tenant text NOT NULL,
    owner  text NOT NULL,
    key    text NOT NULL,
    PRIMARY KEY (tenant, owner)
);

-- Client ids that a server issued. They hold no secret, and outlive their login.
CREATE TABLE codex_oauth_registration (
    tenant       text NOT NULL,
    owner        text NOT NULL,
    client_id    text NOT NULL,
    registration text NOT NULL,
    PRIMARY KEY (tenant, owner, client_id)
);
