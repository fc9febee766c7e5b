"""Secrets: what makes one good, how they are given in files, and that none is ever shown."""

import pytest
from environments import OLDER_SECRET, SECRET, SECRETS, faults, value

from idp.settings import SettingsError, load
from idp.settings.fields import SETTINGS


def test_the_first_administrator_needs_an_address_and_a_password_that_the_policy_allows():
    settings = load({"IDP_ADMIN_EMAIL": "root@example.com", "IDP_ADMIN_PASSWORD": " Correct horse 1 "})

    assert (settings.admin_email, settings.admin_password) == ("root@example.com", " Correct horse 1 ")
    assert "an e-mail address" in faults({"IDP_ADMIN_EMAIL": "root"})[0]
    (fault,) = faults({"IDP_ADMIN_PASSWORD": "canary-admin"})
    assert fault == "IDP_ADMIN_PASSWORD: The password needs an upper-case letter. The password needs a digit."


def test_a_registration_token_is_as_long_as_a_secret():
    assert value("IDP_REGISTRATION_TOKEN", "a" * 32) == "a" * 32
    for text in ("a" * 31, "a" * 31 + " ", "a" * 20 + " " + "a" * 20):
        (fault,) = faults({"IDP_REGISTRATION_TOKEN": text})
        assert "at least 32" in fault
        assert text not in fault


def test_a_metrics_token_has_the_form_of_a_bearer_token():
    assert value("IDP_METRICS_TOKEN", "abc.DEF-123==") == "abc.DEF-123=="
    (fault,) = faults({"IDP_METRICS_TOKEN": "canary token"})
    assert "RFC 6750" in fault
    assert "canary" not in fault


def test_a_list_of_secrets_keeps_its_order_and_counts_bytes():
    assert value("IDP_SECRET", f"{SECRET}, {OLDER_SECRET}") == (SECRET.encode(), OLDER_SECRET.encode())
    assert value("IDP_SECRET", "é" * 16) == (("é" * 16).encode(),)


@pytest.mark.parametrize("text", ["canary", "s" * 31, f"{SECRET},canary", f"{SECRET},", ","])
def test_a_short_secret_is_a_fault_with_its_remedy(text):
    (fault,) = faults({"IDP_SECRET": text})

    assert fault == "IDP_SECRET: each secret must have at least 32 bytes; `openssl rand -hex 32` makes one."


def test_the_same_secret_twice_is_a_fault():
    (fault,) = faults({"IDP_SECRET": f"{SECRET},{SECRET}"})

    assert fault == "IDP_SECRET: names the same secret twice; each must differ."


def test_bytes_that_are_no_text_are_a_fault_and_no_crash():
    found = faults({"IDP_SECRET": "\udcff" * 32, "IDP_DATA_DIR": "\udcff", "IDP_\udcff": "x"})

    assert len(found) == 3
    "\n".join(found).encode()


# --- secrets in files


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_can_be_given_as_a_file(name, tmp_path):
    file = tmp_path / "secret"
    file.write_text(SECRETS[name] + "\n")

    assert load({f"{name}_FILE": str(file)}) == load({name: SECRETS[name]})


def test_exactly_these_settings_are_secret():
    assert {setting.name for setting in SETTINGS if setting.secret} == set(SECRETS)


def test_a_secret_given_twice_is_a_fault(tmp_path):
    file = tmp_path / "secret"
    file.write_text(SECRET)

    (fault,) = faults({"IDP_SECRET": SECRET, "IDP_SECRET_FILE": str(file)})

    assert fault == "IDP_SECRET: given twice, also as IDP_SECRET_FILE; keep one."


def test_an_empty_variable_beside_a_file_is_no_second_secret(tmp_path):
    file = tmp_path / "secret"
    file.write_text(SECRET)

    assert load({"IDP_SECRET": "", "IDP_SECRET_FILE": str(file)}).secrets == (SECRET.encode(),)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "No such file"), (b"", "it is empty"), (b"\r\n", "it is empty"), (b"canary\xff", "not UTF-8")],
)
def test_a_file_that_cannot_be_used_is_a_fault(content, problem, tmp_path):
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)

    (fault,) = faults({"IDP_METRICS_TOKEN_FILE": str(file)})

    assert fault.startswith("IDP_METRICS_TOKEN_FILE: the file ")
    assert problem in fault
    assert "canary" not in fault


def test_a_folder_or_a_nul_as_a_secrets_file_is_a_fault(tmp_path):
    assert "directory" in faults({"IDP_SECRET_FILE": str(tmp_path)})[0]
    assert "no path" in faults({"IDP_SECRET_FILE": "a\0b"})[0]


def test_a_fault_in_a_secrets_file_names_the_file_variable(tmp_path):
    file = tmp_path / "secret"
    file.write_text("canary")

    (fault,) = faults({"IDP_SECRET_FILE": str(file)})

    assert fault.startswith("IDP_SECRET_FILE: each secret must have")


# --- nothing secret is shown


def test_no_secret_is_in_the_text_of_settings():
    settings = load(SECRETS | {"IDP_SECRET": f"{SECRET},{OLDER_SECRET}"})

    for text in (repr(settings), str(settings), f"{settings}"):
        assert "canary" not in text
        assert text.count("'***'") == len(SECRETS)
        assert "workers=1" in text


def test_settings_say_which_secrets_are_missing():
    assert "database_url=None" in repr(load({}))
    assert "'***'" not in repr(load({}))


def test_no_secret_is_in_the_text_of_faults():
    broken = {name: f"canary\n{text}" for name, text in SECRETS.items()} | {
        "IDP_SECRET": "canary",
        "IDP_SECRT": "canary",
    }

    with pytest.raises(SettingsError) as raised:
        load(broken | {"IDP_ADMIN_PASSWORD": "canary"})

    assert len(raised.value.faults) == len(SECRETS) + 1
    assert "canary" not in str(raised.value) + repr(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
