-- The tables of a hall (storage/schema.py).

CREATE TABLE "tender" (
    "lot" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "deadline" TEXT COLLATE "C" NOT NULL,
    "due" TEXT COLLATE "C" NOT NULL,
    "region" TEXT COLLATE "C" NOT NULL,
    "market" TEXT COLLATE "C" NOT NULL,
    "tender_id" TEXT COLLATE "C" NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("lot")
);
CREATE INDEX "tender_state_deadline" ON "tender" ("state", "deadline");
CREATE INDEX "tender_due" ON "tender" ("due");
CREATE INDEX "tender_tender_id" ON "tender" ("tender_id");
CREATE INDEX "tender_owner" ON "tender" ("owner");

CREATE TABLE "project" (
    "code" TEXT COLLATE "C" NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "agent" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("code")
);
CREATE INDEX "project_owner" ON "project" ("owner");
CREATE INDEX "project_agent" ON "project" ("agent");
CREATE INDEX "project_state" ON "project" ("state");

CREATE TABLE "panel" (
    "lot" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("lot")
);

CREATE TABLE "sheet" (
    "lot" TEXT COLLATE "C" NOT NULL,
    "seat" TEXT COLLATE "C" NOT NULL,
    "person" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("lot", "seat")
);

CREATE TABLE "objection" (
    "id" TEXT COLLATE "C" NOT NULL,
    "lot" TEXT COLLATE "C" NOT NULL,
    "organisation" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "objection_lot" ON "objection" ("lot");

CREATE TABLE "question" (
    "id" TEXT COLLATE "C" NOT NULL,
    "lot" TEXT COLLATE "C" NOT NULL,
    "organisation" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "question_lot" ON "question" ("lot");

CREATE TABLE "organisation" (
    "id" TEXT COLLATE "C" NOT NULL,
    "uscc" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("id"),
    UNIQUE ("uscc")
);

CREATE TABLE "person" (
    "id" TEXT COLLATE "C" NOT NULL,
    "login" TEXT COLLATE "C" NOT NULL,
    "organisation" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("id"),
    UNIQUE ("login")
);
CREATE INDEX "person_organisation" ON "person" ("organisation");

CREATE TABLE "role_grant" (
    "id" TEXT COLLATE "C" NOT NULL,
    "person" TEXT COLLATE "C" NOT NULL,
    "organisation" TEXT COLLATE "C" NOT NULL,
    "role" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "role_grant_person" ON "role_grant" ("person");
CREATE INDEX "role_grant_organisation" ON "role_grant" ("organisation");

CREATE TABLE "account" (
    "login" TEXT COLLATE "C" NOT NULL,
    "person" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("login")
);
CREATE INDEX "account_person" ON "account" ("person");

CREATE TABLE "token" (
    "hash" TEXT COLLATE "C" NOT NULL,
    "person" TEXT COLLATE "C" NOT NULL,
    "organisation" TEXT COLLATE "C" NOT NULL,
    "expires" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("hash")
);
CREATE INDEX "token_person" ON "token" ("person");

CREATE TABLE "trustee" (
    "id" TEXT COLLATE "C" NOT NULL,
    "organisation" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "trustee_organisation" ON "trustee" ("organisation");

CREATE TABLE "prekey" (
    "key" TEXT COLLATE "C" NOT NULL,
    "trustee" TEXT COLLATE "C" NOT NULL,
    "tender_id" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("key")
);
CREATE INDEX "prekey_trustee_tender_id" ON "prekey" ("trustee", "tender_id");
CREATE INDEX "prekey_tender_id" ON "prekey" ("tender_id");

CREATE TABLE "expert" (
    "id" TEXT COLLATE "C" NOT NULL,
    "person" TEXT COLLATE "C" NOT NULL,
    "specialty" TEXT COLLATE "C" NOT NULL,
    "region" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "expert_specialty_state" ON "expert" ("specialty", "state");
CREATE INDEX "expert_person" ON "expert" ("person");

CREATE TABLE "upload" (
    "id" TEXT COLLATE "C" NOT NULL,
    "organisation" TEXT COLLATE "C" NOT NULL,
    "lot" TEXT COLLATE "C" NOT NULL,
    "created" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "bytes" BIGINT NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "upload_organisation_state" ON "upload" ("organisation", "state");
CREATE INDEX "upload_state_created" ON "upload" ("state", "created");

CREATE TABLE "segment" (
    "upload" TEXT COLLATE "C" NOT NULL,
    "number" BIGINT NOT NULL,
    "hash" TEXT COLLATE "C" NOT NULL,
    "organisation" TEXT COLLATE "C" NOT NULL,
    "bytes" BIGINT NOT NULL,
    PRIMARY KEY ("upload", "number")
);
CREATE INDEX "segment_hash" ON "segment" ("hash");

CREATE TABLE "inbox" (
    "id" TEXT COLLATE "C" NOT NULL,
    "person" TEXT COLLATE "C" NOT NULL,
    "organisation" TEXT COLLATE "C" NOT NULL,
    "lot" TEXT COLLATE "C" NOT NULL,
    "created" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "inbox_person_created" ON "inbox" ("person", "created");
CREATE INDEX "inbox_organisation_created" ON "inbox" ("organisation", "created");

CREATE TABLE "setting" (
    "name" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("name")
);

CREATE TABLE "idempotency" (
    "key" TEXT COLLATE "C" NOT NULL,
    "actor" TEXT COLLATE "C" NOT NULL,
    "created" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("key")
);
CREATE INDEX "idempotency_created" ON "idempotency" ("created");

CREATE TABLE "draft" (
    "id" TEXT COLLATE "C" NOT NULL,
    "created" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "draft_created" ON "draft" ("created");

CREATE TABLE "job" (
    "id" TEXT COLLATE "C" NOT NULL,
    "kind" TEXT COLLATE "C" NOT NULL,
    "key" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "due" TEXT COLLATE "C" NOT NULL,
    "lease_until" TEXT COLLATE "C" NOT NULL,
    "attempts" BIGINT NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("id"),
    UNIQUE ("key")
);
CREATE INDEX "job_state_due" ON "job" ("state", "due");
CREATE INDEX "job_state_lease_until" ON "job" ("state", "lease_until");

CREATE TABLE "event" (
    "id" TEXT COLLATE "C" NOT NULL,
    "lot" TEXT COLLATE "C" NOT NULL,
    "tender_id" TEXT COLLATE "C" NOT NULL,
    "kind" TEXT COLLATE "C" NOT NULL,
    "public" BIGINT NOT NULL,
    "seq" BIGINT NOT NULL,
    "actor" TEXT COLLATE "C" NOT NULL,
    "prev" TEXT COLLATE "C" NOT NULL,
    "at" TEXT COLLATE "C" NOT NULL,
    "leaf_hash" TEXT COLLATE "C" NOT NULL,
    "confidential" TEXT COLLATE "C" NOT NULL,
    "salt_p" TEXT COLLATE "C" NOT NULL,
    "salt_c" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "event_chain" ON "event" ("tender_id", "seq") WHERE "seq" >= 0;
CREATE INDEX "event_lot_at" ON "event" ("lot", "at");
CREATE INDEX "event_tender_id_seq" ON "event" ("tender_id", "seq");
CREATE INDEX "event_tender_id_actor" ON "event" ("tender_id", "actor");
CREATE INDEX "event_lot_kind" ON "event" ("lot", "kind");
CREATE INDEX "event_leaf_hash" ON "event" ("leaf_hash");

CREATE TABLE "pending" (
    "id" TEXT COLLATE "C" NOT NULL,
    "at" TEXT COLLATE "C" NOT NULL,
    "chain" TEXT COLLATE "C" NOT NULL,
    "rank" BIGINT NOT NULL,
    "leaf" BYTEA NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "pending_at" ON "pending" ("at");

CREATE TABLE "ledger" (
    "idx" BIGINT NOT NULL,
    "pending" TEXT COLLATE "C" NOT NULL,
    "leaf_hash" TEXT COLLATE "C" NOT NULL,
    "leaf" BYTEA NOT NULL,
    PRIMARY KEY ("idx"),
    UNIQUE ("pending")
);
CREATE INDEX "ledger_leaf_hash" ON "ledger" ("leaf_hash");

CREATE TABLE "tile" (
    "level" BIGINT NOT NULL,
    "n" BIGINT NOT NULL,
    "hash" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("level", "n")
);

CREATE TABLE "checkpoint" (
    "size" BIGINT NOT NULL,
    "previous" BIGINT NOT NULL,
    "root" TEXT COLLATE "C" NOT NULL,
    "at" TEXT COLLATE "C" NOT NULL,
    "note" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("size"),
    UNIQUE ("previous")
);

CREATE TABLE "cosignature" (
    "size" BIGINT NOT NULL,
    "witness" TEXT COLLATE "C" NOT NULL,
    "at" TEXT COLLATE "C" NOT NULL,
    "line" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("size", "witness")
);

CREATE TABLE "object" (
    "lot" TEXT COLLATE "C" NOT NULL,
    "hash" TEXT COLLATE "C" NOT NULL,
    "kind" TEXT COLLATE "C" NOT NULL,
    "view" TEXT COLLATE "C" NOT NULL,
    "data" BYTEA NOT NULL,
    PRIMARY KEY ("lot", "hash")
);

CREATE TABLE "submission" (
    "id" TEXT COLLATE "C" NOT NULL,
    "lot" TEXT COLLATE "C" NOT NULL,
    "organisation" TEXT COLLATE "C" NOT NULL,
    "bid_version" BIGINT NOT NULL,
    "received_at" TEXT COLLATE "C" NOT NULL,
    "digest" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("id"),
    UNIQUE ("lot", "organisation", "bid_version")
);
CREATE INDEX "submission_lot_received_at" ON "submission" ("lot", "received_at");
CREATE INDEX "submission_digest" ON "submission" ("digest");

CREATE TABLE "withdrawal" (
    "id" TEXT COLLATE "C" NOT NULL,
    "lot" TEXT COLLATE "C" NOT NULL,
    "organisation" TEXT COLLATE "C" NOT NULL,
    "bid_version" BIGINT NOT NULL,
    "at" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "withdrawal_lot_organisation" ON "withdrawal" ("lot", "organisation");

CREATE TABLE "download" (
    "id" TEXT COLLATE "C" NOT NULL,
    "lot" TEXT COLLATE "C" NOT NULL,
    "organisation" TEXT COLLATE "C" NOT NULL,
    "at" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "download_lot_organisation" ON "download" ("lot", "organisation");

CREATE TABLE "ready" (
    "id" TEXT COLLATE "C" NOT NULL,
    "lot" TEXT COLLATE "C" NOT NULL,
    "trustee" TEXT COLLATE "C" NOT NULL,
    "at" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("id"),
    UNIQUE ("lot", "trustee")
);

CREATE TABLE "release" (
    "id" TEXT COLLATE "C" NOT NULL,
    "lot" TEXT COLLATE "C" NOT NULL,
    "trustee" TEXT COLLATE "C" NOT NULL,
    "at" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "release_lot_trustee" ON "release" ("lot", "trustee");

CREATE TABLE "verdict" (
    "id" TEXT COLLATE "C" NOT NULL,
    "lot" TEXT COLLATE "C" NOT NULL,
    "bid" TEXT COLLATE "C" NOT NULL,
    "signer" TEXT COLLATE "C" NOT NULL,
    "at" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("id"),
    UNIQUE ("lot", "bid", "signer")
);

CREATE TABLE "reading_grant" (
    "id" TEXT COLLATE "C" NOT NULL,
    "lot" TEXT COLLATE "C" NOT NULL,
    "reader" TEXT COLLATE "C" NOT NULL,
    "at" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "reading_grant_lot" ON "reading_grant" ("lot");
CREATE INDEX "reading_grant_reader" ON "reading_grant" ("reader");

CREATE TABLE "directive" (
    "id" TEXT COLLATE "C" NOT NULL,
    "lot" TEXT COLLATE "C" NOT NULL,
    "at" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "directive_lot" ON "directive" ("lot");

CREATE TABLE "finding" (
    "id" TEXT COLLATE "C" NOT NULL,
    "lot" TEXT COLLATE "C" NOT NULL,
    "kind" TEXT COLLATE "C" NOT NULL,
    "at" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "finding_lot" ON "finding" ("lot");
