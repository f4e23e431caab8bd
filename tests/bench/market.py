"""The market of the benchmark: sixty perpetuals, and accounts that hold some of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from brokers.models import Side
from brokers.numbers import floor_to_step
from brokers.sandbox.instrument import Instrument, maintenance_tiers
from brokers.sandbox.scenarios import calm
from brokers.sandbox.spec import AccountSpec, Asset, MarginPool, OpeningPosition, OpeningWallet, SandboxSpec
from brokers.sandbox.venues import VENUES

BROKERS = ("bybit", "binance", "okx")
LISTED = 60
LEVERAGE = Decimal(10)
TICK_MS = 5000
"""How often the venue itself acts. It has nothing to do here, and its CPU is the client's neighbour."""

POOLS: Mapping[str, MarginPool] = {
    "bybit": MarginPool.ACCOUNT,  # unified, cross
    "binance": MarginPool.CURRENCY,  # USD-M, single asset
    "okx": MarginPool.ACCOUNT,  # unified, multi-currency
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One account: its name is also its key. It holds `positions` contracts, the first one number `first`.

    Each is worth `notional` USDT when it is opened; `utilization` is what part of the account's equity their
    initial margin takes.
    """

    name: str
    positions: int
    first: int = 0
    notional: Decimal = Decimal(1000)
    utilization: Decimal = Decimal("0.35")

    @property
    def secret(self) -> str:
        """The secret of its key."""
        return f"secret-of-{self.name}"

    def passphrase_at(self, broker: str) -> str | None:
        """Return the passphrase of its key; only OKX's keys have one."""
        return f"passphrase-of-{self.name}" if broker == "okx" else None


def cell(positions: int, count: int) -> tuple[Holder, ...]:
    """Return `count` accounts alike, of so many positions each."""
    return tuple(Holder(name=f"desk{number}x{positions}", positions=positions) for number in range(count))


def singles(count: int) -> tuple[Holder, ...]:
    """Return accounts that hold one contract each, every account another one, half their margin in use.

    The positions are large: they can be cut in half ten times over.
    """
    return tuple(
        Holder(
            name=f"single{number}",
            positions=1,
            first=number,
            notional=Decimal(100_000),
            utilization=Decimal("0.5"),
        )
        for number in range(count)
    )


def coin(number: int) -> str:
    """Return the name of a listed coin."""
    return f"COIN{number:02d}"


def venue_spec(broker: str, holders: Sequence[Holder], now_ms: int) -> SandboxSpec:
    """Return a calm venue that lists sixty perpetuals in USDT and keeps the accounts of `holders`."""
    instruments = tuple(_perpetual(number) for number in range(LISTED))
    if broker == "okx":
        instruments = tuple(map(_as_swap, instruments))
    coins = tuple(Asset(name=coin(number), usd_price=_price(number)) for number in range(LISTED))
    stable = tuple(Asset(name=name, usd_price=Decimal(1), stable=True) for name in ("USDC", "USDT"))
    return SandboxSpec(
        instruments=instruments,
        assets=(*coins, *stable),
        accounts=tuple(_account(broker, holder, instruments) for holder in holders),
        rules=VENUES[broker].rules,
        scenario=calm(),
        start_ms=now_ms,
        tick_ms=TICK_MS,
    )


def _price(number: int) -> Decimal:
    """Return an opening price between a few dollars and some thousands, with the digits of a real one."""
    return Decimal(3) * Decimal("1.13") ** number


def _perpetual(number: int) -> Instrument:
    step = Decimal("0.001") if number > 30 else Decimal("0.1")
    return Instrument(
        name=f"{coin(number)}-USDT",
        base=coin(number),
        settle="USDT",
        lot_step=step,
        min_quantity=step,
        price_step=Decimal("0.0001"),
        min_notional=Decimal(5),
        max_leverage=Decimal(50),
        tiers=maintenance_tiers(("0", "0.01"), ("50000", "0.02"), ("250000", "0.05"), ("1000000", "0.1")),
    )


def _as_swap(instrument: Instrument) -> Instrument:
    """List a contract as OKX does, by contracts of ten lots."""
    return replace(
        instrument,
        name=f"{instrument.name}-SWAP",
        contract_size=instrument.lot_step * 10,
        min_notional=None,
    )


def _account(broker: str, holder: Holder, instruments: Sequence[Instrument]) -> AccountSpec:
    numbers = [(holder.first + more) % LISTED for more in range(holder.positions)]
    held = [(number, instruments[number]) for number in numbers]
    margin = holder.notional * holder.positions / LEVERAGE
    return AccountSpec(
        name=holder.name,
        api_key=holder.name,
        secret=holder.secret,
        password=holder.passphrase_at(broker) or "",
        wallets={"USDT": OpeningWallet(balance=margin / holder.utilization)},
        margin_pool=POOLS[broker],
        default_leverage=LEVERAGE,
        positions=tuple(
            OpeningPosition(
                symbol=instrument.name,
                side=Side.LONG,
                quantity=floor_to_step(holder.notional / _price(number), instrument.lot_step),
            )
            for number, instrument in held
        ),
    )
