"""What a page with a map carries."""

from __future__ import annotations

from django import template
from django.conf import settings

register = template.Library()


@register.inclusion_tag("web/map_config.html")
def map_config() -> dict[str, str]:
    """Say where `map.js` finds tiles, if the operator has any, and the outline that it draws else."""
    return {"tiles_url": settings.MAP_TILES_URL, "tiles_attribution": settings.MAP_TILES_ATTRIBUTION}
