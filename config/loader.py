"""A file -> settings, or every reason why not."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from config.document import MAX_BYTES, MAX_PROBLEMS, Document, read_document
from config.errors import ConfigError, Problem
from config.explanation import explain
from config.files import read_file
from config.sandbox import SandboxSettings
from config.schema import Settings
from config.section import Section
from config.source import Source

Model = TypeVar("Model", bound=Section)


def load(path: Path) -> Settings:
    """Return the settings in the file at `path`.

    Secrets are not read: `config.resolution.resolve` does that.

    Raises:
        ConfigError: the file cannot be read, or anything in it is wrong; it lists everything found.
    """
    return parse(_read(path), str(path))


def parse(raw: bytes, file: str) -> Settings:
    """Return the settings in `raw`; `file` is the name used in problems.

    Raises:
        ConfigError: anything in it is wrong; it lists everything found.
    """
    document = read_document(raw, file)
    return validated(document, Settings).from_source(document.source)


def load_sandbox(path: Path) -> SandboxSettings:
    """Return the sandbox described in the file at `path`.

    Raises:
        ConfigError: the file cannot be read, or anything in it is wrong; it lists everything found.
    """
    return parse_sandbox(_read(path), str(path))


def parse_sandbox(raw: bytes, file: str) -> SandboxSettings:
    """Return the sandbox described in `raw`; `file` is the name used in problems.

    Raises:
        ConfigError: anything in it is wrong; it lists everything found.
    """
    document = read_document(raw, file)
    return validated(document, SandboxSettings).from_source(document.source)


def validated(document: Document, model: type[Model]) -> Model:
    """Return `document` as a `model`.

    Raises:
        ConfigError: it is none; every value refused is one problem, in the file's order.
    """
    try:
        return model.model_validate(document.values)
    except ValidationError as error:
        raise ConfigError(_told(error, document.source, model)) from None


def _told(error: ValidationError, source: Source, model: type[Section]) -> Iterable[Problem]:
    problems = []
    for detail in error.errors(include_url=False):
        path = tuple(part for part in detail["loc"] if part != "[key]")
        what, hint = explain(detail, model)
        problems.append(source.problem(path, what, hint))
    problems.sort(key=lambda problem: problem.line or 0)
    if len(problems) > MAX_PROBLEMS:
        what = f"has {len(problems) - MAX_PROBLEMS} problems more"
        problems[MAX_PROBLEMS:] = [Problem(file=source.file, line=None, key="", what=what)]
    return dict.fromkeys(problems)


def _read(path: Path) -> bytes:
    try:
        return read_file(path, MAX_BYTES).raw
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        hint = "check the path, and that you may read it"
        raise ConfigError([Problem(file=str(path), line=None, key="", what=what, hint=hint)]) from None
