-- What a door hands over: a verb that its own role may not carry out. One process needs none; the tables are the same.

CREATE TABLE "errand" (
    "id" TEXT NOT NULL,
    "token" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "at" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "errand_state_at" ON "errand" ("state", "at");
