"""10,000 random malformed requests, repeatable from a seed: each gets a 4xx or a 200, none a 500, and the service keeps running."""

import asyncio
import random
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx

from tests.web.serving import WITHIN_S, served

SEED = 3
REQUESTS = 10_000
CONNECTIONS = 16

GOOD = b'{"customerId":1,"orderTotal":{"amount":12.34},"name":"Ada"}'
SPICE = [b"\x00", b"\xff", b"\\ud800", b"\\u0000", b'"', b"{", b"}", b"[", b"1e1000000000", b"-", b"NaN", b"null", b"\r\n", b"\xe2\x80\xa8"]
NAMES = [b"content-type", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect", b"host", b"x-a", b"", b"a b"]
VALUES = [b"application/json", b"text/plain", b"chunked", b"-1", b"0", b"3", b"9" * 20, b"close", b"h2c", b"100-continue", b"\xff"]
PATHS = [b"/orders", b"/orders", b"/orders", b"/orders/1", b"/orders/%ff", b"/orders/" + b"9" * 30, b"//", b"*", b"/\xff", b"/count"]
METHODS = [b"POST", b"POST", b"POST", b"GET", b"DELETE", b"OPTIONS", b"HEAD", b"TRACE", b"CONNECT", b"BREW", b"\x16\x03\x01"]


def malformed(dice: random.Random) -> bytes:
    body = bytearray(GOOD)
    for _ in range(dice.randint(0, 4)):
        at = dice.randrange(len(body) + 1)
        body[at : at + dice.choice((0, 0, 1, 5, 40))] = dice.choice(SPICE) if dice.random() < 0.7 else dice.randbytes(dice.randint(1, 30))
    if dice.random() < 0.02:
        body *= dice.randint(2, 3000)
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    for _ in range(dice.choice((0, 0, 0, 1, 3))):
        headers[dice.randrange(len(headers)) : dice.randrange(len(headers) + 1)] = [(dice.choice(NAMES), dice.choice(VALUES))]
    request = b"%s %s HTTP/1.%d\r\n" % (dice.choice(METHODS), dice.choice(PATHS), dice.choice((1, 1, 1, 0, 7)))
    request += b"".join(b"%s: %s\r\n" % header for header in headers) + b"\r\n" + body
    return request[: dice.randrange(len(request))] if dice.random() < 0.1 else request


async def send(port: int, request: bytes) -> list[int]:
    """Returns the status codes. The client closes its sending side after the request, so that the service does not wait for more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), WITHIN_S)
    except TimeoutError:
        raise
    except OSError:  # refused and closed before everything was sent
        return []
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


async def storm(port: int) -> Counter[int]:
    dice = random.Random(SEED)
    requests = [malformed(dice) for _ in range(REQUESTS)]
    seen: Counter[int] = Counter()

    async def client() -> None:
        while requests:
            request = requests.pop()
            statuses = await send(port, request)
            assert not [status for status in statuses if status >= 500], request
            seen.update(statuses)

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return seen


def test_ten_thousand_malformed_requests(tmp_path: Path) -> None:
    with served([str(Path(__file__).with_name("shop.py"))], tmp_path / "log") as shop:
        seen = asyncio.run(storm(shop.port))
        assert seen[400] > REQUESTS / 4
        assert seen[200] > 0
        assert httpx.get(f"{shop.url}/health", trust_env=False, timeout=WITHIN_S).status_code == 200
        assert httpx.get(f"{shop.url}/count", trust_env=False, timeout=WITHIN_S).json() <= seen[200]
        assert "traceback" not in shop.log.read_text()
