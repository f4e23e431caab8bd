"""References -> secrets, read once, every one that is missing or unfit reported at once."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from config.accounts import EMERGENCY, SAME_KEY, SAME_KEY_HINT, AccountSettings
from config.errors import ConfigError, Problem
from config.files import read_file
from config.schema import Settings
from config.secrets import Secret, SecretReference, SecretScheme
from config.source import KeyPath

MAX_SECRET_BYTES = 64 * 1024
CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"

_PEM = "-----BEGIN "
_NO_TOKEN = re.compile(r"[^\x21-\x7e]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedCredentials:
    """What opens one account; `emergency` is the second key, for what protects."""

    api_key: Secret
    secret: Secret
    password: Secret | None = None
    emergency: "ResolvedCredentials | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedSecrets:
    """Every secret the settings name: credentials by account id, and the database's password."""

    accounts: Mapping[str, ResolvedCredentials]
    database_password: Secret | None = None


class _Unfit(Exception):
    """Why a reference gives no usable secret, and what to do about it."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


def resolve(settings: Settings, environ: Mapping[str, str] = os.environ) -> ResolvedSecrets:
    """Read every secret that `settings` names.

    Raises:
        ConfigError: any is missing, empty, readable by others or unfit; it lists all of them.
    """
    reading = _Reading(settings, environ)
    accounts = {
        account.id: credentials
        for position, account in enumerate(settings.accounts)
        if (credentials := reading.credentials(position, account))
    }
    path: KeyPath = ("database", "password")
    password = reading.secret(path, settings.database.password, _password)
    if reading.problems:
        raise ConfigError(sorted(reading.problems, key=lambda problem: problem.line or 0))
    return ResolvedSecrets(accounts=MappingProxyType(accounts), database_password=password)


class _Reading:
    """One pass over the references; collects problems instead of stopping at the first."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._source = settings.source
        self._environ = environ
        self._holders: dict[tuple[str, str, Secret], int] = {}

    def credentials(self, position: int, account: AccountSettings) -> ResolvedCredentials | None:
        """Return an account's credentials; `None` if any of them is unfit."""
        main, *second = (self._key(position, account, block) for block in account.keys)
        if main is None or not second:
            return main
        (emergency,) = second
        if emergency is not None and emergency.api_key == main.api_key:
            path: KeyPath = ("accounts", position, EMERGENCY, "api_key")
            self.problems.append(self._source.problem(path, SAME_KEY, SAME_KEY_HINT))
        return replace(main, emergency=emergency)

    def _key(self, position: int, account: AccountSettings, block: str) -> ResolvedCredentials | None:
        path: KeyPath = ("accounts", position, block)
        written = account.keys[block]
        unfit_before = len(self.problems)
        api_key = self.secret((*path, "api_key"), written.api_key, _api_key)
        secret = self.secret((*path, "secret"), written.secret, _secret)
        password = self.secret((*path, "password"), written.password, _password)
        if api_key is not None:
            identity = (account.broker, account.product, api_key)
            holder = self._holders.setdefault(identity, position)
            if holder != position:
                what = f"is the key of accounts[{holder}] too, at the same broker and product"
                hint = "two accounts over one key would de-lever it twice: remove one"
                self.problems.append(self._source.problem((*path, "api_key"), what, hint))
        if api_key is None or secret is None or len(self.problems) > unfit_before:
            return None
        return ResolvedCredentials(api_key=api_key, secret=secret, password=password)

    def secret(
        self, path: KeyPath, reference: SecretReference | None, fit: Callable[[str], str]
    ) -> Secret | None:
        """Return what `reference` names, as `fit` returns it; `None` if there is none or it is unfit."""
        if reference is None:
            return None
        try:
            return Secret(fit(_filled(_read(reference, self._environ), reference)))
        except _Unfit as unfit:
            self.problems.append(self._source.problem(path, unfit.what, unfit.hint))
            return None


def _read(reference: SecretReference, environ: Mapping[str, str]) -> str:
    match reference.scheme:
        case SecretScheme.ENV:
            if reference.name not in environ:
                hint = f"set {reference.name} for the daemon, or keep the secret in a file"
                raise _Unfit(f"names the environment variable {reference.name}, which is not set", hint)
            return environ[reference.name]
        case SecretScheme.FILE:
            return _file_text(Path(reference.name), private=True)
        case SecretScheme.CREDENTIAL:
            directory = environ.get(CREDENTIALS_DIRECTORY, "")
            if not directory:
                hint = f"run under systemd with LoadCredential={reference.name}:/path, or use file:"
                raise _Unfit(f"names a credential, but ${CREDENTIALS_DIRECTORY} is not set", hint)
            # systemd guards this directory itself; its access lists make files look group-readable
            return _file_text(Path(directory) / reference.name, private=False)


def _file_text(path: Path, *, private: bool) -> str:
    try:
        content = read_file(path, MAX_SECRET_BYTES)
    except OSError as error:
        what = f"names {path}, which cannot be read: {error.strerror}"
        raise _Unfit(what, "check the path, and that the daemon's user owns the file") from None
    if private and not content.is_private:
        raise _Unfit(f"names {path}, which others than its owner may use", f"chmod 600 {path}")
    if len(content.raw) > MAX_SECRET_BYTES:
        raise _Unfit(f"names {path}, which is too large for a secret", "check the path")
    try:
        return content.raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _Unfit(f"names {path}, which is not text", "check the path") from None


def _filled(value: str, reference: SecretReference) -> str:
    value = value.rstrip("\r\n")
    if not value.strip():
        raise _Unfit(f"names {reference}, which is empty", "put the secret there")
    return value


def _api_key(value: str) -> str:
    if _NO_TOKEN.search(value):
        hint = "copy it again: only plain letters, digits and signs, on one line"
        raise _Unfit("holds a space, a control character or a letter outside ASCII", hint)
    return value


def _secret(value: str) -> str:
    if not value.startswith(_PEM):
        return _api_key(value)
    # a PEM out of a JSON file or an environment variable has its line ends spelled out
    return value if "\n" in value else value.replace("\\n", "\n")


def _password(value: str) -> str:
    if _CONTROL.search(value) or value != value.strip():
        raise _Unfit("holds a control character, or a space at an end", "copy it again, on one line")
    return value
