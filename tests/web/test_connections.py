"""Connections beyond one request after another: many at once, offers of another protocol, ambiguous requests, no end."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.serving import WITHIN_S, Served, served


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("shop") / "log"
    with served([str(Path(__file__).with_name("shop.py"))], log) as service:
        yield service


def post(name: str, headers: bytes = b"", *, chunked: bool = False) -> bytes:
    body = b'{"customerId":1,"orderTotal":{"amount":1},"name":"%s"}' % name.encode()
    head = b"POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + headers
    if chunked:
        return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    return head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


LAST = b"GET /count HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"


def said(shop: Served, *pieces: bytes) -> bytes:
    """Everything that returns until the service closes. Each piece is sent in its own packet."""
    with socket.create_connection(("127.0.0.1", shop.port), timeout=WITHIN_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = b""
        for piece in pieces:
            connection.sendall(piece)
        while piece := connection.recv(65536):
            answer += piece
    return answer


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def stored(answer: bytes) -> list[int]:
    return [int(order) for order in re.findall(rb'"orderId":(\d+)', answer)]


@pytest.mark.parametrize("offer", [b"", WEBSOCKET, H2C, WEBSOCKET.lower(), WEBSOCKET.upper()], ids=["none", "ws", "h2c", "lower", "upper"])
@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_five_at_once_are_all_answered_in_order(shop: Served, offer: bytes, at: int, chunked: bool) -> None:
    requests = [post(str(n), offer if n == at else b"", chunked=chunked) for n in range(5)]
    answer = said(shop, b"".join(requests) + LAST)
    assert statuses(answer) == [200] * 6
    first, *others = stored(answer)
    assert others == list(range(first + 1, first + 5))


def test_an_offer_is_declined_wherever_a_packet_ends(shop: Served) -> None:
    request = post("cut", H2C)
    pieces = range(1, len(request), 3)
    for cut in pieces:
        answer = said(shop, post("before") + request[:cut], request[cut:] + post("after") + LAST)
        assert statuses(answer) == [200] * 4, (cut, answer)


def test_every_byte_its_own_packet(shop: Served) -> None:
    whole = post("a", WEBSOCKET) + post("b", H2C, chunked=True) + LAST
    assert statuses(said(shop, *(whole[at : at + 1] for at in range(len(whole))))) == [200] * 3


P = b"POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
SMUGGLED = b"GET /count HTTP/1.1\r\nHost: localhost\r\n\r\n"
TWO_MEANINGS = {
    "two lengths": P + b"Content-Length: 2\r\nContent-Length: 60\r\n\r\n{}",
    "two equal lengths": P + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a list of lengths": P + b"Content-Length: 2, 2\r\n\r\n{}",
    "a length with a sign": P + b"Content-Length: +2\r\n\r\n{}",
    "a length in another script": P + "Content-Length: ٢\r\n\r\n{}".encode(),
    "a length with an underscore": P + b"Content-Length: 1_0\r\n\r\n{}        ",
    "a hexadecimal length": P + b"Content-Length: 0x2\r\n\r\n{}",
    "a length of 2^64": P + b"Content-Length: 18446744073709551616\r\n\r\n{}",
    "a blank before the colon": P + b"Content-Length : 2\r\n\r\n{}",
    "length, chunks": P + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks, length": P + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "chunks twice": P + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "identity and chunks": P + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "gzip in chunks": P + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks and more": P + b"Transfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n",
    "nearly chunks": P + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks after a tabulator": P + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": P.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded line": P + b"X-A: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a folded length": P + b"Content-Length:\r\n 2\r\n\r\n{}",
    "bare line feeds": P.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\n",
    "a bare line feed in a header": P + b"X-A: a\nContent-Length: 0\r\n\r\n",
    "a bare carriage return": P + b"X-A: a\rContent-Length: 0\r\n\r\n",
    "NUL in a header": P + b"X-A: a\0b\r\n\r\n",
    "a header without a colon": P + b"Content-Length\r\n\r\n",
    "a chunk's size with a prefix": P + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk's size of 2^68": P + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "a chunk with line feeds": P + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
    "two hosts": P + b"Host: localhost\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2.0": b"GET /count HTTP/2.0\r\nHost: localhost\r\n\r\n",
    "HTTP/0.9": b"GET /count\r\n\r\n",
    "CONNECT": b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("request_", TWO_MEANINGS.values(), ids=TWO_MEANINGS.keys())
def test_what_could_be_read_in_two_ways_is_refused_and_ends_the_connection(shop: Served, request_: bytes) -> None:
    answer = said(shop, post("before") + post("offer", H2C) + request_ + SMUGGLED * 3)
    assert statuses(answer) == [200, 200, 400], answer
    assert b"connection: close" in answer
    assert b"application/problem+json" in answer


def test_a_body_that_breaks_off_does_not_take_the_answers_before_it(shop: Served) -> None:
    answer = said(shop, post("a") + post("b") + P + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}zzzz")
    assert statuses(answer) == [200, 200, 400]


def test_huge_heads_and_endless_trailers_are_cut_off(shop: Served) -> None:
    line = b"X-A: " + b"a" * 1000 + b"\r\n"
    assert statuses(said(shop, post("a") + b"GET / HTTP/1.1\r\n" + line * 200)) == [200, 431]
    trailers = P + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + line
    with socket.create_connection(("127.0.0.1", shop.port), timeout=WITHIN_S) as connection:
        connection.sendall(trailers)
        sent = 0
        try:
            while sent < 100_000_000:
                connection.sendall(line * 100)
                sent += 100_000
        except OSError:
            pass
        assert sent < 100_000_000


def test_trailers_are_no_headers(shop: Served) -> None:
    late = b"POST /orders HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    late += b"2\r\n{}\r\n0\r\nContent-Type: application/json\r\n\r\n"
    assert statuses(said(shop, late + LAST)) == [415, 200]


SILENT = [
    b"",
    b"\r\n",
    b"GET /count HTTP/1.1\r\nHost: localhost\r\nX-A: ",
    P + b"Content-Length: 5\r\n\r\n{",
    P + b"Transfer-Encoding: chunked\r\n\r\n",
]


def test_connections_that_never_end_what_they_begin_are_closed(shop: Served) -> None:
    """All at once; each waits as long as any other."""
    connections = [socket.create_connection(("127.0.0.1", shop.port), timeout=WITHIN_S) for _ in range(200)]
    after = [socket.create_connection(("127.0.0.1", shop.port), timeout=WITHIN_S) for _ in SILENT]
    try:
        for number, connection in enumerate(connections):
            connection.sendall(SILENT[number % len(SILENT)])
        for begun, connection in zip(SILENT, after, strict=True):
            connection.sendall(post("whole") + (begun.strip() or b"G"))
        for number, connection in enumerate(connections):
            expected = [] if number % len(SILENT) < 2 else [408]
            assert statuses(_all(connection)) == expected, SILENT[number % len(SILENT)]
        for begun, connection in zip(SILENT, after, strict=True):
            assert statuses(_all(connection)) == [200, 408], begun
    finally:
        for connection in [*connections, *after]:
            connection.close()


def _all(connection: socket.socket) -> bytes:
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    return answer
