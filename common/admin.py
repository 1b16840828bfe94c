"""The parts that the admin pages of all apps share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

M = TypeVar("M", bound=Model)
P = TypeVar("P", bound=Model)

MOST_AT_ONCE = 200
"""The most records of one action; nobody reads more on the confirmation page."""


def answered(request: HttpRequest) -> bool:
    """Return whether the confirmation page was answered with yes."""
    return "confirmed" in request.POST


def confirm_page(
    request: HttpRequest,
    model_admin: admin.ModelAdmin[Any],
    *,
    title: str,
    warning: str,
    about: Iterable[str],
    hidden: Iterable[tuple[str, str]],
    form: Form | None = None,
) -> TemplateResponse:
    """Return the confirmation page.

    `warning` says what happens to the records `about`; the answer repeats the fields `hidden`.
    """
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": title,
        "warning": warning,
        "about": list(about),
        "hidden": [*hidden, ("confirmed", "yes")],
        "form": form,
        "back": request.get_full_path(),
    }
    return TemplateResponse(request, "common/confirm.html", context)


def ask_first(
    request: HttpRequest,
    model_admin: admin.ModelAdmin[M],
    queryset: QuerySet[M],
    *,
    title: str,
    warning: str,
    name: Callable[[M], str] = str,
    form: Form | None = None,
) -> HttpResponse | None:
    """Return the confirmation page (or a redirect) of an action, or None when it was confirmed and must be carried out.

    `name` returns the text for a record on the page.
    """
    if queryset.count() > MOST_AT_ONCE:
        model_admin.message_user(request, f"Choose at most {MOST_AT_ONCE} at once.", messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())
    if answered(request) and (form is None or form.is_valid()):
        return None
    chosen = list(queryset)
    hidden = [("action", request.POST["action"]), *((ACTION_CHECKBOX_NAME, str(one.pk)) for one in chosen)]
    about = map(name, chosen)
    return confirm_page(request, model_admin, title=title, warning=warning, about=about, hidden=hidden, form=form)


class ReadOnlyAdmin(admin.ModelAdmin[M]):
    """Records that staff can only view; changes go through services, never through a form."""

    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Adding is not possible."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        """Changing is not possible."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        """Deleting is not possible."""
        return False


class ReadOnlyInline(admin.TabularInline[M, P]):
    """Records of another record, read-only."""

    extra = 0
    max_num = 0
    can_delete = False
    show_change_link = False

    def get_readonly_fields(self, request: HttpRequest, obj: P | None = None) -> tuple[str, ...]:
        """Show all fields, also those that a form could not edit."""
        return tuple(str(name) for name in self.fields or ())

    def has_add_permission(self, request: HttpRequest, obj: P | None = None) -> bool:
        """Adding is not possible."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: P | None = None) -> bool:
        """Changing is not possible."""
        return False
