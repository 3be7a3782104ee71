-- Search by user_id, in default order.
CREATE INDEX runs_by_user ON runs (experiment_id, lifecycle, user_id, start_ms DESC, run_id);
