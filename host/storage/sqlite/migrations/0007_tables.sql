-- Rows of tables that functions read and write by bindings. `stamp` names the task that inserted a
-- row, so that its next run knows its own.

CREATE TABLE table_rows (
    table_name TEXT NOT NULL,
    partition_key TEXT NOT NULL,
    row_key TEXT NOT NULL,
    stamp TEXT,
    data BLOB NOT NULL,
    PRIMARY KEY (table_name, partition_key, row_key)
);
