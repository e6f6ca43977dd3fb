-- Messages in an outbox, and records.
SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM own_records WHERE own_topic(topic));
