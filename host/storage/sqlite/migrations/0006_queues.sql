-- Queues of messages for functions. `messages` and `bytes` count what lies in a queue.
--
-- `visible_at` is 0 for a message that can be handed out, 1 for one that somebody holds, 2 for one
-- that waits for an older one of its group, 3 for one that cannot be read, else the time when it can
-- be handed out.

CREATE TABLE queues (
    queue INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    messages INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);

CREATE TABLE queue_messages (
    number INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    group_id TEXT,
    dequeue_count INTEGER NOT NULL,
    inserted_at INTEGER NOT NULL,
    data BLOB NOT NULL
);

CREATE INDEX queue_messages_visible ON queue_messages (queue, visible_at);
CREATE INDEX queue_messages_of_group ON queue_messages (queue, group_id) WHERE group_id IS NOT NULL;

CREATE TABLE queue_deduplication (
    queue INTEGER NOT NULL,
    deduplication_id TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    PRIMARY KEY (queue, deduplication_id)
) WITHOUT ROWID;

CREATE INDEX queue_deduplication_by_time ON queue_deduplication (sent_at);
