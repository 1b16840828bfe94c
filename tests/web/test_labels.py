from django.contrib import admin
from django.utils import translation
from django.utils.translation import gettext

from rides.models import Ride
from users.models import User
from web.labels import APPS, LABELS


def test_every_label_of_the_admin_is_listed() -> None:
    """Or `make texts` would not find it: run the test's output into `LABELS`."""
    missing = set()
    for model in admin.site._registry:
        if model._meta.app_label in APPS:
            missing |= {str(field.verbose_name) for field in model._meta.fields} - set(LABELS)
    known_to_django = {"ID", "id", "password", "last login", "superuser status"}
    assert missing <= known_to_django


def test_labels_are_translated_when_they_are_shown() -> None:
    """And English without a language."""
    field = User._meta.get_field("full_name")
    assert str(field.verbose_name) == "full name"
    with translation.override("id"):
        assert str(field.verbose_name) == "nama lengkap"
        assert str(Ride._meta.verbose_name_plural) == "perjalanan"
        assert gettext("driving licence (SIM)") == "surat izin mengemudi (SIM)"
