-- Messages that announce a change.
SELECT count(*) FROM outbox_inserts WHERE event IN (SELECT event FROM message_types WHERE announces IS NOT NULL);
