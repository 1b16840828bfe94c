"""The live connections in the admin: who is connected now, over all processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import translation
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.admin import ReadOnlyAdmin, answered, confirm_page, record_action
from realtime.models import LiveConnection
from realtime.operations import live_connections as live
from rides.services.beacons import beacon_update
from users.models import Role, User
from users.selectors import may_act_on, may_see_numbers
from users.services import user_log_out

PER_PAGE = 100


class Action(msgspec.Struct, frozen=True):
    """What staff can do about connections, and what is said before and after."""

    label: Any
    warning: Any
    done: Any
    carry_out: Callable[[live.LiveConnection], bool]
    """Returns whether there was anything to do."""


def _log_out(connection: live.LiveConnection) -> bool:
    return user_log_out(user_id=connection.presence.user_id)


def _disconnect(connection: live.LiveConnection) -> bool:
    live.disconnect(connection)
    return True


def _beacon_off(connection: live.LiveConnection) -> bool:
    if connection.presence.role != Role.DRIVER:
        return False
    beacon_update(user_id=connection.presence.user_id, is_active=False)
    return True


ACTIONS = {
    "disconnect": Action(
        gettext_lazy("Disconnect"),
        gettext_lazy("The sockets are closed (1012). The apps come back within seconds and get what they missed."),
        gettext_lazy("Disconnected by support"),
        _disconnect,
    ),
    "log_out": Action(
        gettext_lazy("Log out everywhere"),
        gettext_lazy(
            "All tokens of these users end, and their sockets close (4401). They must log in again with a code."
        ),
        gettext_lazy("Logged out everywhere by support"),
        _log_out,
    ),
    "beacon_off": Action(
        gettext_lazy("Switch the beacon off"),
        gettext_lazy(
            "These drivers get no passengers any more, and open proposals to them end, until they switch it on again. "
            "A ride under way goes on."
        ),
        gettext_lazy("Beacon switched off by support"),
        _beacon_off,
    ),
}


@admin.register(LiveConnection)
class LiveConnectionAdmin(ReadOnlyAdmin[LiveConnection]):
    """Found and ended here; there is no table behind it."""

    def get_urls(self) -> list[URLPattern]:
        """Have one page."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_changelist"
        return [path("", self.admin_site.admin_view(self.connections_view), name=name)]

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Whether somebody may end connections."""
        return request.user.has_perm("realtime.end_liveconnection")

    def connections_view(self, request: HttpRequest) -> HttpResponse:
        """List connections, or ask about an action, or carry it out."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._act(request)
        search, order = request.GET.get("q", ""), request.GET.get("o", "-since")
        found = live.connected(search, order, by_parts=may_see_numbers(request.user))
        page = Paginator(found, PER_PAGE).get_page(request.GET.get("p"))
        context: dict[str, Any] = {
            "title": _("Live connections"),
            "page": page,
            "connections": live.with_users(page.object_list),
            "search": search,
            "columns": [(name, *_sorting(name, order, search)) for name in live.SORTABLE],
            "query": urlencode({"q": search, "o": order}),
            "actions": ACTIONS if self.has_end_permission(request) else {},
        }
        everywhere = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, "admin/realtime/connections.html", {**everywhere, **context})

    def _act(self, request: HttpRequest) -> HttpResponse:
        action = ACTIONS.get(request.POST.get("action", ""))
        if not self.has_end_permission(request):
            raise PermissionDenied
        if action is None:
            self.message_user(request, _("Choose what to do."), messages.WARNING)
            return HttpResponseRedirect(request.get_full_path())
        found = live.chosen(set(request.POST.getlist("connection")))
        if not found:
            self.message_user(request, _("Choose connections that still are there."), messages.WARNING)
            return HttpResponseRedirect(request.get_full_path())
        if answered(request):
            self._carry_out(request, action, found)
            return HttpResponseRedirect(request.get_full_path())
        hidden = [("action", request.POST["action"]), *(("connection", str(c.presence.connection_id)) for c in found)]
        about = (f"{c.user or c.presence.user_id} ({c.presence.role}, {c.presence.address})" for c in found)
        return confirm_page(request, self, title=action.label, warning=action.warning, about=about, hidden=hidden)

    def _carry_out(self, request: HttpRequest, action: Action, found: list[live.LiveConnection]) -> None:
        """Do it to each, and note in the log of each user who did."""
        done = 0
        for connection in found:
            user = connection.user
            if user is None or not may_act_on(cast("User", request.user), user):
                continue
            if action.carry_out(connection):
                with translation.override(None):  # the record is in one language
                    record_action(request, [user], f"{action.done} ({connection.presence.connection_id}).")
                done += 1
        self.message_user(request, f"{action.done}: {done} of {len(found)}.", messages.SUCCESS)


def _sorting(name: str, order: str, search: str) -> tuple[str, str]:
    """Return how a column is sorted now, as `aria-sort` has it, and the query that sorts by it next."""
    now = {name: "ascending", f"-{name}": "descending"}.get(order, "none")
    after = name if order == f"-{name}" else f"-{name}"
    return now, urlencode({"q": search, "o": after})
