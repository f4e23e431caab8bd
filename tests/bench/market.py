"""The markets of the benchmark, and accounts that hold some of what they list.

Three venues list sixty perpetuals; the others list what the sandbox ships.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from brokers.models import ContractKind, Side
from brokers.numbers import ZERO, floor_to_step
from brokers.sandbox.instrument import Instrument, maintenance_tiers
from brokers.sandbox.scenarios import calm
from brokers.sandbox.spec import AccountSpec, Asset, OpeningPosition, OpeningWallet, SandboxSpec
from tests.bench.products import Product

LISTED = 60
LEVERAGE = Decimal(10)
TICK_MS = 5000
"""How often the venue itself acts. It has nothing to do here, and its CPU is the client's neighbour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One account. It holds `positions` contracts, the first one number `first`.

    Each is worth `notional` dollars when it is opened; `utilization` is what part of the account's equity
    their initial margin takes.
    """

    name: str
    positions: int
    first: int = 0
    notional: Decimal = Decimal(1000)
    utilization: Decimal = Decimal("0.35")

    @property
    def key(self) -> str:
        """Its API key: another text than its name, for the log shows no key."""
        return f"key-of-{self.name}"


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


def venue_spec(product: Product, holders: Sequence[Holder], now_ms: int) -> SandboxSpec:
    """Return a calm venue that keeps the accounts of `holders`."""
    instruments, assets = _long_list(product) if product.is_long else _shipped(product)
    return SandboxSpec(
        instruments=instruments,
        assets=assets,
        accounts=tuple(_account(product, holder, instruments, assets) for holder in holders),
        rules=product.played.rules,
        scenario=calm(),
        start_ms=now_ms,
        tick_ms=TICK_MS,
    )


def _long_list(product: Product) -> tuple[tuple[Instrument, ...], tuple[Asset, ...]]:
    instruments = tuple(_perpetual(number) for number in range(LISTED))
    if product.broker == "okx":
        instruments = tuple(map(_as_swap, instruments))
    coins = tuple(Asset(name=coin(number), usd_price=_price(number)) for number in range(LISTED))
    stable = tuple(Asset(name=name, usd_price=Decimal(1), stable=True) for name in ("USDC", "USDT"))
    return instruments, (*coins, *stable)


def _shipped(product: Product) -> tuple[tuple[Instrument, ...], tuple[Asset, ...]]:
    return product.played.instruments, product.played.assets


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


def _account(
    product: Product, holder: Holder, instruments: Sequence[Instrument], assets: Sequence[Asset]
) -> AccountSpec:
    prices = {asset.name: asset.usd_price for asset in assets}
    held = [instruments[(holder.first + more) % len(instruments)] for more in range(holder.positions)]
    margin = holder.notional / LEVERAGE / holder.utilization
    balances = dict.fromkeys(product.wallets, holder.notional)
    for instrument in held:
        balances[instrument.settle] = balances.get(instrument.settle, ZERO) + margin
    return AccountSpec(
        name=holder.name,
        api_key=holder.key,
        secret=product.secret_of(holder.name),
        password=product.passphrase_of(holder.name) or "",
        wallets={name: OpeningWallet(balance=dollars / prices[name]) for name, dollars in balances.items()},
        margin_pool=product.pool,
        default_leverage=LEVERAGE,
        positions=tuple(
            OpeningPosition(
                symbol=instrument.name,
                side=Side.LONG,
                quantity=_quantity(instrument, holder.notional, prices[instrument.base]),
            )
            for instrument in held
        ),
    )


def _quantity(instrument: Instrument, notional: Decimal, price: Decimal) -> Decimal:
    """Return what is worth `notional` dollars, in the engine's units."""
    units = notional / price if instrument.kind is ContractKind.LINEAR else notional
    return max(floor_to_step(units, instrument.lot_step), instrument.lot_step)
