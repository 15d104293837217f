-- Who is blocked, or quarantined, is found without a look at all who run. Few are: an instance that
-- never is has no entry.

CREATE INDEX instances_blocked ON instances (instance_id) WHERE is_blocked;
