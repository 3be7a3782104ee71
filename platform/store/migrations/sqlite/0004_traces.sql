-- Traces, their spans and what people think of them; datasets and scorers to evaluate with.

CREATE TABLE traces (
    id INTEGER PRIMARY KEY,
    trace_id TEXT NOT NULL UNIQUE,
    experiment_id INTEGER NOT NULL REFERENCES experiments (id) ON DELETE CASCADE,
    timestamp_ms INTEGER NOT NULL,
    end_ms INTEGER,
    state TEXT NOT NULL,
    name TEXT,
    session_id TEXT,
    client_request_id TEXT,
    request_preview TEXT,
    response_preview TEXT,
    -- Its client gave the whole of it: spans that come later do not move its times.
    is_final INTEGER NOT NULL,
    has_spans INTEGER NOT NULL,
    -- How many requests wrote it; 1 is a trace that was not there before.
    writes INTEGER NOT NULL
) STRICT;

CREATE INDEX traces_recent ON traces (experiment_id, timestamp_ms DESC, trace_id);
CREATE INDEX traces_session ON traces (experiment_id, session_id) WHERE session_id IS NOT NULL;

CREATE TABLE trace_tags (
    trace INTEGER NOT NULL REFERENCES traces (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (trace, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE trace_metadata (
    trace INTEGER NOT NULL REFERENCES traces (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (trace, key)
) STRICT, WITHOUT ROWID;

-- Tokens and cost of a trace, by key.
CREATE TABLE trace_usage (
    trace INTEGER NOT NULL REFERENCES traces (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (trace, key)
) STRICT, WITHOUT ROWID;

-- Runs may go before their traces do.
CREATE TABLE trace_runs (
    run_id TEXT NOT NULL,
    trace INTEGER NOT NULL REFERENCES traces (id) ON DELETE CASCADE,
    -- The trace was made in this run; otherwise somebody linked it.
    is_source INTEGER NOT NULL,
    PRIMARY KEY (run_id, trace)
) STRICT, WITHOUT ROWID;

CREATE INDEX trace_runs_trace ON trace_runs (trace);

-- A prompt is written name/version.
CREATE TABLE trace_prompts (
    prompt TEXT NOT NULL,
    trace INTEGER NOT NULL REFERENCES traces (id) ON DELETE CASCADE,
    PRIMARY KEY (prompt, trace)
) STRICT, WITHOUT ROWID;

CREATE INDEX trace_prompts_trace ON trace_prompts (trace);

-- Ids are the eight bytes as one number; parent 0 is none, end 0 is not ended. The content is the last column, so that a
-- look at the others does not read it.
CREATE TABLE spans (
    trace INTEGER NOT NULL REFERENCES traces (id) ON DELETE CASCADE,
    span_id INTEGER NOT NULL,
    parent_id INTEGER NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind TEXT,
    status TEXT NOT NULL,
    model TEXT,
    provider TEXT,
    usage TEXT,
    cost TEXT,
    content TEXT NOT NULL,
    PRIMARY KEY (trace, span_id)
) STRICT;

CREATE INDEX spans_search ON spans (trace, name, kind, status);

CREATE TABLE assessments (
    assessment_id TEXT NOT NULL PRIMARY KEY,
    trace INTEGER NOT NULL REFERENCES traces (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    -- The value as a number, where it has one; a flag has one and is none.
    number REAL,
    is_number INTEGER NOT NULL,
    error TEXT,
    source_type TEXT NOT NULL,
    source_id TEXT,
    run_id TEXT,
    span_id TEXT,
    rationale TEXT,
    metadata TEXT,
    overrides TEXT,
    is_valid INTEGER NOT NULL,
    -- It is about all traces of the session.
    is_session_wide INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX assessments_trace ON assessments (trace, kind, name);

CREATE TABLE evaluation_datasets (
    dataset_id TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL REFERENCES projects (name),
    name TEXT NOT NULL,
    schema TEXT,
    profile TEXT,
    digest TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    created_by TEXT,
    updated_by TEXT
) STRICT;

CREATE INDEX evaluation_datasets_recent ON evaluation_datasets (project, created_ms DESC, dataset_id DESC);

CREATE TABLE evaluation_dataset_tags (
    dataset_id TEXT NOT NULL REFERENCES evaluation_datasets (dataset_id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (dataset_id, key)
) STRICT, WITHOUT ROWID;

-- An experiment need not exist.
CREATE TABLE evaluation_dataset_experiments (
    dataset_id TEXT NOT NULL REFERENCES evaluation_datasets (dataset_id) ON DELETE CASCADE,
    experiment_id TEXT NOT NULL,
    PRIMARY KEY (dataset_id, experiment_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX evaluation_dataset_experiments_reverse ON evaluation_dataset_experiments (experiment_id, dataset_id);

CREATE TABLE evaluation_dataset_records (
    record_id TEXT NOT NULL PRIMARY KEY,
    dataset_id TEXT NOT NULL REFERENCES evaluation_datasets (dataset_id) ON DELETE CASCADE,
    -- Of the inputs: a dataset has each inputs once.
    input_hash TEXT NOT NULL,
    inputs TEXT NOT NULL,
    outputs TEXT,
    expectations TEXT,
    tags TEXT,
    source TEXT,
    source_id TEXT,
    source_type TEXT,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    created_by TEXT,
    updated_by TEXT,
    UNIQUE (dataset_id, input_hash)
) STRICT;

CREATE INDEX evaluation_dataset_records_page ON evaluation_dataset_records (dataset_id, created_ms, record_id);

CREATE TABLE scorers (
    scorer_id TEXT NOT NULL PRIMARY KEY,
    experiment_id INTEGER NOT NULL REFERENCES experiments (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    UNIQUE (experiment_id, name)
) STRICT;

CREATE TABLE scorer_versions (
    scorer_id TEXT NOT NULL REFERENCES scorers (scorer_id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    serialized TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (scorer_id, version)
) STRICT;

CREATE TABLE online_scoring_configs (
    config_id TEXT NOT NULL PRIMARY KEY,
    scorer_id TEXT NOT NULL UNIQUE REFERENCES scorers (scorer_id) ON DELETE CASCADE,
    experiment_id INTEGER NOT NULL,
    sample_rate REAL NOT NULL,
    filter TEXT
) STRICT;
