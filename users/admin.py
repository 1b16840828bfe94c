"""Users and drivers in the admin."""

from __future__ import annotations

from typing import Any, Protocol, cast
from uuid import UUID

import msgspec
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group, Permission
from django.db.models import ManyToManyField, Q, QuerySet
from django.forms import ModelForm, ModelMultipleChoiceField
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from common.admin import ReadOnlyAdmin, ReadOnlyInline, ask_first
from users.login import CountedLogin
from users.models import Driver, User
from users.selectors import may_act_on, may_see_numbers, people_found
from users.services import user_log_out, user_reactivate

admin.site.unregister([OutstandingToken, BlacklistedToken])  # their pages show tokens that still work
admin.site.unregister(Group)
admin.site.login_form = CountedLogin


class Service(Protocol):
    """A service that changes one user; it returns whether it changed anything."""

    def __call__(self, *, user_id: UUID) -> bool:
        """Change the user."""


class Action(msgspec.Struct, frozen=True):
    """An action on users: its service, and the texts before and after."""

    title: str
    warning: str
    done: str
    service: Service


def person_deactivate(*, user_id: UUID) -> bool:
    """Deactivate a user and end what they have open, in whatever app."""
    service: Service = import_string(settings.PERSON_DEACTIVATE)
    return service(user_id=user_id)


DEACTIVATE = Action(
    "Deactivate",
    "All tokens of these users end, their sockets close (4401), and they cannot log in until they are reactivated. "
    "Their offers, beacon, search and a ride that has not started end now, and the other side is notified; a ride that "
    "is under way can be cancelled by the other side, or finished by support.",
    "Deactivated",
    person_deactivate,
)
REACTIVATE = Action("Reactivate", "These users can log in again, with a new code.", "Reactivated", user_reactivate)
LOG_OUT = Action(
    "Log out everywhere",
    "All tokens of these users end, their sockets close (4401), and so do their sessions in this admin. They must "
    "log in again with a code.",
    "Logged out everywhere",
    user_log_out,
)


class DriverInline(ReadOnlyInline[Driver, User]):
    """The vehicle of a driver, on the page of the user."""

    model = Driver
    fields = ("vehicle_type", "vehicle_plate", "created_at")


class UserForm(ModelForm[User]):
    """Name and staff rights; role, state and tokens change through services only.

    Only staff have passwords; `manage.py changepassword` sets them.
    """

    class Meta:
        model = User
        fields = ("full_name", "is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(admin.ModelAdmin[User]):
    """All users; deactivating and reactivating them are actions."""

    form = UserForm
    list_display = ("msisdn", "full_name", "role", "is_active", "is_staff", "created_at")
    list_filter = ("role", "is_active", "is_staff")
    search_fields = ("id",)  # shows the search box; `get_search_results` does the search
    search_help_text = "An id, or part of a phone number or of a name"
    actions = ("deactivate", "reactivate", "log_out")
    inlines = (DriverInline,)
    filter_horizontal = ("groups", "user_permissions")
    readonly_fields = (
        "id",
        "msisdn",
        "hidden_number",
        "role",
        "is_active",
        "token_version",
        "created_at",
        "last_login",
    )
    fieldsets = (
        (None, {"fields": ("id", "msisdn", "full_name", "role", "is_active", "token_version", "created_at")}),
        ("Staff", {"fields": ("is_staff", "is_superuser", "last_login", "groups", "user_permissions")}),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        """Return the users whom the text means."""
        return queryset.filter(
            pk__in=people_found(search_term, by_parts=may_see_numbers(request.user)).values("pk")
        ), False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Refuse to filter by what is hidden: the answers would reveal it, a character at a time."""
        hidden = ("password",) if may_see_numbers(request.user) else ("password", "msisdn")
        return not lookup.startswith(hidden) and super().lookup_allowed(lookup, value, request)

    @admin.display(description="phone number")
    def hidden_number(self, user: User) -> str:
        """Show the number to those who may not see it whole."""
        return user.masked_msisdn

    def get_list_display(self, request: HttpRequest) -> Any:
        """Hide the numbers from those who may not see them."""
        number = "msisdn" if may_see_numbers(request.user) else "hidden_number"
        return [number, *self.list_display[1:]]

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Hide the number from those who may not see it."""
        hide = {} if may_see_numbers(request.user) else {"msisdn": "hidden_number"}
        return [
            (title, {**parts, "fields": [hide.get(str(name), name) for name in parts["fields"]]})
            for title, parts in self.fieldsets
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """The first login creates a user, `manage.py createsuperuser` a superuser."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Rides and payments refer to users: they are deactivated or erased, not deleted."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Only superusers grant rights."""
        rights = ("is_staff", "is_superuser", "groups", "user_permissions")
        return self.readonly_fields if request.user.is_superuser else (*self.readonly_fields, *rights)

    def formfield_for_manytomany(
        self, db_field: ManyToManyField[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelMultipleChoiceField[Any] | None:
        """Fetch the names of all permissions with one query."""
        if db_field.name == "user_permissions":
            kwargs["queryset"] = Permission.objects.select_related("content_type")
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Only superusers change staff accounts."""
        return super().has_change_permission(request, obj) and (obj is None or may_act_on(_actor(request), obj))

    def has_shut_out_permission(self, request: HttpRequest) -> bool:
        """Whether the actor may end sessions, deactivate and reactivate."""
        return request.user.has_perm("users.shut_out_user")

    @admin.action(description="Deactivate: end all sessions and refuse new ones", permissions=["shut_out"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Deactivate the chosen users."""
        return self._act(request, queryset, DEACTIVATE)

    @admin.action(description="Reactivate", permissions=["shut_out"])
    def reactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Reactivate the chosen users."""
        return self._act(request, queryset, REACTIVATE)

    @admin.action(description="Log out everywhere", permissions=["shut_out"])
    def log_out(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """End all sessions of the chosen users."""
        return self._act(request, queryset, LOG_OUT)

    def _act(self, request: HttpRequest, queryset: QuerySet[User], action: Action) -> HttpResponse | None:
        """Ask for confirmation, then act on each user and log it."""
        question = ask_first(request, self, queryset, title=action.title, warning=action.warning)
        if question is not None:
            return question
        chosen = list(queryset)
        others = [one for one in chosen if one.pk != request.user.pk and may_act_on(_actor(request), one)]
        done = [one for one in others if action.service(user_id=one.pk)]
        if done:
            LogEntry.objects.log_actions(str(request.user.pk), done, CHANGE, f"{action.done} by support.")
        kept = (
            ""
            if len(done) == len(chosen)
            else " The others were so before, are your own account, or are staff, whom only superusers change."
        )
        self.message_user(request, f"{action.done}: {len(done)} of {len(chosen)} users.{kept}", messages.SUCCESS)
        return None


@admin.register(Group)
class SupervisedGroupAdmin(GroupAdmin):
    """Groups grant rights, so only superusers see and change them, whatever permissions others have."""

    def has_view_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Superusers only."""
        return _actor(request).is_superuser

    has_change_permission = has_delete_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Superusers only."""
        return _actor(request).is_superuser


@admin.register(Driver)
class DriverAdmin(ReadOnlyAdmin[Driver]):
    """Drivers and their vehicles."""

    list_display = ("user", "vehicle_type", "vehicle_plate", "is_active", "created_at")
    list_filter = ("vehicle_type", "user__is_active")
    search_fields = ("vehicle_plate",)
    search_help_text = "Part of a plate, an id, or part of a phone number or of a name"
    list_select_related = ("user",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Driver], search_term: str
    ) -> tuple[QuerySet[Driver], bool]:
        """Return the drivers whom the text means, and those with such a plate."""
        people = people_found(search_term, by_parts=may_see_numbers(request.user))
        wanted = Q(vehicle_plate__icontains=search_term.strip()) | Q(user__in=people.values("pk"))
        return queryset.filter(wanted), False

    @admin.display(boolean=True, description="active", ordering="user__is_active")
    def is_active(self, driver: Driver) -> bool:
        """Whether the driver may log in."""
        return driver.user.is_active


def _actor(request: HttpRequest) -> User:
    """Return the logged-in user; the admin lets nobody else in."""
    return cast("User", request.user)
