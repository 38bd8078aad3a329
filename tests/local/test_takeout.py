"""Google Takeout: labels in every language, archives as they were downloaded."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from liberate_local.connectors import TakeoutSettings, takeout
from liberate_local.gmail_labels import facts, parse

from liberate.connector import Account, Item, Listed, Skipped
from liberate.errors import AccountError
from liberate.mail import Folder, MailFacts, Role

LINE = b"From 1828754568043628583@xxx Mon Apr 07 14:31:02 +0000 2025\r\n"
FRENCH = (
    "=?UTF-8?Q?Messages_archiv=C3=A9s,Ouvert,Cat=C3=A9gorie=C2=A0:_E-mails_?=\r\n"
    ' =?UTF-8?Q?personnels,"Culture,_associations,_=C3=A9v=C3=A9nements"?='
)
ARCHIVE = Folder((), Role.ARCHIVE)
INBOX = Folder((), Role.INBOX)


def labelled(value: str) -> MailFacts:
    found = facts({b"x-gmail-labels": b"X-Gmail-Labels: " + value.encode() + b"\r\n"})
    assert isinstance(found, MailFacts)
    return found


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ("", []),
        ("Inbox", ["Inbox"]),
        ("Inbox,Work/Board, Opened ", ["Inbox", "Work/Board", "Opened"]),
        ('"a, b",c', ["a, b", "c"]),
        (FRENCH,
         ["Messages archivés", "Ouvert", "Catégorie\xa0: E-mails personnels", "Culture, associations, événements"]),
        ("=?UTF-8?Q?Archivov=C3=A1no,Kategorie:_Soci=C3=A1?=\n =?UTF-8?Q?ln=C3=AD_s=C3=ADt=C4=9B?=",
         ["Archivováno", "Kategorie: Sociální sítě"]),
        ("=?UTF-8?Q?=E5=8F?=\r\n =?UTF-8?Q?=97?=", ["受"]),
        ("=?UTF-8?B?5Y+X5L+h44OI44Os44Kk?=,Work", ["受信トレイ", "Work"]),
        ("=?ISO-8859-1?Q?Entw=FCrfe?=", ["Entwürfe"]),
        ("=?nonsense?Q?x?=", ["x"]),
        ("=?idna?Q?xn--a=FF?=", ["xn--a\ufffd"]),
        ("=?utf-7?Q?+2AA-?=", ["?"]),
        ('Kategorie: "Neuigkeiten",x', ['Kategorie: "Neuigkeiten"', "x"]),
        ('=?UTF-8?Q?Kategorie:_=22Neuigkeiten=22,=22a,b=22?=', ['Kategorie: "Neuigkeiten"', "a,b"]),
        ("Inbox,\r\n Work", ["Inbox", "Work"]),
    ],
)  # fmt: skip
def test_labels_are_read_as_their_owner_sees_them(value: str, labels: list[str]) -> None:
    assert parse(value.encode()) == labels


@pytest.mark.parametrize(
    ("value", "flags", "keywords", "folders"),
    [
        ("Inbox,Opened", {"\\Seen"}, set(), {INBOX}),
        ("Inbox,Unread,Important,Starred", {"\\Flagged"}, {"$Important"}, {INBOX}),
        ("Archived,Opened", {"\\Seen"}, set(), {ARCHIVE}),
        ("", {"\\Seen"}, set(), {ARCHIVE}),
        ("Sent,Opened,Work/Board", {"\\Seen"}, set(), {Folder((), Role.SENT), Folder(("Work", "Board"))}),
        ("Drafts", {"\\Seen"}, set(), {Folder((), Role.DRAFTS)}),
        ("Spam,Unread", set(), set(), {Folder((), Role.JUNK)}),
        ("Trash", {"\\Seen"}, set(), {Folder((), Role.TRASH)}),
        ("Inbox,Category Updates,Category Promotions,Category Personal,"
         "Category Social,Category Forums,Category Purchases",
         {"\\Seen"}, {f"$Category_{c}" for c in ("Updates", "Promotions", "Personal", "Social", "Forums", "Purchases")},
         {INBOX}),
        ("IMAP_$Forwarded,IMAP_NotJunk,Inbox", {"\\Seen"}, {"$Forwarded", "NotJunk"}, {INBOX}),
        (FRENCH, {"\\Seen"}, {"$Category_Personal"}, {Folder(("Culture, associations, événements",))}),
        ('=?UTF-8?Q?Posteingang,Wichtig,Ungelesen,Kategorie:_=22Neuigkeiten=22?=', set(),
         {"$Important", "$Category_Updates"}, {INBOX}),
        ("=?UTF-8?Q?Forward_to_a@b.fr,Bo=C3=AEte_de_r=C3=A9ception,Non_lus?=", set(), set(),
         {INBOX, Folder(("Forward to a@b.fr",))}),
        ("Inkorgen,Olästa,Stjärnmärkta", {"\\Flagged"}, set(), {INBOX}),
        ("受信トレイ,未読,重要", set(), {"$Important"}, {INBOX}),
        ("Отправленные,Открыто", {"\\Seen"}, set(), {Folder((), Role.SENT)}),
        ("GELEN KUTUSU,okunmadı", set(), set(), {INBOX}),
        ("Category Nobody Knows", {"\\Seen"}, set(), {Folder(("Category Nobody Knows",))}),
        ("/odd//", {"\\Seen"}, set(), {Folder(("odd",))}),
        ("/", {"\\Seen"}, set(), {Folder(("/",))}),
        ("Discussions,Read,Concept", {"\\Seen"}, set(), {Folder((n,)) for n in ("Discussions", "Read", "Concept")}),
    ],
)  # fmt: skip
def test_labels_become_folders_flags_and_keywords(
    value: str, flags: set[str], keywords: set[str], folders: set[Folder]
) -> None:
    found = labelled(value)
    assert (set(found.flags), set(found.keywords), set(found.folders)) == (flags, keywords, folders)


@pytest.mark.parametrize(
    "names",
    [
        "Inbox Sent Drafts Spam Trash", "Posteingang Gesendet Entwürfe Spam Papierkorb",
        "Boîte_de_réception Messages_envoyés Brouillons Spam Corbeille", "Recibidos Enviados Borradores Spam Papelera",
        "Posta_in_arrivo Posta_inviata Bozze Spam Cestino", "Postvak_IN Verzonden Concepten Spam Prullenbak",
        "Inkorgen Skickat Utkast Skräppost Papperskorgen", "Innboks Sendt Utkast Søppelpost Papirkurv",
        "Indbakke Sendt Kladder Spam Papirkurv", "Postilaatikko Lähetetyt_viestit Luonnokset Roskaposti Roskakori",
        "Odebrane Wysłane Wersje_robocze Spam Kosz", "Caixa_de_entrada Enviados Rascunhos Spam Lixeira",
        "Doručená_pošta Odeslaná_pošta Koncepty Spam Koš", "Beérkező_levelek Elküldött_üzenetek Piszkozatok Spam Kuka",
        "Εισερχόμενα Απεσταλμένα Πρόχειρα Ανεπιθύμητα Κάδος_απορριμμάτων",
        "Gelen_Kutusu Gönderilmiş_Postalar Taslaklar Spam Çöp_Kutusu",
        "受信トレイ 送信済みメール 下書き 迷惑メール ゴミ箱",
        "收件箱 已发邮件 草稿 垃圾邮件 已删除邮件", "收件匣 寄件備份 草稿 垃圾郵件 垃圾桶",
        "Входящие Отправленные Черновики Спам Корзина", "Вхідні Надіслані Чернетки Спам Кошик",
        "받은편지함 보낸편지함 임시보관함 스팸함 휴지통", "INBOX SENT DRAFTS SPAM BIN",
    ],
)  # fmt: skip
def test_the_system_folders_are_known_in_many_languages(names: str) -> None:
    roles = [Role.INBOX, Role.SENT, Role.DRAFTS, Role.JUNK, Role.TRASH]
    assert [labelled(name.replace("_", " ")).folders for name in names.split(" ")] == [(Folder((), r),) for r in roles]


PIECES = [b"=?UTF-8?Q?", b"=?UTF-8?B?", b"=?mad?Q?", b"?=", b"=C3", b'"', b",", b" ", b"\r\n ", b"x", b"/", b"IMAP_"]


@given(st.binary(max_size=200) | st.lists(st.sampled_from(PIECES)).map(b"".join))
def test_no_header_is_too_odd_to_be_read(value: bytes) -> None:
    found = facts({b"x-gmail-labels": b"X-Gmail-Labels:" + value})
    if isinstance(found, MailFacts):
        assert found.folders
        assert MailFacts.load(found.dump()) == found


def test_a_chat_is_skipped_and_told() -> None:
    found = facts({b"x-gmail-labels": b"X-Gmail-Labels: Chat,Opened"})
    assert isinstance(found, Skipped)
    assert found.code == "chat"


def test_a_message_without_labels_is_an_ordinary_mboxs() -> None:
    assert facts({b"status": b"Status: RO"}) == MailFacts(frozenset({"\\Seen"}))


# Files -------------------------------------------------------------------------------------------

MESSAGES = [
    b"X-GM-THRID: %d\r\nX-Gmail-Labels: %s\r\nSubject: %d\r\n\r\n%s\r\n" % (n, labels, n, b"text " * size)
    for n, (labels, size) in enumerate(
        [(b"Inbox,Opened", 1), (b"Archived", 3000), (b"Sent,Work", 600_000), (b"Spam", 2)]
    )
]
MBOX = b"".join(LINE + message + b"\r\n" for message in MESSAGES)


def listing(path: Path) -> tuple[list[Listed], list[bytes], list[tuple[str, ...]]]:
    assert takeout.source is not None
    with takeout.source(TakeoutSettings(path=str(path)), Account("")) as source:
        collections = list(source.collections())
        found = [thing for collection in collections for thing in source.items(collection, None)]
        backwards = [b"".join(source.read(item)) for item in reversed(found) if isinstance(item, Item)]
        return found, backwards[::-1], [c.path for c in collections]


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Takeout/archive_browser.html", "<html>")
        archive.writestr("Takeout/Mail/All mail Including Spam and Trash.mbox", MBOX)


def tarred(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("Takeout/Mail/All mail Including Spam and Trash.mbox")
        member.size = len(MBOX)
        archive.addfile(member, io.BytesIO(MBOX))


def unpacked(path: Path) -> None:
    (path / "Takeout/Mail").mkdir(parents=True)
    (path / "Takeout/Mail/All mail Including Spam and Trash.mbox").write_bytes(MBOX)
    (path / "Takeout/archive_browser.html").write_text("<html>")


@pytest.mark.parametrize(
    ("name", "make"), [("t.zip", zipped), ("t.tgz", tarred), ("t.tar.gz", tarred), ("t", unpacked)]
)
def test_an_archive_is_read_as_it_was_downloaded(tmp_path: Path, name: str, make: object) -> None:
    make(tmp_path / name)  # type: ignore[operator]
    found, bodies, paths = listing(tmp_path / name)
    assert bodies == MESSAGES
    assert [thing.size for thing in found if isinstance(thing, Item)] == [len(m) for m in MESSAGES]
    assert paths[0][-1] == "All mail Including Spam and Trash"


def test_the_parts_of_a_takeout_in_one_folder_are_read_together(tmp_path: Path) -> None:
    zipped(tmp_path / "takeout-001.zip")
    tarred(tmp_path / "takeout-002.tgz")
    (tmp_path / "notes.txt").write_text("x")
    found, bodies, _ = listing(tmp_path)
    assert bodies == MESSAGES * 2
    assert len({thing.id for thing in found if isinstance(thing, Item)}) == 8


def test_a_second_export_with_other_labels_holds_the_same_messages(tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(MBOX)
    before = [t for t in listing(tmp_path / "a.mbox")[0] if isinstance(t, Item)]
    (tmp_path / "a.mbox").write_bytes(MBOX.replace(b"Inbox,Opened", b"Archived,Unread").replace(b"@xxx", b"1@xxx"))
    after = [t for t in listing(tmp_path / "a.mbox")[0] if isinstance(t, Item)]
    assert [item.id for item in before] == [item.id for item in after]
    assert before[0].facts != after[0].facts
    assert before[0].facts_version != after[0].facts_version


@pytest.mark.parametrize("name", ["t.zip", "t.tgz"])
def test_an_archive_cut_short_is_told(tmp_path: Path, name: str) -> None:
    (zipped if name.endswith("zip") else tarred)(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(AccountError) as caught:
        listing(tmp_path / name)
    assert caught.value.code == "broken-archive"


def test_an_archive_without_mail_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("Takeout/Drive/x.txt", "x")
    with pytest.raises(AccountError, match="holds no mbox"):
        listing(tmp_path / "t.zip")
