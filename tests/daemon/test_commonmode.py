from daemon.commonmode import CommonMode


def test_venues_count_once_and_for_ten_seconds() -> None:
    common = CommonMode()
    for venue, at in (("bybit", 100.0), ("bybit", 103.0), ("okx", 105.0), ("kraken", 109.0)):
        common.note(venue, at)

    assert set(common.breaching(110.0)) == {"bybit", "okx", "kraken"}
    assert set(common.breaching(114.0)) == {"okx", "kraken"}
    assert common.breaching(120.0) == ()
