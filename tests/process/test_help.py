"""What `margind --help` says, and what a wrong command line gets."""

import re
from typing import Any

import pytest

Workshop = Any  # the types live in conftest

COMMANDS = [
    ("run", ("--config", "SIGTERM")),
    ("check", ("--config", "read-only")),
    ("sandbox", ("--config", "--seconds", "--duration", "loopback")),
    ("demo", ("--speed", "--scenario", "slide")),
    ("db", ("upgrade", "current")),
    ("db upgrade", ("--config", "schema")),
    ("db current", ("--config", "revision")),
    ("journal reset-flatten", ("--config", "--account", "--unit", "--reason", "latched")),
]


def test_help_names_every_command_and_no_escape_codes(workshop: Workshop) -> None:
    done = workshop.run("--help")
    assert done.process.returncode == 0
    assert all(command in done.stdout for command in ("run", "check", "sandbox", "demo", "db"))
    assert "78 configuration" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(("command", "words"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_help_of_each_command_says_what_it_does_and_takes(
    workshop: Workshop, command: str, words: tuple[str, ...]
) -> None:
    done = workshop.run(*command.split(), "--help")
    assert done.process.returncode == 0
    assert not [word for word in words if word not in re.sub(r"\s+", " ", done.stdout)]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "Usage"),
        (("protect",), "No such command 'protect'"),
        (("run",), "Missing option '--config'"),
        (("run", "--config"), "requires an argument"),
        (("check", "--conf", "x"), "No such option"),
        (("demo", "--speed", "0"), "greater than or equal to"),
        (("sandbox", "--config", "x", "--seconds", "soon"), "number"),
    ],
    ids=["nothing", "unknown", "no-config", "no-value", "misspelt", "range", "no-number"],
)
def test_a_wrong_command_line_is_usage(workshop: Workshop, arguments: tuple[str, ...], word: str) -> None:
    done = workshop.run(*arguments)
    assert done.process.returncode == 2
    assert word in re.sub(r"\s+", " ", done.stdout + done.stderr)
    assert "Traceback" not in done.stderr
