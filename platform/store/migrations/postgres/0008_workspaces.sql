-- A project is also a workspace of MLflow's clients: what it says of itself, and where its experiments keep artifacts
-- unless they say otherwise. Names of models are unique in a project instead of the server.

ALTER TABLE projects ADD COLUMN description TEXT COLLATE "C";
ALTER TABLE projects ADD COLUMN artifact_root TEXT COLLATE "C";

ALTER TABLE registered_models ADD UNIQUE (project, name);
DROP INDEX registered_models_project;

-- The constraint kept the name of the table's first time where 0003 made the table anew.
DO $$
DECLARE
    old TEXT;
BEGIN
    FOR old IN
        SELECT c.conname FROM pg_constraint c
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.conrelid = 'registered_models'::regclass AND c.contype = 'u'
            AND array_length(c.conkey, 1) = 1 AND a.attname = 'name'
    LOOP
        EXECUTE format('ALTER TABLE registered_models DROP CONSTRAINT %I', old);
    END LOOP;
END $$;

-- The projects that have a model of a name.
CREATE INDEX registered_models_name ON registered_models (name, project);

DROP INDEX model_versions_name;
CREATE INDEX model_versions_name ON model_versions (project, name, version);
