-- Times are milliseconds since 1970, JSON is text, flags are 0 or 1, digests and ids are text.

CREATE TABLE projects (
    name TEXT NOT NULL PRIMARY KEY,
    serial INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE resources (
    project TEXT NOT NULL REFERENCES projects (name),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    spec TEXT NOT NULL,
    digest TEXT NOT NULL,
    serial INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    PRIMARY KEY (project, kind, name)
) STRICT;

-- The protocols that serve endpoints have no project in their URLs.
CREATE UNIQUE INDEX resources_endpoint_name ON resources (name) WHERE kind = 'endpoint';

CREATE TABLE dataset_versions (
    project TEXT NOT NULL REFERENCES projects (name),
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    digest TEXT NOT NULL,
    "table" TEXT NOT NULL,
    profile TEXT,
    tests TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (project, name, version),
    UNIQUE (project, name, digest)
) STRICT;

CREATE TABLE dataset_current (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (project, name),
    FOREIGN KEY (project, name, version) REFERENCES dataset_versions (project, name, version)
) STRICT;

CREATE TABLE plugins (
    project TEXT NOT NULL REFERENCES projects (name),
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    descriptor TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (project, name, version)
) STRICT;

CREATE INDEX plugins_digest ON plugins (project, digest);

CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL REFERENCES projects (name),
    target TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    priority INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    lease_owner TEXT,
    lease_until_ms INTEGER,
    cancel_requested INTEGER NOT NULL,
    error TEXT,
    trace_parent TEXT,
    created_ms INTEGER NOT NULL,
    started_ms INTEGER,
    finished_ms INTEGER
) STRICT;

CREATE INDEX jobs_open ON jobs (priority DESC, created_ms, id) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_project ON jobs (project, created_ms);

CREATE TABLE steps (
    job_id TEXT NOT NULL REFERENCES jobs (id),
    seq INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    cache_key TEXT,
    reason TEXT,
    inputs TEXT,
    output TEXT,
    attempt INTEGER NOT NULL,
    started_ms INTEGER,
    finished_ms INTEGER,
    "rows" INTEGER,
    error TEXT,
    trace_id TEXT,
    PRIMARY KEY (job_id, name)
) STRICT;

CREATE INDEX steps_finished ON steps (name, finished_ms);

CREATE TABLE cache (
    project TEXT NOT NULL REFERENCES projects (name),
    cache_key TEXT NOT NULL,
    output TEXT NOT NULL,
    inputs TEXT NOT NULL,
    job_id TEXT NOT NULL REFERENCES jobs (id),
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (project, cache_key)
) STRICT;

CREATE TABLE checkpoints (
    project TEXT NOT NULL REFERENCES projects (name),
    cache_key TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    digest TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (project, cache_key, epoch)
) STRICT;

CREATE TABLE experiments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL REFERENCES projects (name),
    name TEXT NOT NULL,
    lifecycle TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    UNIQUE (project, name)
) STRICT;

CREATE TABLE runs (
    run_id TEXT NOT NULL PRIMARY KEY,
    experiment_id INTEGER NOT NULL REFERENCES experiments (id),
    project TEXT NOT NULL REFERENCES projects (name),
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER,
    job_id TEXT REFERENCES jobs (id),
    source TEXT NOT NULL,
    lifecycle TEXT NOT NULL
) STRICT;

CREATE INDEX runs_project ON runs (project, start_ms);

CREATE TABLE params (
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run_id, key)
) STRICT;

CREATE TABLE tags (
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run_id, key)
) STRICT;

-- The key is the whole identity of a point, so that a replayed request adds nothing.
CREATE TABLE metrics (
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    key TEXT NOT NULL,
    step INTEGER NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    value REAL NOT NULL,
    is_nan INTEGER NOT NULL,
    PRIMARY KEY (run_id, key, step, timestamp_ms, value, is_nan)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_artifacts (
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    path TEXT NOT NULL,
    digest TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (run_id, path)
) STRICT;

CREATE TABLE registered_models (
    name TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL REFERENCES projects (name),
    description TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE model_versions (
    model TEXT NOT NULL REFERENCES registered_models (name),
    version INTEGER NOT NULL,
    bundle TEXT NOT NULL,
    run_id TEXT,
    job_id TEXT,
    metrics TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (model, version),
    UNIQUE (model, bundle)
) STRICT;

CREATE TABLE model_aliases (
    model TEXT NOT NULL,
    alias TEXT NOT NULL,
    version INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    PRIMARY KEY (model, alias),
    FOREIGN KEY (model, version) REFERENCES model_versions (model, version)
) STRICT;

CREATE TABLE endpoints_status (
    name TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL REFERENCES projects (name),
    state TEXT NOT NULL,
    live_version INTEGER,
    live_bundle TEXT,
    message TEXT,
    replay TEXT,
    updated_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    project TEXT,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_keeps_rows BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit table is append-only');
END;

CREATE TRIGGER audit_keeps_values BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit table is append-only');
END;
