"""What the stand-in keeps of the past is thinned as Nextcloud 32 thins it: the rows are what a real one left."""

from __future__ import annotations

import pytest
from liberate_nextcloud.standin import NextcloudStandin
from liberate_nextcloud.standin.history import thinned
from nextcloud_standin_kit import Client, told

NOW = 1_795_658_400
MINUTE, HOUR, DAY = 60, 3600, 86400
LEFT: list[tuple[str, list[int], list[int]]] = [
    ("one a year", [4 * 365 * DAY, 3 * 365 * DAY, 2 * 365 * DAY, 365 * DAY], [0, 1, 2, 3]),
    ("ten days of half a year ago", [(100 - day) * DAY for day in range(10)], [2, 9]),
    ("five in thirty hours, three weeks ago", [20 * DAY - n * 6 * HOUR for n in range(5)], [0, 4]),
    ("seven in an hour, this morning", [40_000 - n * 10 * MINUTE for n in range(7)], [0, 6]),
    ("one alone", [5 * DAY], [0]),
]


@pytest.mark.parametrize(("ages", "left"), [row[1:] for row in LEFT], ids=[row[0] for row in LEFT])
def test_versions_are_thinned_the_more_the_older_they_are(ages: list[int], left: list[int]) -> None:
    times = [NOW - age for age in ages]
    gone = set(thinned(times, NOW))
    assert [number for number, time in enumerate(times) if time not in gone] == left


def test_what_was_thinned_is_gone_and_what_has_a_label_is_not(standin: NextcloudStandin) -> None:
    times = [1_500_000_000 + n * DAY for n in range(8)]
    with Client(standin.url, "anna", standin.app_password("anna")) as anna:
        for time in times:
            anna.ask("PUT", "a", f"of {time}".encode(), X_OC_Mtime=str(time))
        where = f"/remote.php/dav/versions/anna/versions/{anna.fileid('a')}"
        label = (
            '<d:propertyupdate xmlns:d="DAV:" xmlns:nc="http://nextcloud.org/ns"><d:set><d:prop>'
            "<nc:version-label>signed</nc:version-label></d:prop></d:set></d:propertyupdate>"
        )
        assert anna.ask("PROPPATCH", f"{where}/{times[3]}", label).status_code == 207
        standin.expire_versions()
        names = [int(str(one["href"]).rpartition("/")[2]) for one in told(anna.ask("PROPFIND", where))[1:]]
        assert names == [times[3], times[6], times[7]]
        assert anna.ask("GET", f"{where}/{times[6]}").content == f"of {times[6]}".encode()
        assert anna.ask("GET", f"{where}/{times[5]}").status_code == 404
