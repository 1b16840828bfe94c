"""What the admin pages of all apps share."""

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
"""Records that one action may be about: more than somebody reads on the page that asks."""


def answered(request: HttpRequest) -> bool:
    """Whether the page that asks was answered with yes."""
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
    """Return the page that asks for confirmation; `hidden` fields come back with the answer."""
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
    """Return the response for an action that is not confirmed yet; None once it is.

    `name` returns how a record is called on that page.
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
    """Records that staff may look at; what changes goes through the services, never through a form."""

    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds a record by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        """Nobody changes a record by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        """Nobody deletes a record by hand."""
        return False


class ReadOnlyInline(admin.TabularInline[M, P]):
    """Records of another record, to look at only."""

    extra = 0
    max_num = 0
    can_delete = False
    show_change_link = False

    def get_readonly_fields(self, request: HttpRequest, obj: P | None = None) -> tuple[str, ...]:
        """Show all fields, also those that no form could edit."""
        return tuple(str(name) for name in self.fields or ())

    def has_add_permission(self, request: HttpRequest, obj: P | None = None) -> bool:
        """Nobody adds a record by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: P | None = None) -> bool:
        """Nobody changes a record by hand."""
        return False
