"""Tests leave nothing to each other."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.sql import emit_post_migrate_signal


@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.django_db(transaction=True)
def test_permissions_come_back(turn: int) -> None:
    """A test with transactions of its own finds those that a migration makes, whatever the one before did to them."""
    kept = set(Permission.objects.values_list("pk", "codename", "content_type__model"))
    assert kept
    emit_post_migrate_signal(0, interactive=False, db="default")
    assert set(Permission.objects.values_list("pk", "codename", "content_type__model")) == kept
    Permission.objects.all().delete()
    ContentType.objects.all().delete()
