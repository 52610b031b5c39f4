-- What the public list is found by: when a notice came out, and every two neighbouring characters of its words.

CREATE TABLE "notice" (
    "lot" TEXT NOT NULL,
    "published" TEXT NOT NULL,
    "market" TEXT NOT NULL,
    "region" TEXT NOT NULL,
    PRIMARY KEY ("lot")
) STRICT;
CREATE INDEX "notice_published" ON "notice" ("published");
CREATE INDEX "notice_market_published" ON "notice" ("market", "published");
CREATE INDEX "notice_region_published" ON "notice" ("region", "published");

CREATE TABLE "notice_word" (
    "word" TEXT NOT NULL,
    "lot" TEXT NOT NULL,
    PRIMARY KEY ("word", "lot")
) STRICT;

CREATE TRIGGER "notice_unchanged" BEFORE UPDATE ON "notice"
BEGIN SELECT RAISE(ABORT, 'notice holds facts: they do not change'); END;
CREATE TRIGGER "notice_kept" BEFORE DELETE ON "notice"
BEGIN SELECT RAISE(ABORT, 'notice holds facts: they are not deleted'); END;
CREATE TRIGGER "notice_word_unchanged" BEFORE UPDATE ON "notice_word"
BEGIN SELECT RAISE(ABORT, 'notice_word holds facts: they do not change'); END;
CREATE TRIGGER "notice_word_kept" BEFORE DELETE ON "notice_word"
BEGIN SELECT RAISE(ABORT, 'notice_word holds facts: they are not deleted'); END;
