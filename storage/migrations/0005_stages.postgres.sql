-- The lots of a stage, found without reading their rows.

CREATE INDEX "tender_state_lot" ON "tender" ("state", "lot");
