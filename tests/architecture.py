"""What test_architecture.py measures of the house: imports, circles and sizes, read from the source alone."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path


@dataclass(frozen=True)
class Import:
    """`from source import name`, or `import source` without a name; also those inside functions."""

    line: int
    source: str
    name: str | None


@dataclass(frozen=True)
class Module:
    """One file of a room."""

    path: Path
    """From the root: `commission/client/deals.py`."""
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        """Parsed once somebody looks: each process of a parallel run reads this, and few look."""
        return ast.parse(self.source)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """All of them, also those inside functions."""
        return tuple(imports(self.tree))

    @property
    def lines(self) -> int:
        """How many the file has."""
        return len(self.source.splitlines())

    @property
    def parts(self) -> tuple[str, ...]:
        """Folders and file; an `__init__` is a file as well."""
        return self.path.with_suffix("").parts

    @property
    def name(self) -> str:
        """As an import spells it."""
        return ".".join(self.parts).removesuffix(".__init__")

    @property
    def is_init(self) -> bool:
        """Whether the module is a package's `__init__`."""
        return self.path.name == "__init__.py"


Modules = Mapping[str, Module]


def read(root: Path, *rooms: str) -> dict[str, Module]:
    """Every module of these rooms, by name."""
    found = {}
    for room in rooms:
        for path in sorted((root / room).rglob("*.py")):
            module = Module(path.relative_to(root), path.read_text(encoding="utf-8"))
            found[module.name] = module
    return found


def imports(tree: ast.Module) -> Iterator[Import]:
    """Every import of a module, a name at a time."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (Import(node.lineno, node.module or "", alias.name) for alias in node.names)


def imported(modules: Modules, one: Import) -> Module | None:
    """The module of ours that an import names, be it the one it imports from or the one it imports."""
    return modules.get(f"{one.source}.{one.name}") or modules.get(one.source)


# Circles


def circles(modules: Modules) -> set[str]:
    """What imports each other, a folder at a time: its files, and its packages as one each.

    A circle between files is one between the files or packages of the deepest folder that holds them all.
    """
    folders: dict[tuple[str, ...], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for module in modules.values():
        for one in module.imports:
            other = imported(modules, one)
            if other is not None and other is not module:
                pairs = zip(module.parts, other.parts, strict=False)
                depth = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
                folders[module.parts[:depth]][module.parts[depth]].add(other.parts[depth])
    return {
        f"{'.'.join(folder) or 'rooms'}: {' <-> '.join(circle)}"
        for folder, graph in folders.items()
        for circle in _circles_of(graph)
    }


def _circles_of(graph: Mapping[str, set[str]]) -> set[tuple[str, ...]]:
    reached = {node: _reached(graph, node) for node in graph}
    return {
        tuple(sorted(other for other in reached[node] if node in reached.get(other, ())))
        for node in graph
        if node in reached[node]
    }


def _reached(graph: Mapping[str, set[str]], start: str) -> set[str]:
    found, left = set[str](), list(graph[start])
    while left:
        if (node := left.pop()) not in found:
            found.add(node)
            left += graph.get(node, ())
    return found


# One path a name


def inits_with_code(modules: Modules) -> set[str]:
    """Packages whose `__init__` holds more than a docstring."""
    return {
        module.name
        for module in modules.values()
        if module.is_init and module.tree.body[1 if ast.get_docstring(module.tree) else 0 :]
    }


def second_paths(modules: Modules) -> set[str]:
    """Names taken from an `__init__`, or from a module that itself imports them."""
    found = set()
    for module in modules.values():
        for one in module.imports:
            source = modules.get(one.source)
            if source is None or one.name is None or f"{one.source}.{one.name}" in modules:
                continue
            if source.is_init or one.name in _only_imported(source.tree):
                found.add(f"{module.name} takes {one.name} from {one.source}")
    return found


def _only_imported(tree: ast.Module) -> set[str]:
    statements = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return {alias.asname or alias.name for node in statements for alias in node.names}


def private_imports(modules: Modules) -> set[str]:
    """Names with a leading underscore that another file takes."""
    return {
        f"{one.source}.{one.name}"
        for module in modules.values()
        for one in module.imports
        if one.source in modules and (one.name or "").startswith("_")
    }


def imports_of_tests(modules: Modules) -> set[str]:
    """Modules that take something from a module of tests."""
    return {
        f"{module.name} takes {one.name} from {other.name}"
        for module in modules.values()
        for one in module.imports
        if (other := imported(modules, one)) is not None and other.path.name.startswith("test_")
    }


# Sizes


def file_sizes(modules: Iterable[Module]) -> dict[str, int]:
    """Lines of each file, by its path."""
    return {module.path.as_posix(): module.lines for module in modules}


def function_sizes(modules: Iterable[Module]) -> dict[str, int]:
    """Lines of each function from `def` to its end, by path and name: `api/app.py::App.start`."""
    found = {}
    for module in modules:
        left: list[tuple[str, ast.AST]] = [("", module.tree)]
        while left:
            outer, node = left.pop()
            for inner in ast.iter_child_nodes(node):
                name = outer
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    name = f"{outer}.{inner.name}".lstrip(".")
                    if not isinstance(inner, ast.ClassDef):
                        key = f"{module.path.as_posix()}::{name}"
                        size = (inner.end_lineno or inner.lineno) - inner.lineno + 1
                        found[key] = max(size, found.get(key, 0))
                left.append((name, inner))
    return found


def too_large(sizes: Mapping[str, int], most: int, step: int, listed: Mapping[str, int]) -> list[str]:
    """What is larger than a room allows, and numbers that can be lowered: sizes may only shrink.

    `listed` are the exceptions, each with its size today. What is not listed has `most` lines at the most,
    and the largest of it is at most one `step` below that.
    """
    found = []
    for name, size in sizes.items():
        number = listed.get(name, most)
        if size > number:
            found.append(f"{name} has {size} lines, more than {number}: split it")
        elif name in listed and size <= most:
            found.append(f"{name} has {size} lines and is large no more: take it off the list")
        elif name in listed and size < number:
            found.append(f"{name} has {size} lines: lower the number {number}")
    found += [f"{name} does not exist: take it off the list" for name in listed if name not in sizes]
    largest = max((size for name, size in sizes.items() if name not in listed), default=0)
    if largest <= most - step:
        found.append(f"nothing unlisted has more than {largest} lines: lower the number {most}")
    return found


def unexpected(found: set[str], excepted: Iterable[str]) -> list[str]:
    """What breaks a rule without being an exception, and exceptions that nothing needs any more."""
    needless = [f"{name} keeps the rule now: take it off the exceptions" for name in {*excepted} - found]
    return sorted(found - {*excepted}) + sorted(needless)
