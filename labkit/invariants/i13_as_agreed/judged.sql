-- Messages of the types that are agreed.
SELECT count(*) FROM outbox SEMI JOIN message_types USING (event);
