-- A series is named once, a sample is a number beside its series and its time, and what is settled is a handful
-- of id ranges. A key that is random for every row would dirty a random page for every row.
ALTER TABLE metrics RENAME TO metrics_v2;

-- Nothing below looks a row up by these; the samples take their pages.
DROP INDEX IF EXISTS idx_timestamp;
DROP INDEX IF EXISTS idx_name_time;
DROP INDEX IF EXISTS idx_device_time;
DROP INDEX IF EXISTS idx_dedup_key;
DROP INDEX IF EXISTS idx_uploaded;

CREATE TABLE series (
  id         INTEGER PRIMARY KEY,
  key        BLOB NOT NULL UNIQUE,   -- SHA-256 of name, device, canonical tags and value type
  name       TEXT NOT NULL,
  tags       TEXT NOT NULL,          -- JSON with sorted keys
  device_id  TEXT NOT NULL,
  value_type INTEGER NOT NULL,       -- 0 number, 1 text
  priority   INTEGER NOT NULL
);

CREATE TABLE samples (
  id           INTEGER PRIMARY KEY,  -- given by collector_state.last_id, never used again
  series_id    INTEGER NOT NULL,
  timestamp_ms INTEGER NOT NULL,     -- stored time; epochs map it to true time
  value
);

-- Inclusive ranges of ids that are delivered or rejected: disjoint, not adjacent, never above last_id.
CREATE TABLE settled (
  first_id INTEGER PRIMARY KEY,
  last_id  INTEGER NOT NULL
);

-- Rows that will not be sent again; their ids are settled too.
CREATE TABLE rejected (
  id     INTEGER PRIMARY KEY,
  status INTEGER,                    -- the receiver's, or NULL where the encoder refused the row
  reason TEXT NOT NULL
);

-- What was accepted too short a while ago to be surely on the receiver's disk; it is settled meanwhile.
CREATE TABLE provisional (
  id          INTEGER PRIMARY KEY,
  accepted_at INTEGER NOT NULL,
  ranges      TEXT NOT NULL          -- JSON: [[first_id, last_id], …]
);

-- From first_id on: true time = stored time + offset_ms.
CREATE TABLE epochs (
  first_id   INTEGER PRIMARY KEY,
  offset_ms  INTEGER NOT NULL,
  trusted    INTEGER NOT NULL,
  boot_id    TEXT,
  reason     TEXT NOT NULL
);

-- Written by the collector alone: the books' left side, and what the sidecar shows of it.
CREATE TABLE collector_state (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  last_id    INTEGER NOT NULL,
  collected  INTEGER NOT NULL,
  dropped    INTEGER NOT NULL,
  heartbeat  INTEGER NOT NULL        -- true time of the last scrape, Unix milliseconds
);

CREATE TABLE collector_status (
  collector       TEXT PRIMARY KEY,
  status          TEXT NOT NULL,     -- ok, failing, absent
  message         TEXT NOT NULL,
  since           INTEGER NOT NULL,
  interval_ms     INTEGER NOT NULL,
  last_scrape     INTEGER NOT NULL,
  duration_ms     REAL NOT NULL,
  collected       INTEGER NOT NULL,
  failed          INTEGER NOT NULL,
  durations       TEXT NOT NULL      -- JSON: a histogram of the scrapes' durations in seconds
);

-- Written by the uploader alone: the books' right side, and what the collector stores of it.
CREATE TABLE uploader_state (
  one          INTEGER PRIMARY KEY CHECK (one = 1),
  delivered    INTEGER NOT NULL,
  rejected     INTEGER NOT NULL,
  skew_ms      REAL                  -- this clock minus the receiver's
);

-- What named a series as it was stored, of which several may be one: looked at once each, not once a row.
CREATE TABLE series_v2 (
  metric_name TEXT NOT NULL,
  device_id   TEXT NOT NULL,
  tags        TEXT NOT NULL,
  value_type  INTEGER NOT NULL,
  priority    INTEGER NOT NULL,
  series_id   INTEGER,
  PRIMARY KEY (metric_name, device_id, tags, value_type)
) WITHOUT ROWID;

INSERT INTO series_v2 (metric_name, device_id, tags, value_type, priority)
SELECT metric_name, IFNULL(device_id, ''), IFNULL(tags, ''), value_type, MAX(priority)
FROM metrics_v2
WHERE id BETWEEN :first_of_metrics_v2 AND :last_of_metrics_v2
GROUP BY 1, 2, 3, 4
ON CONFLICT (metric_name, device_id, tags, value_type) DO UPDATE SET priority = MAX(priority, excluded.priority);

INSERT INTO series (key, name, tags, device_id, value_type, priority)
SELECT series_key(metric_name, device_id, canonical_tags(tags), value_type),
       metric_name, canonical_tags(tags), device_id, value_type, MAX(priority)
FROM series_v2
GROUP BY metric_name, device_id, canonical_tags(tags), value_type;

UPDATE series_v2 SET series_id = (
  SELECT id FROM series
  WHERE key = series_key(series_v2.metric_name, series_v2.device_id, canonical_tags(series_v2.tags), series_v2.value_type)
);

-- Before the rows: these come nearly in the order of time, and what fills an index in its order needs no sorting.
CREATE UNIQUE INDEX samples_identity ON samples (timestamp_ms, series_id);

-- Rows whose key was NULL, or was made by another rule, may be one sample: the first stays, as in version 2.
-- A row without its series would break the rule that a sample has one, and the migration fail, rather than be lost.
-- weight 4
INSERT INTO samples (id, series_id, timestamp_ms, value)
SELECT m.id, s.series_id, m.timestamp_ms, IIF(m.value_type = 1, m.value_text, m.metric_value)
FROM metrics_v2 AS m
LEFT JOIN series_v2 AS s
  ON s.metric_name = m.metric_name AND s.device_id = IFNULL(m.device_id, '')
  AND s.tags = IFNULL(m.tags, '') AND s.value_type = m.value_type
WHERE m.id BETWEEN :first_of_metrics_v2 AND :last_of_metrics_v2
ORDER BY m.id
ON CONFLICT (timestamp_ms, series_id) DO NOTHING;

CREATE TABLE settled_v2 (
  id       INTEGER PRIMARY KEY,
  uploaded INTEGER NOT NULL
);

INSERT INTO settled_v2 (id, uploaded)
SELECT id, uploaded FROM metrics_v2 AS m
WHERE id BETWEEN :first_of_metrics_v2 AND :last_of_metrics_v2
  AND uploaded <> 0 AND EXISTS (SELECT 1 FROM samples WHERE samples.id = m.id);

-- First where each range begins, then how far it goes.
INSERT INTO settled (first_id, last_id)
SELECT id, id FROM settled_v2 AS m
WHERE id BETWEEN :first_of_settled_v2 AND :last_of_settled_v2
  AND NOT EXISTS (SELECT 1 FROM settled_v2 AS before WHERE before.id = m.id - 1);

INSERT INTO settled (first_id, last_id)
SELECT (SELECT MAX(s.first_id) FROM settled AS s WHERE s.first_id <= m.id), id FROM settled_v2 AS m
WHERE id BETWEEN :first_of_settled_v2 AND :last_of_settled_v2
  AND NOT EXISTS (SELECT 1 FROM settled_v2 AS behind WHERE behind.id = m.id + 1)
ON CONFLICT (first_id) DO UPDATE SET last_id = excluded.last_id;

INSERT INTO rejected (id, reason)
SELECT id, 'rejected before version 3' FROM settled_v2
WHERE id BETWEEN :first_of_settled_v2 AND :last_of_settled_v2 AND uploaded = 2;

INSERT INTO uploader_state (one, delivered, rejected)
SELECT 1, (SELECT COUNT(*) FROM settled_v2) - (SELECT COUNT(*) FROM rejected), (SELECT COUNT(*) FROM rejected);

DROP TABLE settled_v2;

INSERT INTO epochs (first_id, offset_ms, trusted, reason) VALUES (0, 0, 1, 'rows stored before version 3');

INSERT INTO collector_state (one, last_id, collected, dropped, heartbeat)
SELECT 1,
  MAX(IFNULL((SELECT MAX(id) FROM metrics_v2), 0), IFNULL((SELECT seq FROM sqlite_sequence WHERE name = 'metrics_v2'), 0)),
  (SELECT COUNT(*) FROM samples), 0, 0;

CREATE TABLE sessions_v2 (
  id              TEXT PRIMARY KEY,
  first_sample_id INTEGER NOT NULL,
  first_ms        INTEGER NOT NULL,
  last_ms         INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO sessions_v2 (id, first_sample_id, first_ms, last_ms)
SELECT session_id, MIN(id), MIN(timestamp_ms), MAX(timestamp_ms)
FROM metrics_v2 AS m
WHERE id BETWEEN :first_of_metrics_v2 AND :last_of_metrics_v2
  AND session_id IS NOT NULL AND EXISTS (SELECT 1 FROM samples WHERE samples.id = m.id)
GROUP BY session_id
ON CONFLICT (id) DO UPDATE SET first_ms = MIN(first_ms, excluded.first_ms), last_ms = MAX(last_ms, excluded.last_ms);

ALTER TABLE sessions ADD COLUMN first_sample_id INTEGER;

INSERT OR IGNORE INTO sessions (id, start_time, end_time, status)
SELECT id, first_ms, last_ms, 'completed' FROM sessions_v2 ORDER BY id;

UPDATE sessions SET first_sample_id = (SELECT v.first_sample_id FROM sessions_v2 AS v WHERE v.id = sessions.id);

CREATE INDEX sessions_first_sample ON sessions (first_sample_id);

DROP TABLE sessions_v2;
DROP TABLE series_v2;

-- weight 1
DROP TABLE metrics_v2;

-- The plan's columns, whatever the tables beneath. `uploaded` looks up the one range that starts at or before the
-- id: a join or EXISTS … BETWEEN over the ranges takes seconds where this takes milliseconds.
CREATE VIEW metrics AS
SELECT
  id, timestamp_ms, metric_name,
  IIF(value_type = 0, value, NULL) AS metric_value,
  IIF(value_type = 1, value, NULL) AS value_text,
  value_type, tags, session_id, device_id, uploaded, priority,
  printf('%012x', timestamp_ms) || substr(lower(hex(key)), 1, 52) AS dedup_key
FROM (
  SELECT
    m.id,
    m.timestamp_ms
      + (SELECT e.offset_ms FROM epochs AS e WHERE e.first_id <= m.id ORDER BY e.first_id DESC LIMIT 1) AS timestamp_ms,
    s.name AS metric_name, m.value, s.value_type, s.tags, s.device_id, s.priority, s.key,
    (SELECT t.id FROM sessions AS t WHERE t.first_sample_id <= m.id ORDER BY t.first_sample_id DESC, t.rowid DESC LIMIT 1) AS session_id,
    CASE
      WHEN IFNULL((SELECT r.last_id FROM settled AS r WHERE r.first_id <= m.id ORDER BY r.first_id DESC LIMIT 1), -1) < m.id THEN 0
      WHEN EXISTS (SELECT 1 FROM rejected AS q WHERE q.id = m.id) THEN 2
      ELSE 1
    END AS uploaded
  FROM samples AS m
  JOIN series AS s ON s.id = m.series_id
);
