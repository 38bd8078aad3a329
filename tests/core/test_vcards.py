"""vCards: written as the standard says, and as older address books want them."""

from __future__ import annotations

import pytest
import vobject

from liberate.pim import lines
from liberate.vcard import as_version_3, card, line, parts, text, texts

HOSTILE = 'a;b,c\\d\ne "f" å \N{GRINNING FACE} : '


def test_every_text_comes_back_as_it_was() -> None:
    read = vobject.readOne(as_version_3(card([line("FN", text(HOSTILE)), line("NOTE", text(HOSTILE * 9))])).decode())
    assert read.fn.value == HOSTILE
    assert read.note.value == HOSTILE * 9


def test_lines_are_folded_at_75_bytes_and_never_within_a_character() -> None:
    written = card([line("NOTE", text("å\N{GRINNING FACE}" * 200))])
    assert all(len(one) <= 75 for one in written.split(b"\r\n"))
    for one in written.split(b"\r\n"):
        one.decode()


def test_a_parameter_holds_what_it_may_not_hold_by_itself() -> None:
    (_, _, email, _) = lines(card([line("EMAIL", "a@x", {"X-LABEL": 'a"b:c;d^e\nf', "TYPE": ["home", "work"]})]))
    assert email.params == (("X-LABEL", 'a"b:c;d^e\nf'), ("TYPE", "home"), ("TYPE", "work"))


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (line("TEL", "tel:+4670", {"VALUE": "uri", "TYPE": "cell", "PREF": "1"}), "TEL;TYPE=cell,PREF:+4670"),
        (line("PHOTO", "data:image/png;base64,AAAA"), "PHOTO;ENCODING=b;TYPE=PNG:AAAA"),
        (line("PHOTO", "https://x.example/a"), "PHOTO;VALUE=uri:https://x.example/a"),
        (line("BDAY", "--0412"), "BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-12"),
        (line("BDAY", "19800412"), "BDAY:19800412"),
        (line("KIND", "group"), "X-ADDRESSBOOKSERVER-KIND:group"),
        (line("MEMBER", "urn:uuid:1"), "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1"),
        (line("CATEGORIES", texts(["a,b", "c"])), "CATEGORIES:a\\,b,c"),
        (line("N", parts(["Berg", "Åsa", "", "", ""])), "N:Berg;Åsa;;;"),
    ],
)
def test_the_older_version_says_the_same(newer: object, older: str) -> None:
    written = as_version_3(card([newer])).decode()  # type: ignore[list-item]
    assert older in written.splitlines()
    assert written.startswith("BEGIN:VCARD\r\nVERSION:3.0\r\n")
    assert any(one.startswith("N:") for one in written.splitlines())


def test_an_older_card_is_left_as_it_is() -> None:
    old = b"BEGIN:VCARD\nVERSION:3.0\nFN:x\nEND:VCARD\n"
    assert as_version_3(old) == old


@pytest.mark.parametrize("broken", [b"no colon", b"NAME;=:x", b":x"])
def test_what_is_no_card_is_an_error_that_quotes_nothing(broken: bytes) -> None:
    with pytest.raises(ValueError, match="property 1") as caught:
        list(lines(broken))
    assert "colon" not in str(caught.value)
