"""Makes `StaffSite` the site of Django's admin; in INSTALLED_APPS in place of `django.contrib.admin`."""

from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    """The admin with our site."""

    default_site = "users.staff.site.StaffSite"
