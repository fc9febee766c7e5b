"""The settings of traces: where spans go, and how many of them."""

from __future__ import annotations

import re

from idp.settings import addresses, parsing
from idp.settings.parsing import Parser
from idp.settings.setting import Group, Setting

HEADER = re.compile(r"(?P<name>[A-Za-z0-9!#$%&'*+.^_`|~-]+)=(?P<value>[!-~](?:[ -~]*[!-~])?)")
RATIO = re.compile(r"0(?:\.[0-9]{1,6})?|1(?:\.0{1,6})?")


def header() -> Parser:
    """(name, value)"""

    def read(text: str) -> tuple[str, str]:
        match = HEADER.fullmatch(text)
        if match is None:
            raise ValueError
        return match["name"], match["value"]

    return Parser("`name=value`, without a comma", read)


def ratio() -> Parser:
    def read(text: str) -> float:
        if RATIO.fullmatch(text) is None:
            raise ValueError
        return float(text)

    return Parser("a number from 0 to 1, such as `0.05`", read)


def service_name() -> Parser:
    def read(text: str) -> str:
        if re.fullmatch(r"[!-~]{1,60}", text) is None:
            raise ValueError
        return text

    return Parser("up to 60 visible ASCII characters without a space", read)


TRACES = Group(
    "Traces",
    (
        Setting(
            "IDP_OTEL_ENDPOINT",
            None,
            "Collector to which spans go by OTLP over HTTP, at `/v1/traces` below this address (extra `otel`).",
            addresses.collector(),
            unset="no traces",
        ),
        Setting(
            "IDP_OTEL_HEADERS",
            None,
            "Headers with which the collector is called, such as `authorization=Bearer …`.",
            parsing.listed(header()),
            secret=True,
        ),
        Setting("IDP_OTEL_SERVICE_NAME", "idp", "What the spans call this service.", service_name()),
        Setting(
            "IDP_OTEL_SAMPLE_RATIO",
            "1",
            "Share of the traces that begin here and are exported; what a trusted proxy began, it has decided on.",
            ratio(),
        ),
    ),
)
