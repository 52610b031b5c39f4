-- Facts are inserted once: nobody changes or deletes them (20号令 §49). Of an event the eraser may empty what is
-- personal, and nothing else; its leaf hash and the ledger stay as they were.
-- Whoever has the file can drop these triggers; only the ledger and its witnesses would notice.

CREATE TRIGGER "event_kept" BEFORE DELETE ON "event"
BEGIN SELECT RAISE(ABORT, 'event holds facts: they are not deleted'); END;
CREATE TRIGGER "pending_unchanged" BEFORE UPDATE ON "pending"
BEGIN SELECT RAISE(ABORT, 'pending holds facts: they do not change'); END;
CREATE TRIGGER "pending_kept" BEFORE DELETE ON "pending"
BEGIN SELECT RAISE(ABORT, 'pending holds facts: they are not deleted'); END;
CREATE TRIGGER "ledger_unchanged" BEFORE UPDATE ON "ledger"
BEGIN SELECT RAISE(ABORT, 'ledger holds facts: they do not change'); END;
CREATE TRIGGER "ledger_kept" BEFORE DELETE ON "ledger"
BEGIN SELECT RAISE(ABORT, 'ledger holds facts: they are not deleted'); END;
CREATE TRIGGER "tile_unchanged" BEFORE UPDATE ON "tile"
BEGIN SELECT RAISE(ABORT, 'tile holds facts: they do not change'); END;
CREATE TRIGGER "tile_kept" BEFORE DELETE ON "tile"
BEGIN SELECT RAISE(ABORT, 'tile holds facts: they are not deleted'); END;
CREATE TRIGGER "checkpoint_unchanged" BEFORE UPDATE ON "checkpoint"
BEGIN SELECT RAISE(ABORT, 'checkpoint holds facts: they do not change'); END;
CREATE TRIGGER "checkpoint_kept" BEFORE DELETE ON "checkpoint"
BEGIN SELECT RAISE(ABORT, 'checkpoint holds facts: they are not deleted'); END;
CREATE TRIGGER "cosignature_unchanged" BEFORE UPDATE ON "cosignature"
BEGIN SELECT RAISE(ABORT, 'cosignature holds facts: they do not change'); END;
CREATE TRIGGER "cosignature_kept" BEFORE DELETE ON "cosignature"
BEGIN SELECT RAISE(ABORT, 'cosignature holds facts: they are not deleted'); END;
CREATE TRIGGER "object_unchanged" BEFORE UPDATE ON "object"
BEGIN SELECT RAISE(ABORT, 'object holds facts: they do not change'); END;
CREATE TRIGGER "object_kept" BEFORE DELETE ON "object"
BEGIN SELECT RAISE(ABORT, 'object holds facts: they are not deleted'); END;
CREATE TRIGGER "submission_unchanged" BEFORE UPDATE ON "submission"
BEGIN SELECT RAISE(ABORT, 'submission holds facts: they do not change'); END;
CREATE TRIGGER "submission_kept" BEFORE DELETE ON "submission"
BEGIN SELECT RAISE(ABORT, 'submission holds facts: they are not deleted'); END;
CREATE TRIGGER "withdrawal_unchanged" BEFORE UPDATE ON "withdrawal"
BEGIN SELECT RAISE(ABORT, 'withdrawal holds facts: they do not change'); END;
CREATE TRIGGER "withdrawal_kept" BEFORE DELETE ON "withdrawal"
BEGIN SELECT RAISE(ABORT, 'withdrawal holds facts: they are not deleted'); END;
CREATE TRIGGER "download_unchanged" BEFORE UPDATE ON "download"
BEGIN SELECT RAISE(ABORT, 'download holds facts: they do not change'); END;
CREATE TRIGGER "download_kept" BEFORE DELETE ON "download"
BEGIN SELECT RAISE(ABORT, 'download holds facts: they are not deleted'); END;
CREATE TRIGGER "ready_unchanged" BEFORE UPDATE ON "ready"
BEGIN SELECT RAISE(ABORT, 'ready holds facts: they do not change'); END;
CREATE TRIGGER "ready_kept" BEFORE DELETE ON "ready"
BEGIN SELECT RAISE(ABORT, 'ready holds facts: they are not deleted'); END;
CREATE TRIGGER "release_unchanged" BEFORE UPDATE ON "release"
BEGIN SELECT RAISE(ABORT, 'release holds facts: they do not change'); END;
CREATE TRIGGER "release_kept" BEFORE DELETE ON "release"
BEGIN SELECT RAISE(ABORT, 'release holds facts: they are not deleted'); END;
CREATE TRIGGER "verdict_unchanged" BEFORE UPDATE ON "verdict"
BEGIN SELECT RAISE(ABORT, 'verdict holds facts: they do not change'); END;
CREATE TRIGGER "verdict_kept" BEFORE DELETE ON "verdict"
BEGIN SELECT RAISE(ABORT, 'verdict holds facts: they are not deleted'); END;
CREATE TRIGGER "reading_grant_unchanged" BEFORE UPDATE ON "reading_grant"
BEGIN SELECT RAISE(ABORT, 'reading_grant holds facts: they do not change'); END;
CREATE TRIGGER "reading_grant_kept" BEFORE DELETE ON "reading_grant"
BEGIN SELECT RAISE(ABORT, 'reading_grant holds facts: they are not deleted'); END;
CREATE TRIGGER "directive_unchanged" BEFORE UPDATE ON "directive"
BEGIN SELECT RAISE(ABORT, 'directive holds facts: they do not change'); END;
CREATE TRIGGER "directive_kept" BEFORE DELETE ON "directive"
BEGIN SELECT RAISE(ABORT, 'directive holds facts: they are not deleted'); END;
CREATE TRIGGER "finding_unchanged" BEFORE UPDATE ON "finding"
BEGIN SELECT RAISE(ABORT, 'finding holds facts: they do not change'); END;
CREATE TRIGGER "finding_kept" BEFORE DELETE ON "finding"
BEGIN SELECT RAISE(ABORT, 'finding holds facts: they are not deleted'); END;
CREATE TRIGGER "event_only_emptied" BEFORE UPDATE ON "event"
WHEN NOT (NEW."id" = OLD."id"
    AND NEW."lot" = OLD."lot"
    AND NEW."tender_id" = OLD."tender_id"
    AND NEW."kind" = OLD."kind"
    AND NEW."public" = OLD."public"
    AND NEW."seq" = OLD."seq"
    AND NEW."actor" = OLD."actor"
    AND NEW."prev" = OLD."prev"
    AND NEW."at" = OLD."at"
    AND NEW."leaf_hash" = OLD."leaf_hash"
    AND NEW."body" = ''
    AND NEW."confidential" = ''
    AND NEW."salt_p" = ''
    AND NEW."salt_c" = '')
BEGIN SELECT RAISE(ABORT, 'event holds facts: only what is personal may be emptied'); END;
