"""Which passwords an account may have."""

from unicodedata import normalize

import pytest

from idp.domain.accounts.passwords import normalised, password_faults


def test_the_policy_takes_a_password_with_a_digit_and_letters_of_both_cases():
    for password in ("Passw0rd", "Éclaire é9", "Ώρα-ώρα-٣", "aA1" + "🔑" * 997):
        assert password_faults(password) == []


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("Passw0r", "The password needs at least 8 characters."),
        ("aA1" + "x" * 998, "The password may have at most 1,000 characters."),
        ("PASSW0RD", "The password needs a lower-case letter."),
        ("passw0rd", "The password needs an upper-case letter."),
        ("Password", "The password needs a digit."),
        ("Passw0rd\ud800", "The password contains something that is no character."),
    ],
)
def test_the_policy_says_what_a_password_needs(password, fault):
    assert password_faults(password) == [fault]


def test_the_policy_tells_all_faults_at_once():
    assert len(password_faults("")) == 4


def test_the_policy_counts_characters_after_nfc():
    assert password_faults(normalize("NFD", "Ééééé12")) == ["The password needs at least 8 characters."]
    assert password_faults("aA1" + normalize("NFD", "ᾧ") * 997) == []


def test_a_flood_of_combining_marks_is_refused_unnormalised():
    flood = "a" + "\u0315\u0300" * 16_000

    assert normalised(flood) is flood
    assert "The password may have at most 1,000 characters." in password_faults(flood)
