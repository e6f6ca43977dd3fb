"""The HTTP layer that all services share: JSON in, JSON out, and a problem document for every error."""

from services.web.app import service_app
from services.web.body import Id, path_id, read_body, read_json
from services.web.health import Health
from services.web.problem import Problem, RawResponse, empty, reply
from services.web.server import serve

__all__ = ["Health", "Id", "Problem", "RawResponse", "empty", "path_id", "read_body", "read_json", "reply", "serve", "service_app"]
