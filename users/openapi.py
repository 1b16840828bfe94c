"""The users' part of the OpenAPI document."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction

from common.schemas import Schema


class UserExtension(OpenApiSerializerExtension):
    """A user, with `driver` only for drivers, and `name_confirmed` only while it is false."""

    target_class = "users.serializers.UserSerializer"

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> Schema:
        """Return the schema with the fields optional that not every user has."""
        schema: Schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        for name in ("driver", "name_confirmed"):
            schema["required"].remove(name)
        return schema


class DriverExtension(OpenApiSerializerExtension):
    """A driver; what stands against driving is only there if there is something."""

    target_class = "users.serializers.DriverSerializer"

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> Schema:
        """Return the schema with everything but the vehicle optional."""
        schema: Schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        schema["required"] = ["vehicle_type", "vehicle_plate"]
        return schema


class BearerScheme(OpenApiAuthenticationExtension):
    """`Authorization: Bearer <access token>`."""

    target_class = "users.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """Return the scheme."""
        text = "An access token of `POST /api/auth/token/`."
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": text}
