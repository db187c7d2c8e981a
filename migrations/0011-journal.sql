-- The last warnings and errors of the collector, for the status page: after a crash they say why. Written by it alone, in the
-- commits of scrapes.
CREATE TABLE journal (
  id      INTEGER PRIMARY KEY,   -- grows with each record: the newest row has the highest
  since   INTEGER NOT NULL,      -- when it was logged first, by the wall clock, Unix milliseconds
  at      INTEGER NOT NULL,      -- when it was logged last
  level   TEXT NOT NULL,         -- error, warn
  message TEXT NOT NULL,
  fields  TEXT NOT NULL,         -- of the last record, as JSON
  times   INTEGER NOT NULL       -- how often
);
