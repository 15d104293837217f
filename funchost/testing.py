"""What authors test their functions with; see docs/how-to/test-your-app.md."""

from host.testing.answers import NEVER
from host.testing.environment import TestEnvironment
from host.testing.fake_context import FakeContext
from host.testing.http_fakes import MissingAnswerError
from host.testing.making import EnvironmentMaker
from host.testing.replaying import replay

__all__ = [
    "NEVER",
    "EnvironmentMaker",
    "FakeContext",
    "MissingAnswerError",
    "TestEnvironment",
    "replay",
]
