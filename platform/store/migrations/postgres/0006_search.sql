-- Search by user_id, in default order.
CREATE INDEX runs_by_user ON runs (experiment_id, lifecycle, user_id, start_ms DESC, run_id);

-- Search in the order of run_name: an entry of an index holds no name of any length.
CREATE INDEX runs_by_name ON runs (experiment_id, lifecycle, substr(name, 1, 250), start_ms DESC, run_id);
