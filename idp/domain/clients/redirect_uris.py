"""
Where a browser may be sent with an answer.

A redirect URI must name one place that belongs to the client (RFC 9700, section 2.1; RFC 8252, section 7): no wildcard, no
other scheme than https but on this machine or for an app of its own, nothing in its query that the answer of the
authorization endpoint says itself. A presented one is compared character by character.

RFC 8252, section 7.1, wants the scheme of an app to be a reversed domain name; editors and desktop apps have `cursor:`,
`vscode:` and the like. Native clients may have these too, but no scheme that a browser or a system acts on itself.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qsl, urlsplit

from idp.domain.clients.clients import Client

LOOPBACK = ("127.0.0.1", "::1", "localhost")
NEVER_IN_A_URI = frozenset(' "<>\\^`{|}*')
# What the authorization endpoint adds (RFC 6749, section 4.1.2; RFC 9207; OpenID Connect's session management; JARM):
# of two values of one name the client might read the wrong one.
ANSWERED = frozenset(
    {"code", "state", "iss", "error", "error_description", "error_uri", "response", "session_state"}
    | {"access_token", "id_token", "token_type", "expires_in"}
)
APP_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+")  # one letter is a drive of Windows
# A browser, a system or a program that came with it acts on these itself; with some of them it runs what it is given.
SYSTEM = """
about acct afp aim android-app app applescript attachment blob bluetooth callto cid content cvs data dav dict dns doi edge
facetime facetime-audio feed file filesystem finger fish ftp ftps geo git gopher h323 help http https iax imap info intent ipp
irc irc6 ircs jabber jar java javascript jdbc jnlp ldap ldaps livescript local localhost lynx mailto maps market mhtml mid mms
mocha modem news nfs nntp onenote opera pkcs11 pop proxy ptp query rdp res resource rlogin rmi rsync rtmp rtsp search search-ms
secondlife sftp shell shortcuts shttp sip sips smb sms smsto snmp ssh steam stun svn tel telnet tftp tn3270 turn urn vbs
vbscript view-source vnc wais webcal wp wpid ws wss wtai wyciwyg x-javascript xcon xmpp xri
"""
SYSTEM_SCHEMES = frozenset(SYSTEM.split())
# `web+…` is whichever site asked the browser for it; the others are families of the above.
SYSTEM_PREFIXES = (
    "web+",
    "ms-",
    "microsoft-",
    "windows-",
    "x-apple",
    "apple-",
    "itms",
    "chrome",
    "moz-",
    "safari-",
    "about-",
)
# Before and after the port. `localhost` is a name, which may lead elsewhere (RFC 8252, section 8.3): no freedom there.
ON_THIS_MACHINE = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::[1-9][0-9]{0,4})?((?:[/?].*)?)")


def redirect_uri_matches(client: Client, presented: str) -> bool:
    """
    Whether *presented* is a redirect URI of *client*: one that is registered, exactly.

    An app on the user's own machine listens where a port is free, so for `native` clients the port of a registered loopback
    address is any (RFC 8252, section 7.3); host, path and query are as registered.
    """
    if presented in client.redirect_uris:
        return True
    if client.application_type != "native":
        return False
    without_port = _without_port(presented)
    return without_port is not None and any(without_port == _without_port(uri) for uri in client.redirect_uris)


def redirect_uri_fault(uri: str, *, native: bool = False) -> str | None:
    """Why *uri* cannot be registered, or None. *native*: for an app, whose scheme may be one without a dot."""
    parts = parts_of(uri)
    if parts is None:
        return "not a URI"
    if not well_written(uri) or "#" in uri:
        return "no spaces, wildcards, fragments or special characters"
    if "@" in parts.netloc:
        return "no user information"
    if repeated := ANSWERED & _names(parts.query):
        return f"its query must not have {', '.join(sorted(repeated))}, which the answer adds"
    return _place_fault(parts, native)


def web_fault(uri: str) -> str | None:
    """Why *uri* is no place on the web: https, or http on this machine."""
    parts = parts_of(uri)
    if parts is None or not well_written(uri) or not parts.hostname or "@" in parts.netloc:
        return "give an https:// address without spaces, wildcards and user information"
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return None
    return None if parts.scheme == "https" else "use https; http is for loopback addresses only"


def parts_of(uri: str) -> SplitResult | None:
    """None for what is no URI."""
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018 - raises ValueError for a port that is none
    except ValueError:
        return None
    return parts


def well_written(uri: str) -> bool:
    """Of characters that a URI has, and that no reader takes for another thing."""
    return uri.isascii() and uri.isprintable() and not set(uri) & NEVER_IN_A_URI


def is_app_scheme(scheme: str) -> bool:
    """Whether *scheme*, in lower case, may be that of an app: none that a browser or a system acts on itself."""
    return (
        APP_SCHEME.fullmatch(scheme) is not None
        and scheme not in SYSTEM_SCHEMES
        and not scheme.startswith(SYSTEM_PREFIXES)
    )


def short_scheme(uri: str) -> str | None:
    """The scheme of an app's URI when it is no reversed domain name, as in `cursor://…`; None for every other URI."""
    parts = parts_of(uri)
    return parts.scheme if parts and is_app_scheme(parts.scheme) and "." not in parts.scheme else None


def is_loopback(uri: str) -> bool:
    """Whether it is plain http on this machine."""
    parts = parts_of(uri)
    return parts is not None and parts.scheme == "http" and parts.hostname in LOOPBACK


def _place_fault(parts: SplitResult, native: bool) -> str | None:
    scheme, host = parts.scheme, parts.hostname or ""
    if scheme == "https" and host:
        return None
    if scheme == "http":
        return None if host in LOOPBACK else "http is for loopback addresses only"
    # RFC 8252, section 7.1: a private-use scheme is a reversed domain name, which keeps out javascript: and data:.
    if "." in scheme:
        return None
    # `localhost:3000/cb` lacks its http://; it is no app whose scheme is `localhost`.
    if is_app_scheme(scheme) and (parts.netloc or parts.path.startswith("/")):
        return None if native else "a scheme without a dot is for native clients only"
    return "use https, loopback http or an app's own scheme"


def _names(query: str) -> set[str]:
    """Also of who takes `;` for `&`."""
    return {name for name, _ in parse_qsl(query.replace(";", "&"), keep_blank_values=True)}


def _without_port(uri: str) -> tuple[str, str] | None:
    found = ON_THIS_MACHINE.fullmatch(uri)
    return (found[1], found[2]) if found else None
