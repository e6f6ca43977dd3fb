-- Sagas.
SELECT count(*) FROM saga_instances;
