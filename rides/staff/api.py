"""REST for support staff."""

from __future__ import annotations

from uuid import UUID

import msgspec
from django.http import Http404
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.rest.documented import answer, documented
from rides.models import Finder
from rides.staff.explanation import Explanation, explain
from users.authentication import BearerAuthentication


class MaySeeSearches(BasePermission):
    """Staff who may see searches."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the request may be answered."""
        user = request.user
        return bool(getattr(user, "is_staff", False)) and user.has_perm("rides.view_finder")


class ExplanationView(APIView):
    """`GET /api/searches/<id>/`: why a search brought a driver, or did not; for staff."""

    authentication_classes = (BearerAuthentication, SessionAuthentication)
    permission_classes = (MaySeeSearches,)

    @documented(
        "explainSearch",
        "Read why a search brought a driver, or did not",
        "Needs a staff account with the permission to see searches, with an access token or a session of the admin.",
        {200: answer(Explanation, "Each attempt, each driver considered, and the cause.")},
        refusals=[401, 403, 404],
        tag="operations",
    )
    def get(self, request: Request, finder_id: UUID) -> Response:
        """Answer 404 for a search that does not exist."""
        finder = Finder.objects.filter(pk=finder_id).first()
        if finder is None:
            raise Http404
        return Response(msgspec.to_builtins(explain(finder)))
