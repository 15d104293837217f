-- Indexes for lists and counts, made when their columns are filled. The first one holds all that
-- most filters ask for, so that a search which skips many reads no rows.

CREATE INDEX listed_by_status
    ON instances (status, created_at, instance_id, name, updated_at);
CREATE INDEX listed_by_name ON instances (name, created_at, instance_id);
CREATE INDEX listed_by_change ON instances (updated_at, instance_id);
