"""Reading files that a person provides: another workspace's progress, saga.yml, lab.yaml, schedules, the manifest of a bundle.

Whatever a file contains, reading it ends quickly: with its contents, or with Wrong, which names the place. Nothing in a file is expanded,
constructed or trusted: YAML may contain plain values only, no name may occur twice, and every text can be written out again.
"""

import json
import math
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

LARGEST = 1_000_000  # bytes: far more than anyone writes
LARGEST_YAML = 200_000  # parsing YAML is a hundred times slower
DEEPEST = 40
LONGEST_NUMBER = 18  # digits
LATEST = 253_402_300_799.0  # the last second of the calendar (year 9999), for times in epoch seconds

_ANCHORED = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`")
_UNKNOWN_FIELD = re.compile(r"unknown field `(?P<name>[^`]+)`")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}\.[0-9]{0,18}")
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.|\\\Z)*+(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)  # also matches texts, to skip brackets inside them
_HALF = re.compile("[\ud800-\udfff]")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


class Wrong(ValueError):
    """A mistake in a file: `what` is wrong, and the line and column if known. As text: "line 3: a second name"."""

    def __init__(self, what: str, line: int | None = None, column: int | None = None) -> None:
        self.what, self.line, self.column = what, line, column
        place = "" if line is None else f"line {line}: " if column is None else f"line {line}, column {column}: "
        super().__init__(place + what)


def text_of(path: Path, *, largest: int = LARGEST) -> str:
    """Return the text of a file. Raises FileNotFoundError, another OSError, Wrong."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise Wrong("it is not a file" if not stat.S_ISDIR(found.st_mode) else "it is a folder")
    with path.open("rb") as file:
        data = file.read(largest + 1)
    if len(data) > largest:
        raise Wrong(f"it is larger than {largest:,} bytes")
    return decoded(data)


def decoded(data: bytes) -> str:
    """Return UTF-8 text, with or without a byte order mark. Raises Wrong."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]:
        raise Wrong("it is UTF-16 or UTF-32 text; save it as UTF-8", 1)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = len(before) - before.rfind(b"\n")
        raise Wrong("it is not UTF-8 text; save it as UTF-8", before.count(b"\n") + 1, column) from None


def json_of(path: Path) -> Any:
    """Return the contents of a JSON file. Raises FileNotFoundError, another OSError, Wrong."""
    return from_json(text_of(path))


def from_json(text: str) -> Any:
    """Return the value of a JSON text. Raises Wrong."""
    _refuse_depth(text)
    try:
        data = _JSON.decode(text.strip(" \t\r\n"))
    except json.JSONDecodeError as error:
        skipped = len(text) - len(text.lstrip(" \t\r\n"))
        at = skipped + error.pos
        raise Wrong(f"it is not JSON: {_lower(error.msg)}", text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)) from None
    _refuse_halves(data)
    return data


def as_type(data: Any, type_: type[T]) -> T:
    """Return data as a msgspec type. Raises Wrong, which names the field."""
    import msgspec

    try:
        return msgspec.convert(data, type_)
    except (msgspec.ValidationError, OverflowError) as error:
        raise Wrong(_said(str(error))) from None


class Yaml:
    """One YAML document: `data`, and the line of each value in it."""

    def __init__(self, text: str) -> None:
        self._root = _composed(text)
        self.data: Any = None if self._root is None else _value(self._root)

    def line(self, place: list[str | int]) -> int:
        """Return the line of a value, or of the nearest existing value around it."""
        import yaml

        node = self._root
        line = 1 if node is None else node.start_mark.line + 1
        for part in place:
            found: Any = None
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == part), None)
                if found is not None:
                    line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = found = node.value[part]
                line = node.start_mark.line + 1
            if found is None:
                break
        return line

    def as_type(self, type_: type[T]) -> T:
        """Return the data as a msgspec type. Raises Wrong with the line."""
        import msgspec

        try:
            return msgspec.convert(self.data, type_)
        except msgspec.ValidationError as error:
            raise Wrong(_said(str(error)), self.line(_place(str(error)))) from None


def yaml_of(path: Path) -> Yaml:
    """Return the contents of a YAML file. Raises FileNotFoundError, another OSError, Wrong."""
    return Yaml(text_of(path, largest=LARGEST_YAML))


def _composed(text: str) -> Any:
    """Return the tree of nodes. First checks each parser event, to refuse anything that would be expanded or constructed."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = documents = 0
    try:
        events: Iterator[Any] = yaml.parse(text, Loader=loader)
        for event in events:
            line = event.start_mark.line + 1
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise Wrong("anchors and aliases are not supported here; write it out", line)
            if getattr(event, "tag", None):
                raise Wrong(f"tags such as {event.tag} are not supported here", line)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            documents += isinstance(event, yaml.DocumentStartEvent)
            if depth > DEEPEST:
                raise Wrong("it is nested too deeply", line)
            if documents > 1:
                raise Wrong("a second document begins here", line)
        return yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
        at = text.count("\n", 0, error.position) + 1 if isinstance(error, yaml.reader.ReaderError) else 1
        raise Wrong(f"it is not YAML: {what}", mark.line + 1 if mark else at, mark.column + 1 if mark else None) from None


def _value(node: Any) -> Any:
    """Return a node's value: text, whole and decimal numbers, true, false and null. A date or time stays text."""
    import yaml

    if isinstance(node, yaml.SequenceNode):
        return [_value(item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise Wrong("a name has to be plain text", line)
            if key.value == "<<" and not key.style:
                raise Wrong("merge keys (<<) are not supported here; write it out", line)
            if key.value in found:
                raise Wrong(f"a second {key.value[:80]}", line)
            found[key.value] = _value(value)
        return found
    text: str = node.value
    if node.style:
        return text
    if text.lower() in _WORDS and text in (text.lower(), text.capitalize(), text.upper()):
        return _WORDS[text.lower()]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _refuse_depth(text: str) -> None:
    """Refuse deeply nested JSON before parsing, because the parser is recursive."""
    depth = 0
    for found in _BRACKETS.finditer(text):
        if found[0] in ("[", "{"):
            depth += 1
            if depth > DEEPEST:
                raise Wrong("it is nested too deeply", text.count("\n", 0, found.start()) + 1)
        elif found[0] in ("]", "}"):
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Wrong(f"a second {name[:80]} in one object")
        found[name] = value
    return found


def _refuse_halves(data: Any) -> None:
    if isinstance(data, str):
        if _HALF.search(data):
            raise Wrong(f"half a character in {_HALF.sub('?', data)[:80]!r}")
    elif isinstance(data, list):
        for item in data:
            _refuse_halves(item)
    elif isinstance(data, dict):
        for name, item in data.items():
            _refuse_halves(name)
            _refuse_halves(item)


def _number(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER + 1:
        raise Wrong(f"a number of {len(digits)} digits")
    return int(digits)


def _decimal(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Wrong("a number that is too large")
    return number


def _constant(name: str) -> NoReturn:
    raise Wrong(f"{name} is not a number")


_JSON = json.JSONDecoder(object_pairs_hook=_object, parse_int=_number, parse_float=_decimal, parse_constant=_constant)


def _said(error: str) -> str:
    """Rewrite msgspec's message "Expected `int`, got `str` - at `$.labs[...]`" as "labs[...]: expected int, got str"."""
    at = _ANCHORED.search(error)
    what = _lower(_ANCHORED.sub("", error).replace("`", ""))
    return f"{at['path'].lstrip('.')}: {what}" if at and at["path"] else what


def _place(error: str) -> list[str | int]:
    """Return the path in msgspec's message: `… - at `$.steps[0].title`` → ["steps", 0, "title"]."""
    at = _ANCHORED.search(error)
    place: list[str | int] = []
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", at["path"] if at else ""):
        place.append(name or int(index))
    if unknown := _UNKNOWN_FIELD.search(error):
        place.append(unknown["name"])
    return place


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
