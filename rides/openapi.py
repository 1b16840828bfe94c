"""Rides in the OpenAPI document: the same structs as on the WebSocket."""

from __future__ import annotations

from common.rest.documented import StructExtension
from rides.events import RideSnapshot
from rides.glossary import GLOSSARY


class RideExtension(StructExtension):
    """A ride, alone or in detail."""

    target_class = RideSnapshot
    glossary = GLOSSARY
