"""Find secrets by the name of their value: NAME=value, "name": "value", name: {…}, YAML blocks, headers."""

import re
from collections.abc import Callable
from functools import lru_cache

from labkit.redaction.secret_shapes import REMOVED, without_userinfo

_WORD = (
    r"passw(?:or)?d|passphrase|passcode|pwd|(?<![a-z])pass(?![a-z])|secret|token|credential|private[-_.]?key|"
    r"(?:api|access|account|signing|encryption|shared|license|auth)[-_.]?key|auth[-_.]?config|jaas[-_.]?config|connection[-_.]?string|"
    r"(?:ssh|pg)pass|[-_]auth$|authorization|cookie|sessionid|session[-_]id|otp|(?<![a-z])pin(?:code)?(?![a-z])"
)
_SECRET = re.compile(_WORD, re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Endings of names that describe a secret without containing it, such as its lifetime or location.
_ABOUT = re.compile(
    r"(?i)(?:less|[-_.]per[-_.]\w+|[-_.](?:ms|s|sec|seconds|minutes|hours|days|ttl|expir\w*|lifetime|length|len|count|size|limit|max|min|type|policy|version|"
    r"enabled?|required|timeout|interval|age|time|class|algorithm|provider|endpoint|handler|scheme|location|file|path|dir|url|uri|format|"
    r"mechanism|protocol|jar|hint|field|name|names|user|username|prefix|column|is|was|used|reuse|rotation))$"
)
_HARMLESS = frozenset(
    {"", "null", "none", "nil", "<nil>", "undefined", "true", "false", "yes", "no", "[hidden]", "***", "****", "...", "…"}
)
_ADDRESS = re.compile(r"(?i)(?:^|[-_.])(?:proxy|url|uri|dsn|registry|mirror|endpoint)$|^(?:https?|all|ftp|socks)_?proxy$")

# the name, its closing quote, and the separator before the value
_PAIR = re.compile(
    r"(?P<open>\\*[\"'])?(?P<name>[A-Za-z_$][\w.$-]*)(?P<close>\\*[\"'])?(?P<between>[ \t]*(?::=|=>|[=:]|,(?=[ \t]*[bru]?[\"']))[ \t]*)",
)
_START = re.compile(r"[ \t]*(?:[-+#$>*]+[ \t]+|export[ \t]+|set[ \t]+|declare[ \t]+-x[ \t]+|ENV[ \t]+|ARG[ \t]+|-e[ \t]+)*[\"']?")
_QUOTE = re.compile(r"[bruf]{0,2}(?P<quote>\\*[\"'`])", re.IGNORECASE)
_BLOCK = re.compile(r"(?:[|>][+-]?[0-9]?[+-]?)?[ \t]*(?:#[^\n]*)?(?=\n|\Z)")
LONGEST = 20_000  # characters of one value


@lru_cache(maxsize=10_000)
def is_secret_name(name: str) -> bool:
    if name in ("PWD", "OLDPWD"):  # the working directory
        return False
    spelled = _CAMEL.sub("_", name)
    return bool(_SECRET.search(spelled) or _SECRET.search(name)) and not _ABOUT.search(spelled)


def without_named(text: str) -> str:
    parts: list[str] = []
    done = at = 0
    while pair := _PAIR.search(text, at):
        at = pair.end()
        name = pair["name"]
        replaced: Callable[[str], str] | None = None
        if is_secret_name(name) or (name.lower() in ("auth", "authentication") and _is_base64(text, at)):
            replaced = _removed
        elif _ADDRESS.search(_CAMEL.sub("_", name)):
            replaced = without_userinfo
        if replaced is None or (pair["between"].strip() == "," and not pair["close"]):
            at = pair.end("name") if pair["close"] is None else pair.end("close")
            continue
        begin, end, quoted = _value(text, pair)
        value = text[begin:end]
        if value.strip(" \t)]},;.'\"").lower() in _HARMLESS or value.startswith(REMOVED):
            continue
        new = replaced(value)
        if not quoted and pair["close"] and new == REMOVED:  # keep JSON valid
            new = f"{pair['close']}{REMOVED}{pair['close']}"
        parts += (text[done:begin], new)
        done = at = end
    return "".join([*parts, text[done:]])


def _removed(_: str) -> str:
    return REMOVED


def _value(text: str, pair: re.Match[str]) -> tuple[int, int, bool]:
    """Return the start and end of the value, and whether it is in quotes (which stay)."""
    begin = pair.end()
    quote = _QUOTE.match(text, begin)
    if quote:
        return _quoted(text, quote)
    if text[begin : begin + 1] in ("{", "[") and (pair["close"] or text[begin : begin + 2] in ('{"', '["', "{\\", "[\\", "{'", "['")):
        return begin, _closing(text, begin), False
    line = text.rfind("\n", 0, pair.start()) + 1
    line_end = _line_end(text, begin)
    start = _START.match(text, line)
    first = start is not None and start.end() >= pair.start()
    if first and _BLOCK.match(text, begin):
        return begin, _block_end(text, line, line_end), False
    if pair["close"]:  # a JSON scalar
        found = re.compile(r"[^\s,}\]]*").match(text, begin)
        return begin, found.end() if found else begin, False
    if pair["open"] and (ending := text.find(pair["open"], begin, line_end)) >= 0:  # a quoted header: 'Authorization: Bearer …'
        return begin, ending, True
    is_header = pair["name"].lower().endswith(("authorization", "cookie"))
    if first or is_header:
        return begin, line_end, False
    found = re.compile(r"\S*").match(text, begin)
    return begin, found.end() if found else begin, False


def _quoted(text: str, quote: re.Match[str]) -> tuple[int, int, bool]:
    """Find the end of a quoted value: the same quote with the same number of backslashes. It may be on a later line, at most LONGEST
    characters on.
    """
    mark, begin = quote["quote"], quote.end()
    depth, sign = len(mark) - 1, mark[-1]
    at = begin
    while (at := text.find(sign, at, begin + LONGEST)) >= 0:
        slashes = at - len(text[begin:at].rstrip("\\")) - begin
        if slashes == depth or (depth == 0 and slashes % 2 == 0):
            return begin, at - (slashes if depth else 0), True
        at += 1
    return begin, _line_end(text, begin), True


def _closing(text: str, begin: int) -> int:
    """Return the position after the bracket that closes the one at `begin`, or the end of the line."""
    depth = 0
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text[begin : begin + LONGEST]):
        depth += 1 if found[0] in "[{" else -1 if found[0] in "]}" else 0
        if depth == 0:
            return begin + found.end()
    return _line_end(text, begin)


def _block_end(text: str, line: int, line_end: int) -> int:
    """Return the end of the lines that are indented deeper than the line at `line`."""
    own = len(text[line:line_end]) - len(text[line:line_end].lstrip(" \t"))
    end = line_end
    while end < len(text):
        following = text[end + 1 : _line_end(text, end + 1)]
        indented = len(following) - len(following.lstrip(" \t"))
        if following.strip() and indented <= own and not (indented == own and following.lstrip().startswith("- ")):
            break
        if not following.strip() and not text[end + 1 :].strip():
            break
        end = end + 1 + len(following)
    return end


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _is_base64(text: str, at: int) -> bool:
    return re.compile(r"[\"'\\ ]*[A-Za-z0-9+/_-]{8,}={0,2}(?![\w])").match(text, at) is not None
