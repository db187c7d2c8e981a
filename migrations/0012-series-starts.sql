-- When the counters, histograms and summaries of scrape targets and text files began, which remote write 2.0 calls the start timestamp.

-- Written by the collector alone: a row when a series is first stored with a start, and when the start changes.
CREATE TABLE series_starts (
  id        INTEGER PRIMARY KEY,      -- only grows: the uploader reads the rows that it does not know yet
  series_id INTEGER NOT NULL,
  first_id  INTEGER NOT NULL,         -- samples of the series have this start from this id on
  start_ms  INTEGER                   -- stored time, as samples.timestamp_ms; NULL: from here on it is not known
);
