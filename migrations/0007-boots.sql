-- How often the device has booted, and how often the boot before had ended without the end of the collector: a power cut, a
-- crash of the kernel, a reset. Written by the collector alone, once a start.
CREATE TABLE boots (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  boot_id    TEXT,                        -- of the last boot that was counted
  counted    INTEGER NOT NULL DEFAULT 0,
  unclean    INTEGER NOT NULL DEFAULT 0,
  last_clean INTEGER                      -- 1 or 0: how the boot before ended; NULL: not known
);

INSERT INTO boots (one) VALUES (1);
