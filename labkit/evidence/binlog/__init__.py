"""MySQL's and MariaDB's binlog: the committed row changes of the services' tables, in commit order.

The stream: packets.py (packets of MySQL's protocol) → replication.py (the binlog as a stream of packets) → events.py (fields of an event).
Rows: table_map.py (a table's description) → row_decoder.py (a decoder for its rows, from column_types.py, charsets.py and values.py).
Changes: row_changes.py (rows as lines of the evidence, in the formats of changes.py), statements.py, transactions.py → reader.py (all of
it, from one position to another).
"""
