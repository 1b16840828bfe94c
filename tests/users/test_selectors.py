from uuid import UUID

import pytest

from users.models import User
from users.selectors import people_found, users_missing

NOBODY = UUID(int=9)


def test_of_some_ids_those_are_missing_that_no_user_has(dewi: User, putri: User) -> None:
    assert users_missing({dewi.pk, NOBODY, putri.pk}) == {NOBODY}
    assert users_missing([dewi.pk, putri.pk]) == set()
    assert users_missing(set()) == set()


def test_who_is_deactivated_is_still_a_user(tono: User) -> None:
    User.objects.update(is_active=False)
    assert users_missing([tono.pk]) == set()


@pytest.mark.parametrize(
    "text",
    ["081570000009", "+62 815-7000-0009", "6281570000009", "62 815 7000 0009", "+62 (0)815.7000.0009", "7000-0009",
     "\u202a+62 815-7000-0009\u202c", "\u0660\u0668\u0661\u0665\u0667\u0660\u0660\u0660\u0660\u0660\u0660\u0669",
     "ayu wul", "Wulan  AYU"],
)  # fmt: skip
def test_people_are_found_however_they_are_written(putri: User, text: str) -> None:
    """A number in any spelling, a part of it, and the words of a name find the same person."""
    ayu = User.objects.create_user("+6281570000009", full_name="Ayu Wulandari")
    assert list(people_found(text, by_parts=True)) == [ayu]
    assert list(people_found(f" {ayu.pk} ", by_parts=False)) == [ayu]


@pytest.mark.parametrize("text", ["00000099", "Nobody", str(NOBODY), "+", "()", "0815 7000 0009 x3", "\u0000"])
def test_nobody_is_found_by_what_fits_nobody(putri: User, text: str) -> None:
    """Text that names nobody finds nobody, and raises nothing."""
    assert list(people_found(text, by_parts=True)) == []


def test_empty_text_finds_everybody(putri: User, sari: User) -> None:
    """An empty search box shows the whole list."""
    assert set(people_found("  ", by_parts=False)) == {putri, sari}


def test_parts_of_numbers_are_for_those_who_may_see_them(putri: User) -> None:
    """Whole numbers find their owner, parts do not."""
    assert list(people_found("0812 0000 0003", by_parts=False)) == [putri]
    for part in ("0000 0003", "200000003", "+62812"):
        assert not people_found(part, by_parts=False).exists()


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("Nguy\u1ec5n \u00c1nh", "\u00e1nh"),
        ("\u0414\u0435\u0432\u0438 \u0410\u044e", "\u0434\u0415\u0412\u0418"),
        ("\u0645\u062d\u0645\u062f \u0639\u0644\u064a", "\u0639\u0644\u064a"),
        ("\u092a\u0941\u0924\u094d\u0930\u0940", "\u092a\u0941\u0924\u094d"),
        ("\u9673\u5c0f\u660e", "\u5c0f\u660e"),
        ("Jos\u00e9", "jose\u0301"),
    ],
)
def test_names_of_all_scripts_are_found(tono: User, name: str, typed: str) -> None:
    """In any case, on SQLite too, and with accents as one or two characters."""
    user = User.objects.create_user("+6281570000009", full_name=name)
    assert list(people_found(typed, by_parts=False)) == [user]
