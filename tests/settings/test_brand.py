"""The brand on the hosted pages."""

import pytest
from environments import faults, value


@pytest.mark.parametrize(("text", "expected"), [("#2347c5", "#2347c5"), ("#A00", "#aa0000"), ("#767676", "#767676")])
def test_a_brand_colour_is_one_that_carries_white_text(text, expected):
    assert value("IDP_BRAND_COLOR", text) == expected


def test_a_pale_brand_colour_is_a_fault_that_names_one_dark_enough():
    (fault,) = faults({"IDP_BRAND_COLOR": "#ffcc00"})

    assert fault.startswith("IDP_BRAND_COLOR: white text on #ffcc00 has a contrast of 1.5:1 and needs 4.5:1; #")
    assert value("IDP_BRAND_COLOR", fault.rpartition("; ")[2].partition(" ")[0])


@pytest.mark.parametrize("text", ["2347c5", "#12", "#12345g", "blue", "#fff;}", "rgb(0,0,0)"])
def test_any_other_brand_colour_is_a_fault(text):
    assert "must be a colour such as `#2347c5`" in faults({"IDP_BRAND_COLOR": text})[0]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "IDP_BRAND_LOGO_URL",
            ("https://cdn.example/logo.svg", "/assets/logo.png"),
            (
                "http://cdn.example/l.svg",
                "//cdn.example/l.svg",
                "/\\cdn",
                "logo.svg",
                "javascript:alert(1)",
                "https://a b/",
            ),
        ),
        ("IDP_BRAND_NAME", ("Acme", "Größe & Söhne"), ("a\nb", "x" * 61)),
    ],
)
def test_name_and_logo_of_the_brand_are_what_a_page_can_show(name, good, bad):
    for text in good:
        assert value(name, text) == text
    for text in bad:
        assert faults({name: text})[0].startswith(f"{name}: must be ")


def test_links_of_the_brand_are_labels_with_addresses():
    assert value("IDP_BRAND_LINKS", "Privacy=https://a.example/p?x=1, Terms of use=/terms") == (
        ("Privacy", "https://a.example/p?x=1"),
        ("Terms of use", "/terms"),
    )
    for text in ("https://a.example", "=https://a.example", "X=javascript:alert(1)", "X=http://a.example"):
        assert faults({"IDP_BRAND_LINKS": text})


def test_a_folder_of_templates_exists(tmp_path):
    assert value("IDP_TEMPLATES_DIR", str(tmp_path)) == tmp_path
    assert "must be a folder that exists" in faults({"IDP_TEMPLATES_DIR": str(tmp_path / "none")})[0]
