"""These tests never wait: every clock is virtual."""

import pytest


@pytest.fixture(autouse=True)
def in_virtual_time(virtual_time: None) -> None:
    """All of them."""
