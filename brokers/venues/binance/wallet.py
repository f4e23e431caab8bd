"""The spot side of an account: funding wallet, transfers into futures, key permissions (`sapi`)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from brokers.errors import MalformedAnswer
from brokers.fields import mapping_from, rows_from
from brokers.models import KeyPermissions
from brokers.numbers import ZERO, NumberError, decimal_from, decimal_or_none, plain, time_from_ms
from brokers.orders import TransferReport, Verdict
from brokers.profile import Request

FUNDING_TO_USDM = "FUNDING_UMFUTURE"
FUNDING_TO_COINM = "FUNDING_CMFUTURE"
SPOT_TO_PORTFOLIO = "MAIN_PORTFOLIO_MARGIN"
FUNDING_TO_MARGIN = "FUNDING_MARGIN"

PAGE_SIZE = 100
PAGES = 20
"""More history than this since a transfer was sent is not ours to read."""

CLOCK_ERROR = timedelta(seconds=1)
"""How far the venue's stamp may lie before the moment a transfer was sent at, whoever's clock that was by."""

VERDICTS = MappingProxyType({"CONFIRMED": Verdict.ACCEPTED, "FAILED": Verdict.REJECTED})

NO_PERMISSIONS = KeyPermissions(
    can_read=None, can_trade=None, can_withdraw=None, can_transfer=None, ip_bound=None
)
"""Where the venue has no such call, as on demo trading."""


def read_permissions(payload: object, *, trades: str) -> KeyPermissions:
    """Read `GET /sapi/v1/account/apiRestrictions`; `trades` names the flag of the product.

    `enableInternalTransfer` moves coins between a master account and its own sub-accounts: they stay the
    owner's, so it is no withdrawal.

    Source: Binance docs, Get API Key Permission.
    """
    row = mapping_from(payload, "the API restrictions")

    def flag(name: str) -> bool | None:
        value = row.get(name)
        return value if isinstance(value, bool) else None

    try:
        expires = decimal_or_none(row.get("tradingAuthorityExpirationTime"))
        expires_at = time_from_ms(expires) if expires else None
    except NumberError:
        expires_at = None
    return KeyPermissions(
        can_read=flag("enableReading"),
        can_trade=flag(trades),
        can_withdraw=flag("enableWithdrawals"),
        can_transfer=flag("permitsUniversalTransfer"),
        ip_bound=flag("ipRestrict"),
        expires_at=expires_at,
    )


def read_funding(payload: object, currency: str) -> Decimal:
    """Read `POST /sapi/v1/asset/get-funding-asset` for one asset: what is free; no row says none is."""
    held = [
        row for row in rows_from(payload, "the funding wallet") if str(row.get("asset")).upper() == currency
    ]
    return sum((decimal_from(row.get("free")) for row in held), ZERO)


def transfer_request(kind: str, currency: str, amount: Decimal) -> Request:
    """Build `POST /sapi/v1/asset/transfer`; the call has no idempotency key."""
    params = {"type": kind, "asset": currency, "amount": plain(amount)}
    return Request(call="sapiPostAssetTransfer", params=params)


def read_transfer_id(payload: object) -> str | None:
    """Read the answer to a transfer."""
    found = mapping_from(payload, "the transfer").get("tranId")
    return None if found in {None, ""} else str(found)


def transfer_rows(payload: object) -> tuple[Sequence[Mapping[str, Any]], int]:
    """Read one page of `GET /sapi/v1/asset/transfer`: its rows, and how many there are on all pages."""
    answer = mapping_from(payload, "the transfer history")
    return rows_from(answer.get("rows") or [], "the transfer history's rows"), int(
        decimal_from(answer.get("total"))
    )


def _asset_of(row: Mapping[str, Any]) -> str:
    asset = row.get("asset")
    if not isinstance(asset, str) or not asset:
        raise MalformedAnswer("the transfer history: a row without its asset")
    return asset.upper()


def find_transfer(
    rows: Iterable[Mapping[str, Any]], client_id: str, currency: str, amount: Decimal, since: datetime
) -> TransferReport | None:
    """Find a transfer in the history by asset, amount and time; the earliest one since `since` counts.

    The venue keeps no client id, so an equal transfer by another hand in the same seconds is taken for ours.

    Raises:
        MalformedAnswer: a row does not say of what asset it is, or the only equal one is from before the time
            that was asked for: either could be ours.
        NumberError: amount or time of a row of the asset are missing or damaged.
    """
    matching = [
        (time_from_ms(row.get("timestamp")), row)
        for row in rows
        if _asset_of(row) == currency and decimal_from(row.get("amount")) == amount
    ]
    candidates = sorted((pair for pair in matching if pair[0] >= since), key=lambda pair: pair[0])
    if not candidates:
        if matching:
            raise MalformedAnswer("the transfer history reaches back further than was asked for")
        return None
    row = candidates[0][1]
    return TransferReport(
        client_id=client_id,
        currency=currency,
        amount=amount,
        verdict=VERDICTS.get(str(row.get("status")), Verdict.UNKNOWN),
        transfer_id=None if row.get("tranId") is None else str(row["tranId"]),
    )
