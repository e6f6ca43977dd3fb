"""Mistakes in SQL. Statements stand in Python strings with `%s` in them, so the rules work on tokens: their positions are exact."""

from collections.abc import Iterator, Sequence

from sqlglot.dialects.mysql import MySQL
from sqlglot.tokenizer_core import Token

from labkit.mutation.model import Rewrite

VERBS = ("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "REPLACE ", "SET ", "FROM ", "WHERE ", "ORDER BY ", "VALUES ")
_AGGREGATES = {"SUM": ("MAX", "COUNT"), "MAX": ("MIN", "SUM"), "MIN": ("MAX",), "COUNT": ("SUM", "MAX")}
_COMPARISONS = {"=": (">=", "<>"), ">": (">=", "<"), ">=": (">", "<="), "<": ("<=", ">"), "<=": ("<", ">="), "<>": ("=",), "!=": ("=",)}
_ENDS_OF_WHERE = ("GROUP", "ORDER", "LIMIT", "FOR", "ON", "HAVING", "UNION", "LOCK", "GROUP BY", "ORDER BY", ";")
_CLAUSES = (("FOR", "UPDATE"), ("ORDER BY",), ("GROUP BY",), ("LIMIT",), ("DISTINCT",), ("IGNORE",), ("ON", "DUPLICATE"))


def is_sql(text: str) -> bool:
    """Return whether a text is SQL or the beginning of a statement. Keywords are written in capitals here."""
    return text.lstrip().startswith(VERBS)


def rewrites(text: str, read_as: str = "") -> Iterator[Rewrite]:
    """Yield each change of a statement, or of a part of one. `read_as`: a text of the same length to read in its place, if `text` itself is
    no SQL."""
    tokens = MySQL.Tokenizer().tokenize(read_as or text)
    words = [token.text.upper() for token in tokens]
    yield from _single_tokens(text, tokens, words)
    yield from _conditions(text, tokens, words)
    for at in range(len(words)):
        for clause in _CLAUSES:
            if tuple(words[at : at + len(clause)]) == clause:
                yield Rewrite(f"{' '.join(clause)} dropped", *_clause(text, tokens, words, at), "")


def _single_tokens(text: str, tokens: Sequence[Token], words: Sequence[str]) -> Iterator[Rewrite]:
    in_condition = False
    for at, (token, word) in enumerate(zip(tokens, words, strict=True)):
        start, end = token.start, token.end + 1
        following = words[at + 1] if at + 1 < len(words) else ""
        in_condition = word == "WHERE" or (in_condition and word not in _ENDS_OF_WHERE)
        if following == "(":
            yield from (Rewrite(f"{word} becomes {other}", start, end, other) for other in _AGGREGATES.get(word, ()))
        if in_condition:
            yield from (Rewrite(f"{word} becomes {other}", start, end, other) for other in _COMPARISONS.get(word, ()))
            if word in ("AND", "OR"):
                yield Rewrite("AND and OR changed", start, end, "OR" if word == "AND" else "AND")
        if word == "INSERT" and following == "INTO":
            yield Rewrite("INSERT becomes INSERT IGNORE", start, end, "INSERT IGNORE")
            yield Rewrite("INSERT becomes REPLACE", start, end, "REPLACE")
        if word == "ORDER BY" and at + 1 < len(words):
            yield _reversed(text, tokens, words, at + 1)
        if word.isdigit() and not (at and words[at - 1] == "LIMIT"):
            yield Rewrite("number changed", start, end, str(int(word) + 1))
        if word == "+":
            yield Rewrite("+ becomes -", start, end, "-")
        if text[start] == "'" and end - start > 2:
            yield Rewrite("text changed", start, end, text[start : end - 1] + "X'")


def _reversed(text: str, tokens: Sequence[Token], words: Sequence[str], at: int) -> Rewrite:
    """The first column of ORDER BY, which may have a table's name before it, is sorted the other way round."""
    while at + 2 < len(words) and words[at + 1] == ".":
        at += 2
    end = tokens[at].end + 1
    if at + 1 < len(words) and words[at + 1] == "DESC":
        return Rewrite("order reversed", end, tokens[at + 1].end + 1, "")
    return Rewrite("order reversed", end, end, " DESC")


def _conditions(text: str, tokens: Sequence[Token], words: Sequence[str]) -> Iterator[Rewrite]:
    """Each condition after WHERE holds always. It stays in the text, because a parameter may belong to it."""
    for at, word in enumerate(words):
        if word == "WHERE":
            for first, last in _parts(words, at + 1):
                start, end = tokens[first].start, tokens[last].end + 1
                yield Rewrite("condition dropped", start, end, f"({text[start:end]} OR 1 = 1)")


def _parts(words: Sequence[str], begin: int) -> Iterator[tuple[int, int]]:
    """Yield the conditions that AND and OR join, as the first and the last token of each."""
    depth, first = 0, begin
    for at in range(begin, len(words) + 1):
        word = words[at] if at < len(words) else ";"
        depth += (word == "(") - (word == ")")
        ended = depth < 0 or (depth == 0 and word in _ENDS_OF_WHERE)
        if ended or (depth == 0 and word in ("AND", "OR")):
            if first < at:
                yield first, at - 1
            first = at + 1
        if ended:
            return


def _clause(text: str, tokens: Sequence[Token], words: Sequence[str], at: int) -> tuple[int, int]:
    """Return where a clause begins and ends: at the next clause, or at the end of the statement."""
    if words[at] in ("DISTINCT", "IGNORE"):
        return tokens[at].start, tokens[at].end + 2
    depth = 0
    for end in range(at + 1, len(words)):
        depth += (words[end] == "(") - (words[end] == ")")
        if depth < 0 or (depth == 0 and words[end] in (*_ENDS_OF_WHERE, "WHERE")):
            return tokens[at].start, tokens[end].start
    return tokens[at].start, len(text)
