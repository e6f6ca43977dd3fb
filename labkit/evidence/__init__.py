"""One DuckDB file a run: every store of the stack side by side, to be asked, judged and judged again elsewhere."""
