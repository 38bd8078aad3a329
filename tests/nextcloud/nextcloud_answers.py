"""What Nextcloud 32 answers to plain HTTP, as tests: of the stand-in, and of a real server.

Whoever collects them gives the fixtures `server` (address, user, app password) and `other` (a user beside that one).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from nextcloud_standin_kit import NC, OC, OLD, SPACES, Client, D, L, exception, message, statuses, told


@pytest.fixture
def anna(server: tuple[str, str, str]) -> Iterator[Client]:
    with Client(*server) as client:
        yield client


# Writing -----------------------------------------------------------------------------------------


def test_a_file_that_is_put_comes_back_with_all_that_was_said_of_it(anna: Client) -> None:
    sent = {"X_OC_Mtime": OLD, "X_OC_CTime": "1400000000", "X_Hash": "all", "OC_Checksum": "SHA1:not-checked"}
    answer = anna.ask("PUT", "a.txt", b"hello", **sent)
    assert answer.status_code == 201
    for name in ("md5", "sha1", "sha256"):
        assert answer.headers[f"X-Hash-{name.upper()}"] == hashlib.new(name, b"hello").hexdigest()
    assert answer.headers["X-OC-MTime"] == answer.headers["X-OC-CTime"] == "accepted"
    assert answer.headers["ETag"] == answer.headers["OC-ETag"]
    names = "d:getlastmodified d:getcontentlength d:getetag oc:id oc:checksums nc:creation_time d:quota-used-bytes"
    seen = anna.props("a.txt", names)[0]
    assert seen[OC + "id"] == answer.headers["OC-FileId"]
    assert seen[D + "getetag"] == answer.headers["ETag"]
    assert seen[D + "getlastmodified"] == "Fri, 14 Jul 2017 02:40:00 GMT"
    assert (seen[D + "getcontentlength"], seen[NC + "creation_time"]) == ("5", "1400000000")
    assert seen[OC + "checksums"] == "SHA1:not-checked"
    assert D + "quota-used-bytes" not in seen
    assert anna.ask("GET", "a.txt").content == b"hello"
    assert anna.ask("GET", "a.txt", Range="bytes=1-2").content == b"el"
    assert anna.ask("GET", "a.txt", Range="bytes=9-").status_code == 416
    head = anna.ask("HEAD", "a.txt")
    assert head.headers["OC-Checksum"] == "SHA1:not-checked, SHA1:not-checked"  # twice, on HEAD
    assert head.headers["Content-Length"] == "5"


PUTS: list[tuple[str, str, dict[str, str], int, str]] = [
    ("a missing folder", "no/x", {}, 404, "NotFound"),
    ("missing folders that are to be made", "no/d/x", {"X_NC_WebDAV_Auto_Mkcol": "1"}, 201, ""),
    ("create only", "old", {"If_None_Match": "*"}, 412, "PreconditionFailed"),
    ("create only, and new", "new", {"If_None_Match": "*"}, 201, ""),
    ("another version than this", "old", {"If_Match": '"x"'}, 412, "PreconditionFailed"),
    ("a version of nothing", "new", {"If_Match": '"x"'}, 412, "PreconditionFailed"),
    ("any version", "old", {"If_Match": "*"}, 204, ""),
    ("a folder", "dir", {}, 409, "Conflict"),
    ("below a file", "old/x", {}, 404, "NotFound"),
    ("a range", "x", {"Content_Range": "bytes 0-0/3"}, 400, "BadRequest"),
    ("a time of 0", "x", {"X_OC_Mtime": "0"}, 500, "InvalidArgumentException"),
    ("a time of one day", "x", {"X_OC_Mtime": "86400"}, 500, "InvalidArgumentException"),
    ("a time a second later", "x", {"X_OC_Mtime": "86401"}, 201, ""),
    ("a time before 1970", "x", {"X_OC_Mtime": "-5"}, 500, "InvalidArgumentException"),
    ("a time that is none", "x", {"X_OC_Mtime": "abc"}, 500, "InvalidArgumentException"),
    ("a time of creation that is none", "x", {"X_OC_CTime": "abc"}, 500, "InvalidArgumentException"),
    ("a fraction of a second", "x", {"X_OC_Mtime": "1500000000.7"}, 201, ""),
    ("a hash that is not known", "x", {"X_Hash": "crc32"}, 201, ""),
    ("a reserved name", ".htaccess", {}, 400, "InvalidPath"),
    ("an unfinished upload's name", "x.part", {}, 400, "InvalidPath"),
    ("another of them", "x.filepart", {}, 400, "InvalidPath"),
    ("250 bytes", "a" * 250, {}, 201, ""),
    ("251 bytes", "a" * 251, {}, 400, "InvalidPath"),
    ("252 bytes in 126 letters", "%C3%A9" * 126, {}, 400, "InvalidPath"),
    ("a backslash", "a%5Cb", {}, 400, "InvalidPath"),
    ("a control character", "a%01b", {}, 400, "InvalidPath"),
    ("a space before", "%20a", {}, 201, ""),
    ("a space after", "a%20", {}, 201, ""),
    ("what Windows reserves", "CON", {}, 201, ""),
    ("what Windows does not take", 'a:b*c%3F"<>|', {}, 201, ""),
    ("three dots", "...", {}, 201, ""),
]


@pytest.mark.parametrize(("path", "headers", "status", "what"), [row[1:] for row in PUTS], ids=[row[0] for row in PUTS])
def test_putting(anna: Client, path: str, headers: dict[str, str], status: int, what: str) -> None:
    assert anna.ask("PUT", "old", b"old").status_code == 201
    assert anna.ask("MKCOL", "dir").status_code == 201
    answer = anna.ask("PUT", path, b"new", **headers)
    assert (answer.status_code, exception(answer)) == (status, what)
    written = status in {201, 204} or (what == "InvalidArgumentException")  # 500 although it has been written
    there = anna.ask("GET", path)
    assert (there.status_code == 200 and there.content == b"new") is written


def test_a_refused_name_says_why_and_that_trying_again_is_no_use(anna: Client) -> None:
    answer = anna.ask("PUT", "a%5Cb", b"")
    reason = '"\\" is not allowed inside a file or folder name.'
    assert message(answer) == reason
    assert '<o:retry xmlns:o="o:">false</o:retry>' in answer.text
    assert f'<o:reason xmlns:o="o:">{reason}</o:reason>' in answer.text


def test_a_decomposed_name_is_the_composed_one_and_silently_replaces_it(anna: Client) -> None:
    first = anna.ask("PUT", "caf%C3%A9", b"1")
    second = anna.ask("PUT", "cafe%CC%81", b"2")
    assert (first.status_code, second.status_code) == (201, 204)
    assert first.headers["OC-FileId"] == second.headers["OC-FileId"]
    assert [one["href"] for one in anna.props("", "d:getetag", "1")][1].endswith("/caf%c3%a9")  # type: ignore[union-attr]


def test_replacing_keeps_the_id_clears_the_checksum_and_changes_the_etag(anna: Client) -> None:
    first = anna.ask("PUT", "a", b"1", OC_Checksum="MD5:x", X_OC_Mtime=OLD)
    second = anna.ask("PUT", "a", b"22")
    assert (second.status_code, second.headers["OC-FileId"]) == (204, first.headers["OC-FileId"])
    assert second.headers["ETag"] != first.headers["ETag"]
    assert OC + "checksums" not in anna.props("a", "oc:checksums")[0]


def test_content_of_the_same_size_and_time_has_the_same_etag(anna: Client) -> None:
    tags = {anna.ask("PUT", "a", content, X_OC_Mtime=OLD).headers["ETag"] for content in (b"aaaa", b"bbbb")}
    assert len(tags) == 1


def test_content_of_one_second_has_one_etag_whatever_its_size(anna: Client) -> None:
    for _ in range(20):
        seen = []
        for size in (1, 2):
            anna.ask("PUT", "a", b"x" * size)
            seen.append(anna.props("a", "d:getlastmodified d:getcontentlength d:getetag")[0])
        if seen[0][D + "getlastmodified"] == seen[1][D + "getlastmodified"]:
            break
    else:
        pytest.skip("the server never writes twice in a second")
    assert [one[D + "getcontentlength"] for one in seen] == ["1", "2"]
    assert seen[0][D + "getetag"] == seen[1][D + "getetag"]


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256", "crc32b"])
def test_the_server_reads_a_file_again_to_tell_its_hash(anna: Client, name: str) -> None:
    anna.ask("PUT", "a", b"hello", OC_Checksum="SHA1:wrong")
    answer = anna.ask("PATCH", "a", X_Recalculate_Hash=name)
    digest = "3610a686" if name == "crc32b" else hashlib.new(name, b"hello").hexdigest()
    assert (answer.status_code, answer.headers["OC-Checksum"]) == (204, f"{name.upper()}:{digest}")
    assert anna.props("a", "oc:checksums")[0][OC + "checksums"] == f"{name.upper()}:{digest}"


def test_a_write_touches_every_folder_above_it(anna: Client) -> None:
    change = f"<d:propertyupdate {SPACES}><d:set><d:prop><d:lastmodified>{OLD}</d:lastmodified></d:prop></d:set>"
    anna.ask("MKCOL", "a")
    anna.ask("MKCOL", "a/b")
    for path in ("a/b", "a"):
        assert statuses(anna.ask("PROPPATCH", path, change + "</d:propertyupdate>")) == {D + "lastmodified": 200}
    before = [anna.props(path, "d:getlastmodified d:getetag")[0] for path in ("a", "a/b")]
    assert {one[D + "getlastmodified"] for one in before} == {"Fri, 14 Jul 2017 02:40:00 GMT"}
    anna.ask("PUT", "a/b/c", b"1", X_OC_Mtime=OLD)
    for path, old in zip(("a", "a/b"), before, strict=True):
        new = anna.props(path, "d:getlastmodified d:getetag")[0]
        assert new[D + "getlastmodified"] != old[D + "getlastmodified"]
        assert new[D + "getetag"] != old[D + "getetag"]


# Other verbs -------------------------------------------------------------------------------------

OTHERS: list[tuple[str, str, str, dict[str, str], int, str]] = [
    ("a folder", "MKCOL", "new", {}, 201, ""),
    ("a folder that is there", "MKCOL", "dir", {}, 405, "MethodNotAllowed"),
    ("a folder in none", "MKCOL", "no/new", {}, 409, "Conflict"),
    ("a folder in a file", "MKCOL", "old/new", {}, 409, "Conflict"),
    ("a folder of a reserved name", "MKCOL", ".htaccess", {}, 400, "InvalidPath"),
    ("a folder named as an unfinished upload", "MKCOL", "x.part", {}, 405, "MethodNotAllowed"),
    ("reading nothing", "GET", "gone", {}, 404, "NotFound"),
    ("a version known already", "GET", "old", {"If_None_Match": "*"}, 304, ""),
    ("reading a folder", "GET", "dir", {}, 200, ""),
    ("deleting", "DELETE", "old", {}, 204, ""),
    ("deleting nothing", "DELETE", "gone", {}, 404, "NotFound"),
    ("deleting another version", "DELETE", "old", {"If_Match": '"x"'}, 412, "PreconditionFailed"),
    ("moving", "MOVE", "old", {"Destination": "new"}, 201, ""),
    ("moving nowhere", "MOVE", "old", {}, 400, "BadRequest"),
    ("moving nothing", "MOVE", "gone", {"Destination": "new"}, 404, "NotFound"),
    ("moving into no folder", "MOVE", "old", {"Destination": "no/new"}, 409, "Conflict"),
    ("moving onto another", "MOVE", "old", {"Destination": "other"}, 204, ""),
    ("moving onto another, not to be", "MOVE", "old", {"Destination": "other", "Overwrite": "F"}, 412,
     "PreconditionFailed"),
    ("moving onto itself", "MOVE", "old", {"Destination": "old"}, 403, "Forbidden"),
    ("moving into itself", "MOVE", "dir", {"Destination": "dir/in"}, 409, "Conflict"),
    ("moving to a reserved name", "MOVE", "old", {"Destination": ".htaccess"}, 400, "InvalidPath"),
    ("moving away from here", "MOVE", "old", {"Destination": "http://elsewhere.example/x"}, 403, "Forbidden"),
    ("moving with a strange wish", "MOVE", "old", {"Destination": "new", "Overwrite": "X"}, 400, "BadRequest"),
    ("copying", "COPY", "dir", {"Destination": "new"}, 201, ""),
    ("hashing a folder", "PATCH", "dir", {"X_Recalculate_Hash": "sha1"}, 501, "NotImplemented"),
    ("hashing nothing", "PATCH", "gone", {"X_Recalculate_Hash": "sha1"}, 404, "NotFound"),
    ("a hash nobody knows", "PATCH", "old", {"X_Recalculate_Hash": "nope"}, 500, "ValueError"),
    ("locking", "LOCK", "old", {}, 501, "NotImplemented"),
    ("a verb nobody knows", "FOO", "old", {}, 501, "NotImplemented"),
    ("listing all users", "PROPFIND", "/remote.php/dav/files/", {"Depth": "1"}, 405, "MethodNotAllowed"),
    ("listing nothing", "PROPFIND", "gone", {"Depth": "0"}, 404, "NotFound"),
    ("changing nothing", "PROPPATCH", "gone", {}, 400, "BadRequest"),
    ("what is not there", "GET", "/remote.php/dav/nope/x", {}, 404, "NotFound"),
    ("somebody's trash", "PROPFIND", "/remote.php/dav/trashbin/bo/trash/", {"Depth": "0"}, 403, "Forbidden"),
    ("writing for somebody", "PUT", "/remote.php/dav/files/bo/x", {}, 403, "Forbidden"),
    ("a folder for somebody", "MKCOL", "/remote.php/dav/files/bo/x", {}, 403, "Forbidden"),
    ("reading of somebody", "GET", "/remote.php/dav/files/bo/x", {}, 404, "NotFound"),
    ("nobody's files", "PROPFIND", "/remote.php/dav/files/nosuch/", {"Depth": "0"}, 404, "NotFound"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "what"), [row[1:] for row in OTHERS], ids=[row[0] for row in OTHERS]
)
def test_other_verbs(
    anna: Client, other: str, method: str, path: str, headers: dict[str, str], status: int, what: str
) -> None:
    path = path.replace("/bo/", f"/{other}/")
    anna.ask("PUT", "old", b"old")
    anna.ask("PUT", "other", b"other")
    anna.ask("MKCOL", "dir")
    sent = dict(headers)
    if "Destination" in sent and "://" not in sent["Destination"]:
        sent["Destination"] = f"{anna.root}/{sent['Destination']}"
    answer = anna.ask(method, path, **sent)
    assert (answer.status_code, exception(answer)) == (status, what)


def test_a_path_of_more_than_4000_bytes_is_refused(anna: Client) -> None:
    path = ""
    while len(f"/{anna.folder}{path}") + 201 <= 4000:
        path += "/" + "d" * 200
        assert anna.ask("MKCOL", path[1:]).status_code == 201
    answer = anna.ask("PUT", f"{path[1:]}/{'d' * 200}", b"")
    assert answer.status_code == 400
    assert "exceeds max path length(4000)" in message(answer)


def test_a_file_keeps_its_id_where_it_moves_and_what_it_replaces_is_in_the_trash(anna: Client) -> None:
    moved = anna.ask("PUT", "a", b"1")
    gone = anna.ask("PUT", "b", b"2")
    answer = anna.ask("MOVE", "a", Destination=f"{anna.root}/b")
    assert answer.headers["OC-FileId"] == moved.headers["OC-FileId"]
    assert answer.headers["ETag"] == moved.headers["ETag"]
    names = "oc:fileid nc:trashbin-original-location"
    trash = anna.props(f"/remote.php/dav/trashbin/{anna.user}/trash/", names, "1")
    deleted = {one.get(OC + "fileid"): one.get(NC + "trashbin-original-location") for one in trash}
    assert deleted[str(int(gone.headers["OC-FileId"][:8]))] == f"{anna.folder}/b"


# Listings ----------------------------------------------------------------------------------------


def test_a_folder_tells_what_is_in_it(anna: Client) -> None:
    anna.ask("MKCOL", "f%20%C3%BC")
    anna.ask("PUT", "f%20%C3%BC/a:b@c(d)'&!*,;=+$[x]%23", b"123")
    names = "d:displayname d:resourcetype oc:size oc:permissions d:quota-available-bytes oc:favorite l:none"
    above, folder, file = anna.props("", names, "infinity")
    assert above[OC + "size"] == folder[OC + "size"] == "3"
    assert folder["href"] == f"/remote.php/dav/files/{anna.user}/{anna.folder}/f%20%c3%bc/"
    assert str(file["href"]).endswith("/f%20%c3%bc/a:b@c(d)%27%26%21%2a%2c%3b%3d%2b%24%5bx%5d%23")
    assert (file[D + "displayname"], file[OC + "permissions"]) == ("a:b@c(d)'&!*,;=+$[x]#", "RGDNVW")
    assert (folder[OC + "permissions"], folder[D + "quota-available-bytes"]) == ("RGDNVCK", "-3")
    assert (folder[D + "resourcetype"], file[D + "resourcetype"], file[OC + "favorite"]) == ("…", "", "0")
    assert L + "none" not in file
    usual = told(anna.ask("PROPFIND", "f%20%C3%BC", Depth="1"))
    assert set(usual[0]) == {"href"} | {
        D + name for name in ("getlastmodified", "resourcetype", "quota-used-bytes", "quota-available-bytes", "getetag")
    }
    assert set(usual[1]) == {"href"} | {
        D + name for name in ("getlastmodified", "getcontentlength", "resourcetype", "getetag", "getcontenttype")
    }


def test_a_long_listing_comes_in_pages(anna: Client) -> None:
    for name in "abcd":
        anna.ask("PUT", name, name.encode())
    asked = {"Depth": "1", "X_NC_Paginate": "true", "X_NC_Paginate_Count": "2"}
    first = anna.ask("PROPFIND", "", **asked)
    assert (first.headers["X-NC-Paginate"], first.headers["X-NC-Paginate-Total"]) == ("true", "5")
    token = first.headers["X-NC-Paginate-Token"]
    rest = [
        anna.ask("PROPFIND", "", **asked, X_NC_Paginate_Token=token, X_NC_Paginate_Offset=at) for at in ("2", "4", "9")
    ]
    assert [len(told(page)) for page in (first, *rest)] == [2, 2, 1, 0]
    assert "X-NC-Paginate-Total" not in rest[0].headers
    assert len({one["href"] for page in (first, *rest) for one in told(page)}) == 5


def test_properties_are_set_one_and_all(anna: Client) -> None:
    anna.ask("MKCOL", "dir")
    sets = (
        "<d:lastmodified>1500000000</d:lastmodified><nc:creation_time>1300000000</nc:creation_time>"
        "<oc:favorite>1</oc:favorite><l:source>gdrive:&amp;1</l:source>"
    )
    change = f"<d:propertyupdate {SPACES}><d:set><d:prop>{{}}</d:prop></d:set></d:propertyupdate>"
    answer = statuses(anna.ask("PROPPATCH", "dir", change.format(sets)))
    assert answer == dict.fromkeys((D + "lastmodified", NC + "creation_time", OC + "favorite", L + "source"), 200)
    anna.ask("MOVE", "dir", Destination=f"{anna.root}/there")
    seen = anna.props("there", "d:getlastmodified nc:creation_time oc:favorite l:source")[0]
    assert seen[D + "getlastmodified"] == "Fri, 14 Jul 2017 02:40:00 GMT"
    assert (seen[NC + "creation_time"], seen[OC + "favorite"], seen[L + "source"]) == ("1300000000", "1", "gdrive:&1")
    refused = statuses(
        anna.ask(
            "PROPPATCH", "there", change.format("<oc:fileid>3</oc:fileid><d:lastmodified>1600000000</d:lastmodified>")
        )
    )
    assert refused == {OC + "fileid": 403, D + "lastmodified": 424}
    assert statuses(anna.ask("PROPPATCH", "there", change.format("<d:lastmodified>0</d:lastmodified>"))) == {
        D + "lastmodified": 403
    }
    gone = f"<d:propertyupdate {SPACES}><d:remove><d:prop><l:source/></d:prop></d:remove></d:propertyupdate>"
    assert statuses(anna.ask("PROPPATCH", "there", gone)) == {L + "source": 204}
    assert L + "source" not in anna.props("there", "l:source")[0]
    assert anna.ask("PROPPATCH", "there", "<not").status_code == 400
    assert exception(anna.ask("PROPPATCH", "missing", gone)) == "NotFound"


_ANY = "<d:not><d:is-collection/></d:not>"
_BY_SIZE = "<d:orderby><d:order><d:prop><oc:size/></d:prop><d:descending/></d:order></d:orderby>"
SEARCHES: list[tuple[str, str, str, list[str]]] = [
    ("by size", f"<d:and>{_ANY}<d:gt><d:prop><oc:size/></d:prop><d:literal>1</d:literal></d:gt></d:and>", "",
     ["b.TXT", "c"]),
    ("files", "<d:not><d:is-collection/></d:not>", "", ["a", "b.TXT", "c"]),
    ("folders", "<d:is-collection/>", "", ["dir"]),
    ("alike", "<d:like><d:prop><d:displayname/></d:prop><d:literal>b%</d:literal></d:like>", "", ["b.TXT"]),
    ("alike in another case", "<d:like><d:prop><d:displayname/></d:prop><d:literal>%.txt</d:literal></d:like>", "",
     ["b.TXT"]),
    ("equal", "<d:eq><d:prop><d:displayname/></d:prop><d:literal>b.txt</d:literal></d:eq>", "", []),
    ("since a time", "<d:gte><d:prop><d:getlastmodified/></d:prop><d:literal>2020-01-01T00:00:00Z</d:literal></d:gte>",
     "", ["b.TXT", "c", "dir"]),
    ("both", "<d:and><d:not><d:is-collection/></d:not><d:lt><d:prop><oc:size/></d:prop><d:literal>3</d:literal></d:lt>"
     "</d:and>", "", ["a", "b.TXT"]),
    ("the largest", _ANY, _BY_SIZE + "<d:limit><d:nresults>1</d:nresults></d:limit>", ["c"]),
    ("the next", _ANY, _BY_SIZE + "<d:limit><d:nresults>1</d:nresults><s:firstresult>1</s:firstresult></d:limit>",
     ["b.TXT"]),
]  # fmt: skip


@pytest.mark.parametrize(("where", "rest", "names"), [row[1:] for row in SEARCHES], ids=[row[0] for row in SEARCHES])
def test_searching(anna: Client, where: str, rest: str, names: list[str]) -> None:
    anna.ask("PUT", "a", b"1", X_OC_Mtime=OLD)
    anna.ask("PUT", "b.TXT", b"22")
    anna.ask("MKCOL", "dir")
    anna.ask("PUT", "dir/c", b"333")
    answer = anna.search(where, rest=rest)
    assert answer.status_code == 207
    assert sorted(str(one[D + "displayname"]) for one in told(answer)) == names


def test_a_search_finds_a_file_by_its_id_with_its_checksums(anna: Client) -> None:
    anna.ask("PUT", "a", b"1", OC_Checksum="MD5:x")
    number = anna.fileid("a")
    where = f"<d:eq><d:prop><oc:fileid/></d:prop><d:literal>{number}</d:literal></d:eq>"
    found = told(anna.search(where, names="oc:fileid oc:size oc:checksums"))
    assert [(one[OC + "fileid"], one[OC + "size"], one[OC + "checksums"]) for one in found] == [(number, "1", "MD5:x")]


@pytest.mark.parametrize(
    ("where", "scope", "rest", "status"),
    [
        ("<d:eq><d:prop><oc:checksums/></d:prop><d:literal>1</d:literal></d:eq>", "", "", 400),
        ("<d:gt><d:prop><oc:fileid/></d:prop><d:literal>1</d:literal></d:gt>", "", "", 500),
        (_ANY, "/files/bo", "", 500),
        (_ANY, "/nope", "", 404),
        ("", "", "", 500),
        (_ANY, "", "<d:orderby><d:order><d:prop><oc:fileid/></d:prop></d:order></d:orderby>", 400),
    ],
)
def test_what_cannot_be_searched_for(anna: Client, other: str, where: str, scope: str, rest: str, status: int) -> None:
    assert anna.search(where, scope=scope.replace("/bo", f"/{other}"), rest=rest).status_code == status


def test_the_server_says_what_it_speaks(anna: Client) -> None:
    features = anna.ask("OPTIONS", "").headers["DAV"]
    assert {"1", "3", "nc-paginate", "nextcloud-checksum-update"} <= {one.strip() for one in features.split(",")}
    told_status = anna.ask("GET", "/status.php").json()
    assert (told_status["installed"], told_status["maintenance"]) == (True, False)
    answer = anna.ocs("GET", "cloud/capabilities").json()["ocs"]
    can: dict[str, Any] = answer["data"]["capabilities"]
    assert answer["meta"] == {"status": "ok", "statuscode": 200, "message": "OK"}
    assert (can["dav"]["chunking"], can["dav"]["bulkupload"]) == ("1.0", "1.0")
    assert can["files"]["forbidden_filenames"] == [".htaccess"]
    assert sorted(can["files"]["forbidden_filename_characters"]) == ["/", "\\"]
    assert can["files"]["chunked_upload"] == {"max_size": 104857600, "max_parallel_count": 5}
    assert anna.ask("GET", "/ocs/v2.php/cloud/user?format=json").json() == {"message": "CSRF check failed"}


def test_nothing_is_told_to_strangers(anna: Client) -> None:
    anna.session.auth = None
    for method, path in (("PROPFIND", anna.home), ("PUT", anna.home + "/x")):
        answer = anna.session.request(method, path, timeout=20)
        assert (answer.status_code, exception(answer)) == (401, "NotAuthenticated")
        assert answer.headers["WWW-Authenticate"].startswith('Basic realm="Nextcloud"')
    answer = anna.session.get(
        f"{anna.url}/ocs/v2.php/cloud/user?format=json", headers={"OCS-APIRequest": "true"}, timeout=20
    )
    assert (answer.status_code, answer.json()["ocs"]["meta"]["statuscode"]) == (401, 997)


def test_a_file_has_comments_and_tags(anna: Client) -> None:
    anna.ask("PUT", "a", b"1")
    number = anna.fileid("a")
    where = f"/remote.php/dav/comments/files/{number}"
    said = {"actorType": "users", "message": "hi & ho", "verb": "comment"}
    for text, status in (("hi & ho", 201), ("x" * 1000, 201), ("x" * 1001, 400)):
        body = json.dumps(said | {"message": text})
        assert anna.ask("POST", where, body, Content_Type="application/json").status_code == status
    assert anna.ask("POST", where, "{}", Content_Type="application/json").status_code == 400
    assert anna.ask("POST", where, "x", Content_Type="text/plain").status_code == 415
    other = "/remote.php/dav/comments/files/99999999"
    assert anna.ask("POST", other, json.dumps(said), Content_Type="application/json").status_code == 404
    listed = anna.props(where, "oc:message oc:actorId", "1")
    assert ("hi & ho", anna.user) in {(one.get(OC + "message"), one.get(OC + "actorId")) for one in listed}
    assert anna.props("a", "oc:comments-count")[0][OC + "comments-count"] == "2"
    tags = f"/remote.php/dav/systemtags-relations/files/{number}"
    tag = json.dumps({"name": anna.folder, "userVisible": True, "userAssignable": True})
    made = anna.ask("POST", tags, tag, Content_Type="application/json")
    key = made.headers["Content-Location"].rpartition("/")[2]
    assert made.status_code == 201
    assert anna.ask("POST", tags, tag, Content_Type="application/json").status_code == 409
    assert [anna.ask("DELETE", f"{tags}/{key}").status_code, anna.ask("PUT", f"{tags}/{key}").status_code] == [204, 201]
    assert anna.ask("PUT", f"{tags}/99999999").status_code == 412
    names = {one.get(OC + "display-name") for one in anna.props(tags, "oc:display-name", "1")}
    assert anna.folder in names


VERSIONS: list[tuple[str, list[tuple[bytes, str]], dict[str, bytes]]] = [
    ("of two at one time, the later", [(b"1", "1500000000"), (b"2", "1500000000"), (b"3", "1600000000")],
     {"1500000000": b"2"}),
    ("an older one over a newer one", [(b"1", "1600000000"), (b"2", "1500000000"), (b"3", "1400000000")],
     {"1500000000": b"2", "1600000000": b"1"}),
    ("nothing of what was empty", [(b"", "1500000000"), (b"2", "1500000001"), (b"3", "1500000002")],
     {"1500000001": b"2"}),
]  # fmt: skip


@pytest.mark.parametrize(("writes", "kept"), [row[1:] for row in VERSIONS], ids=[row[0] for row in VERSIONS])
def test_of_what_a_file_was_the_server_keeps(
    anna: Client, writes: list[tuple[bytes, str]], kept: dict[str, bytes]
) -> None:
    for content, time in writes:
        assert anna.ask("PUT", "a", content, X_OC_Mtime=time).status_code in (201, 204)
    anna.ask("MOVE", "a", Destination=f"{anna.root}/b")
    where = f"/remote.php/dav/versions/{anna.user}/versions/{anna.fileid('b')}"
    names = [str(one["href"]).rpartition("/")[2] for one in told(anna.ask("PROPFIND", where))]
    assert sorted(names[1:]) == sorted({*kept, writes[-1][1]})
    assert {name: anna.ask("GET", f"{where}/{name}").content for name in kept} == kept


def test_what_a_file_was_before_is_kept_by_its_time(anna: Client) -> None:
    for content, time in ((b"one", "1500000000"), (b"three", "1500000500"), (b"new", "1600000000")):
        anna.ask("PUT", "a", content, X_OC_Mtime=time)
    where = f"/remote.php/dav/versions/{anna.user}/versions/{anna.fileid('a')}"
    listed = {
        str(one["href"]).rpartition("/")[2]: one.get(D + "getcontentlength")
        for one in told(anna.ask("PROPFIND", where))
    }
    assert list(listed.items()) == [("", None), ("1500000000", "3"), ("1500000500", "5"), ("1600000000", "3")]
    assert anna.ask("GET", f"{where}/1500000500").content == b"three"
    assert anna.ask("GET", f"{where}/1600000000").status_code == 404, "what it is now is read as the file"
    assert anna.ask("PROPFIND", where[: where.rindex("/")] + "/99999999").status_code == 404
