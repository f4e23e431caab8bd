"""An account's second key on its way from the settings to the broker, and never into a log."""

import json

from config.loader import parse
from config.resolution import resolve
from daemon.opening import secrets_of, spec_of


def test_an_emergency_key_reaches_the_broker_and_is_scrubbed() -> None:
    second = {"api_key": "env:KEY_2", "secret": "env:SECRET_2"}
    names = ("KEY", "SECRET", "KEY_2", "SECRET_2")
    first = {"api_key": "env:KEY", "secret": "env:SECRET"}
    one = {"id": "main", "broker": "bybit", "credentials": first, "emergency_credentials": second}
    written = parse(json.dumps({"accounts": [one]}).encode(), "margind.yaml")
    secrets = resolve(written, {name: f"the-{name.lower()}-itself" for name in names})
    built = spec_of(written.accounts[0], secrets.accounts["main"])

    assert (built.credentials.api_key, built.credentials.secret) == ("the-key-itself", "the-secret-itself")
    assert built.emergency is not None
    assert (built.emergency.api_key, built.emergency.secret) == ("the-key_2-itself", "the-secret_2-itself")
    assert "itself" not in repr(built) + repr(written) + repr(secrets)
    assert {"the-key_2-itself", "the-secret_2-itself"} < set(secrets_of(secrets))
