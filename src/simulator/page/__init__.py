"""The page of the simulated exchange: one HTML file, a style sheet and two scripts, carried in the package."""

from functools import cache
from importlib import resources

from ..answers import HttpAnswer

_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/sim/page.css": ("page.css", "text/css; charset=utf-8"),
    "/sim/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/sim/draw.js": ("draw.js", "text/javascript; charset=utf-8"),
}
# Nothing from anywhere else, and no framing by anybody.
_POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"


def page_file(path: str) -> HttpAnswer | None:
    """Give a file of the page, None when the path is none of them."""
    return _load(path) if path in _FILES else None


@cache
def _load(path: str) -> HttpAnswer:
    name, content_type = _FILES[path]
    body = resources.files(__package__).joinpath(name).read_bytes()
    headers = {"content-type": content_type, "content-security-policy": _POLICY, "cache-control": "no-cache"}
    return HttpAnswer(200, body, headers)
