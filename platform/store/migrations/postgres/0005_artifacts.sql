-- The files of all artifact trees. `path` is the place below mlflow-artifacts:/, such as 1/<run>/artifacts/model.pkl;
-- folders are implied. By the primary key: one file, a folder in one range, a whole tree in one range; so paths are
-- ordered by their bytes.
CREATE TABLE artifacts (
    path TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    modified_ms BIGINT NOT NULL
);

-- Which blobs are in use, and whether one is.
CREATE INDEX artifacts_by_digest ON artifacts (digest);

INSERT INTO artifacts (path, digest, bytes, modified_ms)
    SELECT r.experiment_id || '/' || r.run_id || '/artifacts/' || a.path, a.digest, a.bytes, r.start_ms
    FROM run_artifacts a JOIN runs r ON r.run_id = a.run_id;
DROP TABLE run_artifacts;

-- Uploads in parts. One that was completed keeps its row until it expires, so that completing it again is answered.
CREATE TABLE artifact_uploads (
    upload_id TEXT NOT NULL PRIMARY KEY,
    path TEXT COLLATE "C" NOT NULL,
    parts_max BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    -- Of the joined file, once it is.
    digest TEXT
);

CREATE INDEX artifact_uploads_by_end ON artifact_uploads (expires_ms);

CREATE TABLE artifact_parts (
    upload_id TEXT NOT NULL REFERENCES artifact_uploads (upload_id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    digest TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (upload_id, number)
);
