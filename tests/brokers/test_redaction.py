from brokers.redaction import Redactor

KEY, SECRET, PASSWORD = "AK47AK47AK47", "line one of a pem\nline two of a pem", "a passphrase"
REDACTOR = Redactor((KEY, SECRET, PASSWORD, None))


def test_known_secrets_are_masked_line_by_line() -> None:
    text = REDACTOR.text(f"key {KEY} with {PASSWORD} and line two of a pem")
    assert text == "key <secret> with <secret> and <secret>"


def test_a_repeated_origin_string_is_cut_off() -> None:
    text = REDACTOR.text("error sign! origin_string[1700000000000ABC5000category=linear]")
    assert text == "error sign! <secret>"


def test_queries_and_signatures_are_masked_wherever_they_stand() -> None:
    signature = "5036e3bdfa4939246f53133a73de9e4d058d49295c9b0a0224064c09e57a1252"
    assert signature not in REDACTOR.text(f"bad signature {signature}")
    assert "timestamp" not in REDACTOR.text("GET /x?timestamp=1&recvWindow=5000&signature=ab failed")


def test_ordinary_messages_and_order_ids_stay() -> None:
    text = "order 0123456789abcdef0123456789abcdef not found: qty=0.1 is too small"
    assert REDACTOR.text(text) == text


def test_a_long_message_is_cut() -> None:
    assert len(REDACTOR.text("word " * 1000)) < 260


def test_without_secrets_nothing_but_patterns_is_masked() -> None:
    assert Redactor(()).text("plain words") == "plain words"
