-- Times are milliseconds since 1970, JSON is text, flags are 0 or 1, digests and ids are text.
-- Text sorts by code point, as in SQLite.

CREATE TABLE projects (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    serial BIGINT NOT NULL,
    created_ms BIGINT NOT NULL
);

CREATE TABLE resources (
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name),
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    spec TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    serial BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    PRIMARY KEY (project, kind, name)
);

-- The protocols that serve endpoints have no project in their URLs.
CREATE UNIQUE INDEX resources_endpoint_name ON resources (name) WHERE kind = 'endpoint';

CREATE TABLE dataset_versions (
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name),
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    "table" TEXT COLLATE "C" NOT NULL,
    profile TEXT COLLATE "C",
    tests TEXT COLLATE "C" NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (project, name, version),
    UNIQUE (project, name, digest)
);

CREATE TABLE dataset_current (
    project TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (project, name),
    FOREIGN KEY (project, name, version) REFERENCES dataset_versions (project, name, version)
);

CREATE TABLE plugins (
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name),
    name TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    descriptor TEXT COLLATE "C" NOT NULL,
    bytes BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (project, name, version)
);

CREATE INDEX plugins_digest ON plugins (project, digest);

CREATE TABLE jobs (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name),
    target TEXT COLLATE "C" NOT NULL,
    payload TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    priority BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    lease_owner TEXT COLLATE "C",
    lease_until_ms BIGINT,
    cancel_requested BIGINT NOT NULL,
    error TEXT COLLATE "C",
    trace_parent TEXT COLLATE "C",
    created_ms BIGINT NOT NULL,
    started_ms BIGINT,
    finished_ms BIGINT
);

CREATE INDEX jobs_open ON jobs (priority DESC, created_ms, id) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_project ON jobs (project, created_ms);

CREATE TABLE steps (
    job_id TEXT COLLATE "C" NOT NULL REFERENCES jobs (id),
    seq BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    cache_key TEXT COLLATE "C",
    reason TEXT COLLATE "C",
    inputs TEXT COLLATE "C",
    output TEXT COLLATE "C",
    attempt BIGINT NOT NULL,
    started_ms BIGINT,
    finished_ms BIGINT,
    "rows" BIGINT,
    error TEXT COLLATE "C",
    trace_id TEXT COLLATE "C",
    PRIMARY KEY (job_id, name)
);

CREATE INDEX steps_finished ON steps (name, finished_ms);

CREATE TABLE cache (
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name),
    cache_key TEXT COLLATE "C" NOT NULL,
    output TEXT COLLATE "C" NOT NULL,
    inputs TEXT COLLATE "C" NOT NULL,
    job_id TEXT COLLATE "C" NOT NULL REFERENCES jobs (id),
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (project, cache_key)
);

CREATE TABLE checkpoints (
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name),
    cache_key TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    bytes BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (project, cache_key, epoch)
);

CREATE TABLE experiments (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name),
    name TEXT COLLATE "C" NOT NULL,
    lifecycle TEXT COLLATE "C" NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    UNIQUE (project, name)
);

CREATE TABLE runs (
    run_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    experiment_id BIGINT NOT NULL REFERENCES experiments (id),
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name),
    name TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    start_ms BIGINT NOT NULL,
    end_ms BIGINT,
    job_id TEXT COLLATE "C" REFERENCES jobs (id),
    source TEXT COLLATE "C" NOT NULL,
    lifecycle TEXT COLLATE "C" NOT NULL
);

CREATE INDEX runs_project ON runs (project, start_ms);

CREATE TABLE params (
    run_id TEXT COLLATE "C" NOT NULL REFERENCES runs (run_id),
    key TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, key)
);

CREATE TABLE tags (
    run_id TEXT COLLATE "C" NOT NULL REFERENCES runs (run_id),
    key TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, key)
);

-- The key is the whole identity of a point, so that a replayed request adds nothing.
CREATE TABLE metrics (
    run_id TEXT COLLATE "C" NOT NULL REFERENCES runs (run_id),
    key TEXT COLLATE "C" NOT NULL,
    step BIGINT NOT NULL,
    timestamp_ms BIGINT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    is_nan BIGINT NOT NULL,
    PRIMARY KEY (run_id, key, step, timestamp_ms, value, is_nan)
);

CREATE TABLE run_artifacts (
    run_id TEXT COLLATE "C" NOT NULL REFERENCES runs (run_id),
    path TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (run_id, path)
);

CREATE TABLE registered_models (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name),
    description TEXT COLLATE "C" NOT NULL,
    created_ms BIGINT NOT NULL
);

CREATE TABLE model_versions (
    model TEXT COLLATE "C" NOT NULL REFERENCES registered_models (name),
    version BIGINT NOT NULL,
    bundle TEXT COLLATE "C" NOT NULL,
    run_id TEXT COLLATE "C",
    job_id TEXT COLLATE "C",
    metrics TEXT COLLATE "C" NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (model, version),
    UNIQUE (model, bundle)
);

CREATE TABLE model_aliases (
    model TEXT COLLATE "C" NOT NULL,
    alias TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    PRIMARY KEY (model, alias),
    FOREIGN KEY (model, version) REFERENCES model_versions (model, version)
);

CREATE TABLE endpoints_status (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name),
    state TEXT COLLATE "C" NOT NULL,
    live_version BIGINT,
    live_bundle TEXT COLLATE "C",
    message TEXT COLLATE "C",
    replay TEXT COLLATE "C",
    updated_ms BIGINT NOT NULL
);

CREATE TABLE audit (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C",
    subject TEXT COLLATE "C" NOT NULL,
    detail TEXT COLLATE "C" NOT NULL
);

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit table is append-only';
END;
$$;

CREATE TRIGGER audit_keeps_rows BEFORE DELETE OR UPDATE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();

CREATE TRIGGER audit_keeps_table BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
