-- What one process knows and the other stores or shows: the receiver's clock, and the uploader's report on itself.

-- How much later in stored time than in time since boot the epoch began: what its rows are stamped anew by.
ALTER TABLE epochs ADD COLUMN boot_base_ms INTEGER;

-- 1: its boot ended before anybody knew its true time; its rows are rejected.
ALTER TABLE epochs ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;

-- Written by the uploader alone: when each boot began by the receiver's clock. Steps of this machine's wall clock do
-- not touch it, so that both processes can tell at any time what the receiver's clock says.
CREATE TABLE receiver_clock (
  boot_id      TEXT PRIMARY KEY,
  booted_at_ms REAL NOT NULL,        -- Unix milliseconds
  policy       TEXT NOT NULL,        -- CLOCK_SKEW_POLICY: hold, correct
  measured_at  INTEGER NOT NULL      -- by the receiver's clock, Unix milliseconds
);

ALTER TABLE uploader_state DROP COLUMN skew_ms;

-- Written by the uploader alone, at most every 30 seconds: what it counted and what its last uploads came to.
ALTER TABLE uploader_state ADD COLUMN report TEXT;

-- Which epochs' rows may leave. epochs.trusted is 0 for a clock that stood before the program's build, 1 for one that
-- may be right, 2 for one that agreed with the receiver while the epoch lasted. A receiver that disagrees by more than
-- a day (or at all, where its clock is the one to stamp by) overrules a 1.
CREATE VIEW clock_epochs AS
SELECT
  e.first_id, e.offset_ms, e.boot_id, e.boot_base_ms, e.lost, e.reason,
  CASE
    WHEN e.trusted = 2 THEN 1
    WHEN r.booted_at_ms IS NULL OR e.boot_base_ms IS NULL THEN e.trusted
    ELSE abs(e.offset_ms + e.boot_base_ms - r.booted_at_ms) <= IIF(r.policy = 'correct', 2000, 86400000)
  END AS trusted
FROM epochs AS e
LEFT JOIN receiver_clock AS r ON r.boot_id = e.boot_id;
