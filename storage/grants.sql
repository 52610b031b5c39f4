-- Who may do what in the database: one PostgreSQL role per process (docs/architecture.md, processes and privileges).
--
-- Run by the owner of the tables after every migration; the whole truth is this file: it first takes everything away.
-- tests/golden/grants.txt shows the outcome, found by connecting as each role and trying. Management and operation
-- share no role (管办分离). Secrecy before the deadline is a row policy, not an `if` in a page: what links a bid to an
-- organisation appears when the public act `close` or `freeze` of its lot stands in the table of events.
--
-- Whoever owns the tables, or is superuser, passes by all of this; so no process runs as either, and what they change
-- in the ledger the witnesses see. Whoever controls the operation clockwork's process can insert a false
-- `close`; it lies in the public log before it opens a single row.

DO $$
DECLARE
    process TEXT;
    policy RECORD;
BEGIN
    FOREACH process IN ARRAY ARRAY['public', 'desk', 'centre', 'bidders', 'trustees', 'opening', 'verifier', 'eraser',
        'experts', 'watch', 'clockwork_operation', 'clockwork_supervision', 'sequencer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hall_' || process) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', 'hall_' || process);
        END IF;
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', 'hall_' || process);
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', 'hall_' || process);
    END LOOP;
    FOR policy IN SELECT policyname, tablename FROM pg_policies WHERE schemaname = 'public' LOOP
        EXECUTE format('DROP POLICY %I ON %I', policy.policyname, policy.tablename);
    END LOOP;
END $$;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- ---- Whose session it is -------------------------------------------------------------------------------------------
-- A process names the session by its token in the clear; the table holds hashes. So a process that can read the table
-- still cannot pose as an organisation that has not signed in through it. The clock is the database's own.

-- The instant as text: the database's own clock; in a rehearsal, whose sessions live in the rehearsal's time, the one
-- that the operation's clockwork last moved it to. A real hall has no such row, and only that process may write it.
CREATE OR REPLACE FUNCTION hall_now() RETURNS TEXT
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce((SELECT body::json ->> 'now' FROM setting WHERE name = 'demo_clock'),
        to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
$$;
-- So long before that instant, as text: a rehearsal's uploads grow old in the rehearsal's time.
CREATE OR REPLACE FUNCTION hall_ago(span INTERVAL) RETURNS TEXT
    LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT to_char(hall_now()::timestamptz AT TIME ZONE 'UTC' - span, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;
CREATE OR REPLACE FUNCTION hall_session() RETURNS SETOF token
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT * FROM token
    WHERE hash = encode(sha256(convert_to(current_setting('tradehall.bearer', true), 'UTF8')), 'hex')
        AND expires > hall_now()
$$;
CREATE OR REPLACE FUNCTION hall_token() RETURNS TEXT
    LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$ SELECT hash FROM hall_session() $$;
CREATE OR REPLACE FUNCTION hall_organisation() RETURNS TEXT
    LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$ SELECT organisation FROM hall_session() $$;
CREATE OR REPLACE FUNCTION hall_person() RETURNS TEXT
    LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$ SELECT person FROM hall_session() $$;

-- Whether a public act of this kind stands in the lot.
CREATE OR REPLACE FUNCTION hall_has(act_kind TEXT, of_lot TEXT) RETURNS BOOLEAN
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM event WHERE event.lot = of_lot AND event.kind = act_kind AND event.public = 1)
$$;
-- The lot of an upload, for its segments.
CREATE OR REPLACE FUNCTION hall_upload(upload_id TEXT) RETURNS SETOF upload
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT * FROM upload WHERE upload.id = upload_id
$$;

-- Whether the shortest archive period (trading/archive_periods.toml; a test compares) has passed since the contract, or
-- since the last public act of a lot that ended without one. The program may say later, never earlier.
CREATE OR REPLACE FUNCTION hall_archived(of_lot TEXT) RETURNS BOOLEAN
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM tender WHERE tender.lot = of_lot AND tender.state IN ('contracted', 'failed', 'terminated'))
        AND coalesce(
            (SELECT max(at) FROM event WHERE event.lot = of_lot AND event.kind = 'contract' AND event.public = 1),
            (SELECT max(at) FROM event WHERE event.lot = of_lot AND event.public = 1)) <= hall_ago(INTERVAL '15 years')
$$;
-- What of an archived lot is not empty yet: names and leaf hashes, nothing of what stands in it.
CREATE OR REPLACE FUNCTION hall_unerased(of_lot TEXT, but TEXT, at_most BIGINT) RETURNS TABLE (id TEXT, leaf_hash TEXT)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT event.id, event.leaf_hash FROM event
    WHERE event.lot = of_lot AND event.public = 0 AND event.kind <> but AND event.salt_p <> '' AND hall_archived(of_lot)
    ORDER BY event.at, event.id LIMIT at_most
$$;
REVOKE EXECUTE ON FUNCTION hall_unerased(TEXT, TEXT, BIGINT) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hall_unerased(TEXT, TEXT, BIGINT) TO hall_eraser;
-- Whether an `erased` act of the lot names this leaf: without one nothing is emptied.
CREATE OR REPLACE FUNCTION hall_erasure_logged(of_lot TEXT, leaf TEXT) RETURNS BOOLEAN
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM event WHERE event.lot = of_lot AND event.kind = 'erased' AND event.actor = 'eraser'
        AND event.body <> '' AND event.body::jsonb -> 'events' ? leaf)
$$;

-- Whether any upload still has this segment; the eraser learns nothing else of it.
CREATE OR REPLACE FUNCTION hall_segment_kept(of_hash TEXT) RETURNS BOOLEAN
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM segment WHERE segment.hash = of_hash)
$$;
REVOKE EXECUTE ON FUNCTION hall_segment_kept(TEXT) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hall_segment_kept(TEXT) TO hall_eraser;
-- Where a reminder goes, and nothing else of an account; for whoever sends reminders.
CREATE OR REPLACE FUNCTION hall_reach(of_login TEXT) RETURNS TABLE (email TEXT, phone TEXT)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT body::json ->> 'email', body::json ->> 'phone' FROM account WHERE login = of_login
$$;
REVOKE EXECUTE ON FUNCTION hall_reach(TEXT) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hall_reach(TEXT) TO hall_clockwork_operation;
-- Who has handed in a number for the draw under way, and which seats are called: for the doors of those who run it. A
-- panel's row also tells who sits behind every mask, and they may not know that.
CREATE OR REPLACE FUNCTION hall_drawing(of_lot TEXT) RETURNS TABLE (given TEXT, called TEXT)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT (SELECT json_object_agg(one.key, one.value ->> 'header')
            FROM json_each(panel.body::json -> 'attempts' -> -1 -> 'contributions') AS one)::text,
        (SELECT json_agg(json_build_array(seat -> 'seat', seat -> 'calls') ORDER BY (seat ->> 'seat')::int)
            FROM json_array_elements(panel.body::json -> 'seats') AS seat
            WHERE seat ->> 'state' IN ('invited', 'accepted'))::text
    FROM panel WHERE panel.lot = of_lot
$$;
REVOKE EXECUTE ON FUNCTION hall_drawing(TEXT) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hall_drawing(TEXT) TO hall_desk, hall_centre, hall_watch;
-- The bid that a question of the panel is about, by the question's leaf.
CREATE OR REPLACE FUNCTION hall_asked(of_leaf TEXT) RETURNS TEXT
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT body::json ->> 'bid' FROM event WHERE leaf_hash = of_leaf AND kind = 'panel_question'
$$;
REVOKE EXECUTE ON FUNCTION hall_asked(TEXT) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hall_asked(TEXT) TO hall_bidders;

-- Whether people go in by this process's door in that role (trading/counter/page/session.py, DOORS).
CREATE OR REPLACE FUNCTION hall_door_has(of_role TEXT) RETURNS BOOLEAN
    LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT of_role = ANY (CASE current_user
        WHEN 'hall_desk' THEN ARRAY['owner', 'agent']
        WHEN 'hall_centre' THEN ARRAY['centre', 'administrator']
        WHEN 'hall_bidders' THEN ARRAY['bidder']
        WHEN 'hall_experts' THEN ARRAY['expert', 'owner_representative']
        WHEN 'hall_watch' THEN ARRAY['supervisor', 'inspector', 'auditor']
        WHEN 'hall_trustees' THEN ARRAY['trustee', 'witness', 'notary']
        ELSE ARRAY[]::TEXT[]
    END)
$$;
-- Whether this person goes in by this process's door.
CREATE OR REPLACE FUNCTION hall_door_knows(of_login TEXT) RETURNS BOOLEAN
    LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM role_grant WHERE role_grant.person = of_login AND hall_door_has(role_grant.role))
$$;
-- The operation's clockwork records acts for people whose acts it may not read (errands).
GRANT EXECUTE ON FUNCTION hall_tail_of(TEXT, TEXT) TO hall_clockwork_operation;

-- ---- What everybody reads: the log, and what was published ---------------------------------------------------------

GRANT SELECT ON ledger, tile, checkpoint, cosignature, event, tender, notice, notice_word TO
    hall_public, hall_desk, hall_centre, hall_bidders, hall_trustees, hall_opening, hall_verifier, hall_experts,
    hall_watch, hall_clockwork_operation, hall_clockwork_supervision;
GRANT SELECT ON object TO
    hall_public, hall_desk, hall_centre, hall_bidders, hall_trustees, hall_opening, hall_verifier, hall_experts,
    hall_watch, hall_clockwork_operation, hall_clockwork_supervision;
GRANT SELECT ON project, setting, organisation, trustee, prekey TO
    hall_desk, hall_centre, hall_bidders, hall_trustees, hall_opening, hall_verifier, hall_experts, hall_watch,
    hall_clockwork_operation, hall_clockwork_supervision;
GRANT INSERT ON event, pending, object TO
    hall_desk, hall_centre, hall_bidders, hall_trustees, hall_opening, hall_verifier, hall_experts, hall_watch,
    hall_clockwork_operation, hall_clockwork_supervision;
-- A job leaves with the transaction that wants it. Doors see of others' jobs whether a key is taken, nothing else.
GRANT INSERT ON job TO
    hall_desk, hall_centre, hall_bidders, hall_trustees, hall_opening, hall_verifier, hall_experts, hall_watch;
GRANT SELECT (id, key) ON job TO
    hall_desk, hall_centre, hall_bidders, hall_trustees, hall_opening, hall_verifier, hall_experts, hall_watch;
-- Signing in at a door: to the accounts of those who go in by it, see below.
GRANT SELECT ON person, role_grant, token TO
    hall_desk, hall_centre, hall_bidders, hall_trustees, hall_experts, hall_watch;
GRANT SELECT, INSERT, UPDATE ON account TO
    hall_desk, hall_centre, hall_bidders, hall_trustees, hall_experts, hall_watch;
GRANT INSERT, DELETE ON token TO hall_desk, hall_centre, hall_bidders, hall_trustees, hall_experts, hall_watch;
GRANT SELECT, INSERT, DELETE ON idempotency TO
    hall_desk, hall_centre, hall_bidders, hall_trustees, hall_experts, hall_watch;
-- What a door may not do itself it hands over, under a session that it can name (trading/counter/errands.py).
GRANT SELECT, INSERT ON errand TO hall_desk, hall_centre, hall_bidders, hall_trustees, hall_experts, hall_watch;
GRANT SELECT, UPDATE ON inbox TO hall_desk, hall_centre, hall_bidders, hall_trustees, hall_experts, hall_watch;

-- ---- One process after the other -----------------------------------------------------------------------------------

-- public: reads what is published and takes witnesses' cosignatures, which it verifies. Whoever controls it can show
-- nothing, or old pages; they cannot show what was not published.
GRANT INSERT ON cosignature TO hall_public;

-- desk: owners and agents write tenders and answer. They learn who bid with the freeze, as the law has it.
GRANT INSERT, UPDATE ON tender, project TO hall_desk;
GRANT UPDATE ON prekey TO hall_desk;
GRANT INSERT ON notice, notice_word TO hall_desk;
GRANT UPDATE ON organisation TO hall_desk;
GRANT INSERT, UPDATE ON role_grant TO hall_desk;
GRANT SELECT, INSERT, DELETE ON draft TO hall_desk;
-- Who asks or objects is not among what it reads: their texts are, and where an answer belongs.
GRANT SELECT (id, lot, state, body, version) ON question, objection TO hall_desk;
GRANT SELECT ON submission, withdrawal, verdict, directive TO hall_desk;

-- centre: entry, rooms, witness, archive. No verb of judging: it writes no verdict, sheet or award.
GRANT INSERT, UPDATE ON project, expert, setting, organisation, role_grant, trustee TO hall_centre;
GRANT INSERT ON person TO hall_centre;
GRANT SELECT ON expert TO hall_centre;

-- bidders: insert bids and see their own organisation's rows, by its live session. Whoever controls this process can
-- read and refuse what passes through it; they cannot read what other sessions brought, nor open any bid.
GRANT SELECT, INSERT ON submission, withdrawal, download, question TO hall_bidders;
GRANT SELECT ON objection TO hall_bidders;
GRANT SELECT, INSERT, UPDATE, DELETE ON upload TO hall_bidders;
GRANT SELECT, INSERT, DELETE ON segment TO hall_bidders;
GRANT INSERT, UPDATE ON organisation, role_grant TO hall_bidders;
GRANT INSERT ON person TO hall_bidders;

-- trustees: shows the frozen bids that are to be released, and hands over READY, releases and keys as they were signed.
GRANT SELECT ON submission, withdrawal TO hall_trustees;

-- opening: reads releases and bodies, writes verdicts and reading grants. Without the trustees' releases the bodies
-- are noise to whoever controls it.
GRANT SELECT ON ready, release, submission, withdrawal, upload, segment, token, person TO hall_opening;
GRANT SELECT, INSERT ON verdict, reading_grant TO hall_opening;
GRANT INSERT ON prekey TO hall_opening;

-- verifier: supervision's second pair of eyes on every verdict.
GRANT SELECT ON ready, release, submission, withdrawal, upload, segment TO hall_verifier;
GRANT SELECT, INSERT ON verdict TO hall_verifier;
GRANT INSERT ON prekey TO hall_verifier;

-- eraser: empties what is personal once the archive period has ended, each leaf named in an act that it logs first, and
-- drops abandoned uploads. It reads no part of an act and no salt. Whoever controls it can name as basis what is none;
-- they cannot empty anything before the end of the period, nor unlogged.
GRANT SELECT ON tender TO hall_eraser;
GRANT SELECT (id, lot, tender_id, kind, public, seq, actor, prev, at, leaf_hash) ON event TO hall_eraser;
GRANT INSERT ON event, pending TO hall_eraser;
GRANT UPDATE (body, confidential, salt_p, salt_c) ON event TO hall_eraser;
GRANT SELECT, UPDATE ON upload TO hall_eraser;
GRANT SELECT, DELETE ON segment TO hall_eraser;
GRANT SELECT, DELETE ON idempotency, draft TO hall_eraser;

-- experts: their own sheets and the panel they sit on. What changes the panel is handed over.
GRANT SELECT, INSERT, UPDATE ON sheet TO hall_experts;
GRANT SELECT ON panel TO hall_experts;
GRANT SELECT ON expert, reading_grant TO hall_experts;

-- watch: everything the law lets a supervisor read, bids with the freeze; writes findings. It cannot act on a tender:
-- a directive is signed by the supervisor's own key and handed over to the operation's side, which executes it.
GRANT SELECT ON submission, withdrawal, upload, download, question, objection, ready, release, verdict, reading_grant,
    panel, sheet, expert, directive TO hall_watch;
GRANT SELECT, INSERT ON finding TO hall_watch;
GRANT INSERT, UPDATE ON role_grant TO hall_watch;

-- clockwork-operation: does what is due, and what doors hand over, as the person whose session asked for it. It reads
-- bids from close on, for the freeze, and from then on the names of their segments, to lock them; never a body.
GRANT INSERT, UPDATE ON tender, panel, setting TO hall_clockwork_operation;
GRANT INSERT ON prekey, finding TO hall_clockwork_operation;
GRANT SELECT ON panel, expert, sheet, submission, withdrawal, upload, download, verdict, question, pending, token, person
    TO hall_clockwork_operation;
GRANT SELECT, INSERT, UPDATE ON objection TO hall_clockwork_operation;
GRANT SELECT, INSERT ON directive TO hall_clockwork_operation;
GRANT SELECT, INSERT, DELETE ON draft TO hall_clockwork_operation;
GRANT SELECT, UPDATE, DELETE ON errand TO hall_clockwork_operation;
GRANT SELECT, INSERT, UPDATE ON inbox TO hall_clockwork_operation;
GRANT SELECT, INSERT, UPDATE ON job TO hall_clockwork_operation;

-- clockwork-supervision: the clues and reminders of the supervisor's side.
GRANT SELECT ON submission, withdrawal, download, verdict, objection TO hall_clockwork_supervision;
GRANT SELECT ON directive TO hall_clockwork_supervision;
GRANT SELECT, INSERT ON finding, inbox TO hall_clockwork_supervision;
GRANT SELECT, INSERT, UPDATE ON job TO hall_clockwork_supervision;

-- sequencer: sole holder of the log key, blind to bodies: it sees leaves and whether any tender takes bids.
GRANT SELECT ON pending, ledger, tile, checkpoint, cosignature, tender TO hall_sequencer;
GRANT INSERT ON pending, ledger, tile, checkpoint TO hall_sequencer;

-- ---- Which rows ----------------------------------------------------------------------------------------------------

-- A tender is seen by all from its publication; before, by those who prepare it.
ALTER TABLE tender ENABLE ROW LEVEL SECURITY;
CREATE POLICY published ON tender FOR SELECT USING (hall_has('tender', lot));
CREATE POLICY prepared ON tender TO hall_desk, hall_clockwork_operation, hall_sequencer
    USING (true) WITH CHECK (true);

-- Room and verifier tell their own one-time keys, trustees theirs; a TENDER act takes from each.
ALTER TABLE prekey ENABLE ROW LEVEL SECURITY;
CREATE POLICY told ON prekey FOR SELECT USING (true);
CREATE POLICY taken ON prekey FOR UPDATE TO hall_desk USING (true) WITH CHECK (true);
CREATE POLICY room ON prekey FOR INSERT TO hall_opening WITH CHECK (trustee = 'room');
CREATE POLICY verifier ON prekey FOR INSERT TO hall_verifier WITH CHECK (trustee = 'verifier');
CREATE POLICY trustees ON prekey FOR INSERT TO hall_clockwork_operation
    WITH CHECK (trustee NOT IN ('room', 'verifier'));

-- A rehearsal's clock is moved by one process; a real hall has no such row.
ALTER TABLE setting ENABLE ROW LEVEL SECURITY;
CREATE POLICY told ON setting FOR SELECT USING (true);
CREATE POLICY centre_writes ON setting FOR INSERT TO hall_centre WITH CHECK (name <> 'demo_clock');
CREATE POLICY centre_changes ON setting FOR UPDATE TO hall_centre USING (name <> 'demo_clock')
    WITH CHECK (name <> 'demo_clock');
CREATE POLICY clock ON setting TO hall_clockwork_operation USING (true) WITH CHECK (true);

-- An errand belongs to the session that asked; a trustee has none, its act is signed.
ALTER TABLE errand ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON errand TO hall_desk, hall_centre, hall_bidders, hall_trustees, hall_experts, hall_watch
    USING (token = (SELECT hall_token())) WITH CHECK (token = (SELECT hall_token()) AND state = 'waiting');
CREATE POLICY signed ON errand TO hall_trustees USING (token = '') WITH CHECK (token = '' AND state = 'waiting');
CREATE POLICY run ON errand TO hall_clockwork_operation USING (true) WITH CHECK (true);

-- Public acts are public. Private ones are the actor's until the freeze. Only the operation's clock closes and freezes.
ALTER TABLE event ENABLE ROW LEVEL SECURITY;
CREATE POLICY public_acts ON event FOR SELECT USING (public = 1);
CREATE POLICY own_acts ON event FOR SELECT USING (actor = (SELECT hall_person()));
CREATE POLICY after_freeze ON event FOR SELECT TO hall_desk, hall_trustees, hall_opening, hall_verifier, hall_watch,
    hall_clockwork_operation, hall_clockwork_supervision USING (hall_has('freeze', lot));
CREATE POLICY record ON event FOR INSERT
    WITH CHECK (kind NOT IN ('tender', 'close', 'freeze', 'scores_committed', 'scores_locked'));
CREATE POLICY record_tender ON event FOR INSERT TO hall_desk WITH CHECK (kind = 'tender');
CREATE POLICY record_due ON event FOR INSERT TO hall_clockwork_operation WITH CHECK (kind <> 'tender');
CREATE POLICY private_record ON event AS RESTRICTIVE FOR INSERT
    TO hall_bidders, hall_trustees, hall_experts, hall_watch, hall_opening, hall_verifier WITH CHECK (public = 0);
-- An expert answers an invitation by its number, before the lot may be named to them.
CREATE POLICY invitations ON event FOR SELECT TO hall_experts USING (kind = 'invitation');
-- A bidder reads what the panel asked about its own bid, and what its side answered; the centre what it recorded.
CREATE POLICY asked ON event FOR SELECT TO hall_bidders USING (kind = 'panel_question'
    AND EXISTS (SELECT FROM submission AS s WHERE s.lot = event.lot
        AND s.body::json ->> 'bid' = event.body::json ->> 'bid'));
CREATE POLICY answered ON event FOR SELECT TO hall_bidders USING (kind = 'panel_answer'
    AND EXISTS (SELECT FROM submission AS s WHERE s.lot = event.lot
        AND s.body::json ->> 'bid' = hall_asked(event.body::json ->> 'question')));
CREATE POLICY seen_at_the_venue ON event FOR SELECT TO hall_centre USING (kind = 'venue_record');
CREATE POLICY erasable ON event FOR SELECT TO hall_eraser USING (hall_archived(lot));
CREATE POLICY erase ON event FOR UPDATE TO hall_eraser USING (public = 0 AND kind <> 'erased' AND hall_archived(lot))
    WITH CHECK (hall_erasure_logged(lot, leaf_hash));
CREATE POLICY erasure ON event AS RESTRICTIVE FOR INSERT TO hall_eraser
    WITH CHECK (kind = 'erased' AND actor = 'eraser' AND public = 0 AND hall_archived(lot));
CREATE POLICY nobody_else_erases ON event AS RESTRICTIVE FOR INSERT WITH CHECK (kind <> 'erased' OR actor = 'eraser');

-- Objects of the public bundle are public; the others appear with the freeze, texts to be answered at once.
ALTER TABLE object ENABLE ROW LEVEL SECURITY;
CREATE POLICY public_view ON object FOR SELECT USING (view = 'public');
CREATE POLICY full_view ON object FOR SELECT TO hall_desk, hall_opening, hall_verifier, hall_watch,
    hall_clockwork_operation, hall_clockwork_supervision USING (hall_has('freeze', lot));
CREATE POLICY to_answer ON object FOR SELECT TO hall_desk
    USING (kind IN ('question', 'objection', 'opening_objection', 'answer', 'opening_answer'));
CREATE POLICY own_texts ON object FOR SELECT TO hall_bidders USING (
    (kind = 'question' AND hash IN (SELECT body::json ->> 'text_hash' FROM question))
    OR (kind IN ('objection', 'opening_objection') AND hash IN (SELECT body::json ->> 'text_hash' FROM objection))
    OR (kind IN ('answer', 'opening_answer') AND hash IN (SELECT body::json ->> 'answer_hash' FROM objection)));
CREATE POLICY own_clarifications ON object FOR SELECT TO hall_bidders USING (kind = 'clarification'
    AND hash IN (SELECT e.body::json ->> 'text_hash' FROM event AS e
        WHERE e.lot = object.lot AND e.kind IN ('panel_question', 'panel_answer')));
CREATE POLICY seen_at_the_venue ON object FOR SELECT TO hall_centre USING (kind = 'venue_record');
CREATE POLICY of_the_panel ON object FOR SELECT TO hall_experts
    USING (kind = 'clarification' AND hall_has('freeze', lot));
CREATE POLICY presented ON object FOR SELECT TO hall_trustees, hall_clockwork_operation
    USING (kind = 'presented_receipt');
CREATE POLICY keep ON object FOR INSERT WITH CHECK (true);

-- What links a bid to an organisation.
ALTER TABLE submission ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON submission TO hall_bidders
    USING (organisation = (SELECT hall_organisation())) WITH CHECK (organisation = (SELECT hall_organisation()));
CREATE POLICY after_close ON submission FOR SELECT TO hall_clockwork_operation USING (hall_has('close', lot));
CREATE POLICY after_freeze ON submission FOR SELECT TO hall_desk, hall_trustees, hall_opening, hall_verifier,
    hall_watch, hall_clockwork_supervision USING (hall_has('freeze', lot));

ALTER TABLE withdrawal ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON withdrawal TO hall_bidders
    USING (organisation = (SELECT hall_organisation())) WITH CHECK (organisation = (SELECT hall_organisation()));
CREATE POLICY after_close ON withdrawal FOR SELECT TO hall_clockwork_operation USING (hall_has('close', lot));
CREATE POLICY after_freeze ON withdrawal FOR SELECT TO hall_desk, hall_trustees, hall_opening, hall_verifier,
    hall_watch, hall_clockwork_supervision USING (hall_has('freeze', lot));

ALTER TABLE upload ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON upload TO hall_bidders
    USING (organisation = (SELECT hall_organisation())) WITH CHECK (organisation = (SELECT hall_organisation()));
CREATE POLICY after_freeze ON upload FOR SELECT TO hall_opening, hall_verifier, hall_watch, hall_clockwork_operation
    USING (hall_has('freeze', lot));
CREATE POLICY abandoned ON upload FOR SELECT TO hall_eraser
    USING (state IN ('open', 'dropped') AND created < hall_ago(INTERVAL '7 days'));
CREATE POLICY archived ON upload FOR SELECT TO hall_eraser USING (hall_archived(lot));
CREATE POLICY drop_it ON upload FOR UPDATE TO hall_eraser
    USING (state = 'open' AND created < hall_ago(INTERVAL '7 days')) WITH CHECK (state = 'dropped');
CREATE POLICY erase_it ON upload FOR UPDATE TO hall_eraser USING (hall_archived(lot)) WITH CHECK (state = 'erased');

ALTER TABLE segment ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON segment TO hall_bidders
    USING (organisation = (SELECT hall_organisation())) WITH CHECK (organisation = (SELECT hall_organisation()));
CREATE POLICY after_freeze ON segment FOR SELECT TO hall_opening, hall_verifier
    USING (EXISTS (SELECT FROM hall_upload(upload) AS u WHERE hall_has('freeze', u.lot)));
CREATE POLICY abandoned ON segment TO hall_eraser USING (EXISTS (SELECT FROM upload AS u WHERE u.id = segment.upload));

-- Who took the documents (条例 §22: the names of potential bidders are kept from everybody): the clock tells them of
-- every change, the supervisor sees them with the freeze.
ALTER TABLE download ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON download TO hall_bidders
    USING (organisation = (SELECT hall_organisation())) WITH CHECK (organisation = (SELECT hall_organisation()));
CREATE POLICY to_tell ON download FOR SELECT TO hall_clockwork_operation USING (true);
CREATE POLICY after_freeze ON download FOR SELECT TO hall_watch, hall_clockwork_supervision
    USING (hall_has('freeze', lot));

ALTER TABLE question ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON question TO hall_bidders
    USING (organisation = (SELECT hall_organisation())) WITH CHECK (organisation = (SELECT hall_organisation()));
CREATE POLICY to_answer ON question TO hall_desk, hall_clockwork_operation USING (true);
CREATE POLICY after_freeze ON question FOR SELECT TO hall_watch USING (hall_has('freeze', lot));

ALTER TABLE objection ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON objection TO hall_bidders
    USING (organisation = (SELECT hall_organisation())) WITH CHECK (organisation = (SELECT hall_organisation()));
CREATE POLICY to_answer ON objection TO hall_desk, hall_clockwork_operation USING (true);
CREATE POLICY to_watch ON objection FOR SELECT TO hall_watch, hall_clockwork_supervision USING (true);

-- Score sheets: the expert's own until all are locked (no score seen before); the clock counts them once every seat's
-- commitment is public and nothing can change any more.
ALTER TABLE sheet ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sheet TO hall_experts
    USING (person = (SELECT hall_person())) WITH CHECK (person = (SELECT hall_person()));
CREATE POLICY after_lock ON sheet FOR SELECT TO hall_experts, hall_watch USING (hall_has('scores_locked', lot));
CREATE POLICY to_count ON sheet FOR SELECT TO hall_clockwork_operation USING (hall_has('scores_committed', lot));

-- Accounts, sessions and grants: each door lets in its own people and no other's. Whoever controls a door can let
-- somebody in there; they learn no password of another door's people and make no session of another door's roles.
-- Failed attempts are counted in rows whose key holds a space, which no login does.
ALTER TABLE account ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_this_door ON account TO hall_desk, hall_centre, hall_bidders, hall_trustees, hall_experts, hall_watch
    USING (login LIKE 'from %' OR hall_door_knows(login)) WITH CHECK (login LIKE 'from %' OR hall_door_knows(login));
CREATE POLICY registered ON account FOR INSERT TO hall_centre WITH CHECK (true);
ALTER TABLE token ENABLE ROW LEVEL SECURITY;
CREATE POLICY told ON token FOR SELECT USING (true);
CREATE POLICY begun_here ON token FOR INSERT
    TO hall_desk, hall_centre, hall_bidders, hall_trustees, hall_experts, hall_watch
    WITH CHECK (hall_door_has(body::json ->> 'role'));
CREATE POLICY registered ON token FOR INSERT TO hall_centre WITH CHECK (true);
CREATE POLICY ended ON token FOR DELETE
    TO hall_desk, hall_centre, hall_bidders, hall_trustees, hall_experts, hall_watch
    USING (hall_door_has(body::json ->> 'role') OR person = (SELECT hall_person()));
-- A delegation is given and ended within one's own organisation, for a role of this door; the centre registers anybody,
-- and bidders sign up.
ALTER TABLE role_grant ENABLE ROW LEVEL SECURITY;
CREATE POLICY told ON role_grant FOR SELECT USING (true);
CREATE POLICY delegated ON role_grant FOR INSERT TO hall_desk, hall_bidders, hall_watch
    WITH CHECK (hall_door_has(role) AND organisation = (SELECT hall_organisation()));
CREATE POLICY delegation_ended ON role_grant FOR UPDATE TO hall_desk, hall_centre, hall_bidders, hall_watch
    USING (hall_door_has(role) AND organisation = (SELECT hall_organisation()))
    WITH CHECK (hall_door_has(role) AND organisation = (SELECT hall_organisation()));
CREATE POLICY registered ON role_grant FOR INSERT TO hall_centre WITH CHECK (true);
CREATE POLICY signed_up ON role_grant FOR INSERT TO hall_bidders WITH CHECK (role = 'bidder');

-- What belongs to a person, whatever the door.
ALTER TABLE inbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON inbox TO hall_desk, hall_centre, hall_bidders, hall_trustees, hall_experts, hall_watch
    USING (person = (SELECT hall_person()) OR organisation = (SELECT hall_organisation()));
CREATE POLICY to_tell ON inbox TO hall_clockwork_operation, hall_clockwork_supervision USING (true) WITH CHECK (true);
ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON idempotency USING (actor = (SELECT hall_person())) WITH CHECK (actor = (SELECT hall_person()));
CREATE POLICY forgotten ON idempotency TO hall_eraser USING (created < hall_ago(INTERVAL '1 day'));
