"""What the admin pages of all apps share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Model, QuerySet
from django.forms import CharField, Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from common.text import in_one_line

M = TypeVar("M", bound=Model)
P = TypeVar("P", bound=Model)

MOST_AT_ONCE = 200
"""Records that one action may be about: more than somebody reads on the page that asks."""


class ReasonField(CharField):
    """A reason that other people read: one line, without control characters and changes of direction."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=200, **kwargs)

    def to_python(self, value: Any) -> str:
        """Return the text as it is kept; what is left of nothing but marks is empty, and refused."""
        return in_one_line(super().to_python(value) or "")


class ActionButton(msgspec.Struct, frozen=True):
    """A button on the page of a record: an action of a list, for this record alone."""

    text: Any
    """Translated when it is shown."""
    action: str
    at: str
    """The path of the list; it asks before it acts."""
    is_grave: bool = True


def answered(request: HttpRequest) -> bool:
    """Whether the page that asks was answered with yes."""
    return "confirmed" in request.POST


def page_before(request: HttpRequest) -> str:
    """Return the path of the page on which the button of an action was (its field `back`); empty for the list."""
    path = request.POST.get("back", "")
    return path if path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None) else ""


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
        "hidden": [*hidden, ("confirmed", "yes"), ("back", page_before(request))],
        "form": form,
        "back": page_before(request) or request.get_full_path(),
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
        model_admin.message_user(
            request, _("Choose at most %(count)s at once.") % {"count": MOST_AT_ONCE}, messages.ERROR
        )
        return HttpResponseRedirect(request.get_full_path())
    if answered(request) and (form is None or form.is_valid()):
        return None
    chosen = list(queryset)
    hidden = [("action", request.POST["action"]), *((ACTION_CHECKBOX_NAME, str(one.pk)) for one in chosen)]
    about = map(name, chosen)
    return confirm_page(request, model_admin, title=title, warning=warning, about=about, hidden=hidden, form=form)


def record_action(request: HttpRequest, objects: Sequence[Model], text: str) -> None:
    """Note an action in the history of each record, and in the record of what staff did (`STAFF_RECORDER`)."""
    LogEntry.objects.log_actions(str(request.user.pk), objects, CHANGE, text)
    import_string(settings.STAFF_RECORDER)(request, objects, text)


class RecordedAdmin(admin.ModelAdmin[M]):
    """Records what staff add, change and delete by forms, beside Django's history of each record."""

    def page_context(self, request: HttpRequest, obj: M) -> dict[str, Any]:
        """Return what the page of a record shows beside the form."""
        return {}

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Give the page of a record what `page_context` returns."""
        if (obj := kwargs.get("obj")) is not None:
            context.update(self.page_context(request, obj))
        return super().render_change_form(request, context, *args, **kwargs)

    def response_action(self, request: HttpRequest, queryset: QuerySet[M], *args: Any) -> HttpResponse | None:
        """Run an action; go back to the page that had the button, not to the list."""
        response = super().response_action(request, queryset, *args)
        path = page_before(request)
        return HttpResponseRedirect(path) if path and isinstance(response, HttpResponseRedirect) else response

    def log_addition(self, request: HttpRequest, obj: M, message: Any) -> Any:
        """Note it in both."""
        self._record(request, obj, "added", message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: M, message: Any) -> Any:
        """Note it in both."""
        self._record(request, obj, "changed", message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[M]) -> Any:
        """Note it in both."""
        for obj in queryset:
            self._record(request, obj, "deleted", "")
        return super().log_deletions(request, queryset)

    def _record(self, request: HttpRequest, obj: M, verb: str, message: Any) -> None:
        text = message if isinstance(message, str) else f"{verb} {json.dumps(message)}"
        import_string(settings.STAFF_RECORDER)(request, [obj], text or verb)


class ReadOnlyAdmin(RecordedAdmin[M]):
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
