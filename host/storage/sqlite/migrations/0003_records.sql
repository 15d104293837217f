-- What hosts keep of a hub besides instances. `stamp` names the write that left a record so.

CREATE TABLE records (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    stamp TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
