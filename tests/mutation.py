"""Mutation testing of the money modules: change one operator or constant, and some test must fail.

`python -m tests.mutation money rating/overrides …` prints every mutant that no test notices; what survives
for a reason is explained in tests/commission/MUTANTS.md. Not part of the suite: it takes minutes.
"""

import argparse
import ast
import copy
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from queue import Queue

import hypothesis.strategies
import pydantic
import pytest
import ruamel.yaml

FORK = get_context("fork")
"""Each mutant runs in a fork that has the libraries already, but nothing of this project."""
LIBRARIES = (hypothesis.strategies, pydantic, pytest, ruamel.yaml)
ROOT = Path(__file__).parent.parent
COPIED = ("commission", "schemas", "streams", "infra", "ingest", "tests", "examples", "pyproject.toml")
WORKERS = 2
TIMEOUT_S = 90
SUITE = (
    "tests/commission/test_money.py",
    "tests/commission/test_edges.py",
    "tests/commission/books/test_partner.py",
    "tests/commission/books/test_client.py",
    "tests/commission/client/test_cpa.py",
    "tests/commission/books/test_account.py",
    "tests/commission/rating/test_sharing.py",
    "tests/commission/client/test_accruals.py",
    "tests/commission/partner/test_settlement.py",
    "tests/test_golden_rules.py",
    "tests/commission/rating/test_rate.py",
    "tests/commission/test_laws_of_plans.py",
    "-k",
    "not (change_no_balance or every_deal or rounds_to or is_linear or undoing or add_up)",
)
"""What is run on each mutant, the fastest first; the first failure ends it."""

OPTIONS = ("--tb=no", "-W", "ignore", "-p", "no:cacheprovider")

SWAPS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Lt: (ast.LtE,),
    ast.LtE: (ast.Lt,),
    ast.Gt: (ast.GtE,),
    ast.GtE: (ast.Gt,),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


def variants(node: ast.AST) -> Iterator[ast.AST]:  # noqa: C901 # one case for each kind of node
    """The node with one thing changed."""
    match node:
        case ast.BinOp(op=op) | ast.BoolOp(op=op) | ast.AugAssign(op=op):
            for other in SWAPS.get(type(op), ()):
                changed = copy.copy(node)
                changed.op = other()
                yield changed
        case ast.Compare(ops=[op]):
            for other in SWAPS.get(type(op), ()):
                yield ast.Compare(node.left, [other()], node.comparators)
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.UnaryOp(op=ast.USub()) if not isinstance(node.operand, ast.Constant):
            yield node.operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Call(func=ast.Name(id=name)) if name in NAMES:
            yield ast.Call(ast.Name(NAMES[name], ast.Load()), node.args, node.keywords)
        case ast.IfExp():
            yield node.body
            yield node.orelse
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield ast.Return(ast.Call(ast.Name("Decimal", ast.Load()), [ast.Constant(0)], []))
        case ast.Continue():
            yield ast.Break()


class Replace(ast.NodeTransformer):
    """Put one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        """`old` is found by identity."""
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        """The tree with the new node."""
        return self.new if node is self.old else super().generic_visit(node)


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Line, what was changed, and the whole changed source."""
    for number, node in enumerate(ast.walk(ast.parse(source))):
        for variant, changed in enumerate(variants(node)):
            fresh = ast.parse(source)
            places = list(ast.walk(fresh))
            if id(places[number]) in unchanged(fresh):
                break
            old, new = places[number], list(variants(places[number]))[variant]
            text = ast.unparse(ast.fix_missing_locations(Replace(old, new).visit(fresh)))
            yield (
                getattr(node, "lineno", 0),
                f"{ast.unparse(node)[:90]}  →  {ast.unparse(changed)[:90]}",
                text,
            )


def unchanged(tree: ast.AST) -> set[int]:
    """What no test should look at: assertions, annotations, the words of messages, imports."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign):
            skipped.update(id(inner) for inner in ast.walk(node.annotation))
        elif isinstance(node, ast.Assert | ast.JoinedStr | ast.ImportFrom):
            skipped.update(id(inner) for inner in ast.walk(node))
        elif isinstance(node, ast.FunctionDef):
            hints = [node.returns, *(argument.annotation for argument in node.args.args)]
            skipped.update(id(inner) for hint in hints if hint is not None for inner in ast.walk(hint))
    return skipped


def run_suite(place: Path) -> None:
    """In a process of its own: import the changed package, and end with what the tests say."""
    os.chdir(place)
    sys.path[:] = [str(place), *(path for path in sys.path if Path(path).resolve() != ROOT)]
    for name in [name for name in sys.modules if name.partition(".")[0] in COPIED]:
        del sys.modules[name]
    with (place / "output").open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os._exit(int(pytest.main(["-x", "-q", "--no-header", *OPTIONS, *SUITE])))


def is_killed(place: Path, module: str, text: str) -> bool:
    """Whether some test fails, or nothing ends in time, with the changed module."""
    target = place / "commission" / f"{module}.py"
    kept = target.read_text()
    target.write_text(text)
    child = FORK.Process(target=run_suite, args=(place,))
    child.start()
    child.join(TIMEOUT_S)
    is_late = child.is_alive()
    child.kill()
    child.join()
    target.write_text(kept)
    return is_late or child.exitcode != 0


def main() -> None:
    """Run the mutants of some modules, or every nth of them, and print the survivors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="+")
    parser.add_argument("--every", type=int, default=1, help="only every nth mutant")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        places: Queue[Path] = Queue()
        for number in range(WORKERS):
            place = Path(folder) / str(number)
            place.mkdir()
            for name in COPIED:
                source = ROOT / name
                copy_of = shutil.copytree if source.is_dir() else shutil.copy
                copy_of(source, place / name)
            places.put(place)

        def killed(module: str, text: str) -> bool:
            place = places.get()
            try:
                return is_killed(place, module, text)
            finally:
                places.put(place)

        for module in given.modules:
            source_text = (places.queue[0] / "commission" / f"{module}.py").read_text()
            if not is_sound(places.queue[0]):
                sys.exit("the tests fail without any change; mutants would tell nothing")
            tried = list(mutants(source_text))[:: given.every]

            def survives(mutant: tuple[int, str, str], module: str = module) -> bool:
                line, change, text = mutant
                alive = not killed(module, text)
                if alive:
                    print(f"{module}.py:{line}: {change}", flush=True)  # noqa: T201 # its output
                return alive

            with ThreadPoolExecutor(WORKERS) as pool:
                alive = sum(pool.map(survives, tried))
            print(f"{module}: {len(tried)} run, {len(tried) - alive} killed", flush=True)  # noqa: T201 # the same


def is_sound(place: Path) -> bool:
    """Whether the tests pass as things are."""
    return not is_killed(place, "money", (place / "commission" / "money.py").read_text())


if __name__ == "__main__":
    main()
