"""What a Nextcloud as a source makes of answers that lack something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from liberate_nextcloud.gate import Gate
from liberate_nextcloud.settings import NextcloudSettings
from liberate_nextcloud.source import NextcloudSource
from liberate_nextcloud.standin import NextcloudStandin
from liberate_nextcloud.standin.faults import Fault
from nextcloud_kit import Somebody

from liberate.connector import Account, Item, Listed, Skipped, Whole
from liberate.errors import IntegrityError


@pytest.fixture
def source(settings: NextcloudSettings, secret: str) -> Iterator[NextcloudSource]:
    with NextcloudSource(settings, Account("anna", secret), gate=Gate()) as made:
        yield made


def listed(source: NextcloudSource) -> list[Listed]:
    (collection,) = source.collections()
    return list(source.items(collection, None))


def _response(path: str, props: str) -> str:
    href = f"<d:href>/remote.php/dav/files/anna/{path}</d:href>"
    return f"<d:response>{href}{props}</d:response>"


def test_files_of_which_the_server_tells_only_the_name_are_listed_one_by_one_and_none_is_taken_for_another(
    source: NextcloudSource, owner: Somebody, standin: NextcloudStandin
) -> None:
    owner.put("a.txt", b"one")
    owner.put("b.txt", b"two")
    closed = "<d:status>HTTP/1.1 403 Forbidden</d:status>"
    bare = (
        "<d:propstat><d:prop><d:resourcetype/><d:getcontentlength>3</d:getcontentlength></d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat>"
    )
    told = "".join((_response("", bare), _response("a.txt", closed), _response("b.txt", bare)))
    body = f'<?xml version="1.0"?><d:multistatus xmlns:d="DAV:">{told}</d:multistatus>'.encode()
    standin.faults.add(Fault(status=207, method="PROPFIND", body=body, content_type="application/xml", skip=2))
    found = listed(source)
    assert [(type(one), one.id) for one in found if isinstance(one, Item | Skipped)] == [
        (Skipped, "///a.txt"),
        (Skipped, "///b.txt"),
    ]
    assert Whole() not in found  # else what an earlier listing knew of them would be gone


def test_a_proxy_that_takes_the_etag_away_hides_neither_a_file_nor_a_change_of_it(
    source: NextcloudSource, owner: Somebody, standin: NextcloudStandin
) -> None:
    owner.put("a.txt", b"one")
    (item,) = (one for one in listed(source) if isinstance(one, Item))
    standin.faults.add(Fault(status=200, method="GET", body=b"one", path="a.txt", times=None))
    assert b"".join(source.read(item)) == b"one"
    assert owner.ask("PUT", "a.txt", b"other", X_OC_Mtime="1600000000").status_code == 204
    with pytest.raises(IntegrityError):
        b"".join(source.read(item))
