-- The tables of a hall (storage/schema.py). STRICT: a column holds the type it says.

CREATE TABLE "tender" (
    "lot" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "deadline" TEXT NOT NULL,
    "due" TEXT NOT NULL,
    "region" TEXT NOT NULL,
    "market" TEXT NOT NULL,
    "tender_id" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("lot")
) STRICT;
CREATE INDEX "tender_state_deadline" ON "tender" ("state", "deadline");
CREATE INDEX "tender_due" ON "tender" ("due");
CREATE INDEX "tender_tender_id" ON "tender" ("tender_id");
CREATE INDEX "tender_owner" ON "tender" ("owner");

CREATE TABLE "project" (
    "code" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "agent" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("code")
) STRICT;
CREATE INDEX "project_owner" ON "project" ("owner");
CREATE INDEX "project_agent" ON "project" ("agent");
CREATE INDEX "project_state" ON "project" ("state");

CREATE TABLE "panel" (
    "lot" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("lot")
) STRICT;

CREATE TABLE "sheet" (
    "lot" TEXT NOT NULL,
    "seat" TEXT NOT NULL,
    "person" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("lot", "seat")
) STRICT;

CREATE TABLE "objection" (
    "id" TEXT NOT NULL,
    "lot" TEXT NOT NULL,
    "organisation" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "objection_lot" ON "objection" ("lot");

CREATE TABLE "question" (
    "id" TEXT NOT NULL,
    "lot" TEXT NOT NULL,
    "organisation" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "question_lot" ON "question" ("lot");

CREATE TABLE "organisation" (
    "id" TEXT NOT NULL,
    "uscc" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("id"),
    UNIQUE ("uscc")
) STRICT;

CREATE TABLE "person" (
    "id" TEXT NOT NULL,
    "login" TEXT NOT NULL,
    "organisation" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("id"),
    UNIQUE ("login")
) STRICT;
CREATE INDEX "person_organisation" ON "person" ("organisation");

CREATE TABLE "role_grant" (
    "id" TEXT NOT NULL,
    "person" TEXT NOT NULL,
    "organisation" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "role_grant_person" ON "role_grant" ("person");
CREATE INDEX "role_grant_organisation" ON "role_grant" ("organisation");

CREATE TABLE "account" (
    "login" TEXT NOT NULL,
    "person" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("login")
) STRICT;
CREATE INDEX "account_person" ON "account" ("person");

CREATE TABLE "token" (
    "hash" TEXT NOT NULL,
    "person" TEXT NOT NULL,
    "organisation" TEXT NOT NULL,
    "expires" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("hash")
) STRICT;
CREATE INDEX "token_person" ON "token" ("person");

CREATE TABLE "trustee" (
    "id" TEXT NOT NULL,
    "organisation" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "trustee_organisation" ON "trustee" ("organisation");

CREATE TABLE "prekey" (
    "key" TEXT NOT NULL,
    "trustee" TEXT NOT NULL,
    "tender_id" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("key")
) STRICT;
CREATE INDEX "prekey_trustee_tender_id" ON "prekey" ("trustee", "tender_id");
CREATE INDEX "prekey_tender_id" ON "prekey" ("tender_id");

CREATE TABLE "expert" (
    "id" TEXT NOT NULL,
    "person" TEXT NOT NULL,
    "specialty" TEXT NOT NULL,
    "region" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "expert_specialty_state" ON "expert" ("specialty", "state");
CREATE INDEX "expert_person" ON "expert" ("person");

CREATE TABLE "upload" (
    "id" TEXT NOT NULL,
    "organisation" TEXT NOT NULL,
    "lot" TEXT NOT NULL,
    "created" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "bytes" INTEGER NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "upload_organisation_state" ON "upload" ("organisation", "state");
CREATE INDEX "upload_state_created" ON "upload" ("state", "created");

CREATE TABLE "segment" (
    "upload" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "hash" TEXT NOT NULL,
    "organisation" TEXT NOT NULL,
    "bytes" INTEGER NOT NULL,
    PRIMARY KEY ("upload", "number")
) STRICT;
CREATE INDEX "segment_hash" ON "segment" ("hash");

CREATE TABLE "inbox" (
    "id" TEXT NOT NULL,
    "person" TEXT NOT NULL,
    "organisation" TEXT NOT NULL,
    "lot" TEXT NOT NULL,
    "created" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "inbox_person_created" ON "inbox" ("person", "created");
CREATE INDEX "inbox_organisation_created" ON "inbox" ("organisation", "created");

CREATE TABLE "setting" (
    "name" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("name")
) STRICT;

CREATE TABLE "idempotency" (
    "key" TEXT NOT NULL,
    "actor" TEXT NOT NULL,
    "created" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("key")
) STRICT;
CREATE INDEX "idempotency_created" ON "idempotency" ("created");

CREATE TABLE "draft" (
    "id" TEXT NOT NULL,
    "created" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "draft_created" ON "draft" ("created");

CREATE TABLE "job" (
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "due" TEXT NOT NULL,
    "lease_until" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL,
    "body" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    PRIMARY KEY ("id"),
    UNIQUE ("key")
) STRICT;
CREATE INDEX "job_state_due" ON "job" ("state", "due");
CREATE INDEX "job_state_lease_until" ON "job" ("state", "lease_until");

CREATE TABLE "event" (
    "id" TEXT NOT NULL,
    "lot" TEXT NOT NULL,
    "tender_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "public" INTEGER NOT NULL,
    "seq" INTEGER NOT NULL,
    "actor" TEXT NOT NULL,
    "prev" TEXT NOT NULL,
    "at" TEXT NOT NULL,
    "leaf_hash" TEXT NOT NULL,
    "confidential" TEXT NOT NULL,
    "salt_p" TEXT NOT NULL,
    "salt_c" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE UNIQUE INDEX "event_chain" ON "event" ("tender_id", "seq") WHERE "seq" >= 0;
CREATE INDEX "event_lot_at" ON "event" ("lot", "at");
CREATE INDEX "event_tender_id_seq" ON "event" ("tender_id", "seq");
CREATE INDEX "event_tender_id_actor" ON "event" ("tender_id", "actor");
CREATE INDEX "event_lot_kind" ON "event" ("lot", "kind");
CREATE INDEX "event_leaf_hash" ON "event" ("leaf_hash");

CREATE TABLE "pending" (
    "id" TEXT NOT NULL,
    "at" TEXT NOT NULL,
    "chain" TEXT NOT NULL,
    "rank" INTEGER NOT NULL,
    "leaf" BLOB NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "pending_at" ON "pending" ("at");

CREATE TABLE "ledger" (
    "idx" INTEGER NOT NULL,
    "pending" TEXT NOT NULL,
    "leaf_hash" TEXT NOT NULL,
    "leaf" BLOB NOT NULL,
    PRIMARY KEY ("idx"),
    UNIQUE ("pending")
) STRICT;
CREATE INDEX "ledger_leaf_hash" ON "ledger" ("leaf_hash");

CREATE TABLE "tile" (
    "level" INTEGER NOT NULL,
    "n" INTEGER NOT NULL,
    "hash" TEXT NOT NULL,
    PRIMARY KEY ("level", "n")
) STRICT;

CREATE TABLE "checkpoint" (
    "size" INTEGER NOT NULL,
    "previous" INTEGER NOT NULL,
    "root" TEXT NOT NULL,
    "at" TEXT NOT NULL,
    "note" TEXT NOT NULL,
    PRIMARY KEY ("size"),
    UNIQUE ("previous")
) STRICT;

CREATE TABLE "cosignature" (
    "size" INTEGER NOT NULL,
    "witness" TEXT NOT NULL,
    "at" TEXT NOT NULL,
    "line" TEXT NOT NULL,
    PRIMARY KEY ("size", "witness")
) STRICT;

CREATE TABLE "object" (
    "lot" TEXT NOT NULL,
    "hash" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "view" TEXT NOT NULL,
    "data" BLOB NOT NULL,
    PRIMARY KEY ("lot", "hash")
) STRICT;

CREATE TABLE "submission" (
    "id" TEXT NOT NULL,
    "lot" TEXT NOT NULL,
    "organisation" TEXT NOT NULL,
    "bid_version" INTEGER NOT NULL,
    "received_at" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    PRIMARY KEY ("id"),
    UNIQUE ("lot", "organisation", "bid_version")
) STRICT;
CREATE INDEX "submission_lot_received_at" ON "submission" ("lot", "received_at");
CREATE INDEX "submission_digest" ON "submission" ("digest");

CREATE TABLE "withdrawal" (
    "id" TEXT NOT NULL,
    "lot" TEXT NOT NULL,
    "organisation" TEXT NOT NULL,
    "bid_version" INTEGER NOT NULL,
    "at" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "withdrawal_lot_organisation" ON "withdrawal" ("lot", "organisation");

CREATE TABLE "download" (
    "id" TEXT NOT NULL,
    "lot" TEXT NOT NULL,
    "organisation" TEXT NOT NULL,
    "at" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "download_lot_organisation" ON "download" ("lot", "organisation");

CREATE TABLE "ready" (
    "id" TEXT NOT NULL,
    "lot" TEXT NOT NULL,
    "trustee" TEXT NOT NULL,
    "at" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    PRIMARY KEY ("id"),
    UNIQUE ("lot", "trustee")
) STRICT;

CREATE TABLE "release" (
    "id" TEXT NOT NULL,
    "lot" TEXT NOT NULL,
    "trustee" TEXT NOT NULL,
    "at" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "release_lot_trustee" ON "release" ("lot", "trustee");

CREATE TABLE "verdict" (
    "id" TEXT NOT NULL,
    "lot" TEXT NOT NULL,
    "bid" TEXT NOT NULL,
    "signer" TEXT NOT NULL,
    "at" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    PRIMARY KEY ("id"),
    UNIQUE ("lot", "bid", "signer")
) STRICT;

CREATE TABLE "reading_grant" (
    "id" TEXT NOT NULL,
    "lot" TEXT NOT NULL,
    "reader" TEXT NOT NULL,
    "at" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "reading_grant_lot" ON "reading_grant" ("lot");
CREATE INDEX "reading_grant_reader" ON "reading_grant" ("reader");

CREATE TABLE "directive" (
    "id" TEXT NOT NULL,
    "lot" TEXT NOT NULL,
    "at" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "directive_lot" ON "directive" ("lot");

CREATE TABLE "finding" (
    "id" TEXT NOT NULL,
    "lot" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "at" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "finding_lot" ON "finding" ("lot");
