"""Do the rules that keep the package liveable hold: imports, exports, size, language?"""

from __future__ import annotations

import ast
import importlib
import inspect
import statistics
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import lc_costkit
from lc_costkit import routing
from lc_costkit.routing import checks

PACKAGE = Path(lc_costkit.__file__).parent
ADAPTERS = {"langchain", "llama_index", "agents", "cli.py", "demo"}
FRAMEWORKS = {"langchain", "langchain_core", "langchain_openai", "langchain_anthropic", "langgraph", "llama_index"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported_names(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def type_checking_only(tree: ast.Module) -> ast.Module:
    """Drop ``if TYPE_CHECKING:`` bodies: they are not imports at run time."""

    class Drop(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
            if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                return node.orelse
            return self.generic_visit(node)

    return ast.fix_missing_locations(Drop().visit(tree))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_inwards(path: Path) -> None:
    relative = path.relative_to(PACKAGE)
    tree = type_checking_only(ast.parse(path.read_text(encoding="utf-8")))
    names = imported_names(tree)
    if relative.parts[0] in ADAPTERS:
        return
    assert not {n for n in names if n.split(".")[0] in FRAMEWORKS}, "the core imports a framework"
    outward = {
        n
        for n in names
        if f"{n}.".startswith(("lc_costkit.langchain.", "lc_costkit.llama_index.", "lc_costkit.agents."))
    }
    assert not outward, "the core imports an adapter"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_module_says_which_question_it_answers(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def test_importing_the_package_loads_no_framework_index_or_sdk() -> None:
    loaded = run_python(
        """
        import sys
        import lc_costkit
        heavy = {"langchain", "langchain_core", "llama_index", "faiss", "openai", "anthropic", "numpy", "sqlalchemy",
                 "genai_prices", "tiktoken", "pydantic", "starlette", "uvicorn", "typer", "rich"}
        print(sorted(heavy & set(sys.modules)))
        """
    )
    assert loaded.strip() == "[]"


def cumulative_import_microseconds(module: str) -> int:
    """The interpreter's own count: steadier on a busy machine than a clock around a process."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {module}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    rows = [line.split("|") for line in done.stderr.splitlines() if line.count("|") == 2]
    return sum(
        int(row[1]) for row in rows if row[2].startswith(" ") and row[2].strip() in {module, module.split(".")[0]}
    )


def test_importing_the_package_takes_under_a_third_of_langchain_caches() -> None:
    ours = statistics.median(cumulative_import_microseconds("lc_costkit") for _ in range(3))
    theirs = statistics.median(cumulative_import_microseconds("langchain_core.caches") for _ in range(3))
    assert ours * 3 < theirs


def test_all_equals_what_is_exported() -> None:
    assert sorted(lc_costkit.__all__) == lc_costkit.__all__, "__all__ is sorted"
    for name in lc_costkit.__all__:
        assert getattr(lc_costkit, name) is not None
    homes = {name for names in vars(lc_costkit)["_HOMES"].values() for name in names}
    assert homes | {"__version__"} == set(lc_costkit.__all__)
    assert set(lc_costkit.__all__) <= set(dir(lc_costkit))


def test_a_name_that_is_exported_twice_is_one_thing() -> None:
    two_kinds = {"Policy"}  # of the cache, and of the router
    both = set(lc_costkit.__all__) & set(routing.__all__)
    assert {name for name in both if getattr(lc_costkit, name) is not getattr(routing, name)} == two_kinds
    assert "AnswerJudge" not in dir(routing)  # each framework has its own


def test_a_star_import_of_checks_brings_all_of_them_and_nothing_else() -> None:
    made_here = {
        name
        for name, value in vars(checks).items()
        if inspect.isroutine(value) or inspect.isclass(value)
        if value.__module__ == checks.__name__ and not name.startswith("_")
    }
    assert made_here | {"GENERAL_CHECKS"} <= set(checks.__all__)
    assert not [name for name in checks.__all__ if inspect.ismodule(getattr(checks, name))]


def test_exports_seen_by_a_type_checker_are_the_real_ones() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    guarded = next(n for n in tree.body if isinstance(n, ast.If))
    declared = {
        (node.module, alias.name) for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    real = {(home, name) for home, names in vars(lc_costkit)["_HOMES"].items() for name in names}
    assert declared == real


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Semanticcache'"):
        lc_costkit.Semanticcache  # noqa: B018


def test_every_public_class_and_function_has_a_docstring() -> None:
    for name in lc_costkit.__all__:
        value = getattr(lc_costkit, name)
        if name != "__version__":
            assert value.__doc__, name


@pytest.mark.parametrize(
    "module", ["lc_costkit.testing", "lc_costkit.llama_index", "lc_costkit.cache", "lc_costkit.agents"]
)
def test_modules_with_a_public_face_export_what_they_list(module: str) -> None:
    face = importlib.import_module(module)
    assert sorted(face.__all__) == face.__all__
    for name in face.__all__:
        assert getattr(face, name) is not None
