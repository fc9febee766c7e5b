"""What a claim may say (OpenID Connect Core, section 5.1)."""

from __future__ import annotations

import pytest

from idp.domain.accounts import claim_rules
from idp.domain.accounts.claim_rules import ADDRESS_RULES, RULES

TAKEN = [
    ("given_name", "  Ada \t Augusta ", "Ada Augusta"),
    ("given_name", "Zoë", "Zoë"),
    ("nickname", "é" * 100, "é" * 100),
    ("gender", "<script>", "<script>"),
    ("website", "https://ada.example/~me?a=1#x", "https://ada.example/~me?a=1#x"),
    ("picture", "http://[2001:db8::1]:8080/p.png", "http://[2001:db8::1]:8080/p.png"),
    ("birthdate", "1815-12-10", "1815-12-10"),
    ("birthdate", "0000-02-29", "0000-02-29"),
    ("birthdate", "2000-02-29", "2000-02-29"),
    ("birthdate", "1815", "1815"),
    ("zoneinfo", "Europe/Paris", "Europe/Paris"),
    ("zoneinfo", "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
    ("locale", "en", "en"),
    ("locale", "zh-Hant-TW", "zh-Hant-TW"),
    ("locale", "pt_BR", "pt-BR"),
    ("phone_number", "+442079460000", "+442079460000"),
    ("phone_number", "+44 (20) 7946-0000", "+442079460000"),
]
REFUSED = [
    *[
        ("given_name", text)
        for text in ("", "   ", "a\0b", "a\x1bb", "a\x85b\ue000", "\ud800", "x" * 101, "\u0301" * 5000)
    ],
    *[
        ("website", text)
        for text in (
            "",
            "ada.example",
            "//ada.example",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "ftp://ada.example",
            "https://",
            "https:///x",
            "https://user@ada.example",
            "https://ada.example:99999",
            "https://ada.example:x",
            "https://ada.example/ x",
            "https://ada.example/\n",
            "https://ada.example/\"onload='x",
            "https://ada.example/<x>",
            "https://ada.example\\@evil.example",
            "https://[::1",
            "https://adá.example",
            "https://ada.example/" + "x" * 2000,
        )
    ],
    *[
        ("birthdate", text)
        for text in (
            "",
            "0000",
            "1815-13-01",
            "1815-02-29",
            "1815-00-10",
            "1815-12",
            "15-12-10",
            "1815-12-10T00:00",
            "١٨١٥",
        )
    ],
    *[("zoneinfo", text) for text in ("", "Paris", "Europe/Nowhere", "../../etc/passwd", "Europe/Paris ", "x" * 5000)],
    *[("locale", text) for text in ("", "e", "english language", "en-", "-en", "en--US", "é", "en-" + "a-" * 40 + "a")],
    *[
        ("phone_number", text)
        for text in (
            "",
            "+",
            "442079460000",
            "+0442079460000",
            "+44",
            "+1234567890123456",
            "+44207946000x",
            "+٤٤٢٠٧٩٤٦٠٠٠",
        )
    ],
]


@pytest.mark.parametrize(("claim", "given", "stored"), TAKEN)
def test_what_is_good_is_stored_in_one_form(claim: str, given: str, stored: str) -> None:
    assert RULES[claim](given) == stored
    assert RULES[claim](stored) == stored


@pytest.mark.parametrize(("claim", "given"), REFUSED)
def test_what_is_not_is_refused_with_a_sentence_that_does_not_repeat_it(claim: str, given: str) -> None:
    """IN3."""
    with pytest.raises(ValueError, match=r"^[A-Z].*\.$") as refusal:
        RULES[claim](given)

    assert len(given) < 9 or given not in str(refusal.value)


def test_a_street_may_have_several_lines() -> None:
    street = ADDRESS_RULES["street_address"](" Flat 2 \r\n\r\n12  St James's Square\n")

    assert street == "Flat 2\n12 St James's Square"
    with pytest.raises(ValueError, match="control"):
        ADDRESS_RULES["street_address"]("a\x07b")


def test_without_a_database_of_time_zones_their_form_has_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_rules, "zones", frozenset)

    assert claim_rules.zone("Europe/Paris") == "Europe/Paris"
    with pytest.raises(ValueError, match="time zone"):
        claim_rules.zone("../../etc/passwd")
