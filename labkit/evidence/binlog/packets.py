"""Read the packets that MySQL sends.

https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
"""

from collections.abc import Callable

LARGEST = 0xFFFFFF  # bytes; a packet of this size continues in the next one


def packet(read: Callable[[int], bytes]) -> bytes:
    """Return the next packet without its header. Raises ConnectionError at the end of the stream."""
    head = read(4)
    if len(head) < 4:
        raise ConnectionError("MySQL closed the connection")
    length = head[0] | head[1] << 8 | head[2] << 16
    data = read(length)
    while length == LARGEST:
        length = int.from_bytes(read(4)[:3], "little")
        data += read(length)
    return data
