-- Tracking, laid out for its queries. Names of metrics, params and tags are interned in `keys`. What belongs to a run
-- names it by `runs.id` and repeats its experiment, so that one index finds the runs of an experiment by a value.
-- Tables that are written on each logged value have no foreign keys: whoever writes has looked the run up.

INSERT INTO projects (name, serial, created_ms) VALUES ('default', 0, unixepoch() * 1000) ON CONFLICT DO NOTHING;

-- NULL: the server's root for artifacts, then `/` and the id. Only so until a server has started.
ALTER TABLE experiments ADD COLUMN artifact_location TEXT;
UPDATE experiments SET artifact_location = 'mlflow-artifacts:/' || id;
UPDATE experiments SET name = name || ' ' || id WHERE project = 'default' AND name = 'Default';
INSERT INTO experiments (id, project, name, lifecycle, created_ms, updated_ms)
    VALUES (0, 'default', 'Default', 'active', unixepoch() * 1000, unixepoch() * 1000);

-- Search of experiments in default order; by id where they were made in the same millisecond.
CREATE INDEX experiments_newest ON experiments (project, lifecycle, created_ms DESC, id);

-- By its primary key: an experiment's tags, and one of them for a filter.
CREATE TABLE experiment_tags (
    experiment_id INTEGER NOT NULL REFERENCES experiments (id),
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (experiment_id, name)
) STRICT, WITHOUT ROWID;

-- `name` is unique: one look-up for each key that the process has not seen.
CREATE TABLE keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
) STRICT;

DROP INDEX runs_project;
ALTER TABLE run_artifacts RENAME TO old_run_artifacts;
ALTER TABLE runs RENAME TO old_runs;

CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    experiment_id INTEGER NOT NULL REFERENCES experiments (id),
    project TEXT NOT NULL REFERENCES projects (name),
    -- The same as the tag mlflow.runName.
    name TEXT NOT NULL,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER,
    artifact_uri TEXT NOT NULL,
    lifecycle TEXT NOT NULL,
    deleted_ms INTEGER,
    -- Of a native training: the job, and what made it.
    job_id TEXT REFERENCES jobs (id),
    source TEXT NOT NULL
) STRICT;

INSERT INTO runs (run_id, experiment_id, project, name, user_id, status, start_ms, end_ms, artifact_uri, lifecycle,
                  job_id, source)
    SELECT run_id, experiment_id, project, name, '', status, start_ms, end_ms,
           'mlflow-artifacts:/' || experiment_id || '/' || run_id || '/artifacts', lifecycle, job_id, source
    FROM old_runs ORDER BY start_ms, run_id;

-- Search in default order (start_time DESC, run_id), its pages by key, and its filters on start_time and status, which
-- the index answers without the row.
CREATE INDEX runs_newest ON runs (experiment_id, lifecycle, start_ms DESC, run_id, status);
-- Search by status where few runs have it.
CREATE INDEX runs_by_status ON runs (experiment_id, lifecycle, status, start_ms DESC, run_id);
-- Search by end_time, as a filter or an order.
CREATE INDEX runs_by_end ON runs (experiment_id, lifecycle, end_ms, run_id);
-- A project's newest runs, for the native API.
CREATE INDEX runs_of_project ON runs (project, start_ms);
-- Collecting of deleted runs, oldest first.
CREATE INDEX runs_deleted ON runs (deleted_ms) WHERE lifecycle = 'deleted';

CREATE TABLE run_artifacts (
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    path TEXT NOT NULL,
    digest TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (run_id, path)
) STRICT;

INSERT INTO run_artifacts (run_id, path, digest, bytes) SELECT run_id, path, digest, bytes FROM old_run_artifacts;

-- A value is `head`, its first 250 characters, and `rest`, which is NULL unless the value is longer: `head` fits into an
-- index entry of either database. A head of under 250 characters is the whole value. By the primary key: a run's params
-- in one range, and one param of a run for a filter.
CREATE TABLE run_params (
    run INTEGER NOT NULL,
    key INTEGER NOT NULL,
    experiment_id INTEGER NOT NULL,
    head TEXT NOT NULL,
    rest TEXT,
    PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;

-- Search by a param: `=`, `!=`, LIKE over the entries of one key, IS NULL by what it lacks, and order by a param.
CREATE INDEX run_params_by_value ON run_params (experiment_id, key, head, run);

-- As run_params.
CREATE TABLE run_tags (
    run INTEGER NOT NULL,
    key INTEGER NOT NULL,
    experiment_id INTEGER NOT NULL,
    head TEXT NOT NULL,
    rest TEXT,
    PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;

-- Search by a tag, by run_name (the tag mlflow.runName) and by parent (the tag mlflow.parentRunId), and order by a tag.
CREATE INDEX run_tags_by_value ON run_tags (experiment_id, key, head, run);

-- The greatest point of each metric of a run by (step, timestamp_ms, value). A NaN is is_nan = 1 and value = 0;
-- infinities are the greatest finite numbers. `tail` counts the points added to metric_points since the last compaction,
-- repeated ones too. By the primary key: a run's metrics in one range.
CREATE TABLE latest_metrics (
    run INTEGER NOT NULL,
    key INTEGER NOT NULL,
    experiment_id INTEGER NOT NULL,
    value REAL NOT NULL,
    is_nan INTEGER NOT NULL,
    step INTEGER NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    tail INTEGER NOT NULL,
    PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;

-- Search by a metric (`>`, `=`, …; NaN matches `!=` alone) and order by a metric: is_nan = 0 by value in either
-- direction, then is_nan = 1, then the runs without.
CREATE INDEX latest_metrics_by_value ON latest_metrics (experiment_id, key, is_nan, value, run);

-- Points that are not in a segment yet, in the order of a history. The key is the whole identity of a point, so that a
-- repeated request adds nothing.
CREATE TABLE metric_points (
    run INTEGER NOT NULL,
    key INTEGER NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    step INTEGER NOT NULL,
    value REAL NOT NULL,
    is_nan INTEGER NOT NULL,
    PRIMARY KEY (run, key, timestamp_ms, step, value, is_nan)
) STRICT, WITHOUT ROWID;

-- Long histories in columns. Segments of one metric do not overlap, and each begins with its first_* point and ends with
-- its last_* point; the unique key is the order of a history and finds the segment of a point. `summary` is the pyramid of
-- minima, maxima and last points, `data` the points; both begin with the number of their format.
CREATE TABLE metric_segments (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    key INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    first_step INTEGER NOT NULL,
    first_value REAL NOT NULL,
    first_nan INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    last_step INTEGER NOT NULL,
    last_value REAL NOT NULL,
    last_nan INTEGER NOT NULL,
    points INTEGER NOT NULL,
    step_min INTEGER NOT NULL,
    step_max INTEGER NOT NULL,
    summary BLOB NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (run, key, first_ms, first_step, first_value, first_nan)
) STRICT;

-- Points of many metrics that were logged at once, in columns, until they are moved to segments; some are in both while
-- that lasts. `data` begins with the number of its format.
CREATE TABLE metric_batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;

-- A run's batches: their number, and reading them.
CREATE INDEX metric_batches_of_run ON metric_batches (run, id);

-- A metric that was logged with a model: the points of a logged model, which is named by its id. By the primary key: a
-- model's metrics.
CREATE TABLE model_metrics (
    model_id TEXT NOT NULL,
    key INTEGER NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    step INTEGER NOT NULL,
    run INTEGER NOT NULL,
    experiment_id INTEGER NOT NULL,
    value REAL NOT NULL,
    is_nan INTEGER NOT NULL,
    dataset_name TEXT,
    dataset_digest TEXT,
    PRIMARY KEY (model_id, key, timestamp_ms, step, run)
) STRICT, WITHOUT ROWID;

-- Search of logged models by a metric.
CREATE INDEX model_metrics_by_value ON model_metrics (experiment_id, key, is_nan, value, model_id);

-- Unique: logging finds the dataset that is there, and search by dataset.name and dataset.digest begins here.
CREATE TABLE datasets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    experiment_id INTEGER NOT NULL REFERENCES experiments (id),
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    source_type TEXT NOT NULL,
    source TEXT NOT NULL,
    schema TEXT,
    profile TEXT,
    UNIQUE (experiment_id, name, digest)
) STRICT;

-- The datasets that a run read; `tags` is a JSON list of {"key", "value"}, `context` the tag mlflow.data.context of it.
-- By the primary key: a run's inputs.
CREATE TABLE run_datasets (
    run INTEGER NOT NULL,
    dataset INTEGER NOT NULL REFERENCES datasets (id),
    experiment_id INTEGER NOT NULL,
    context TEXT,
    tags TEXT NOT NULL,
    PRIMARY KEY (run, dataset)
) STRICT, WITHOUT ROWID;

-- Search by dataset.name and dataset.digest: the runs of a dataset.
CREATE INDEX run_datasets_by_dataset ON run_datasets (dataset, run, context);
-- Search by dataset.context.
CREATE INDEX run_datasets_by_context ON run_datasets (experiment_id, context, run);

-- Logged models that a run read (`direction` input) or made (output). By the primary key: a run's models.
CREATE TABLE run_models (
    run INTEGER NOT NULL,
    direction TEXT NOT NULL,
    model_id TEXT NOT NULL,
    step INTEGER NOT NULL,
    PRIMARY KEY (run, direction, model_id)
) STRICT, WITHOUT ROWID;

-- The runs that read or made a model.
CREATE INDEX run_models_by_model ON run_models (model_id, direction, run);

INSERT INTO keys (name) SELECT key FROM params UNION SELECT key FROM tags UNION SELECT key FROM metrics;

INSERT INTO run_params (run, key, experiment_id, head, rest)
    SELECT r.id, k.id, r.experiment_id, substr(p.value, 1, 250), NULLIF(substr(p.value, 251), '')
    FROM params p JOIN runs r ON r.run_id = p.run_id JOIN keys k ON k.name = p.key;

INSERT INTO run_tags (run, key, experiment_id, head, rest)
    SELECT r.id, k.id, r.experiment_id, substr(t.value, 1, 250), NULLIF(substr(t.value, 251), '')
    FROM tags t JOIN runs r ON r.run_id = t.run_id JOIN keys k ON k.name = t.key;

INSERT INTO metric_points (run, key, timestamp_ms, step, value, is_nan)
    SELECT r.id, k.id, m.timestamp_ms, m.step,
           max(min(m.value, 1.7976931348623157e308), -1.7976931348623157e308), m.is_nan
    FROM metrics m JOIN runs r ON r.run_id = m.run_id JOIN keys k ON k.name = m.key
    WHERE true ON CONFLICT DO NOTHING;

INSERT INTO latest_metrics (run, key, experiment_id, value, is_nan, step, timestamp_ms, tail)
    SELECT p.run, p.key, r.experiment_id, p.value, p.is_nan, p.step, p.timestamp_ms, p.points
    FROM (SELECT run, key, value, is_nan, step, timestamp_ms, COUNT(*) OVER (PARTITION BY run, key) AS points,
                 ROW_NUMBER() OVER (PARTITION BY run, key ORDER BY step DESC, timestamp_ms DESC, value DESC) AS place
          FROM metric_points) AS p JOIN runs r ON r.id = p.run
    WHERE p.place = 1;

DROP TABLE params;
DROP TABLE tags;
DROP TABLE metrics;
DROP TABLE old_run_artifacts;
DROP TABLE old_runs;
