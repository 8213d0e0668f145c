"""The house holds: who may import whom, what the core may not touch, and how large a file may be.

`EXCEPTIONS` and `LARGE` name what does not keep a rule yet. They only shrink: who mends one of them, or makes
a file smaller, is asked to take it off.
"""

import ast
import re
import sys
from pathlib import Path

import pytest

from tests.architecture import (
    Module,
    circles,
    file_sizes,
    function_sizes,
    imports_of_tests,
    inits_with_code,
    private_imports,
    read,
    second_paths,
    too_large,
    unexpected,
)

ROOT = Path(__file__).parent.parent
ROOMS = ("commission", "schemas", "ingest", "streams", "api", "infra")
HOUSE = read(ROOT, *ROOMS, "tests")

ALLOWED: dict[str, frozenset[str]] = {
    "commission": frozenset({"commission", "msgspec"}),
    "schemas": frozenset({"schemas", "commission", "msgspec", "pydantic", "pydantic_settings"}),
    "ingest": frozenset(
        {
            "msgspec",
            "ingest",
            "schemas",
            "commission",
            "confluent_kafka",
            "polars",
            "ruamel",
            "selectolax",
            "pycountry",
            "pydantic",
            "httpx",
            "sqlalchemy",
            "pymysql",
            "defusedxml",
            "fastapi",
            "starlette",
        }
    ),
    "streams": frozenset(
        {
            "msgspec",
            "streams",
            "schemas",
            "commission",
            "faust",
            "aiokafka",
            "rocksdict",
            "confluent_kafka",
            "clickhouse_connect",
            "polars",
            "pydantic",
        }
    ),
    "api": frozenset(
        {
            "msgspec",
            "api",
            "schemas",
            "commission",
            "fastapi",
            "starlette",
            "xlsxwriter",
            "httpx",
            "httptools",
            "prometheus_client",
            "anyio",
            "jinja2",
            "markupsafe",
            "ruamel",
            "clickhouse_connect",
            "confluent_kafka",
            "polars",
            "pydantic",
            "Crypto",
            "segno",
        }
    ),
}
"""Third-party and own packages a room may import beside the standard library; infra may import all."""

IMPURE = frozenset(
    {
        "asyncio",
        "io",
        "logging",
        "os",
        "pathlib",
        "random",
        "secrets",
        "socket",
        "subprocess",
        "threading",
        "time",
        "uuid",
    }
)
IMPURE_CALLS = frozenset(
    {"open", "print", "input", "float", "now", "utcnow", "today", "getenv", "uuid4", "random"}
)

CIRCLES = {
    "commission.explain: explanation <-> render",
}
CODE_IN_INIT: set[str] = set()
PRIVATE: set[str] = set()
"""Exceptions: what breaks a rule of the house today. A test fails when one of them no longer does."""

FILE_LINES = {"commission": 350, "schemas": 250, "ingest": 350, "streams": 300, "api": 250, "infra": 350}
FILE_STEP = 50
FUNCTION_LINES = {"commission": 50, "schemas": 30, "ingest": 50, "streams": 40, "api": 50, "infra": 50}
FUNCTION_STEP = 10
"""The most a room allows. Once its largest is a step below, the number is lowered by that step."""

LARGE = {
    "commission/client/deals.py": 401,
    "commission/terms/checks/plans.py": 449,
    "commission/client/accruals.py::post": 68,
    "ingest/mt4/statement.py": 457,
    "ingest/mt5/deals_csv.py": 359,
    "ingest/mt4/statement_columns.py": 373,
    "ingest/mt4/record.py::_deal": 62,
    "ingest/mt4/dialects.py::to_record": 53,
    "ingest/mt5/record.py::_deal": 51,
    "streams/app.py::build_app": 57,
    "infra/what_if/simulate.py": 405,
    "infra/plans/diff.py": 358,
    "infra/cli/ingest.py::normalise": 53,
    "infra/cli/reconcile.py::reconcile": 69,
}
"""Exceptions: files and functions above that, each with its lines today."""


def modules_of(room: str) -> list[Module]:
    """Every module of a room."""
    return [module for module in HOUSE.values() if module.parts[0] == room]


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    """The import rules of ARCHITECTURE.md hold in every module."""
    broken = [
        f"{module.path}:{one.line} imports {package}"
        for module in modules_of(room)
        for one in module.imports
        if (package := one.source.split(".")[0]) not in ALLOWED[room]
        and package not in sys.stdlib_module_names
    ]
    assert broken == []


def test_the_core_has_no_clock_randomness_io_or_float() -> None:
    """commission/ is pure: nothing in it can give another answer tomorrow."""
    broken = []
    for module in modules_of("commission"):
        broken += [
            f"{module.path}:{one.line} imports {one.source}"
            for one in module.imports
            if one.source.split(".")[0] in IMPURE
        ]
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                broken.append(f"{module.path}:{node.lineno} has the float {node.value}")
            if isinstance(node, ast.Call):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                if name in IMPURE_CALLS:
                    broken.append(f"{module.path}:{node.lineno} calls {name}()")
    assert broken == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_opens_with_a_sentence(room: str) -> None:
    """A reader learns from the first line what a module is for, and every room has a README."""
    silent = [str(module.path) for module in modules_of(room) if not ast.get_docstring(module.tree)]
    assert silent == []
    assert (ROOT / room / "README.md").is_file()


def test_nothing_imports_in_a_circle() -> None:
    """Files import one way, so do the packages of a room, and the rooms."""
    assert unexpected(circles(HOUSE), CIRCLES) == []


def test_a_package_opens_without_code() -> None:
    """An `__init__` holds a docstring at the most: opening a package runs nothing."""
    assert unexpected(inits_with_code(HOUSE), CODE_IN_INIT) == []


def test_a_name_has_one_path() -> None:
    """A name is imported from the module that makes it."""
    excepted = tuple(f" from {package}" for package in CODE_IN_INIT)
    assert [found for found in sorted(second_paths(HOUSE)) if not found.endswith(excepted)] == []


def test_what_crosses_files_is_public() -> None:
    """A name with a leading underscore stays in its file."""
    rooms = {name: module for name, module in HOUSE.items() if module.parts[0] in ROOMS}
    assert unexpected(private_imports(rooms), PRIVATE) == []


@pytest.mark.parametrize("room", ROOMS)
def test_sizes_only_shrink(room: str) -> None:
    """A file holds one idea and a function fits a screen; what is larger today is named."""
    large = {name: size for name, size in LARGE.items() if name.startswith(f"{room}/")}
    files = {name: size for name, size in large.items() if "::" not in name}
    functions = {name: size for name, size in large.items() if "::" in name}
    found = too_large(file_sizes(modules_of(room)), FILE_LINES[room], FILE_STEP, files)
    found += too_large(function_sizes(modules_of(room)), FUNCTION_LINES[room], FUNCTION_STEP, functions)
    assert found == []


def test_a_kafka_client_is_given_its_options_in_one_place() -> None:
    """Who it is, and how it knows the broker, is `schemas.kafka`'s: no client names servers by itself."""
    named = ('"bootstrap.servers"', "bootstrap_servers=", '"sasl.', '"security.protocol"')
    found = {
        str(module.path)
        for room in ROOMS
        for module in modules_of(room)
        if any(name in module.path.read_text(encoding="utf-8") for name in named)
    }
    assert found == {"schemas/kafka.py"}


# Each rule finds what breaks it: a house planted in a folder of the test


def plant(root: Path, **files: str) -> dict[str, Module]:
    """A house of the room `hut`: its files by name (`a__b` is a/b.py), with their source."""
    for name, source in files.items():
        path = root / "hut" / f"{name.replace('__', '/', 1)}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return read(root, "hut")


def test_a_circle_between_files_is_found(tmp_path: Path) -> None:
    """Also where it takes three files, and where an import is inside a function."""
    house = plant(
        tmp_path,
        a="from hut.b import b",
        b="def b():\n    from hut import c",
        c="import hut.a",
        d="import hut.a",
    )
    assert circles(house) == {"hut: a <-> b <-> c"}


def test_a_circle_between_packages_is_found(tmp_path: Path) -> None:
    """No two of these files import each other, yet neither package can be understood first."""
    house = plant(tmp_path, one__a="import hut.two.a", two__a="", two__b="import hut.one.b", one__b="")
    assert circles(house) == {"hut: one <-> two"}


def test_one_way_is_no_circle(tmp_path: Path) -> None:
    """A package may use the loose files of its room, and those of above use the package."""
    house = plant(
        tmp_path, app="import hut.one.a", one__a="import hut.base", one__b="import hut.one.a", base=""
    )
    assert circles(house) == set()


def test_code_in_an_init_is_found(tmp_path: Path) -> None:
    """A docstring is none."""
    house = plant(
        tmp_path, one____init__='"""One."""\nONE = 1', two____init__='"""Two."""', three____init__=""
    )
    assert inits_with_code(house) == {"hut.one"}


def test_a_second_path_to_a_name_is_found(tmp_path: Path) -> None:
    """From an `__init__`, and from a module that only imports the name."""
    house = plant(
        tmp_path,
        one____init__="from hut.one.made import NAME",
        one__made="NAME = 1",
        a="from hut.one import NAME",
        b="from hut.a import NAME",
        c="from hut.one.made import NAME",
        d="from hut.one import made",
    )
    assert second_paths(house) == {"hut.a takes NAME from hut.one", "hut.b takes NAME from hut.a"}


def test_a_private_name_across_files_is_found(tmp_path: Path) -> None:
    """Of our own modules: what others call private is not ours to name."""
    house = plant(tmp_path, a="_A = 1", b="from hut.a import _A\nfrom os import _exit")
    assert private_imports(house) == {"hut.a._A"}


def test_an_import_from_a_test_is_found(tmp_path: Path) -> None:
    """By name or as a module."""
    house = plant(
        tmp_path, test_a="A = 1", b="from hut.test_a import A", c="from hut import test_a", tested=""
    )
    assert imports_of_tests(house) == {
        "hut.b takes A from hut.test_a",
        "hut.c takes test_a from hut.test_a",
    }


def test_a_function_is_measured_by_its_name(tmp_path: Path) -> None:
    """A method by its class, an inner function by the outer one."""
    source = "class A:\n    def go(self):\n        def inner():\n            return 1\n        return inner\n"
    house = plant(tmp_path, a=source)
    assert file_sizes(house.values()) == {"hut/a.py": 5}
    assert function_sizes(house.values()) == {"hut/a.py::A.go": 4, "hut/a.py::A.go.inner": 2}


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ({"a": 120, "b": 91}, []),
        ({"a": 120, "b": 100}, []),
        ({"a": 120, "b": 101}, ["b has 101 lines, more than 100: split it"]),
        ({"a": 121, "b": 95}, ["a has 121 lines, more than 120: split it"]),
        ({"a": 119, "b": 95}, ["a has 119 lines: lower the number 120"]),
        ({"a": 100, "b": 95}, ["a has 100 lines and is large no more: take it off the list"]),
        ({"b": 95}, ["a does not exist: take it off the list"]),
        ({"a": 120, "b": 90}, ["nothing unlisted has more than 90 lines: lower the number 100"]),
    ],
)
def test_a_size_is_a_ratchet(sizes: dict[str, int], found: list[str]) -> None:
    """100 lines are allowed, in steps of 10; `a` is known to have 120."""
    assert too_large(sizes, 100, 10, {"a": 120}) == found


def test_a_needless_exception_is_found() -> None:
    """What breaks a rule is an exception or found; an exception that breaks none goes."""
    assert unexpected({"a", "b"}, {"b", "c"}) == ["a", "c keeps the rule now: take it off the exceptions"]


def test_no_test_imports_from_another() -> None:
    """What several tests need has a module of its own, named for what it holds."""
    pattern = re.compile(r"^from tests\.(\w+\.)*test_\w+ import", re.MULTILINE)
    found = [path for path in ROOT.glob("tests/**/*.py") if pattern.search(path.read_text(encoding="utf-8"))]
    assert found == []
