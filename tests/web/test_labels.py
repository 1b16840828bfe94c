from django.contrib import admin
from django.utils import translation
from django.utils.translation import gettext

from rides.models import Ride
from users.models import User
from web.labels import APPS, HELP, LABELS

OTHERS = {"is_superuser", "surcharges"}
"""Said by Django, and an example in JSON."""


def test_every_label_of_the_admin_is_listed() -> None:
    """Or `make texts` would not find it: run the test's output into `LABELS`."""
    missing = set()
    for model in admin.site._registry:
        if model._meta.app_label in APPS:
            missing |= {str(field.verbose_name) for field in model._meta.fields} - set(LABELS)
    known_to_django = {"ID", "id", "password", "last login", "superuser status"}
    headers = {"traceparent"}
    assert missing <= known_to_django | headers


def test_what_is_said_of_columns_is_listed() -> None:
    """All that a page of staff shows beside a column."""
    for model, page in admin.site._registry.items():
        if model._meta.app_label in ("rides", "users"):
            shown = [name for _, options in page.fieldsets or () for name in options["fields"]] or page.fields
            for field in model._meta.fields:
                if field.help_text and (shown is None or field.name in shown) and field.name not in OTHERS:
                    assert str(field.help_text) in HELP, (model, field.name)


def test_labels_are_translated_when_they_are_shown() -> None:
    """And English without a language."""
    field = User._meta.get_field("full_name")
    assert str(field.verbose_name) == "full name"
    with translation.override("id"):
        assert str(field.verbose_name) == "nama lengkap"
        assert str(Ride._meta.verbose_name_plural) == "perjalanan"
        assert gettext("driving licence (SIM)") == "surat izin mengemudi (SIM)"
