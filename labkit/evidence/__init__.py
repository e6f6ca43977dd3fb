"""The evidence of a run: one DuckDB file that holds every store of the stack, for queries and for judging it again on any machine."""
