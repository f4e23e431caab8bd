"""Where every test of the configuration begins: the smallest file that is right."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from config.errors import ConfigError
from config.loader import parse
from config.schema import Settings

ACCOUNTS = """\
accounts:
  - id: bybit-a
    broker: bybit
    credentials: {api_key: env:KEY_A, secret: env:SECRET_A}
"""


@pytest.fixture
def accounts() -> str:
    return ACCOUNTS


@pytest.fixture
def settings() -> Callable[[str], Settings]:
    """Return the settings in a text, to which one account is added if it names none."""

    def build(text: str = "") -> Settings:
        text = dedent(text)
        return parse((text if "accounts:" in text else text + "\n" + ACCOUNTS).encode(), "margind.yaml")

    return build


@pytest.fixture
def refusal() -> Callable[[str], ConfigError]:
    """Return why a text is refused."""

    def judge(text: str) -> ConfigError:
        with pytest.raises(ConfigError) as caught:
            parse(dedent(text).encode(), "margind.yaml")
        return caught.value

    return judge


@pytest.fixture
def secret_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a secret to a file of the given mode."""

    def write(text: str, *, name: str = "secret", mode: int = 0o600) -> Path:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(mode)
        return path

    return write
