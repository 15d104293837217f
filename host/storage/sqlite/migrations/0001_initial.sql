-- The tables of one hub. A migration is never edited once it was released: add the next number.
--
-- A run is the life of one instance from its creation until it is purged or replaced. All other
-- tables hold run numbers, so nothing of an old instance can show up in a new one with its id, and
-- the rows of instances that are active together lie together on few pages.

CREATE TABLE instances (
    run INTEGER PRIMARY KEY,
    instance_id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    is_finished INTEGER NOT NULL,
    is_blocked INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    scheduled_start_at INTEGER,
    data BLOB NOT NULL
);

CREATE INDEX instances_newest ON instances (created_at, instance_id);
CREATE INDEX instances_unfinished ON instances (instance_id) WHERE NOT is_finished;

CREATE TABLE batches (
    rowid INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    execution_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    leaves_work INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (run, execution_id, number)
);

CREATE TABLE inbox (
    arrival INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (run, message_id)
);

CREATE TABLE alarms (
    run INTEGER PRIMARY KEY,
    due INTEGER NOT NULL,
    instance_id TEXT NOT NULL
);

CREATE INDEX alarms_due ON alarms (due, instance_id);

CREATE TABLE leases (
    rowid INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    execution_id TEXT NOT NULL,
    task_id INTEGER NOT NULL,
    owner TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    UNIQUE (run, execution_id, task_id)
);
