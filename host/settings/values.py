"""App settings: one flat map of names to texts, from the environment and local.settings.json.

Names are looked up exactly, then without regard to case and with `:` and `__` meaning the same, as
Azure Functions does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from host.errors import ConfigurationError

_TRUE = frozenset({"true", "1"})
_NAMED = re.compile(r"%([A-Za-z_][A-Za-z0-9_.:-]*)%")


class AppSettings(Mapping[str, str]):
    """The merged settings of an app."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)
        self._folded = {_fold(name): value for name, value in self._values.items()}

    def __getitem__(self, name: str) -> str:
        return self._values[name] if name in self._values else self._folded[_fold(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"AppSettings({', '.join(sorted(self._values))})"  # names only: values are secrets

    def resolve(self, text: str) -> str:
        """The text with the settings' values for each `%NAME%`. Raises ConfigurationError.

        A name within a longer text is of letters, digits and `_ . : -`, and no digit comes first:
        so `50 % of 20 %` and `%20` are no names.
        """
        if len(text) > 2 and text[0] == text[-1] == "%" and "%" not in text[1:-1]:
            return self._named(text[1:-1])
        return _NAMED.sub(lambda match: self._named(match[1]), text)

    def _named(self, name: str) -> str:
        if name not in self:
            raise ConfigurationError(
                f"The app setting '{name}' is missing: set it in the environment or in the Values "
                "of local.settings.json."
            )
        return self[name]

    def is_true(self, name: str) -> bool:
        """Whether the setting exists and says `true` or `1`."""
        return is_true(self.get(name, ""))


def is_true(text: str) -> bool:
    """Whether a setting's text means yes."""
    return text.strip().lower() in _TRUE


def _fold(name: str) -> str:
    return name.lower().replace("__", ":")
