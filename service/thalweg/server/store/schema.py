"""The tables of the store, and how those of earlier versions become these."""

from __future__ import annotations

import re
from collections.abc import Mapping

VERSION = 3

MIGRATIONS: Mapping[int, str] = {
    2: "CREATE TABLE deleted (job TEXT PRIMARY KEY) WITHOUT ROWID",
}
"""From a version to the next one. Versions before the first one here cannot be read any more."""

TABLES = """
CREATE TABLE jobs (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    request_id  TEXT UNIQUE,
    spec_hash   BLOB NOT NULL,
    spec        BLOB NOT NULL,
    kind        TEXT NOT NULL,
    labels      TEXT NOT NULL,
    cpus        INTEGER NOT NULL,
    memory      INTEGER NOT NULL,
    device      TEXT NOT NULL,
    state       INTEGER NOT NULL,
    outcome     TEXT NOT NULL DEFAULT '',
    attempt     INTEGER NOT NULL DEFAULT 0,
    losses      INTEGER NOT NULL DEFAULT 0,
    pid         INTEGER,
    pid_mark    TEXT,
    beat        INTEGER NOT NULL DEFAULT 0,
    created     REAL NOT NULL,
    started     REAL,
    ended       REAL,
    cancelled   REAL,
    last_event  INTEGER NOT NULL DEFAULT 0,
    progress    BLOB,
    result      BLOB,
    provenance  BLOB
);
CREATE INDEX jobs_unfinished ON jobs (state, number) WHERE state < 5;

CREATE TABLE events (
    job     TEXT NOT NULL,
    number  INTEGER NOT NULL,
    time    REAL NOT NULL,
    body    BLOB NOT NULL,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;

CREATE TABLE checkpoints (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    job      TEXT NOT NULL,
    attempt  INTEGER NOT NULL,
    phase    TEXT NOT NULL,
    step     INTEGER NOT NULL,
    path     TEXT NOT NULL,
    segment  TEXT
);
CREATE INDEX checkpoints_of_job ON checkpoints (job, number);

CREATE TABLE artifacts (
    job          TEXT NOT NULL,
    name         TEXT NOT NULL,
    path         TEXT NOT NULL,
    size         INTEGER NOT NULL,
    sha256       TEXT NOT NULL,
    media_type   TEXT NOT NULL,
    description  TEXT NOT NULL,
    PRIMARY KEY (job, name)
) WITHOUT ROWID;

CREATE TABLE deleted (
    job  TEXT PRIMARY KEY
) WITHOUT ROWID;
"""
"""`deleted`: jobs that were deleted, until their folders are gone too: no other folder is ever removed."""

NAMES = frozenset(re.findall(r"CREATE TABLE (\w+)", TABLES))
"""What a database of this version holds."""
