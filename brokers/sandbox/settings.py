"""What an account sets per symbol: leverage and margin mode."""

from decimal import Decimal

from brokers.models import MarginMode, PositionMode, Side
from brokers.numbers import ZERO
from brokers.sandbox.account import Account, Holding
from brokers.sandbox.admission import check_margin_mode, settle_headroom
from brokers.sandbox.history import LeverageSet
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.orders import Refusal, Rejection
from brokers.sandbox.state import VenueState


def set_leverage(
    state: VenueState, account: Account, symbol: str, leverage: Decimal, position_side: Side | None
) -> Decimal:
    """Set the leverage of a symbol, or of one leg of it, and return the one before.

    Cross margins change at once. An isolated position draws the margin it lacks from its pool, or returns
    what it no longer needs.

    Raises:
        Rejection: LEVERAGE, LEVERAGE_TIER, LEVERAGE_LOCKED, INSUFFICIENT_MARGIN, WRONG_POSITION_SIDE.
    """
    instrument = state.instrument(symbol)
    legs = _legs(account, position_side)
    before = account.leverage(symbol, legs[0])
    if not 1 <= leverage <= instrument.max_leverage:
        raise Rejection(Refusal.LEVERAGE, f"{leverage} is not in 1 to {instrument.max_leverage}")
    holdings = [h for h in account.positions.values() if h.instrument is instrument and h.leg in legs]
    for holding in holdings:
        _check(state, account, holding, leverage)
    restore = _Restore(account, symbol, legs, holdings)
    headroom = settle_headroom(state, account, instrument)
    for holding in holdings:
        _move_isolated_margin(account, holding, leverage)
    for leg in legs:
        account.leverages[(symbol, leg)] = leverage
    account.touch()
    after = settle_headroom(state, account, instrument)
    if after < 0 and after < headroom:
        restore.undo()
        raise Rejection(Refusal.INSUFFICIENT_MARGIN, f"{-after} {instrument.settle} short")
    if before != leverage:
        state.journal.add(
            LeverageSet,
            account.name,
            symbol=symbol,
            leverage=leverage,
            margin_mode=account.margin_mode(symbol),
            position_side=position_side,
        )
    return before


def set_margin_mode(state: VenueState, account: Account, symbol: str, mode: MarginMode) -> None:
    """Set how orders of a symbol open from now on.

    Raises:
        Rejection: NOT_MODIFIED, MARGIN_MODE, MARGIN_MODE_BUSY.
    """
    state.instrument(symbol)
    check_margin_mode(account, mode)
    if account.margin_mode(symbol) is mode:
        raise Rejection(Refusal.NOT_MODIFIED, symbol)
    busy = any(key[0] == symbol for key in account.positions)
    if busy or any(order.symbol == symbol for order in account.orders.open()):
        raise Rejection(Refusal.MARGIN_MODE_BUSY, symbol)
    account.margin_modes[symbol] = mode
    account.touch()


class _Restore:
    """The settings and isolated margins of a symbol before a change, to put back if it does not hold."""

    def __init__(
        self, account: Account, symbol: str, legs: tuple[Side | None, ...], holdings: list[Holding]
    ) -> None:
        self._account = account
        self._leverages = {(symbol, leg): account.leverages.get((symbol, leg)) for leg in legs}
        self._margins = [(holding, holding.isolated_wallet) for holding in holdings]

    def undo(self) -> None:
        """Put everything back."""
        for key, leverage in self._leverages.items():
            if leverage is None:
                self._account.leverages.pop(key, None)
            else:
                self._account.leverages[key] = leverage
        for holding, margin in self._margins:
            holding.isolated_wallet = margin
        self._account.touch()


def _legs(account: Account, position_side: Side | None) -> tuple[Side | None, ...]:
    if account.spec.position_mode is PositionMode.ONE_WAY:
        if position_side is not None:
            raise Rejection(Refusal.WRONG_POSITION_SIDE, "account is in one_way mode")
        return (None,)
    return (Side.LONG, Side.SHORT) if position_side is None else (position_side,)


def _check(state: VenueState, account: Account, holding: Holding, leverage: Decimal) -> None:
    instrument = holding.instrument
    notional = instrument.notional(abs(holding.quantity), state.market.mark(instrument.name))
    most = instrument.max_leverage_at(notional)
    before = account.leverage(instrument.name, holding.leg)
    if leverage > most and leverage > before:
        raise Rejection(Refusal.LEVERAGE_TIER, f"at most {most} for {notional}")
    if holding.mode is not MarginMode.ISOLATED:
        return
    if leverage < before and not state.rules.isolated_leverage_may_fall:
        raise Rejection(Refusal.LEVERAGE_LOCKED, instrument.name)
    pnl = instrument.pnl(holding.quantity, holding.entry, state.market.mark(instrument.name))
    released = _released(instrument, holding, before, leverage)
    if released > 0 and holding.isolated_wallet - released + min(pnl, ZERO) < notional / leverage:
        raise Rejection(Refusal.INSUFFICIENT_MARGIN, "the position needs its margin")


def _released(instrument: Instrument, holding: Holding, before: Decimal, after: Decimal) -> Decimal:
    """Return the isolated margin that a change of leverage sets free (negative: that it draws)."""
    entry_notional = instrument.notional(abs(holding.quantity), holding.entry)
    return entry_notional / before - entry_notional / after


def _move_isolated_margin(account: Account, holding: Holding, leverage: Decimal) -> None:
    if holding.mode is MarginMode.ISOLATED:
        instrument = holding.instrument
        before = account.leverage(instrument.name, holding.leg)
        released = _released(instrument, holding, before, leverage)
        holding.isolated_wallet = max(ZERO, holding.isolated_wallet - released)
