from decimal import Decimal

import pytest

from config.document import MAX_BYTES, MAX_DEPTH, read_document
from config.errors import ConfigError, Problem


def read(text: str) -> dict[str, object]:
    return read_document(text.encode(), "f.yaml").values


def problems(raw: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        read_document(raw.encode() if isinstance(raw, str) else raw, "f.yaml")
    return caught.value.problems


def test_numbers_are_exact_and_never_float() -> None:
    values = read("a: 0.70\nb: 5\nc: -3\nd: .5\ne: +1.25\nf: 0\n")
    assert values == {
        "a": Decimal("0.70"),
        "b": 5,
        "c": -3,
        "d": Decimal("0.5"),
        "e": Decimal("1.25"),
        "f": 0,
    }
    assert not [value for value in values.values() if isinstance(value, float)]


@pytest.mark.parametrize(
    "written",
    [
        "yes",
        "No",
        "on",
        "OFF",
        "True",
        "0600",
        "0x1F",
        "1_000",
        "1e6",
        "1.5e-3",
        "12:30",
        "2026-01-01",
        "Null",
    ],
)
def test_what_yaml_would_reinterpret_stays_text(written: str) -> None:
    assert read(f"a: {written}") == {"a": written}


def test_lists_are_tuples_and_empty_values_are_null() -> None:
    assert read("a: [x, [1]]\nb:\nc: ~\nd: null\ne: {}\nf: ''") == {
        "a": ("x", (1,)),
        "b": None,
        "c": None,
        "d": None,
        "e": {},
        "f": "",
    }


def test_every_key_knows_its_line() -> None:
    source = read_document(b"a:\n  b: 1\n\naccounts:\n  - id: x\n  - id: y\n    c: {d: 1}\n", "f.yaml").source
    assert source.line(("a", "b")) == 2
    assert source.line(("accounts", 1)) == 6
    assert source.line(("accounts", 1, "c", "d")) == 7
    assert source.line(("accounts", 1, "c", "missing")) == 7
    assert source.line(("missing",)) == 1
    assert source.account_ids == ("x", "y")


def test_a_byte_order_mark_is_not_a_fault() -> None:
    assert read_document(b"\xef\xbb\xbfa: 1", "f.yaml").values == {"a": 1}


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("raw", "line", "what"),
    [
        pytest.param(BOMB, 1, "an anchor (&name) is not allowed", id="billion laughs"),
        pytest.param("a: 1\nb: &x 2\n", 2, "an anchor", id="anchor"),
        pytest.param("a: 1\nb: *x\n", 2, "an alias", id="alias"),
        pytest.param("a: 1\n<<: {b: 2}\n", 2, "merge key", id="merge key"),
        pytest.param("a: 1\nb: !!python/object/apply:os.system [id]\n", 2, "a tag", id="python tag"),
        pytest.param("a: !!str 5", 1, "a tag", id="standard tag"),
        pytest.param("a: !secret x", 1, "a tag", id="own tag"),
        pytest.param("%YAML 1.1\n---\na: 1", 1, "a % directive", id="version directive"),
        pytest.param("%TAG ! tag:x,2026:\n---\na: 1", 1, "a % directive", id="tag directive"),
        pytest.param("a: 1\n---\nb: 2\n", 2, "but found another document", id="two documents"),
        pytest.param("a: 1\nb: 2\na: 3\n", 3, "is there twice", id="duplicate key"),
        pytest.param("a: {x: 1, x: 2}", 1, "is there twice", id="duplicate key in braces"),
        pytest.param("a: 1\nb: .nan\n", 2, "not a finite number", id="nan"),
        pytest.param("a: 1\nb: .NaN\n", 2, "not a finite number", id="NaN"),
        pytest.param("b: .inf\n", 1, "not a finite number", id="inf"),
        pytest.param("b: -.Inf\n", 1, "not a finite number", id="minus inf"),
        pytest.param(f"b: {'9' * 5000}", 1, "number of more than 40 characters", id="endless number"),
        pytest.param("a:\n  5: x\n", 2, "key that is not plain text", id="number as key"),
        pytest.param("a:\n  [x]: y\n", 2, "key that is not plain text", id="list as key"),
        pytest.param("true: y\n", 1, "key that is not plain text", id="boolean as key"),
        pytest.param("a: 1\n? \n: x\n", 2, "key that is not plain text", id="null as key"),
        pytest.param("[" * 100_000, 1, f"deeper than {MAX_DEPTH} levels", id="deep flow"),
        pytest.param("\n".join(" " * n + "a:" for n in range(40)), 20, "deeper than", id="deep block"),
        pytest.param("? " * 5000, 1, "deeper than", id="deep keys"),
        pytest.param("a: b: c", 1, "mapping values are not allowed here", id="colon in text"),
        pytest.param("a: [1, 2\nb: 3\n", 2, "not valid YAML", id="open bracket"),
        pytest.param("a: 1\nb: 'x\n", 3, "not valid YAML", id="open quote"),
        pytest.param("a:\n\tb: 1\n", 2, "cannot start any token", id="tab"),
        pytest.param("a: `x`", 1, "cannot start any token", id="backtick"),
        pytest.param(b"a: 1\nb: \xff\n", 2, "is not UTF-8", id="latin-1"),
        pytest.param("a: 1".encode("utf-16"), 1, "is not UTF-8", id="utf-16"),
        pytest.param("a: 1\nb: \x00\n", 2, "unprintable character U+0000", id="nul"),
        pytest.param("a: 1\nb: \x1b[31m\n", 2, "unprintable character U+001B", id="escape"),
        pytest.param('a: 1\nb: "\\0"', 2, "holds the character U+0000", id="escaped nul"),
        pytest.param('b: "\\uD800"', 1, "holds the character U+D800", id="lone surrogate"),
        pytest.param("", 1, "is not a mapping", id="empty"),
        pytest.param("# only this\n", 1, "is not a mapping", id="comment"),
        pytest.param("- a\n- b\n", 1, "is not a mapping", id="list"),
        pytest.param("just words", 1, "is not a mapping", id="text"),
    ],
)
def test_refused_before_any_setting_is_looked_at(raw: str | bytes, line: int, what: str) -> None:
    problem = problems(raw)[0]
    assert what in problem.what
    assert problem.line == line
    assert problem.hint


@pytest.mark.parametrize(
    ("raw", "key", "account"),
    [
        pytest.param("mode: &a observe", "mode", None, id="anchor"),
        pytest.param("a: {b: *x}", "a.b", None, id="alias"),
        pytest.param("a:\n  - 1\n  - !secret x", "a[1]", None, id="tag"),
        pytest.param("? &a k\n: v", "", None, id="on a key"),
        pytest.param("a:\n  &x b: 1", "a", None, id="on a key below"),
        pytest.param("a: {b: 1}\nc: {d: &x 1}", "c.d", None, id="after a mapping"),
        pytest.param("accounts:\n  - {id: x, c: *p}", "accounts[0].c", "x", id="account"),
        pytest.param("accounts:\n  - {c: *p, id: x}", "accounts[0].c", None, id="account not read so far"),
        pytest.param("accounts:\n  - {id: x}\n  - {id: y, c: *p}", "accounts[1].c", "y", id="second account"),
        pytest.param("accounts:\n  - {c: 1}\n  - {id: y, c: *p}", "accounts[1].c", "y", id="nameless first"),
        pytest.param("accounts:\n  - {id: X Y, c: *p}", "accounts[0].c", None, id="no id"),
        pytest.param("accounts:\n  - {id: &a x}", "accounts[0].id", None, id="the id itself"),
        pytest.param(
            f"accounts:\n  - id: x\n    c: {'[' * 30}", "accounts[0].c", "x", id="depth names the setting"
        ),
        pytest.param(f"a: {'{a: ' * 30}", "a.a.a", None, id="depth tells no more than three"),
        pytest.param("credentials: {CANARY: &a}", "credentials.<?>", None, id="what may be a secret"),
    ],
)
def test_a_refused_construct_names_the_setting_and_account_it_stands_at(
    raw: str, key: str, account: str | None
) -> None:
    (problem,) = problems(raw)
    assert (problem.key, problem.account) == (key, account)


def test_too_large_a_file_is_refused_unparsed() -> None:
    (problem,) = problems(b"#" * (MAX_BYTES + 1))
    assert problem.what == "is larger than 256 KiB"
    assert str(problem).startswith("f.yaml: is larger")


def test_all_damaged_values_are_listed_at_once() -> None:
    found = problems("a: .nan\nb: 1\nb: 2\nc: {5: x, <<: y}\n")
    assert [problem.line for problem in found] == [1, 3, 4, 4]
    assert found[1].hint == "line 2 has it already: keep one of the two"


def test_the_first_hundred_problems_are_enough() -> None:
    assert len(problems("a: 1\n" * 1000)) == 100


def test_a_broken_construct_says_where_it_began() -> None:
    (problem,) = problems("a: 1\nb: 'x\nc: 2\nd: 3\n")
    assert problem.hint == "what is broken began on line 2"


@pytest.mark.parametrize(
    "text",
    ["a: *CANARY", "a: !CANARY!x y", "a: !<CANARY x", "a: &CANARY", "a: 'CANARY", "a: @CANARY", "a: %CANARY"],
)
def test_a_syntax_error_never_quotes_the_file(text: str) -> None:
    assert "CANARY" not in "".join(map(str, problems(text)))
