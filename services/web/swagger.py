"""The Swagger page of a service, from local files, so that it works offline. Files are read only on request."""

import importlib.resources
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.web.problem import RawResponse, empty

_TYPES = {".css": b"text/css", ".js": b"text/javascript", ".png": b"image/png"}
_FILES = {"swagger-ui.css", "swagger-ui-bundle.js", "favicon-16x16.png", "favicon-32x32.png"}

_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>{name}: API</title>
  <link rel="stylesheet" href="swagger-ui.css">
  <link rel="icon" type="image/png" href="favicon-32x32.png" sizes="32x32">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="swagger-ui-bundle.js"></script>
  <script>
    SwaggerUIBundle({{url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null, tryItOutEnabled: true}});
  </script>
</body>
</html>
"""


def swagger_routes(name: str, openapi: Path) -> list[Route]:
    """The routes /openapi.json, /v3/api-docs and /swagger-ui/… for the OpenAPI document (JSON) at `openapi`."""

    async def document(_: Request) -> Response:
        return RawResponse(_read(openapi))

    async def page(request: Request) -> Response:
        return _file(name, request.path_params.get("file", ""))

    routes = {"/openapi.json": document, "/v3/api-docs": document, "/swagger-ui/{file}": page, "/swagger-ui/": page}
    return [Route(path, answer) for path, answer in routes.items()]


def _file(name: str, file: str) -> Response:
    if file in ("", "index.html"):
        return RawResponse(_PAGE.format(name=name).encode(), content_type=b"text/html; charset=utf-8")
    if file not in _FILES:
        return empty(404)
    vendor = Path(str(importlib.resources.files("swagger_ui_bundle"))) / "vendor"
    found = next(vendor.glob(f"swagger-ui-*/{file}"))
    return RawResponse(_read(found), content_type=_TYPES[found.suffix])


def _read(path: Path) -> bytes:
    return path.read_bytes()
