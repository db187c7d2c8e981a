-- The books once more, on another page: of a damaged database nobody could say otherwise what is gone.

-- It follows in the transaction that changes the books. Of samples that are only added, every 256 ids will do: the page is
-- not written with each commit, and what lies between is at most as many samples.
CREATE TABLE books_copy (
  one       INTEGER PRIMARY KEY CHECK (one = 1),
  last_id   INTEGER NOT NULL,
  collected INTEGER NOT NULL,
  dropped   INTEGER NOT NULL,
  heartbeat INTEGER NOT NULL,
  delivered INTEGER NOT NULL,
  rejected  INTEGER NOT NULL
);

INSERT INTO books_copy (one, last_id, collected, dropped, heartbeat, delivered, rejected)
SELECT 1, c.last_id, c.collected, c.dropped, c.heartbeat, u.delivered, u.rejected FROM collector_state AS c, uploader_state AS u;

-- (One line each, since a statement ends with the semicolon that ends its line.)
CREATE TRIGGER collector_books_are_copied AFTER UPDATE OF last_id, collected, dropped ON collector_state WHEN NEW.dropped <> OLD.dropped OR NEW.collected - NEW.last_id <> OLD.collected - OLD.last_id OR NEW.last_id / 256 <> OLD.last_id / 256 BEGIN UPDATE books_copy SET last_id = NEW.last_id, collected = NEW.collected, dropped = NEW.dropped, heartbeat = NEW.heartbeat; END;

CREATE TRIGGER uploader_books_are_copied AFTER UPDATE OF delivered, rejected ON uploader_state WHEN NEW.delivered <> OLD.delivered OR NEW.rejected <> OLD.rejected BEGIN UPDATE books_copy SET delivered = NEW.delivered, rejected = NEW.rejected; END;

-- The reason `estimated` in the ledger is an upper bound, of a database whose books were damaged too: then nobody knows
-- whether the books balance, and `balanced` is NULL. It is 0 for books that do not add up.
DROP VIEW books;

CREATE VIEW books AS
SELECT *,
  CASE WHEN collected <> delivered + pending + rejected + dropped OR dropped <> in_ledger THEN 0 WHEN estimated = 0 THEN 1 END AS balanced
FROM (
  SELECT collected, delivered, rejected, dropped,
    (SELECT COUNT(*) FROM pending_ranges AS p CROSS JOIN samples AS m ON m.id BETWEEN p.first_id AND p.last_id) AS pending,
    (SELECT IFNULL(SUM(count), 0) FROM losses) AS in_ledger,
    (SELECT IFNULL(SUM(count), 0) FROM losses WHERE reason = 'estimated') AS estimated
  FROM collector_state, uploader_state
);
