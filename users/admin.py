"""Users and drivers in the admin."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.models import Permission
from django.db.models import ManyToManyField, QuerySet
from django.forms import ModelForm, ModelMultipleChoiceField
from django.http import HttpRequest
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from nebengjek.admin import ReadOnlyAdmin, ReadOnlyInline
from users import services
from users.models import Driver, User

admin.site.unregister([OutstandingToken, BlacklistedToken])  # their pages show tokens that still work


class DriverInline(ReadOnlyInline[Driver, User]):
    """The vehicle of a driver, on his page."""

    model = Driver
    fields = ("vehicle_type", "vehicle_plate", "created_at")


class UserForm(ModelForm[User]):
    """Staff may mend a name and give staff rights; role, state and tokens change through services only.

    Passwords are for staff, and set with `manage.py changepassword`.
    """

    class Meta:
        model = User
        fields = ("full_name", "is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(admin.ModelAdmin[User]):
    """Who takes part; shutting out and letting in again are actions."""

    form = UserForm
    list_display = ("msisdn", "full_name", "role", "is_active", "is_staff", "created_at")
    list_filter = ("role", "is_active", "is_staff")
    search_fields = ("msisdn", "full_name", "id")
    actions = ("deactivate", "reactivate")
    inlines = (DriverInline,)
    filter_horizontal = ("groups", "user_permissions")
    readonly_fields = ("id", "msisdn", "role", "is_active", "token_version", "created_at", "last_login")
    fieldsets = (
        (None, {"fields": ("id", "msisdn", "full_name", "role", "is_active", "token_version", "created_at")}),
        ("Staff", {"fields": ("is_staff", "is_superuser", "last_login", "groups", "user_permissions")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Users come with their first login, staff with `manage.py createsuperuser`."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Rides and money refer to users: they are deactivated, not deleted."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Only a superuser hands out rights."""
        rights = ("is_staff", "is_superuser", "groups", "user_permissions")
        return self.readonly_fields if request.user.is_superuser else (*self.readonly_fields, *rights)

    def formfield_for_manytomany(
        self, db_field: ManyToManyField[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelMultipleChoiceField[Any] | None:
        """Fetch what permissions are called with one query."""
        if db_field.name == "user_permissions":
            kwargs["queryset"] = Permission.objects.select_related("content_type")
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    @admin.action(description="Deactivate: end all sessions and refuse new ones", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Shut the chosen users out."""
        chosen = self._chosen(request, queryset)
        done = sum(services.user_deactivate(user_id=pk) for pk in chosen)
        self.message_user(request, f"Deactivated {done} of {len(chosen)} users.", messages.SUCCESS)

    @admin.action(description="Reactivate", permissions=["change"])
    def reactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Let the chosen users in again."""
        chosen = self._chosen(request, queryset)
        done = sum(services.user_reactivate(user_id=pk) for pk in chosen)
        self.message_user(request, f"Reactivated {done} of {len(chosen)} users.", messages.SUCCESS)

    def _chosen(self, request: HttpRequest, queryset: QuerySet[User]) -> list[UUID]:
        """Return the ids of the chosen users, without superusers for those who are none."""
        if not request.user.is_superuser:
            queryset = queryset.filter(is_superuser=False)
        return list(queryset.values_list("pk", flat=True))


@admin.register(Driver)
class DriverAdmin(ReadOnlyAdmin[Driver]):
    """Who drives what."""

    list_display = ("user", "vehicle_type", "vehicle_plate", "is_active", "created_at")
    list_filter = ("vehicle_type", "user__is_active")
    search_fields = ("user__msisdn", "user__full_name", "vehicle_plate")
    list_select_related = ("user",)

    @admin.display(boolean=True, description="active", ordering="user__is_active")
    def is_active(self, driver: Driver) -> bool:
        """Whether the driver may log in."""
        return driver.user.is_active
