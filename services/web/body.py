"""Reading requests: every invalid input becomes a Problem that names the field."""

import json
import re
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from services.web.problem import Problem

T = TypeVar("T")

BODY_LIMIT = 64 * 1024  # bytes
READ_AWAY_LIMIT = 16 * 1024 * 1024  # bytes of a refused body to read first: many clients read the answer only after sending everything
MAX_ID = 2**63 - 1

# An id in a body, for msgspec Structs: any number that fits a BIGINT. Zero and negative ids are valid but never exist.
Id = Annotated[int, msgspec.Meta(ge=-MAX_ID - 1, le=MAX_ID)]


async def read_body(request: Request) -> bytes:
    """Returns the body, at most 64 KiB. Raises Problem 413 for a larger one. The server handles a body that does not arrive: 408 after 5
    s."""
    announced = int(_header(request, b"content-length") or 0)  # httptools accepts only digits
    if announced > READ_AWAY_LIMIT or (announced > BODY_LIMIT and _header(request, b"expect") is not None):
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        size += len(message["body"])
        if size > READ_AWAY_LIMIT:
            raise _too_large()
        if size <= BODY_LIMIT:
            chunks.append(message["body"])
        if not message["more_body"]:
            break
    if size > BODY_LIMIT:
        raise _too_large()
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def read_json(request: Request, type_: type[T]) -> T:
    """Returns the body as `type_`. Raises Problem 415 for any content type but application/json (also a missing one), 413 for a large body,
    and 400 for invalid JSON or a wrong shape, naming the field."""
    content_type = _header(request, b"content-type")
    if content_type != b"application/json" and (content_type or b"").partition(b";")[0].strip().lower() != b"application/json":
        raise Problem(415, "the body must be JSON: send content-type: application/json")
    body = await read_body(request)
    if not body:
        raise Problem(400, "the body is empty; a JSON object is expected")
    try:
        value: T = _decoder(type_).decode(body)
        _strict.decode(body.decode())
    except msgspec.ValidationError as error:
        _refuse(str(error))
    except RecursionError:
        raise Problem(400, "the JSON is nested too deeply") from None
    except ArithmeticError:
        raise Problem(400, "a number is out of range") from None
    except ValueError as error:  # not JSON, not UTF-8, a lone surrogate, a number with too many digits
        raise Problem(400, f"the body is not valid JSON: {_first_lower(str(error))}") from None
    return value


def path_id(request: Request, name: str) -> int:
    """Returns the id in the path. Raises Problem 400 unless it is a whole number that fits in 64 bits. 0 and below pass; such ids never
    exist, so the answer is 404."""
    text: str = request.scope["path_params"][name]
    if re.fullmatch(r"-?[0-9]{1,19}", text) and -MAX_ID - 1 <= (number := int(text)) <= MAX_ID:
        return number
    raise Problem(400, f"{name} must be a whole number up to {MAX_ID}", field=name)


_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def _decoder(type_: type[T]) -> msgspec.json.Decoder[T]:
    decoder = _decoders.get(type_)
    if decoder is None:
        decoder = _decoders[type_] = msgspec.json.Decoder(type_)
    return decoder


def _unique(pairs: list[tuple[str, Any]]) -> None:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    for name, value in pairs:
        if type(value) is str:
            _text(value)
        _text(name)


def _text(text: str) -> None:
    if "\0" in text:
        raise ValueError("text must not contain U+0000")
    if not text.isascii():
        text.encode()  # raises UnicodeEncodeError, a ValueError, for a lone surrogate


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


# msgspec accepts repeated names, U+0000 and NaN, which a store or the next reader would reject.
_strict = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)

_AT = re.compile(r"^(.*?)(?: - at `(?:key in )?\$\.?(.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")
_WORDS = {"`int`": "a whole number", "`str`": "a string", "`decimal`": "a number", "`float`": "a number", "`object`": "an object"}
_WORDS |= {"`array`": "an array", "`bool`": "true or false", "`null`": "null"}


def _refuse(text: str) -> NoReturn:
    """Raise a Problem for msgspec's error: "Expected `int`, got `str` - at `$.customerId`" gets the field `customerId`."""
    match = _AT.match(text)
    said, at = (match[1], match[2] or "") if match else (text, "")
    if missing := _MISSING.fullmatch(said):
        field = f"{at}.{missing[1]}" if at else missing[1]
        raise Problem(400, f"{field} is missing", field=field)
    for word, plain in _WORDS.items():
        said = said.replace(word, plain)
    said = _first_lower(said)
    raise Problem(400, f"{at}: {said}" if at else said, field=at or None)


def _first_lower(text: str) -> str:
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def _header(request: Request, name: bytes) -> bytes | None:
    for key, value in request.scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def _too_large() -> Problem:
    return Problem(413, f"the body is larger than {BODY_LIMIT // 1024} KiB")
