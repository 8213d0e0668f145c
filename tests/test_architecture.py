"""The rooms hold: who may import whom, and what the core may not touch."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("commission", "schemas", "ingest", "streams", "api", "infra")

ALLOWED: dict[str, frozenset[str]] = {
    "commission": frozenset({"commission"}),
    "schemas": frozenset({"schemas", "commission", "pydantic", "pydantic_settings"}),
    "ingest": frozenset(
        {
            "ingest",
            "schemas",
            "commission",
            "confluent_kafka",
            "polars",
            "ruamel",
            "selectolax",
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
            "api",
            "schemas",
            "commission",
            "fastapi",
            "starlette",
            "httpx",
            "httpcore",
            "prometheus_client",
            "anyio",
            "jinja2",
            "markupsafe",
            "ruamel",
            "clickhouse_connect",
            "confluent_kafka",
            "polars",
            "pydantic",
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


def sources(room: str) -> Iterator[tuple[Path, ast.Module]]:
    """Every module of a room, parsed."""
    for path in sorted((ROOT / room).rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and top-level package of every import, also those inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.lineno, (node.module or "").split(".")[0]


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    """The import rules of ARCHITECTURE.md hold in every module."""
    broken = [
        f"{path.relative_to(ROOT)}:{line} imports {package}"
        for path, tree in sources(room)
        for line, package in imports(tree)
        if package not in ALLOWED[room] and package not in sys.stdlib_module_names
    ]
    assert broken == []


def test_the_core_has_no_clock_randomness_io_or_float() -> None:
    """commission/ is pure: nothing in it can give another answer tomorrow."""
    broken = []
    for path, tree in sources("commission"):
        place = path.relative_to(ROOT)
        broken += [
            f"{place}:{line} imports {package}" for line, package in imports(tree) if package in IMPURE
        ]
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                broken.append(f"{place}:{node.lineno} has the float {node.value}")
            if isinstance(node, ast.Call):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                if name in IMPURE_CALLS:
                    broken.append(f"{place}:{node.lineno} calls {name}()")
    assert broken == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_opens_with_a_sentence(room: str) -> None:
    """A reader learns from the first line what a module is for, and every room has a README."""
    silent = [str(path.relative_to(ROOT)) for path, tree in sources(room) if not ast.get_docstring(tree)]
    assert silent == []
    assert (ROOT / room / "README.md").is_file()
