"""What becomes of errors in the code of kinds: it may be another package's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bindings.errors import FunctionDefinitionError
from bindings.kinds.records import BindingKind


@contextmanager
def code_of(kind: BindingKind) -> Iterator[None]:
    """Make a `FunctionDefinitionError` of whatever is raised, so that one function only is broken.

    Otherwise a fault in the code of one kind would end the loading of the whole app.
    """
    try:
        yield
    except FunctionDefinitionError:
        raise
    except Exception as error:
        raise FunctionDefinitionError(
            f"The code of the binding type '{kind.type}' failed: {type(error).__name__}: {error}"
        ) from error
