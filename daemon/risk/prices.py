"""At which price an account is called, liquidated or bankrupt.

All of these answer `None` when no positive price does it: a long without debt has no zero-equity price.
Amounts are in settle currency, `side` is the position's; everything else in the account is held still.
"""

from decimal import Decimal

from brokers.models import Side
from daemon.risk.margin import direction


def _positive(numerator: Decimal, denominator: Decimal) -> Decimal | None:
    """Return the quotient where it is a price."""
    if denominator == 0:
        return None
    price = numerator / denominator
    return price if price > 0 else None


def margin_call_price(
    side: Side, *, quantity: Decimal, mark_price: Decimal, margin_equity: Decimal, maintenance_margin: Decimal
) -> Decimal | None:
    """Return the price at which equity has fallen to a maintenance margin that does not move with the price.

    mark - side x (equity - maintenance) / quantity, `quantity` in base currency. Beyond the mark when the
    call is overdue. Example: 10,000 of equity, 325 units at 100, maintenance 4,875: 84.23.
    """
    headroom = margin_equity - maintenance_margin
    units = quantity * direction(side)
    return _positive(mark_price * units - headroom, units)


def zero_equity_price(
    side: Side, *, quantity: Decimal, mark_price: Decimal, margin_equity: Decimal
) -> Decimal | None:
    """Return the price at which nothing is left: the margin call price without a requirement.

    Example: 10,000 of equity, 325 units at 100: 69.23.
    """
    return margin_call_price(
        side,
        quantity=quantity,
        mark_price=mark_price,
        margin_equity=margin_equity,
        maintenance_margin=Decimal(0),
    )


def liquidation_price_linear(
    side: Side,
    *,
    quantity: Decimal,
    entry_price: Decimal,
    collateral: Decimal,
    maintenance_rate: Decimal,
    deduction: Decimal = Decimal(0),
    other_maintenance: Decimal = Decimal(0),
    other_pnl: Decimal = Decimal(0),
) -> Decimal | None:
    """Return where a linear position is liquidated when maintenance moves with the price.

    collateral - other maintenance + other pnl + side x q x (P - entry) = q x P x rate - deduction. Isolated:
    `collateral` is the position's margin, nothing is other. Cross: the wallet balance, and the other
    positions with the sign their direction gives. Add the taker fee to `maintenance_rate` where the venue
    reserves it.

    Source: Binance, "How to Calculate Liquidation Price of USD-M Futures Contracts"; `deduction` is its
    `cum`.
    """
    units = quantity * direction(side)
    fixed = collateral - other_maintenance + other_pnl + deduction - units * entry_price
    return _positive(fixed, quantity * maintenance_rate - units)


def liquidation_price_inverse(
    side: Side,
    *,
    contract_value: Decimal,
    entry_price: Decimal,
    collateral: Decimal,
    maintenance_rate: Decimal = Decimal(0),
    fixed_maintenance: Decimal = Decimal(0),
) -> Decimal | None:
    """Return where an inverse position is liquidated.

    `contract_value` N is the position in quote currency, `collateral` in coin. collateral + side x
    (N/entry - N/P) = rate x N/P + fixed: a rate for venues that take maintenance at mark (OKX, Kraken), a
    fixed amount for those that take it at entry.

    Source: OKX and Kraken Futures, liquidation price of inverse contracts.
    """
    if entry_price <= 0:
        return None
    sign = direction(side)
    held = collateral - fixed_maintenance + sign * contract_value / entry_price
    return _positive(contract_value * (sign + maintenance_rate), held)


def bankruptcy_price_linear(side: Side, entry_price: Decimal, leverage: Decimal) -> Decimal | None:
    """Return where an isolated linear position has lost its margin: entry x (1 - side / leverage).

    Raises:
        ValueError: the leverage is not positive.
    """
    _check_leverage(leverage)
    return _positive(entry_price * (leverage - direction(side)), leverage)


def bankruptcy_price_inverse(side: Side, entry_price: Decimal, leverage: Decimal) -> Decimal | None:
    """Return where an isolated inverse position has lost its margin: entry x leverage / (leverage + side).

    `None` for a short at leverage 1 or below: it cannot lose more coin than it put up.

    Raises:
        ValueError: the leverage is not positive.
    """
    _check_leverage(leverage)
    return _positive(entry_price * leverage, leverage + direction(side))


def bankruptcy_price_cross(
    side: Side, *, quantity: Decimal, mark_price: Decimal, margin_equity: Decimal, share: Decimal = Decimal(1)
) -> Decimal:
    """Return the worst price at which `quantity` may be closed within its share of the equity.

    mark - side x share x equity / quantity; `share` is the maintenance margin the closing frees / all of
    it, so that closing everything spends exactly the equity. May be beyond the mark (equity below zero:
    closing must earn) or negative (equity outlasts the position).

    Raises:
        ValueError: the quantity is not positive.

    Source: dYdX v4 `protocol/x/clob/keeper/liquidations.go` shares the loss budget in the same way.
    """
    if quantity <= 0:
        raise ValueError(f"closing takes a positive quantity, not {quantity}")
    return mark_price - direction(side) * share * margin_equity / quantity


def _check_leverage(leverage: Decimal) -> None:
    """Refuse a leverage that is none."""
    if leverage <= 0:
        raise ValueError(f"leverage must be positive, not {leverage}")
