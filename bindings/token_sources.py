"""Where `call_http` gets credentials: by name, on the host that sends the request, when it does.

Of a source only what stands here gets into the history; never a token or a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, TypeAlias

from bindings.shown_values import shown_value


@dataclass(frozen=True, slots=True)
class SettingToken:
    """Sends `Authorization: Bearer ...` with the value of the app setting `name`."""

    name: str

    def __post_init__(self) -> None:
        _check_texts(self)


@dataclass(frozen=True, slots=True)
class AwsSignature:
    """Signs the request for an AWS service (`execute-api`, say), with the host's credentials."""

    service: str
    region: str

    def __post_init__(self) -> None:
        _check_texts(self)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """Sends a bearer token of an OAuth 2.0 server, which is asked for it with client credentials.

    `secret_setting` is the name of the app setting that has the client's secret. A token is kept in
    memory until shortly before its end. What `call_http` may not ask, is not asked for a token.
    """

    token_url: str
    client_id: str
    secret_setting: str
    scope: str | None = None

    def __post_init__(self) -> None:
        _check_texts(self)


TokenSource: TypeAlias = SettingToken | AwsSignature | ClientCredentials

_KINDS: Final[Mapping[str, type[TokenSource]]] = {
    "setting": SettingToken,
    "awsSignature": AwsSignature,
    "clientCredentials": ClientCredentials,
}


def written(source: TokenSource) -> dict[str, str]:
    """The source as JSON. Raises TypeError if it is none."""
    for kind, each in _KINDS.items():
        if isinstance(source, each):
            named = {name: value for name, value in asdict(source).items() if value is not None}
            return {"kind": kind, **named}
    given: object = source
    raise TypeError(
        "token_source is a SettingToken, an AwsSignature or a ClientCredentials, not "
        f"{shown_value(given)}."
    )


def read(said: Mapping[str, str]) -> TokenSource:
    """The source that was written so. Raises ValueError if this version knows none such."""
    kind = _KINDS.get(said.get("kind", ""))
    if kind is None:
        raise ValueError(f"There is no token source '{said.get('kind', '')}' in this version.")
    named = {name: value for name, value in said.items() if name != "kind"}
    try:
        return kind(**named)
    except TypeError as error:
        raise ValueError(f"The token source '{said['kind']}' has other parts: {error}") from None


def _check_texts(source: Any) -> None:
    for each in fields(source):
        value = getattr(source, each.name)
        if value is None and each.name == "scope":
            continue
        if not isinstance(value, str) or not value.strip():
            raise TypeError(
                f"{each.name} of {type(source).__name__} is a text that is not empty, "
                f"not {shown_value(value)}."
            )
