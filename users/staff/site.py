"""The admin: who may enter."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from users.second_factor import is_trusted_staff


class StaffSite(AdminSite):
    """The admin, with a second factor where that is required."""

    site_header = site_title = "NebengJek"
    index_title = gettext_lazy("Support")

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether somebody may enter."""
        return is_trusted_staff(request.user)
