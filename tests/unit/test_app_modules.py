"""An app's modules are what an import makes: their names, their data, one for each file."""

from __future__ import annotations

import asyncio
import importlib
import importlib.resources
import logging
import pickle
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from host.functions.loader import load_app
from host.functions.model import App
from host.functions.slow_loading import slowness_told
from host.settings import load_settings

MakeApp = Callable[[Mapping[str, str]], Path]

FUNCTION_APP = """
    import logging
    from funchost import FunctionApp

    app = FunctionApp()
    NAME, SPEC = __name__, __spec__

    @app.activity_trigger()
    def hello(name: str) -> str:
        return name
"""
DROP_IN = '{"bindings": [{"type": "activityTrigger", "name": "x"}]}'


def load(app_dir: Path) -> App:
    return load_app(app_dir, load_settings(app_dir, {}))


def function(app: App, name: str) -> Callable[..., Any]:
    return next(each.declaration.function for each in app.functions if each.name == name)


def test_found_h11_modules_have_names_that_do_not_depend_on_where_the_app_lies(
    make_app: MakeApp,
) -> None:
    app_dir = make_app(
        {
            "host.json": '{"version": "2.0", "funchost": {"include": ["teams/*"]}}',
            "function_app.py": FUNCTION_APP,
            "Drop/function.json": DROP_IN,
            "Drop/run.py": "def main(x): return __name__",
            "teams/red.one/function_app.py": FUNCTION_APP.replace("hello", "red"),
        }
    )

    app = load(app_dir)

    assert app.broken == ()
    assert {each.name: each.declaration.function.__module__ for each in app.functions} == {
        "hello": "function_app",
        "Drop": "__app__.Drop.run",
        "red": "__app__.teams.red_one.function_app",
    }
    for each in app.functions:
        module = importlib.import_module(each.declaration.function.__module__)
        assert module.__spec__ is not None
        assert module.__spec__.name == module.__name__


def test_found_h11_data_of_the_app_is_found_by_its_package(make_app: MakeApp) -> None:
    load(
        make_app(
            {
                "function_app.py": FUNCTION_APP,
                "words.txt": "hello",
                "Drop/function.json": DROP_IN,
                "Drop/run.py": "def main(x): return x",
                "Drop/words.txt": "drop",
            }
        )
    )

    assert importlib.resources.files("function_app").joinpath("words.txt").read_text() == "hello"
    assert pkgutil.get_data("function_app", "words.txt") == b"hello"
    assert importlib.resources.files("__app__.Drop").joinpath("words.txt").read_text() == "drop"


def test_found_h11_loggers_and_pickles_have_the_plain_name(make_app: MakeApp) -> None:
    source = FUNCTION_APP + "    log = logging.getLogger(__name__)\n\n    class Order: ...\n"
    app_dir = make_app({"function_app.py": source})
    load(app_dir)

    module = importlib.import_module("function_app")
    assert module.log is logging.getLogger("function_app")
    pickled = pickle.dumps(module.Order())
    read = "import pickle, sys; print(type(pickle.loads(bytes.fromhex(sys.argv[1]))).__module__)"
    command = [sys.executable, "-c", read, pickled.hex()]
    result = subprocess.run(command, cwd=app_dir, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "function_app"


def test_found_h11_scripts_find_what_is_beside_their_folder(make_app: MakeApp) -> None:
    app_dir = make_app(
        {
            "shared/__init__.py": "",
            "shared/greeting.py": "TEXT = 'hi'",
            "One/function.json": DROP_IN,
            "One/run.py": "from ..shared.greeting import TEXT\ndef main(x): return TEXT",
            "Two/function.json": DROP_IN,
            "Two/run.py": "from shared import greeting\ndef main(x): return greeting",
            "Three/function.json": DROP_IN,
            "Three/run.py": "from __app__.shared import greeting\ndef main(x): return greeting",
        }
    )

    app = load(app_dir)

    assert app.broken == ()
    assert function(app, "One")(None) == "hi"
    assert function(app, "Two")(None) is function(app, "Three")(None)


def test_found_h6_a_file_that_is_imported_by_two_names_is_one_module(make_app: MakeApp) -> None:
    app_dir = make_app(
        {
            "models.py": "class Order: ...",
            "function_app.py": FUNCTION_APP
            + "    from .models import Order as one\n    from models import Order as two\n",
        }
    )

    load(app_dir)

    module = importlib.import_module("function_app")
    assert module.one is module.two


def test_found_h6_an_installed_app_imports_itself(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app is a package on the path, as a project with a src folder has it."""
    app_dir = make_app(
        {
            "src/shop/__init__.py": "",
            "src/shop/function_app.py": FUNCTION_APP + "    import shop.orders\n",
            "src/shop/orders.py": """
                from shop.function_app import app
                from .prices import PRICE

                @app.activity_trigger()
                def order() -> int:
                    return PRICE
            """,
            "src/shop/prices.py": "PRICE = 7",
        }
    )
    monkeypatch.syspath_prepend(str(app_dir / "src"))

    app = load(app_dir / "src" / "shop")

    assert app.broken == ()
    assert [each.name for each in app.functions] == ["hello", "order"]
    assert function(app, "order")() == 7
    assert sys.modules["shop.function_app"] is sys.modules["function_app"]
    spec = sys.modules["shop.function_app"].__spec__
    assert spec is not None
    assert spec.name == "function_app"


def test_found_h12_the_module_that_a_test_imported_is_the_one_that_runs(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app_dir = make_app({"function_app.py": FUNCTION_APP + "    GREETING = 'real'\n"})
    monkeypatch.syspath_prepend(str(app_dir))
    importlib.invalidate_caches()
    imported = importlib.import_module("function_app")

    app = load(app_dir)

    assert function(app, "hello") is imported.hello
    monkeypatch.setattr(imported, "GREETING", "patched")
    assert function(app, "hello").__globals__["GREETING"] == "patched"


def test_an_app_that_is_loaded_again_runs_its_modules_again(make_app: MakeApp) -> None:
    first = load(make_app({"function_app.py": FUNCTION_APP}))
    second = load(make_app({"function_app.py": FUNCTION_APP}))
    assert function(first, "hello") is not function(second, "hello")


def test_modules_of_others_are_imported_as_ever(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file outside the app may be two modules: that is not the host's affair."""
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "twice.py").write_text("x = object()")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path / "library"))
    load(make_app({"function_app.py": FUNCTION_APP}))
    assert importlib.import_module("twice") is not importlib.import_module("library.twice")


def test_found_h11_a_slow_import_says_where_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = tmp_path / "slow.py"
    script.write_text("while not done():\n    pass\n")
    code = compile(script.read_text(), str(script), "exec")

    with slowness_told(tmp_path, every_s=0.01):
        exec(code, {"done": lambda: f"it is at {script}" in caplog.text})

    assert f"it is at {script}" in caplog.text


HELPERS = {
    "function_app.py": FUNCTION_APP + "\n    import helper, helpers.words\n",
    "helper.py": "VALUE = 'first'",
    "helpers/__init__.py": "",
    "helpers/words.py": "VALUE = 'first'",
    "helpers/late.py": "VALUE = 'first'",
}


def _another(tmp_path: Path) -> Path:
    """The folder of another app."""
    app_dir = tmp_path.resolve() / "another"
    app_dir.mkdir()
    (app_dir / "function_app.py").write_text(dedent(FUNCTION_APP))
    return app_dir


def test_helpers_of_an_app_are_loaded_anew_with_it(make_app: MakeApp) -> None:
    app_dir = make_app(HELPERS)
    load(app_dir)
    importlib.import_module("helpers.late")  # as a function does while it runs
    for name in ("helper.py", "helpers/words.py", "helpers/late.py"):
        (app_dir / name).write_text("VALUE = 'another'")

    load(app_dir)

    found = [importlib.import_module(each) for each in ("helper", "helpers.words", "helpers.late")]
    assert [each.VALUE for each in found] == ["another"] * 3


def test_what_was_imported_before_the_app_stays(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app_dir = make_app(HELPERS)
    monkeypatch.syspath_prepend(str(app_dir))
    helper = importlib.import_module("helper")
    load(app_dir)
    load(app_dir)
    assert importlib.import_module("helper") is helper


def test_installed_packages_of_an_app_folder_are_not_loaded_anew(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many libraries do not survive a second import."""
    installed = ".venv/lib/python3.11/site-packages"
    app_dir = make_app(HELPERS | {f"{installed}/a_library.py": ""})
    load(app_dir)
    monkeypatch.syspath_prepend(str(app_dir / installed))
    library = importlib.import_module("a_library")
    load(app_dir)
    assert importlib.import_module("a_library") is library


def test_nothing_of_an_app_is_found_once_another_is_loaded(
    make_app: MakeApp, tmp_path: Path
) -> None:
    former = load(make_app(HELPERS))
    path = list(sys.path)
    load(_another(tmp_path))
    assert len(sys.path) == len(path)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("helper")
    assert function(former, "hello")("as before") == "as before"


async def test_an_app_can_be_loaded_in_a_thread_while_another_runs(
    make_app: MakeApp, tmp_path: Path
) -> None:
    first = load(make_app(HELPERS))
    second = await asyncio.to_thread(load, _another(tmp_path))
    assert function(first, "hello")("one") == "one"
    assert function(second, "hello")("two") == "two"
