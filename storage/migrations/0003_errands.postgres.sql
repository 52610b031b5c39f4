-- What a door hands over: a verb that its own role may not carry out, done by the operation's clockwork.

CREATE TABLE "errand" (
    "id" TEXT COLLATE "C" NOT NULL,
    "token" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "at" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "errand_state_at" ON "errand" ("state", "at");

-- The leaf hash of a person's last private act in a tender, and nothing else of it: whoever records an act for somebody
-- whose acts it may not read has to name the one before (docs/spec/acts.md).
CREATE FUNCTION hall_tail_of(of_tender TEXT, of_actor TEXT) RETURNS TEXT
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT last.leaf_hash FROM event AS last
    WHERE last.tender_id = of_tender AND last.actor = of_actor AND last.public = 0
        AND NOT EXISTS (SELECT FROM event AS follower WHERE follower.tender_id = of_tender
            AND follower.actor = of_actor AND follower.public = 0 AND follower.prev = last.leaf_hash)
    ORDER BY last.at DESC, last.id DESC LIMIT 1
$$;
REVOKE EXECUTE ON FUNCTION hall_tail_of(TEXT, TEXT) FROM PUBLIC;
