-- Plugins are signed, deprecated, and seen by OCI clients.

-- Why no new step should use this version; null while it may.
ALTER TABLE plugins ADD COLUMN deprecation TEXT COLLATE "C";

-- A signature is over a component's digest, whatever project has the component.
CREATE TABLE plugin_signatures (
    digest TEXT COLLATE "C" NOT NULL,
    signer TEXT COLLATE "C" NOT NULL,
    signature TEXT COLLATE "C" NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (digest, signer)
);

-- The manifests of the repository that a plugin is. `component` is the digest of the component that a plugin's manifest
-- names, `signer` the key whose signature over `subject` another one holds; `names` are the blobs it is made of.
CREATE TABLE oci_manifests (
    project TEXT COLLATE "C" NOT NULL,
    plugin TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    bytes BIGINT NOT NULL,
    component TEXT COLLATE "C",
    subject TEXT COLLATE "C",
    signer TEXT COLLATE "C",
    names TEXT COLLATE "C" NOT NULL,
    annotations TEXT COLLATE "C" NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (project, plugin, digest)
);

CREATE INDEX oci_manifests_subject ON oci_manifests (project, plugin, subject) WHERE subject IS NOT NULL;

CREATE TABLE oci_tags (
    project TEXT COLLATE "C" NOT NULL,
    plugin TEXT COLLATE "C" NOT NULL,
    tag TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project, plugin, tag),
    FOREIGN KEY (project, plugin, digest) REFERENCES oci_manifests (project, plugin, digest)
);

-- Blobs that were sent to a repository and that no manifest of it names yet.
CREATE TABLE oci_blobs (
    project TEXT COLLATE "C" NOT NULL,
    plugin TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    expires_ms BIGINT NOT NULL,
    PRIMARY KEY (project, plugin, digest)
);

CREATE INDEX oci_blobs_expires ON oci_blobs (expires_ms);
