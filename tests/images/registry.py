"""A small read-only image registry that serves the output of `docker save`, and can drop connections.

python -m tests.images.registry FOLDER NAME=REFERENCE... [--drop N]: FOLDER is an unpacked `docker save`. REFERENCE in it is served as NAME
(with tag). The registry prints its port. With --drop, the first N blobs break off in the middle.
"""

import argparse
import hashlib
import itertools
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Content:
    """Manifests by repository and tag, blobs by digest."""

    def __init__(self, folder: Path, names: dict[str, str], drop: int) -> None:
        self.manifests: dict[tuple[str, str], bytes] = {}
        self.blobs: dict[str, Path] = {}
        self.drops = itertools.chain([True] * drop, itertools.repeat(False))
        saved = {tag: entry for entry in json.loads((folder / "manifest.json").read_text()) for tag in entry["RepoTags"]}
        for name, reference in names.items():
            repository, _, tag = name.rpartition(":")
            body = json.dumps(self._manifest(folder, saved[reference])).encode()
            self.manifests[repository, tag] = self.manifests[repository, f"sha256:{hashlib.sha256(body).hexdigest()}"] = body

    def _manifest(self, folder: Path, entry: dict[str, Any]) -> dict[str, Any]:
        return {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._blob(folder / entry["Config"], "application/vnd.docker.container.image.v1+json"),
            "layers": [self._blob(folder / layer, "application/vnd.docker.image.rootfs.diff.tar.gzip") for layer in entry["Layers"]],
        }

    def _blob(self, file: Path, kind: str) -> dict[str, Any]:
        with file.open("rb") as opened:
            digest = f"sha256:{hashlib.file_digest(opened, 'sha256').hexdigest()}"
        self.blobs[digest] = file
        return {"mediaType": kind, "size": file.stat().st_size, "digest": digest}


class Handler(BaseHTTPRequestHandler):
    content: Content
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.path.removeprefix("/v2/")
        name, _, tag = path.partition("/manifests/")
        if not path:
            self._send(b"{}", "application/json", body=body)
        elif found := self.content.manifests.get((name, tag)):
            self._send(found, MANIFEST, body=body)
        elif "/blobs/" in path and (file := self.content.blobs.get(path.split("/blobs/")[1])):
            self._send(file.read_bytes(), "application/octet-stream", body=body, cut=body and next(self.content.drops))
        else:
            self.send_response(404)
            text = json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}).encode()
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text if body else b"")

    def _send(self, data: bytes, kind: str, *, body: bool, cut: bool = False) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(data).hexdigest()}")
        self.end_headers()
        if body:
            self.wfile.write(data[: len(data) // 2] if cut else data)
        if cut:
            self.close_connection = True

    def log_message(self, format: str, *arguments: Any) -> None:
        sys.stderr.write(f"{format % arguments}\n")
        sys.stderr.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--drop", type=int, default=0)
    given = parser.parse_args()
    Handler.content = Content(given.folder, dict(name.split("=") for name in given.names), given.drop)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
