"""Single values in the binlog's formats.

https://mariadb.com/kb/en/rows_event_v1v2-rows_compressed_event_v1/
"""

import zlib
from datetime import datetime, timedelta
from functools import lru_cache

DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)  # bytes that 0 to 9 decimal digits take


def decimal_size(precision: int, scale: int) -> int:
    """Return the size of a DECIMAL(precision, scale) in bytes."""
    before, after = divmod(precision - scale, 9), divmod(scale, 9)  # digits before and after the point, in groups of nine and a remainder
    return 4 * (before[0] + after[0]) + DIGIT_BYTES[before[1]] + DIGIT_BYTES[after[1]]


@lru_cache(maxsize=50_000)  # an amount occurs several times: before, after, reserved
def decimal(data: bytes, precision: int, scale: int) -> str:
    """Decode a DECIMAL.

    Nine digits take four bytes, big-endian, with the remaining digits at the outer ends. The sign is the first bit, and a negative number
    is stored inverted.
    """
    negative = not data[0] & 0x80
    if negative:
        data = bytes(byte ^ 0xFF for byte in data)
    data = bytes([data[0] ^ 0x80]) + data[1:]
    words, first = divmod(precision - scale, 9)
    at = DIGIT_BYTES[first]
    number = int.from_bytes(data[:at], "big")
    for _ in range(words):
        number = number * 1_000_000_000 + int.from_bytes(data[at : at + 4], "big")
        at += 4
    sign = "-" if negative else ""
    if not scale:
        return f"{sign}{number}"
    words, last = divmod(scale, 9)
    digits = "".join(f"{int.from_bytes(data[at + 4 * k : at + 4 * k + 4], 'big'):09}" for k in range(words))
    if last:
        digits += f"{int.from_bytes(data[at + 4 * words :], 'big'):0{last}}"
    return f"{sign}{number}.{digits}"


def date(data: bytes, at: int) -> str:
    """Decode a DATE: year, month and day in 24 bits."""
    number = data[at] | data[at + 1] << 8 | data[at + 2] << 16
    return f"{number >> 9:04}-{number >> 5 & 15:02}-{number & 31:02}"


def datetime2(data: bytes, at: int, digits: int) -> str:
    """Decode a DATETIME.

    The value is year and month as one number, then day, hour, minute and second, in 40 bits, with an offset so that it sorts as bytes.
    """
    number = int.from_bytes(data[at : at + 5], "big") - (1 << 39)
    months, second_of_day = number >> 22, number & 0x1FFFF
    years, month = divmod(months, 13)
    text = f"{years:04}-{month:02}-{number >> 17 & 31:02} {second_of_day >> 12:02}:{second_of_day >> 6 & 63:02}:{second_of_day & 63:02}"
    return text + _fraction(data, at + 5, digits)


def timestamp2(data: bytes, at: int, digits: int) -> str:
    """Decode a TIMESTAMP: seconds since 1970, in UTC."""
    seconds = int.from_bytes(data[at : at + 4], "big")
    return (datetime(1970, 1, 1) + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S") + _fraction(data, at + 4, digits)


def _fraction(data: bytes, at: int, digits: int) -> str:
    size = (digits + 1) // 2
    return f".{int.from_bytes(data[at : at + size], 'big') * 100 ** (3 - size):06}" if size else ""


def inflated(data: bytes) -> bytes:
    """Inflate a text of a COMPRESSED column. Its first byte holds the method and the size of the length field.

    https://mariadb.com/kb/en/storage-engine-independent-column-compression/
    """
    if not data or not data[0]:
        return data[1:]
    return zlib.decompress(data[1 + (data[0] & 7) :], -zlib.MAX_WBITS if data[0] & 8 else zlib.MAX_WBITS)
