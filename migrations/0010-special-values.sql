-- The column `value` of `samples` may hold what SQLite has no number for, as the eight bytes of the double: NaN, the stale
-- marker of Prometheus, which ends a series, and −0. Ordinary samples are as they were.
-- In the view NaN and the end of a series have no metric_value, so that sums and means leave them out; value_text has a name.
DROP VIEW metrics;

CREATE VIEW metrics AS
SELECT
  id, timestamp_ms, metric_name,
  CASE
    WHEN value_type <> 0 THEN NULL
    WHEN value IN (x'7ff8000000000001', x'7ff0000000000002') THEN NULL
    WHEN value = x'8000000000000000' THEN -0.0
    ELSE value
  END AS metric_value,
  CASE
    WHEN value_type = 1 THEN value
    WHEN value = x'7ff8000000000001' THEN 'NaN'
    WHEN value = x'7ff0000000000002' THEN 'StaleNaN'
  END AS value_text,
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
