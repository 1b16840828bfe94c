"""Users and drivers in the admin."""

from __future__ import annotations

from typing import Any, Protocol, cast
from uuid import UUID

import msgspec
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db.models import ManyToManyField, QuerySet
from django.forms import ModelForm, ModelMultipleChoiceField
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from common.admin import RecordedAdmin, ask_first, record_action
from common.errors import Conflict
from users.login import CountedLogin
from users.models import Driver, StaffRecord, User
from users.names import clean_name
from users.selectors import may_act_on, may_see_numbers, people_found
from users.services import account_erase, user_log_out, user_reactivate
from users.staff.buttons import person_buttons
from users.staff.drivers import DriverAdmin
from users.staff.panels import person_panels
from users.staff.records import StaffRecordAdmin

admin.site.unregister([OutstandingToken, BlacklistedToken])  # their pages show tokens that still work
admin.site.unregister(Group)
admin.site.login_form = CountedLogin
admin.site.register(Driver, DriverAdmin)
admin.site.register(StaffRecord, StaffRecordAdmin)
admin.site.unregister(TOTPDevice)  # its page shows secrets; `manage.py second_factor` makes them


class Service(Protocol):
    """A service that changes one user; it returns whether it changed anything."""

    def __call__(self, *, user_id: UUID) -> bool:
        """Change the user."""


OTHERS = gettext_lazy("The others were so before, are your own account, or are staff, whom only superusers change.")


class Action(msgspec.Struct, frozen=True):
    """An action on users: its service, and the texts before and after."""

    title: Any
    warning: Any
    done: Any
    """Texts, translated when they are shown."""
    service: Service
    others: Any = OTHERS
    """Why it did nothing for some."""


def person_deactivate(*, user_id: UUID) -> bool:
    """Deactivate a user and end what they have open, in whatever app."""
    service: Service = import_string(settings.PERSON_DEACTIVATE)
    return service(user_id=user_id)


DEACTIVATE = Action(
    gettext_lazy("Deactivate"),
    gettext_lazy(
        "All tokens of these users end, their sockets close (4401), and they cannot log in until they are reactivated. "
        "Their offers, beacon, search and a ride that has not started end now, and the other side is notified; a "
        "ride that is under way can be cancelled by the other side, or finished by support."
    ),
    gettext_lazy("Deactivated"),
    person_deactivate,
)
REACTIVATE = Action(
    gettext_lazy("Reactivate"),
    gettext_lazy("These users can log in again, with a new code."),
    gettext_lazy("Reactivated"),
    user_reactivate,
)
LOG_OUT = Action(
    gettext_lazy("Log out everywhere"),
    gettext_lazy(
        "All tokens of these users end, their sockets close (4401), and so do their sessions in this admin. They must "
        "log in again with a code."
    ),
    gettext_lazy("Logged out everywhere"),
    user_log_out,
)


def _erase(*, user_id: UUID) -> bool:
    """End an account and delete the data of its person; return False where that is refused."""
    try:
        account_erase(user_id=user_id)
    except Conflict:
        return False
    return True


ERASE = Action(
    gettext_lazy("Delete accounts and data"),
    gettext_lazy(
        "These accounts end, and name, number, vehicle, tracks and places go with them for ever. Rides and payments "
        "stay, because the books must add up. Be sure that it is the person who asks."
    ),
    gettext_lazy("Deleted"),
    _erase,
    gettext_lazy("The others have a ride that is under way or not paid, were deleted before, are staff or yourself."),
)


class UserForm(ModelForm[User]):
    """Name and staff rights; role, state and tokens change through services only.

    Only staff have passwords; `manage.py changepassword` sets them.
    """

    class Meta:
        model = User
        fields = ("full_name", "is_staff", "is_superuser", "groups", "user_permissions")

    def clean_full_name(self) -> str:
        """Keep names as the app keeps them."""
        try:
            return clean_name(self.cleaned_data["full_name"])
        except ValueError as exc:
            raise ValidationError(_("This %(problem)s.") % {"problem": exc}) from exc


@admin.register(User)
class UserAdmin(RecordedAdmin[User]):
    """All users; deactivating and reactivating them are actions.

    Reason for its size: Django looks for every action and column of a list on one class.
    """

    form = UserForm
    list_display = ("msisdn", "full_name", "role", "is_active", "is_staff", "created_at")
    list_filter = ("role", "is_active", "is_staff")
    search_fields = ("id",)  # shows the search box; `get_search_results` does the search
    search_help_text = gettext_lazy("An id, or part of a phone number or of a name")
    actions = ("deactivate", "reactivate", "log_out", "erase")
    filter_horizontal = ("groups", "user_permissions")
    readonly_fields = ("id", "token_version", "created_at", "last_login")

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

    @admin.display(description=gettext_lazy("phone number"))
    def hidden_number(self, user: User) -> str:
        """Show the number to those who may not see it whole."""
        return user.masked_msisdn

    def get_list_display(self, request: HttpRequest) -> Any:
        """Hide the numbers from those who may not see them."""
        number = "msisdn" if may_see_numbers(request.user) else "hidden_number"
        return [number, *self.list_display[1:]]

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Show the fields of staff to those only who may change them; the panels show the rest."""
        staff = ("is_staff", "is_superuser", "last_login", "groups", "user_permissions")
        return [
            (None, {"fields": ("full_name",)}),
            *([(_("Staff"), {"fields": staff})] if _actor(request).is_superuser else []),
            (_("Technical"), {"fields": ("id", "token_version", "created_at"), "classes": ("collapse",)}),
        ]

    def page_context(self, request: HttpRequest, obj: User) -> dict[str, Any]:
        """Show what all apps know of the person above the form, and what can be done about them."""
        return {"panels": person_panels(obj, request), "buttons": [*person_buttons(_actor(request), obj)]}

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

    @admin.action(
        description=gettext_lazy("Deactivate: end all sessions and refuse new ones"), permissions=["shut_out"]
    )
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Deactivate the chosen users."""
        return self._act(request, queryset, DEACTIVATE)

    @admin.action(description=gettext_lazy("Reactivate"), permissions=["shut_out"])
    def reactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Reactivate the chosen users."""
        return self._act(request, queryset, REACTIVATE)

    @admin.action(description=gettext_lazy("Log out everywhere"), permissions=["shut_out"])
    def log_out(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """End all sessions of the chosen users."""
        return self._act(request, queryset, LOG_OUT)

    def has_erase_permission(self, request: HttpRequest) -> bool:
        """Whether the actor may end accounts for ever."""
        return request.user.has_perm("users.erase_user")

    @admin.action(description=gettext_lazy("Delete the account and its data, for ever"), permissions=["erase"])
    def erase(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Erase the chosen users."""
        return self._act(request, queryset.filter(erased_at=None), ERASE)

    def _act(self, request: HttpRequest, queryset: QuerySet[User], action: Action) -> HttpResponse | None:
        """Ask for confirmation, then act on each user and log it."""
        question = ask_first(request, self, queryset, title=action.title, warning=action.warning)
        if question is not None:
            return question
        chosen = list(queryset)
        others = [one for one in chosen if one.pk != request.user.pk and may_act_on(_actor(request), one)]
        done = [one for one in others if action.service(user_id=one.pk)]
        if done:
            now = list(User.objects.filter(pk__in=[one.pk for one in done]))  # of the erased nothing but the id
            with translation.override(None):  # the record is in one language
                record_action(request, now, f"{action.done} by support.")
        kept = "" if len(done) == len(chosen) else f" {action.others}"
        counted = _("%(done)s: %(count)s of %(all)s users.") % {
            "done": action.done,
            "count": len(done),
            "all": len(chosen),
        }
        self.message_user(request, counted + kept, messages.SUCCESS)
        return None


@admin.register(Group)
class SupervisedGroupAdmin(RecordedAdmin[Group], GroupAdmin):
    """Groups grant rights, so only superusers see and change them, whatever permissions others have."""

    def has_view_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Superusers only."""
        return _actor(request).is_superuser

    has_change_permission = has_delete_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Superusers only."""
        return _actor(request).is_superuser


def _actor(request: HttpRequest) -> User:
    """Return the logged-in user; the admin lets nobody else in."""
    return cast("User", request.user)
