"""The evidence of a run: one DuckDB file that holds every store of the stack, for queries and for judging it again on any machine.

collect.py is the entrance. It waits for stillness (quiescence/), reads every store (collection/) and replaces the file.

The file: schema.sql, table_schema.py (tables of the services) and flows.py (tables from the profile) → database.py. replies.py
completes replies; replay.py checks that the row changes lead to the tables.
The stores: mysql.py with mysql_sources.py, binlog/, records.py and partitions.py (the broker), redis.py. worker.py reads a store in a
process of its own. messages.py decodes a message from any of them. table_files.py takes rows to DuckDB; unconverted.py names values that do
not fit.
Around the stores: mark.py (where the run begins), faults.py, environment.py, handlers.py, last_words.py.
"""
