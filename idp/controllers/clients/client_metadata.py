"""What clients that register themselves send: the names of RFC 7591 and OpenID Connect, read strictly; unknown ones ignored."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

# The rules for what is in them are the domain's; these only keep out what no rule needs to look at.
Text = Annotated[str, Field(max_length=10_000)]
Texts = Annotated[list[Text], Field(max_length=1000)]


class ClientMetadata(BaseModel):
    """Null counts as left out."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    redirect_uris: Texts | None = None
    client_name: Text | None = None
    grant_types: Texts | None = None
    response_types: Texts | None = None
    scope: Text | None = None
    application_type: Text | None = None
    subject_type: Text | None = None
    token_endpoint_auth_method: Text | None = None
    token_endpoint_auth_signing_alg: Text | None = None
    jwks: dict[str, Any] | None = None
    jwks_uri: Text | None = None
    id_token_signed_response_alg: Text | None = None
    userinfo_signed_response_alg: Text | None = None
    require_pkce: bool | None = None
    default_max_age: int | None = None
    require_auth_time: bool | None = None
    post_logout_redirect_uris: Texts | None = None
    backchannel_logout_uri: Text | None = None
    backchannel_logout_session_required: bool | None = None
    initiate_login_uri: Text | None = None
    client_uri: Text | None = None
    logo_uri: Text | None = None
    policy_uri: Text | None = None
    tos_uri: Text | None = None
    contacts: Texts | None = None


class ReplacingMetadata(ClientMetadata):
    """*client_id* and, if it is given, *client_secret* are those that the client has (RFC 7592, section 2.2)."""

    client_id: Text
    client_secret: Text | None = None
