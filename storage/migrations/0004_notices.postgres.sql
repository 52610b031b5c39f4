-- What the public list is found by: when a notice came out, and every two neighbouring characters of its words.

CREATE TABLE "notice" (
    "lot" TEXT COLLATE "C" NOT NULL,
    "published" TEXT COLLATE "C" NOT NULL,
    "market" TEXT COLLATE "C" NOT NULL,
    "region" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("lot")
);
CREATE INDEX "notice_published" ON "notice" ("published");
CREATE INDEX "notice_market_published" ON "notice" ("market", "published");
CREATE INDEX "notice_region_published" ON "notice" ("region", "published");

CREATE TABLE "notice_word" (
    "word" TEXT COLLATE "C" NOT NULL,
    "lot" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("word", "lot")
);

CREATE TRIGGER "notice_kept" BEFORE UPDATE OR DELETE ON "notice" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "notice_not_emptied" BEFORE TRUNCATE ON "notice" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "notice_word_kept" BEFORE UPDATE OR DELETE ON "notice_word" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "notice_word_not_emptied" BEFORE TRUNCATE ON "notice_word" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
