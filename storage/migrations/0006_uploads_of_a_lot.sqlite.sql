-- The uploads of a lot: what the lock and the eraser look for.

CREATE INDEX "upload_lot" ON "upload" ("lot");
