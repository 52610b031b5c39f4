-- Facts are inserted once: nobody changes or deletes them (20号令 §49). Of an event the eraser may empty what is
-- personal, and nothing else; its leaf hash and the ledger stay as they were.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% holds facts: they are neither changed nor deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION refuse_all_but_emptying() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW."id" = OLD."id"
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
        AND NEW."salt_c" = '' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'event holds facts: only what is personal may be emptied' USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER "event_kept" BEFORE DELETE ON "event" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "event_not_emptied" BEFORE TRUNCATE ON "event" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "pending_kept" BEFORE UPDATE OR DELETE ON "pending" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "pending_not_emptied" BEFORE TRUNCATE ON "pending" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "ledger_kept" BEFORE UPDATE OR DELETE ON "ledger" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "ledger_not_emptied" BEFORE TRUNCATE ON "ledger" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "tile_kept" BEFORE UPDATE OR DELETE ON "tile" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "tile_not_emptied" BEFORE TRUNCATE ON "tile" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "checkpoint_kept" BEFORE UPDATE OR DELETE ON "checkpoint" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "checkpoint_not_emptied" BEFORE TRUNCATE ON "checkpoint" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "cosignature_kept" BEFORE UPDATE OR DELETE ON "cosignature" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "cosignature_not_emptied" BEFORE TRUNCATE ON "cosignature" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "object_kept" BEFORE UPDATE OR DELETE ON "object" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "object_not_emptied" BEFORE TRUNCATE ON "object" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "submission_kept" BEFORE UPDATE OR DELETE ON "submission" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "submission_not_emptied" BEFORE TRUNCATE ON "submission" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "withdrawal_kept" BEFORE UPDATE OR DELETE ON "withdrawal" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "withdrawal_not_emptied" BEFORE TRUNCATE ON "withdrawal" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "download_kept" BEFORE UPDATE OR DELETE ON "download" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "download_not_emptied" BEFORE TRUNCATE ON "download" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "ready_kept" BEFORE UPDATE OR DELETE ON "ready" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "ready_not_emptied" BEFORE TRUNCATE ON "ready" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "release_kept" BEFORE UPDATE OR DELETE ON "release" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "release_not_emptied" BEFORE TRUNCATE ON "release" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "verdict_kept" BEFORE UPDATE OR DELETE ON "verdict" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "verdict_not_emptied" BEFORE TRUNCATE ON "verdict" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "reading_grant_kept" BEFORE UPDATE OR DELETE ON "reading_grant" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "reading_grant_not_emptied" BEFORE TRUNCATE ON "reading_grant" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "directive_kept" BEFORE UPDATE OR DELETE ON "directive" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "directive_not_emptied" BEFORE TRUNCATE ON "directive" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "finding_kept" BEFORE UPDATE OR DELETE ON "finding" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "finding_not_emptied" BEFORE TRUNCATE ON "finding" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "event_only_emptied" BEFORE UPDATE ON "event" FOR EACH ROW EXECUTE FUNCTION refuse_all_but_emptying();
