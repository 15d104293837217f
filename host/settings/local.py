"""local.settings.json: app settings and address for running on the author's own machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host.errors import ConfigurationError
from host.logs import HostLog
from host.settings.cors import NO_CORS, NO_WISH, CorsWish
from host.settings.json_files import read_json_object

FILE_NAME = "local.settings.json"

_logger = HostLog(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """What the file says. All but `values` are defaults of the command line."""

    values: Mapping[str, str] = field(default_factory=dict)
    http_port: int | None = None
    http_address: str | None = None
    cors: CorsWish = NO_WISH


def load_local_settings(app_dir: Path) -> LocalSettings:
    """Read the file; without one, nothing is set. Raises `ConfigurationError` with all problems."""
    # This parser lets half characters pass: the value that holds one is named below.
    document = read_json_object(app_dir / FILE_NAME, json.loads) or {}
    folded = {key.lower(): value for key, value in document.items()}
    if folded.get("isencrypted") is True:
        raise ConfigurationError(
            f"{FILE_NAME}: IsEncrypted is true, but encrypted settings cannot be read. Decrypt the "
            "file with the tool that encrypted it (func settings decrypt), or write the values in "
            "the clear and set IsEncrypted to false."
        )
    problems: list[str] = []
    settings = LocalSettings(
        values=_values(folded.get("values"), problems),
        **_address(folded.get("host"), problems),
    )
    if problems:
        raise ConfigurationError(*problems)
    return settings


def _values(section: Any, problems: list[str]) -> dict[str, str]:
    if section is None:
        return {}
    if not isinstance(section, dict):
        problems.append(f"{FILE_NAME}: Values must be an object of names and texts.")
        return {}
    texts = {}
    for name, value in section.items():
        if not name or "=" in name or not _is_storable(f"{name}{value}"):
            problems.append(
                f"{FILE_NAME}: Values.{name!r} cannot be an environment variable: a name is not "
                "empty and has no '=', and neither name nor value has a zero character or half a "
                "character."
            )
        elif value is None:
            _logger.warning("Skipping '%s' from %s: its value is null.", name, FILE_NAME)
        elif isinstance(value, dict | list):
            problems.append(
                f"{FILE_NAME}: Values.{name} must be a text; write nested data as text."
            )
        else:
            texts[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return texts


def _is_storable(text: str) -> bool:
    """Whether an environment can hold the text."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def _address(section: Any, problems: list[str]) -> dict[str, Any]:
    if not isinstance(section, dict):
        if section is not None:
            problems.append(f"{FILE_NAME}: Host must be an object.")
        return {}
    folded = {key.lower(): value for key, value in section.items()}
    port, address = folded.get("localhttpport"), folded.get("localhttpaddress")
    if port is not None and not (type(port) is int and 0 <= port <= 65535):
        problems.append(f"{FILE_NAME}: Host.LocalHttpPort must be a number from 0 to 65535.")
    if address is not None and not isinstance(address, str):
        problems.append(f"{FILE_NAME}: Host.LocalHttpAddress must be a text.")
    wish = _cors(folded.get("cors"), folded.get("corscredentials"), problems)
    return {"http_port": port, "http_address": address, "cors": wish}


def _cors(origins: Any, credentials: Any, problems: list[str]) -> CorsWish:
    if not isinstance(origins, str | None):
        problems.append(f"{FILE_NAME}: Host.CORS must be a text: origins with commas between them.")
        return NO_WISH
    if not isinstance(credentials, bool | None):
        problems.append(f"{FILE_NAME}: Host.CORSCredentials must be true or false.")
        return NO_WISH
    wish = CorsWish(origins=origins, credentials=credentials)
    try:
        CorsWish(origins=origins).over(NO_CORS)
    except ValueError as error:
        problems.append(f"{FILE_NAME}: Host.CORS: {error}.")
        return NO_WISH
    return wish
