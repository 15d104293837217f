-- Leases that outlive their execution: what is to be run (NULL for all others), and how many hosts
-- vanished with it.

ALTER TABLE leases ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE leases ADD COLUMN data BLOB;

CREATE INDEX leases_unawaited ON leases (run) WHERE data IS NOT NULL;
