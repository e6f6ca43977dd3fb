"""The server's character sets under their Python names. The binlog holds texts in the character set of their column."""

import codecs
from collections.abc import Mapping
from typing import Any

BINARY = 63  # the collation of binary columns
_CODECS = {
    **dict.fromkeys(("utf8", "utf8mb3", "utf8mb4", "ascii", "binary"), "utf-8"),
    **{"latin1": "cp1252", "latin2": "iso8859-2", "latin5": "iso8859-9", "latin7": "iso8859-13", "greek": "iso8859-7"},
    **{"hebrew": "iso8859-8", "koi8r": "koi8-r", "koi8u": "koi8-u", "ucs2": "utf-16-be", "utf16": "utf-16-be", "utf16le": "utf-16-le"},
    **{"utf32": "utf-32-be", "ujis": "euc_jp", "eucjpms": "euc_jp", "euckr": "euc_kr", "sjis": "shift_jis", "macroman": "mac_roman"},
    **{"macce": "mac_latin2", "tis620": "tis_620", "hp8": "hp-roman8"},
}

Charsets = Mapping[int, str]
"""The character set's name for each collation number."""


def read(cursor: Any) -> Charsets:
    """Read the character sets from the server. MariaDB lists the numbers of its newer collations in a table of their own."""
    cursor.execute("SELECT id, character_set_name FROM information_schema.collations WHERE id IS NOT NULL")
    known = {int(number): str(name) for number, name in cursor.fetchall() if name}
    cursor.execute(
        "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'information_schema' AND column_name = 'ID'"
        " AND table_name = 'COLLATION_CHARACTER_SET_APPLICABILITY'"
    )
    if cursor.fetchone()[0]:
        cursor.execute("SELECT id, character_set_name FROM information_schema.collation_character_set_applicability")
        known |= {int(number): str(name) for number, name in cursor.fetchall()}
    return known


def codec(charset: str) -> str | None:
    """Return Python's codec for a character set, or None if Python has none."""
    try:
        return codecs.lookup(_CODECS.get(charset, charset)).name
    except LookupError:
        return None
