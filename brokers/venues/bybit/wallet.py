"""`GET /v5/account/wallet-balance` and `GET /v5/account/info`: the account's totals, coins and mode."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from brokers.errors import MalformedAnswer
from brokers.fields import Fields, rows_from
from brokers.models import Finding, FindingCode, MarginMode
from brokers.venues.bybit.envelope import (
    Row,
    margin_in,
    number_or_none,
    result_of,
    rows_of,
    time_of,
)

ACCOUNT = "account"
"""Key of the one risk unit of a cross or portfolio account."""

MARGIN_MODES = {
    "REGULAR_MARGIN": MarginMode.CROSS,
    "ISOLATED_MARGIN": MarginMode.ISOLATED,
    "PORTFOLIO_MARGIN": MarginMode.PORTFOLIO,
}

MARGINS = ("totalOrderIM", "totalPositionIM", "totalPositionMM")
"""What a coin's positions and orders tie up."""

UTA_1 = frozenset({3, 4})
"""`unifiedMarginStatus` of UTA 1.0 (and Pro): inverse contracts have a wallet of their own there."""

UTA_2 = frozenset({5, 6})
"""`unifiedMarginStatus` of UTA 2.0 (and Pro): one wallet for everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountInfo:
    """How the venue margins the account. `margin_mode` is `None` for a word we do not know.

    `status` is `unifiedMarginStatus`, `None` when not stated.
    """

    label: str
    margin_mode: MarginMode | None
    status: int | None

    @property
    def inverse_in_wallet(self) -> bool:
        """Whether inverse positions are proven to be margined by the unified wallet."""
        return self.status in UTA_2

    @property
    def has_contract_wallet(self) -> bool:
        """Whether inverse positions are margined by a wallet of their own."""
        return self.status in UTA_1


@dataclass(frozen=True, slots=True, kw_only=True)
class Coin:
    """One currency of the wallet; every amount in it, `usd_value` in USD, `None` where the venue says `""`.

    `position_margin` includes the fees reserved for closing; the three margins are `""` in portfolio margin.
    """

    currency: str
    equity: Decimal | None
    usd_value: Decimal | None
    wallet_balance: Decimal | None
    unrealized_pnl: Decimal | None
    locked: Decimal | None
    bonus: Decimal | None
    order_margin: Decimal | None
    position_margin: Decimal | None
    maintenance_margin: Decimal | None
    borrowed: Decimal | None
    spot_borrowed: Decimal | None
    interest: Decimal | None
    available: Decimal | None = None
    """`availableToWithdraw`, which the unified wallet no longer fills."""
    margins_withheld: bool = False
    """Whether the three margins are there and `""`, as in portfolio margin, and not merely left out."""

    @property
    def has_margin_figures(self) -> bool:
        """Whether the venue states what this coin's positions and orders tie up."""
        return None not in (self.order_margin, self.position_margin, self.maintenance_margin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """The unified wallet: its coins, and totals in USD, which the venue leaves `""` in isolated margin."""

    time: datetime | None
    equity: Decimal | None
    margin_balance: Decimal | None
    initial_margin: Decimal | None
    maintenance_margin: Decimal | None
    available_balance: Decimal | None
    wallet_balance: Decimal | None
    unrealized_pnl: Decimal | None
    initial_rate: Decimal | None
    maintenance_rate: Decimal | None
    coins: tuple[Coin, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def has_totals(self) -> bool:
        """Whether any of the account's own margin totals is stated."""
        return any(
            total is not None for total in (self.margin_balance, self.initial_margin, self.maintenance_margin)
        )

    def coin(self, currency: str) -> Coin | None:
        """Return one coin's row; coins with neither assets nor debt have none."""
        return next((coin for coin in self.coins if coin.currency == currency), None)

    def fits(self, mode: MarginMode | None) -> bool:
        """Tell whether the wallet looks as it does in `mode`.

        Totals are `""` in isolated margin and only there; a coin's margins are `""` in portfolio margin and
        only there. So a change of mode between two reads of the account's info shows in the wallet itself.
        """
        if mode is None:
            return False
        if mode is MarginMode.ISOLATED:
            return not self.has_totals
        if not self.has_totals:
            return False
        if mode is MarginMode.PORTFOLIO or not self.coins:
            return True
        return not all(coin.margins_withheld for coin in self.coins)


def read_account_info(payload: object) -> AccountInfo:
    """Parse the account's mode.

    Raises:
        MalformedAnswer: the answer names no margin mode.
    """
    result = result_of(payload, "account info")
    label = result.get("marginMode")
    if not isinstance(label, str) or not label:
        raise MalformedAnswer("account info: no marginMode")
    status = number_or_none(result, "unifiedMarginStatus")
    return AccountInfo(
        label=label,
        margin_mode=MARGIN_MODES.get(label),
        status=None if status is None else int(status),
    )


def read_wallet(payload: object) -> Wallet:
    """Parse the unified wallet.

    Raises:
        MalformedAnswer: there is not exactly one account in it, it is not the unified one, or a coin has no
            name. An empty list is an answer during maintenance, not an account without money.
    """
    accounts = rows_of(payload, "wallet balance")
    if len(accounts) != 1:
        raise MalformedAnswer(f"wallet balance: {len(accounts)} accounts where one is due")
    account = accounts[0]
    kind = account.get("accountType")
    if kind is not None and kind != "UNIFIED":
        raise MalformedAnswer(f"wallet balance: account type {kind!r}")
    findings: list[Finding] = []
    fields = Fields(account, findings, unit=ACCOUNT)
    coins = read_coins(rows_from(account.get("coin"), "wallet balance: coin"), findings)
    return Wallet(
        time=time_of(payload),
        equity=number_or_none(account, "totalEquity"),
        margin_balance=fields.optional("totalMarginBalance"),
        initial_margin=margin_in(fields, account, "totalInitialMargin"),
        maintenance_margin=margin_in(fields, account, "totalMaintenanceMargin"),
        available_balance=fields.optional("totalAvailableBalance"),
        wallet_balance=fields.optional("totalWalletBalance"),
        unrealized_pnl=fields.optional("totalPerpUPL"),
        initial_rate=fields.optional("accountIMRate"),
        maintenance_rate=fields.optional("accountMMRate"),
        coins=coins,
        findings=tuple(findings),
    )


def read_coins(
    rows: Sequence[Row], findings: list[Finding], unit: Callable[[str], str] = str
) -> tuple[Coin, ...]:
    """Parse a wallet's coins; `unit` names the risk unit that a finding about one is about.

    Raises:
        MalformedAnswer: a coin has no name.
    """
    coins: dict[str, Coin] = {}
    for row in rows:
        name = row.get("coin")
        if not isinstance(name, str) or not name:
            raise MalformedAnswer("wallet balance: a coin without a name")
        if name in coins:
            findings.append(Finding(code=FindingCode.INCONSISTENT, detail=f"two wallet rows for {name}"))
            continue
        fields = Fields(row, findings, unit=unit(name))
        coins[name] = Coin(
            currency=name,
            equity=fields.optional("equity"),
            usd_value=fields.optional("usdValue"),
            wallet_balance=fields.optional("walletBalance"),
            unrealized_pnl=fields.optional("unrealisedPnl"),
            locked=margin_in(fields, row, "locked"),
            bonus=fields.optional("bonus"),
            order_margin=margin_in(fields, row, "totalOrderIM"),
            position_margin=margin_in(fields, row, "totalPositionIM"),
            maintenance_margin=margin_in(fields, row, "totalPositionMM"),
            borrowed=margin_in(fields, row, "borrowAmount"),
            spot_borrowed=fields.optional("spotBorrow"),
            interest=fields.optional("accruedInterest"),
            available=number_or_none(row, "availableToWithdraw"),
            margins_withheld=all(row.get(name) == "" for name in MARGINS),
        )
    return tuple(coins.values())
