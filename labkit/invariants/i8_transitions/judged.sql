-- Commits that gave an order a state.
SELECT count(*) FROM order_steps WHERE commit_no > 0;
