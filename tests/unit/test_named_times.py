"""Times in the names of recordings."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stratavox.corpus.named_times import of_name

TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 31)).map(
    lambda at: at.replace(microsecond=0)
)
FORMS = [
    "%Y%m%d_%H%M%S",
    "%Y%m%dT%H%M%S",
    "%Y%m%d$%H%M%S",
    "%Y%m%d-%H%M%S",
    "%Y%m%d%H%M%S",
    "%Y-%m-%dT%H-%M-%S",
    "%Y-%m-%d_%H-%M-%S",
    "%Y-%m-%d %H.%M.%S",
    "%Y_%m_%d_%H_%M_%S",
    "%Y-%m-%dT%H%M%S",
]
PREFIXES = ["", "SWIFT01_", "24E1440360371F71_", "SM304477_0+1_", "site-A ", "2MM01207_", "é_"]
# how a name says the offset from UTC, in minutes
OFFSETS = [-720, -210, 0, 60, 345, 570, 840]


def written(minutes):
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}{rest:02d}"


@given(TIMES, st.sampled_from(FORMS), st.sampled_from(PREFIXES), st.sampled_from(OFFSETS))
def test_a_time_that_is_formatted_is_read_again(at, form, prefix, minutes):
    name = prefix + at.strftime(form)
    utc, there = UTC, timezone(timedelta(minutes=minutes))
    assert of_name(name) == at.isoformat()
    assert of_name(name + "Z") == at.replace(tzinfo=utc).isoformat()
    assert of_name(name + written(minutes)) == at.replace(tzinfo=there).isoformat()
    assert of_name(f"{name}{written(minutes)}_REC [-27.38+152.88]") == of_name(
        name + written(minutes)
    )
    # begin and end: which is meant is not certain
    assert of_name(f"{name}_{(at + timedelta(hours=1)).strftime(form)}") is None


@given(st.datetimes(datetime(2010, 1, 1), datetime(2060, 1, 1)), st.integers(100, 10**9))
def test_soundtraps_names(at, serial):
    at = at.replace(microsecond=0)
    assert of_name(f"{serial}.{at:%y%m%d%H%M%S}") == at.isoformat()
    # without the serial number twelve digits may be anything
    assert of_name(f"{at:%y%m%d%H%M%S}") is None


@given(st.text("0123456789", min_size=1, max_size=13))
@example("491701234567")
@example("201605061753")
@example("20160506")
def test_digits_that_may_be_a_number_are_no_time(digits):
    for name in (digits, f"bird_{digits}", f"{digits}_{digits[:4]}", f"+{digits}"):
        assert of_name(name) is None


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("SWIFT01_20210510_180000Z", "2021-05-10T18:00:00+00:00"),
        ("5678.210519103000", "2021-05-19T10:30:00"),
        ("SM304477_0+1_20160506$175304", "2016-05-06T17:53:04"),
        ("20190401T000000+1000_REC [-27.3888+152.8808]", "2019-04-01T00:00:00+10:00"),
        ("2024-06-01T05-00-00", "2024-06-01T05:00:00"),
        ("T2024-06-01_05-00-00", "2024-06-01T05:00:00"),
        ("20210510_180000-0500", "2021-05-10T18:00:00-05:00"),
        # numbers that follow the time
        ("20210510_180000-0001", None),
        ("20210510_180000+9900", None),
        ("20210510_180000_0001", None),
        ("20210510_180000_call3", None),
        # not apart from what stands before
        ("bird20210510_180000", None),
        ("720210510_180000", None),
        # no such day or hour
        ("20210231_180000", None),
        ("20210510_240000", None),
        ("5678.211319103000", None),
        # six and six digits: day, month or year may come first
        ("CINMS_210519_103000", None),
        ("5E2B1F3C", None),
        ("", None),
    ],
)
def test_names_of_recorders(name, at):
    assert of_name(name) == at
