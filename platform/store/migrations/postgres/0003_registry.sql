-- Registered models get free names and integer ids; versions get what MLflow's clients know of them.

ALTER TABLE model_aliases RENAME TO old_model_aliases;
ALTER TABLE model_versions RENAME TO old_model_versions;
ALTER TABLE registered_models RENAME TO old_registered_models;

CREATE TABLE registered_models (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name),
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    description TEXT COLLATE "C" NOT NULL,
    -- The highest number that a version had: the number of a deleted version is not given again.
    last_version BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL
);

CREATE INDEX registered_models_project ON registered_models (project, name);

CREATE TABLE registered_model_tags (
    model BIGINT NOT NULL REFERENCES registered_models (id) ON DELETE CASCADE,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (model, key)
);

CREATE INDEX registered_model_tags_key ON registered_model_tags (key, model);

-- `project` and `name` are copies of the model's, so that a search needs no join.
CREATE TABLE model_versions (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model BIGINT NOT NULL REFERENCES registered_models (id) ON DELETE CASCADE,
    project TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    description TEXT COLLATE "C",
    user_id TEXT COLLATE "C",
    stage TEXT COLLATE "C" NOT NULL,
    -- What the client named: it may refer to a run, a logged model or another version.
    source TEXT COLLATE "C" NOT NULL,
    -- Where the files are.
    storage_location TEXT COLLATE "C" NOT NULL,
    run_id TEXT COLLATE "C" NOT NULL,
    run_link TEXT COLLATE "C" NOT NULL,
    logged_model_id TEXT COLLATE "C",
    bundle TEXT COLLATE "C",
    job_id TEXT COLLATE "C",
    metrics TEXT COLLATE "C" NOT NULL,
    signature TEXT COLLATE "C",
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    UNIQUE (model, version),
    UNIQUE (model, bundle)
);

CREATE INDEX model_versions_name ON model_versions (name, version);
CREATE INDEX model_versions_stage ON model_versions (model, stage, version);
CREATE INDEX model_versions_updated ON model_versions (project, updated_ms DESC, name, version DESC);
CREATE INDEX model_versions_run ON model_versions (run_id) WHERE run_id <> '';
CREATE INDEX model_versions_logged_model ON model_versions (logged_model_id) WHERE logged_model_id IS NOT NULL;

CREATE TABLE model_version_tags (
    version BIGINT NOT NULL REFERENCES model_versions (id) ON DELETE CASCADE,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (version, key)
);

CREATE INDEX model_version_tags_key ON model_version_tags (key, version);

CREATE TABLE model_aliases (
    model BIGINT NOT NULL,
    alias TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    PRIMARY KEY (model, alias),
    FOREIGN KEY (model, version) REFERENCES model_versions (model, version) ON DELETE CASCADE
);

CREATE INDEX model_aliases_version ON model_aliases (model, version);

INSERT INTO registered_models (project, name, description, last_version, created_ms, updated_ms)
SELECT project, name, description,
    (SELECT COALESCE(MAX(v.version), 0) FROM old_model_versions v WHERE v.model = m.name),
    created_ms,
    (SELECT COALESCE(MAX(v.created_ms), m.created_ms) FROM old_model_versions v WHERE v.model = m.name)
FROM old_registered_models m ORDER BY created_ms, name;

INSERT INTO model_versions (model, project, name, version, stage, source, storage_location, run_id, run_link, bundle,
    job_id, metrics, created_ms, updated_ms)
SELECT m.id, m.project, m.name, v.version, 'None', 'mlflow-artifacts:/bundles/' || substr(v.bundle, 8),
    'mlflow-artifacts:/bundles/' || substr(v.bundle, 8), COALESCE(v.run_id, ''), '', v.bundle, v.job_id, v.metrics,
    v.created_ms, v.created_ms
FROM old_model_versions v JOIN registered_models m ON m.name = v.model ORDER BY v.created_ms, v.model, v.version;

INSERT INTO model_aliases (model, alias, version, updated_ms)
SELECT m.id, a.alias, a.version, a.updated_ms FROM old_model_aliases a JOIN registered_models m ON m.name = a.model;

DROP TABLE old_model_aliases;
DROP TABLE old_model_versions;
DROP TABLE old_registered_models;

-- Metrics of logged models are points of runs: they are in model_metrics, by the same id.
CREATE TABLE logged_models (
    -- `m-` and 32 hexadecimal digits, where this server made it.
    model_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    experiment_id BIGINT NOT NULL REFERENCES experiments (id),
    name TEXT COLLATE "C" NOT NULL,
    artifact_location TEXT COLLATE "C" NOT NULL,
    model_type TEXT COLLATE "C" NOT NULL,
    source_run_id TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    status_message TEXT COLLATE "C",
    lifecycle TEXT COLLATE "C" NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL
);

-- Search in default order.
CREATE INDEX logged_models_newest ON logged_models (experiment_id, lifecycle, created_ms DESC, model_id);
CREATE INDEX logged_models_run ON logged_models (source_run_id) WHERE source_run_id <> '';

CREATE TABLE logged_model_params (
    model_id TEXT COLLATE "C" NOT NULL REFERENCES logged_models (model_id) ON DELETE CASCADE,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (model_id, key)
);

CREATE INDEX logged_model_params_key ON logged_model_params (key, model_id);

CREATE TABLE logged_model_tags (
    model_id TEXT COLLATE "C" NOT NULL REFERENCES logged_models (model_id) ON DELETE CASCADE,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (model_id, key)
);

CREATE INDEX logged_model_tags_key ON logged_model_tags (key, model_id);

CREATE TABLE webhooks (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id TEXT COLLATE "C" NOT NULL UNIQUE,
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name),
    name TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    url TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    secret TEXT COLLATE "C",
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL
);

CREATE INDEX webhooks_project ON webhooks (project, created_ms DESC, id DESC);

-- What a webhook is called for, such as `model_version.created`.
CREATE TABLE webhook_events (
    webhook BIGINT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (webhook, event)
);

CREATE INDEX webhook_events_event ON webhook_events (event, webhook);

-- Written in the transaction of the change that it tells of. It stays as the log of what became of it.
CREATE TABLE webhook_deliveries (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook BIGINT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event TEXT COLLATE "C" NOT NULL,
    payload TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    attempts BIGINT NOT NULL,
    due_ms BIGINT NOT NULL,
    http_status BIGINT,
    error TEXT COLLATE "C",
    created_ms BIGINT NOT NULL,
    finished_ms BIGINT
);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_ms, id) WHERE state = 'queued';
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook, id);
CREATE INDEX webhook_deliveries_finished ON webhook_deliveries (finished_ms) WHERE finished_ms IS NOT NULL;
