"""Whether there is a demo, for what links to it."""

from __future__ import annotations

from django import template

from web.demo import is_on

register = template.Library()
register.simple_tag(is_on, name="demo_is_on")
