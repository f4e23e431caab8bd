"""The house rules that a machine can check: budgets, names, and what ships."""

import ast
import subprocess
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("brokers", "config", "database", "daemon")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}

SOURCES = sorted(path for package in (*PACKAGES, "tests") for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_and_function_budgets(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= MAX_FILE_LINES, "split it by noun"
    too_long = [
        f"{node.name}: {length} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert not too_long


def test_no_module_is_a_drawer() -> None:
    assert not [path for path in SOURCES if path.stem in FORBIDDEN_NAMES]


def test_package_init_files_are_empty() -> None:
    assert not [path for path in SOURCES if path.name == "__init__.py" and path.read_text().strip()]


def test_tests_hold_no_init_files_which_would_shadow_the_packages() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_top_level_names_belong_to_margind_alone(package: str) -> None:
    assert set(packages_distributions().get(package, ["margind"])) == {"margind"}


@pytest.mark.parametrize("package", PACKAGES)
def test_ccxt_has_one_door(package: str) -> None:
    doors = {ROOT / "brokers" / "transport.py"}
    importing = {
        path
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "ccxt" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ccxt")
    }
    assert {path.parent.name for path in importing - doors} <= {"brokers", "venues"}, importing


VENUES = sorted(
    path.name for path in (ROOT / "brokers" / "venues").iterdir() if (path / "broker.py").exists()
)
NAMED_IN = {
    "brokers/outcomes.py",
    "brokers/registry.py",
    "brokers/sandbox/venues.py",
    "config/accounts.py",
    "config/example.yaml",
    "config/sandbox.py",
    "config/sandbox.yaml",
    "config/schema.py",
}
"""Who else knows a venue by name: the files of docs/venues.md, "Adding a venue"."""


@cache
def code_words(path: Path) -> str:
    """Return every name and text of a module that is code: docstrings and comments may speak of anybody."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    prose = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    words = (
        getattr(node, name, None)
        for node in nodes
        if id(node) not in prose
        for name in ("id", "attr", "arg", "name", "module", "asname", "value")
    )
    return " ".join(word for word in words if isinstance(word, str)).lower()


@pytest.mark.parametrize("venue", VENUES)
def test_a_venue_is_named_in_its_own_packages_and_the_documented_files_alone(venue: str) -> None:
    own = (ROOT / "brokers" / "venues" / venue, ROOT / "brokers" / "sandbox" / "wire")
    modules = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in PACKAGES]
    naming = {
        str(path.relative_to(ROOT))
        for path in modules
        if not any(path.is_relative_to(folder) for folder in own) and venue in code_words(path)
    }
    naming |= {
        str(path.relative_to(ROOT)) for path in (ROOT / "config").glob("*.yaml") if venue in path.read_text()
    }

    assert naming == NAMED_IN


def test_the_page_on_adding_a_venue_names_every_file_it_takes() -> None:
    page = (ROOT / "docs" / "venues.md").read_text().partition("## Adding a venue")[2].partition("\n## ")[0]

    assert page
    assert [name for name in sorted(NAMED_IN) if f"`{name}`" not in page] == []


def test_the_import_contracts_are_kept() -> None:
    # in a process of its own: it configures logging
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    linted = subprocess.run(  # noqa: S603 - a tool of our own environment
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout


def test_the_requirements_are_hash_locked_and_name_no_index() -> None:
    text = (ROOT / "requirements.lock").read_text()
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert pins
    assert all("==" in pin for pin in pins)
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text
