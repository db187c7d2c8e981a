-- What became of samples that were neither delivered nor rejected, and how the store itself fares.

-- The ledger. The sum of its counts is collector_state.dropped at every commit, also after old entries were merged.
CREATE TABLE losses (
  id       INTEGER PRIMARY KEY,
  at       INTEGER NOT NULL,         -- true time at which the loss was booked, Unix milliseconds
  reason   TEXT NOT NULL,            -- cap, thinned, memory, corruption
  first_ms INTEGER,                  -- true times of the first and the last sample that was lost; NULL: not known
  last_ms  INTEGER,
  count    INTEGER NOT NULL
);

-- How far the pending rows of a priority have been thinned to one sample of a series in bucket_ms; 0: dropped.
CREATE TABLE thinning (
  priority   INTEGER NOT NULL,
  bucket_ms  INTEGER NOT NULL,
  through_id INTEGER NOT NULL,
  PRIMARY KEY (priority, bucket_ms)
);

-- Written by the collector alone: what the sidecar shows and the collector stores of the store itself.
CREATE TABLE storage_state (
  one                 INTEGER PRIMARY KEY CHECK (one = 1),
  flush_interval_ms   INTEGER NOT NULL DEFAULT 0,
  max_bytes           INTEGER,       -- what database, WAL and ballast may take together
  wal_limit_bytes     INTEGER,       -- size at which the WAL is moved into the database
  wal_blocked_since   INTEGER,       -- since when WAL checkpoints are kept from finishing; NULL: they are not
  wal_checkpoint_ms   REAL,          -- duration of the last WAL checkpoint
  wal_reclaimed_bytes INTEGER NOT NULL DEFAULT 0,
  written_bytes       INTEGER NOT NULL DEFAULT 0,  -- by the collector's process to the disk, over all its lives
  written_per_day     REAL,          -- the same, over the last day or, while that is shorter, from this life
  trouble             TEXT,          -- why samples wait in memory; NULL: they do not
  trouble_since       INTEGER,
  waiting             INTEGER NOT NULL DEFAULT 0   -- how many samples wait in memory
);

INSERT INTO storage_state (one) VALUES (1);

-- Rows of a damaged database that was moved aside are copied into this one, a slice at a time.
CREATE TABLE salvage (
  id         INTEGER PRIMARY KEY,
  file       TEXT NOT NULL,          -- of the damaged database, in the same folder
  step       TEXT NOT NULL,          -- pending, settled, pages
  position   INTEGER NOT NULL,       -- the last of its ids, or of its pages, that was looked at
  skipped    TEXT NOT NULL,          -- JSON: ranges of its ids that could not be read: [[first_id, last_id], …]
  lost       INTEGER NOT NULL,       -- pending rows that are not recovered yet; booked as dropped meanwhile
  recovered  INTEGER NOT NULL
);

-- The series once more, on other pages: a row of it names thousands of samples, and no single page may be worth them all.
-- (One line, since a statement ends with the semicolon that ends its line.)
CREATE TABLE series_copy (
  id         INTEGER PRIMARY KEY,
  key        BLOB NOT NULL,
  name       TEXT NOT NULL,
  tags       TEXT NOT NULL,
  device_id  TEXT NOT NULL,
  value_type INTEGER NOT NULL,
  priority   INTEGER NOT NULL
);

INSERT INTO series_copy SELECT * FROM series;

CREATE TRIGGER series_is_copied AFTER INSERT ON series BEGIN INSERT OR REPLACE INTO series_copy SELECT * FROM series WHERE id = NEW.id; END;

-- When the uploader met damage, Unix milliseconds: the collector looks and heals.
ALTER TABLE uploader_state ADD COLUMN suspected_at INTEGER;

-- The gaps between what is settled, up to the last id.
CREATE VIEW pending_ranges AS
SELECT from_id AS first_id, to_id AS last_id
FROM (
  SELECT 1 + LAG(last_id, 1, 0) OVER (ORDER BY first_id) AS from_id, first_id - 1 AS to_id FROM settled
  UNION ALL
  SELECT 1 + IFNULL((SELECT MAX(last_id) FROM settled), 0), (SELECT last_id FROM collector_state)
)
WHERE from_id <= to_id;

-- The books, and the rows that they speak of counted one by one: balanced is 1, or something is wrong.
CREATE VIEW books AS
SELECT *, collected = delivered + pending + rejected + dropped AND dropped = in_ledger AS balanced
FROM (
  SELECT collected, delivered, rejected, dropped,
    (SELECT COUNT(*) FROM pending_ranges AS p CROSS JOIN samples AS m ON m.id BETWEEN p.first_id AND p.last_id) AS pending,
    (SELECT IFNULL(SUM(count), 0) FROM losses) AS in_ledger
  FROM collector_state, uploader_state
);
