-- A project is also a workspace of MLflow's clients: what it says of itself, and where its experiments keep artifacts
-- unless they say otherwise. Names of models are unique in a project instead of the server.

ALTER TABLE projects ADD COLUMN description TEXT;
ALTER TABLE projects ADD COLUMN artifact_root TEXT;

ALTER TABLE model_aliases RENAME TO old_model_aliases;
ALTER TABLE model_version_tags RENAME TO old_model_version_tags;
ALTER TABLE model_versions RENAME TO old_model_versions;
ALTER TABLE registered_model_tags RENAME TO old_registered_model_tags;
ALTER TABLE registered_models RENAME TO old_registered_models;

CREATE TABLE registered_models (
    id INTEGER PRIMARY KEY,
    project TEXT NOT NULL REFERENCES projects (name),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    -- The highest number that a version had: the number of a deleted version is not given again.
    last_version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    UNIQUE (project, name)
) STRICT;

INSERT INTO registered_models (id, project, name, description, last_version, created_ms, updated_ms)
SELECT id, project, name, description, last_version, created_ms, updated_ms FROM old_registered_models;

-- The projects that have a model of a name.
CREATE INDEX registered_models_name ON registered_models (name, project);

CREATE TABLE registered_model_tags (
    model INTEGER NOT NULL REFERENCES registered_models (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (model, key)
) STRICT;

INSERT INTO registered_model_tags (model, key, value) SELECT model, key, value FROM old_registered_model_tags;

-- `project` and `name` are copies of the model's, so that a search needs no join.
CREATE TABLE model_versions (
    id INTEGER PRIMARY KEY,
    model INTEGER NOT NULL REFERENCES registered_models (id) ON DELETE CASCADE,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    description TEXT,
    user_id TEXT,
    stage TEXT NOT NULL,
    -- What the client named: it may refer to a run, a logged model or another version.
    source TEXT NOT NULL,
    -- Where the files are.
    storage_location TEXT NOT NULL,
    run_id TEXT NOT NULL,
    run_link TEXT NOT NULL,
    logged_model_id TEXT,
    bundle TEXT,
    job_id TEXT,
    metrics TEXT NOT NULL,
    signature TEXT,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    UNIQUE (model, version),
    UNIQUE (model, bundle)
) STRICT;

INSERT INTO model_versions (id, model, project, name, version, description, user_id, stage, source, storage_location,
    run_id, run_link, logged_model_id, bundle, job_id, metrics, signature, created_ms, updated_ms)
SELECT id, model, project, name, version, description, user_id, stage, source, storage_location, run_id, run_link,
    logged_model_id, bundle, job_id, metrics, signature, created_ms, updated_ms
FROM old_model_versions;

CREATE TABLE model_version_tags (
    version INTEGER NOT NULL REFERENCES model_versions (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (version, key)
) STRICT;

INSERT INTO model_version_tags (version, key, value) SELECT version, key, value FROM old_model_version_tags;

CREATE TABLE model_aliases (
    model INTEGER NOT NULL,
    alias TEXT NOT NULL,
    version INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    PRIMARY KEY (model, alias),
    FOREIGN KEY (model, version) REFERENCES model_versions (model, version) ON DELETE CASCADE
) STRICT;

INSERT INTO model_aliases (model, alias, version, updated_ms)
SELECT model, alias, version, updated_ms FROM old_model_aliases;

-- Children first, so that nothing is deleted through a reference.
DROP TABLE old_model_aliases;
DROP TABLE old_model_version_tags;
DROP TABLE old_model_versions;
DROP TABLE old_registered_model_tags;
DROP TABLE old_registered_models;

CREATE INDEX registered_model_tags_key ON registered_model_tags (key, model);
CREATE INDEX model_versions_name ON model_versions (project, name, version);
CREATE INDEX model_versions_stage ON model_versions (model, stage, version);
CREATE INDEX model_versions_updated ON model_versions (project, updated_ms DESC, name, version DESC);
CREATE INDEX model_versions_run ON model_versions (run_id) WHERE run_id <> '';
CREATE INDEX model_versions_logged_model ON model_versions (logged_model_id) WHERE logged_model_id IS NOT NULL;
CREATE INDEX model_version_tags_key ON model_version_tags (key, version);
CREATE INDEX model_aliases_version ON model_aliases (model, version);
