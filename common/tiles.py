"""Where map tiles come from."""

from __future__ import annotations

from urllib.parse import urlsplit

from common.env import ConfigError


def origin_of_tiles(template: str) -> list[str]:
    """Return the origin that pages may load tiles from, none for an empty template.

    `https://{s}.tile.example.com/{z}/{x}/{y}.png` gives `https://*.tile.example.com`.
    """
    if not template:
        return []
    parts = urlsplit(template.replace("{s}", "*"))
    fields = ("{z}", "{x}", "{y}")
    if parts.scheme not in ("http", "https") or not parts.netloc or not all(field in template for field in fields):
        raise ConfigError("MAP_TILES_URL must be like https://tiles.example.com/{z}/{x}/{y}.png.")
    return [f"{parts.scheme}://{parts.netloc}"]
