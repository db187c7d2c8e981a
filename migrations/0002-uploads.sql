-- The plan's schema: text values, tags, sessions, upload state, and a key that makes a row unique.
ALTER TABLE metrics ADD COLUMN value_text TEXT;
ALTER TABLE metrics ADD COLUMN value_type INTEGER NOT NULL DEFAULT 0;
ALTER TABLE metrics ADD COLUMN tags TEXT;
ALTER TABLE metrics ADD COLUMN session_id TEXT;
ALTER TABLE metrics ADD COLUMN uploaded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE metrics ADD COLUMN priority INTEGER NOT NULL DEFAULT 1;
ALTER TABLE metrics ADD COLUMN dedup_key TEXT;

CREATE TABLE sessions (
  id         TEXT PRIMARY KEY,
  start_time INTEGER NOT NULL,
  end_time   INTEGER,
  status     TEXT NOT NULL DEFAULT 'active',
  metadata   TEXT
);

CREATE INDEX idx_session_start ON sessions (start_time);

CREATE TABLE upload_checkpoints (
  id           INTEGER PRIMARY KEY,
  batch_id     TEXT NOT NULL,
  chunk_index  INTEGER NOT NULL,
  uploaded_at  INTEGER NOT NULL,
  metric_count INTEGER NOT NULL,
  success      INTEGER NOT NULL DEFAULT 1,
  UNIQUE (batch_id, chunk_index)
);

-- dedup_key(name, timestamp_ms, device_id, tags, value_type) is registered by the program. A statement that names the
-- first and the last id of a table is run for a slice of the table's ids at a time; its weight is the time it takes
-- beside the other statements, for the percentage that is told meanwhile.
-- weight 7
UPDATE metrics SET dedup_key = dedup_key(metric_name, timestamp_ms, device_id, tags, value_type)
WHERE id BETWEEN :first_of_metrics AND :last_of_metrics;

-- The first milestone stored a value again whenever it was collected again: the first row of a key stays. Rows with
-- one key have one name and one time, so this index, which that milestone made, finds the earlier ones.
CREATE INDEX IF NOT EXISTS idx_name_time ON metrics (metric_name, timestamp_ms);

-- weight 5
DELETE FROM metrics
WHERE id BETWEEN :first_of_metrics AND :last_of_metrics
  AND EXISTS (
    SELECT 1 FROM metrics AS earlier
    WHERE earlier.metric_name = metrics.metric_name AND earlier.timestamp_ms = metrics.timestamp_ms
      AND earlier.id < metrics.id AND earlier.dedup_key = metrics.dedup_key
  );

-- weight 4
CREATE UNIQUE INDEX idx_dedup_key ON metrics (dedup_key);

-- weight 1
CREATE INDEX idx_uploaded ON metrics (uploaded, timestamp_ms);
