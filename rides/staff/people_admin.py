"""Admin pages of records of people."""

from __future__ import annotations

from contextlib import suppress
from functools import reduce
from operator import or_
from typing import TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from common.admin import ReadOnlyAdmin
from users.selectors import may_see_numbers, people_found

M = TypeVar("M", bound=Model)


class PeopleAdmin(ReadOnlyAdmin[M]):
    """Records of people, found by one of their `ids` or by a number or name of one of the `people`.

    Django would look for the text in every row with every person joined to it; this asks for the persons first, and the
    rest is done by indexes.
    """

    people: tuple[str, ...] = ()
    ids: tuple[str, ...] = ("pk",)
    search_help_text = gettext_lazy("An id, or part of a phone number or of a name")
    search_fields = ("id",)  # lets the box appear
    show_full_result_count = False
    sortable_by = ("created_at", "changed_at")  # what has an index; status and people have filter and search

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[M], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        """Return the records that match the text."""
        text = search_term.strip()
        if not text:
            return queryset, False
        with suppress(ValueError):
            found = queryset.filter(reduce(or_, (Q(**{name: UUID(text)}) for name in self.ids)))
            if found.exists():
                return found, False
        users = people_found(text, by_parts=may_see_numbers(request.user)).values("pk")
        return queryset.filter(reduce(or_, (Q(**{f"{name}__in": users}) for name in self.people))), False
