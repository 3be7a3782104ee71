-- Plugins are signed, deprecated, and seen by OCI clients.

-- Why no new step should use this version; null while it may.
ALTER TABLE plugins ADD COLUMN deprecation TEXT;

-- A signature is over a component's digest, whatever project has the component.
CREATE TABLE plugin_signatures (
    digest TEXT NOT NULL,
    signer TEXT NOT NULL,
    signature TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (digest, signer)
) STRICT;

-- The manifests of the repository that a plugin is. `component` is the digest of the component that a plugin's manifest
-- names, `signer` the key whose signature over `subject` another one holds; `names` are the blobs it is made of.
CREATE TABLE oci_manifests (
    project TEXT NOT NULL,
    plugin TEXT NOT NULL,
    digest TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    component TEXT,
    subject TEXT,
    signer TEXT,
    names TEXT NOT NULL,
    annotations TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (project, plugin, digest)
) STRICT;

CREATE INDEX oci_manifests_subject ON oci_manifests (project, plugin, subject) WHERE subject IS NOT NULL;

CREATE TABLE oci_tags (
    project TEXT NOT NULL,
    plugin TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (project, plugin, tag),
    FOREIGN KEY (project, plugin, digest) REFERENCES oci_manifests (project, plugin, digest)
) STRICT;

-- Blobs that were sent to a repository and that no manifest of it names yet.
CREATE TABLE oci_blobs (
    project TEXT NOT NULL,
    plugin TEXT NOT NULL,
    digest TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (project, plugin, digest)
) STRICT;

CREATE INDEX oci_blobs_expires ON oci_blobs (expires_ms);
