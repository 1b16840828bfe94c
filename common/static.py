"""Static files under addresses that change with their content, so that browsers keep them for good.

`static/<version>/web/live.js` is `web/live.js`. One version stands for all files, so what a file imports beside itself
is of the same version. With DEBUG, where files change while the server runs, addresses have no version.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from http import HTTPStatus

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.http import HttpRequest, HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware

FOR_GOOD = "max-age=31536000, public, immutable"
KEPT = (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED)
VERSION = re.compile(r"([0-9a-f]{16})/")


@cache
def version() -> str:
    """Return a hash of the names and contents of all static files; it takes 60 ms for 15 MB, once."""
    found = hashlib.sha256()
    for finder in finders.get_finders():
        for path, storage in sorted(finder.list(None), key=lambda file: file[0]):
            found.update(path.encode() + b"\0")
            with storage.open(path) as file:
                found.update(hashlib.sha256(file.read()).digest())
    return found.hexdigest()[:16]


class VersionedStorage(StaticFilesStorage):
    """Puts the version before the names of files in addresses."""

    def url(self, name: str | None) -> str:
        """Return the address of a file."""
        return super().url(f"{version()}/{name}" if name and not settings.DEBUG else name)


class StaticMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc] # it has no types
    """Serves each file with any version before its name: a page may be of a process of another release.

    Only what is of our own version may be kept for good; anything else is for a minute.
    """

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, where the path is that of a file."""
        asked = VERSION.match(request.path_info, len(self.static_prefix))
        if asked is None or not request.path_info.startswith(self.static_prefix):
            plainly: HttpResponseBase = super().__call__(request)
            return plainly
        plain = self.static_prefix + request.path_info[asked.end() :]
        file = self.find_file(plain) if self.autorefresh else self.files.get(plain)
        response: HttpResponseBase = self.get_response(request) if file is None else self.serve(file, request)
        if file is not None and response.status_code in KEPT and asked[1] == version():
            response["Cache-Control"] = FOR_GOOD
        return response
