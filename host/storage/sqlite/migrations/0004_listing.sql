-- What lists are restricted by besides the columns that there are: when a row was changed last, and
-- its tags. Both are in `data`; rows that are there already are read once (`listed.py`).

ALTER TABLE instances ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;

CREATE TABLE instance_tags (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    instance_id TEXT NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (name, value, created_at, instance_id, run)
) WITHOUT ROWID;

CREATE INDEX instance_tags_of_run ON instance_tags (run, name, value);
