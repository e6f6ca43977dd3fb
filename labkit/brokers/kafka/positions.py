"""Offsets: Kafka's positions."""

from labkit.brokers.model import Position

LARGEST = (1 << 63) - 1


class Offsets:
    noun = "offset"
    sql = "position::VARCHAR"

    def written(self, position: Position) -> int:
        return position

    def read(self, written: object) -> Position | None:
        text = written.decode(errors="replace") if isinstance(written, bytes) else str(written)
        if not text.isascii() or not text.isdecimal() or len(text) > len(str(LARGEST)):
            return None
        return Position(int(text)) if int(text) <= LARGEST else None

    def after(self, position: Position) -> Position:
        return Position(position + 1)
