-- The first milestone's table: one row a value.
CREATE TABLE metrics (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  timestamp_ms INTEGER NOT NULL,
  metric_name  TEXT NOT NULL,
  metric_value REAL,
  device_id    TEXT
);

CREATE INDEX idx_timestamp ON metrics (timestamp_ms);
CREATE INDEX idx_name_time ON metrics (metric_name, timestamp_ms);
CREATE INDEX idx_device_time ON metrics (device_id, timestamp_ms);
