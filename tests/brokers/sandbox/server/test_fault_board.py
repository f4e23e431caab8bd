from dataclasses import dataclass

import pytest

from brokers.sandbox.controls import fault_from
from brokers.sandbox.faults import Fault, FaultBoard, FaultKind


@dataclass
class Watch:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def board(watch: Watch) -> FaultBoard:
    return FaultBoard(watch)


def kinds(board: FaultBoard, path: str = "/a", account: str = "desk", *, writes: bool = False) -> list[str]:
    return [fault.kind.value for fault in board.take(path, account, writes=writes)]


def test_a_fault_hits_its_path_and_account(board: FaultBoard) -> None:
    board.set(Fault(kind=FaultKind.HANG, path="/a", account="desk"))
    assert kinds(board) == ["hang"]
    assert kinds(board, path="/ab") == ["hang"]
    assert kinds(board, path="/b") == []
    assert kinds(board, account="other") == []
    assert kinds(board, account="") == []


def test_a_counted_fault_ends_after_so_many_requests(board: FaultBoard) -> None:
    board.set(Fault(kind=FaultKind.NAN, count=2))
    assert [kinds(board) for _ in range(3)] == [["nan"], ["nan"], []]
    assert board.active == {}


def test_a_timed_fault_ends_by_itself(board: FaultBoard, watch: Watch) -> None:
    board.set(Fault(kind=FaultKind.NAN, duration_s=5))
    watch.now = 4.9
    assert kinds(board) == ["nan"]
    watch.now = 5
    assert kinds(board) == []


def test_faults_of_writes_spare_reads_and_the_other_way_round(board: FaultBoard) -> None:
    board.set(Fault(kind=FaultKind.PARTIAL_FILL))
    board.set(Fault(kind=FaultKind.SLOW, writes=False))
    assert kinds(board) == ["slow"]
    assert kinds(board, writes=True) == ["partial_fill"]


def test_faults_are_taken_back_one_by_one_or_all(board: FaultBoard) -> None:
    first = board.set(Fault(kind=FaultKind.NAN))
    board.set(Fault(kind=FaultKind.HANG))
    board.set(Fault(kind=FaultKind.CLOCK_SKEW, ms=500))
    board.clear(first)
    assert kinds(board) == ["hang", "clock_skew"]
    assert board.skew_ms() == 500
    board.clear()
    assert kinds(board) == []
    assert board.skew_ms() == 0


def test_a_fault_is_read_from_json_and_nonsense_is_refused() -> None:
    fault = fault_from({"kind": "partial_fill", "path": "/order", "fraction": 0.25, "count": 1})
    assert str(fault.fraction) == "0.25"
    for nonsense in ({"kind": "meteor"}, {"kind": "nan", "colour": "red"}, {}):
        with pytest.raises((ValueError, KeyError)):
            fault_from(nonsense)
