-- What the uploader has compared with what the receiver returns (THUGSHELLS_VERIFY_INTERVAL). Written by it alone.

-- Ranges of ids. state 0: judged, and not compared again; 1 to 4: missing and sent again so many times, not judged yet;
-- 5: missing after that too, and not sent once more. Ids without a row may be in any.
CREATE TABLE verified_ranges (
  state    INTEGER NOT NULL,
  first_id INTEGER NOT NULL,
  last_id  INTEGER NOT NULL,
  PRIMARY KEY (state, first_id)
);

-- How many samples of this device the receiver returned within a range of corrected times: fewer of them later on, and
-- what was judged is compared again.
CREATE TABLE verified_total (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  after_ms   INTEGER NOT NULL,
  through_ms INTEGER NOT NULL,
  samples    INTEGER NOT NULL
);
