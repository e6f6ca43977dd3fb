"""Column types by their number in the protocol, and the fields that describe columns in a TABLE_MAP event.

https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Table__map__event.html
"""

INTEGERS = {1: 1, 2: 2, 9: 3, 3: 4, 8: 8}  # TINY, SHORT, INT24, LONG, LONGLONG: bytes
FLOAT, DOUBLE, TIMESTAMP, DATE, YEAR, NEWDATE, VARCHAR, BIT = 4, 5, 7, 10, 13, 14, 15, 16
TIMESTAMP2, DATETIME2, TIME2, JSON, DECIMAL, ENUM, SET = 17, 18, 19, 245, 246, 247, 248
BLOB, VAR_STRING, STRING, GEOMETRY = 252, 253, 254, 255
BLOB_COMPRESSED, VARCHAR_COMPRESSED, VECTOR = 140, 141, 242  # the first two are MariaDB's

COMPRESSED_TEXTS = (BLOB_COMPRESSED, VARCHAR_COMPRESSED)
TEXTS = (VARCHAR, VAR_STRING, STRING, BLOB, *COMPRESSED_TEXTS)
CHOICES = (ENUM, SET)
NUMBERS = (*INTEGERS, FLOAT, DOUBLE, DECIMAL)
NAMES = {JSON: "JSON", GEOMETRY: "GEOMETRY", TIME2: "TIME", VECTOR: "VECTOR"}
"""Names for messages."""

METADATA_BYTES = {
    **dict.fromkeys((FLOAT, DOUBLE, TIMESTAMP2, DATETIME2, TIME2, JSON, BLOB, GEOMETRY, BLOB_COMPRESSED, VECTOR), 1),
    **dict.fromkeys((VARCHAR, BIT, DECIMAL, VAR_STRING, STRING, ENUM, SET, VARCHAR_COMPRESSED), 2),
    **dict.fromkeys((*INTEGERS, TIMESTAMP, DATE, YEAR, NEWDATE, 6, 11, 12), 0),  # also NULL, and the old formats of TIME and DATETIME
}


def length_bytes(kind: int, meta: bytes) -> int:
    """Return the size of the length field of a text's value."""
    if kind in (BLOB, BLOB_COMPRESSED):
        return meta[0]
    longest = meta[1] | ((meta[0] & 0x30) ^ 0x30) << 4 if kind == STRING else int.from_bytes(meta, "little")
    return 1 if longest < 256 else 2
