import asyncio

import pytest

from brokers.nonces import LARGEST_LEAP_MS, READ_GAP_S, Nonces, Rank, shared_nonces


def test_nonces_rise_also_when_the_clock_stands_still_or_goes_back() -> None:
    nonces = Nonces()
    assert [nonces.take(ms) for ms in (1000, 1000, 900, 5000, 1200)] == [1000, 1001, 1002, 5000, 5001]


async def begins(nonces: Nonces, rank: Rank, log: list[str], name: str, lasts_s: float = 0.05) -> None:
    async with nonces.turn(rank):
        log.append(name)
        await asyncio.sleep(lasts_s)
        log.append(f"/{name}")


async def order_of(*ranks: Rank) -> list[str]:
    """Start one request of each rank, a moment apart, and return what began and ended when."""
    nonces, log = Nonces(), []
    tasks = []
    for rank in ranks:
        tasks.append(asyncio.create_task(begins(nonces, rank, log, rank.name)))
        await asyncio.sleep(0.01)
    await asyncio.gather(*tasks)
    return log


@pytest.mark.parametrize("rank", list(Rank))
async def test_requests_of_one_rank_go_one_after_another(rank: Rank) -> None:
    assert await order_of(rank, rank) == [rank.name, f"/{rank.name}"] * 2


@pytest.mark.parametrize(("first", "second"), [(0, 1), (0, 2), (1, 2)])
async def test_a_higher_rank_overtakes_a_lower_one(first: int, second: int) -> None:
    low, high = Rank(first), Rank(second)
    assert (await order_of(low, high))[:2] == [low.name, high.name]
    assert await order_of(high, low) == [high.name, f"/{high.name}", low.name, f"/{low.name}"]


@pytest.mark.parametrize("rank", [Rank.POLL, Rank.PROTECTIVE])
async def test_reads_that_are_long_in_coming_follow_one_another_at_a_distance(rank: Rank) -> None:
    nonces, left = Nonces(), []

    async def slow() -> None:
        async with nonces.turn(rank):
            left.append(asyncio.get_running_loop().time())
            await asyncio.sleep(3 * READ_GAP_S)

    began = asyncio.get_running_loop().time()
    await asyncio.gather(slow(), slow(), slow())
    assert [time - began for time in left] == pytest.approx([0, READ_GAP_S, 2 * READ_GAP_S], abs=0.2)


async def test_no_read_leaves_while_a_write_is_under_way_however_long_that_is() -> None:
    nonces, log = Nonces(), []
    write = asyncio.create_task(begins(nonces, Rank.WRITE, log, "write", 3 * READ_GAP_S))
    await asyncio.sleep(0)
    reads = [begins(nonces, rank, log, rank.name) for rank in (Rank.POLL, Rank.PROTECTIVE)]
    await asyncio.gather(write, *reads)
    assert log[:2] == ["write", "/write"]


async def test_a_write_goes_after_its_patience_whatever_is_under_way() -> None:
    nonces, log = Nonces(), []
    hanging = asyncio.create_task(begins(nonces, Rank.WRITE, log, "hanging", 0.3))
    await asyncio.sleep(0)
    async with nonces.turn(Rank.WRITE, patience_s=0.05):
        log.append("second")
    await hanging
    assert log == ["hanging", "second", "/hanging"]


async def test_a_turn_that_fails_or_is_given_up_makes_room() -> None:
    nonces = Nonces()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), nonces.turn(Rank.WRITE):
            await asyncio.sleep(1)
    async with asyncio.timeout(0.5), nonces.turn(Rank.POLL):
        pass


async def test_a_refused_nonce_makes_the_next_ones_leap_further_each_time() -> None:
    nonces = Nonces()
    seen = []
    for _ in range(4):
        async with nonces.turn(Rank.POLL) as turn:
            seen.append(nonces.take(1000))
        nonces.told(turn, refused=True)
    assert seen == [1000, 2001, 6002, 22003]
    for _ in range(20):
        nonces.told(turn, refused=True)
    before = nonces.take(0)
    nonces.told(turn, refused=True)
    assert nonces.take(0) - before == LARGEST_LEAP_MS + 1
    nonces.told(turn, refused=False)
    before = nonces.take(0)
    nonces.told(turn, refused=True)
    assert nonces.take(0) - before == 1001


async def test_a_nonce_that_our_own_overtook_is_no_reason_to_leap() -> None:
    nonces = Nonces()
    async with nonces.turn(Rank.POLL) as poll:
        nonces.take(1000)
        async with nonces.turn(Rank.WRITE):
            nonces.take(1000)
    nonces.told(poll, refused=True)
    assert nonces.take(1000) == 1002


def test_whoever_signs_with_one_key_shares_its_nonces() -> None:
    one = shared_nonces("kraken", "key")
    assert shared_nonces("kraken", "key") is one
    assert shared_nonces("kraken", "other") is not one
