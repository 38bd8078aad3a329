"""Names: legal, unique, reversible; and the places that folders get by them, once and for ever."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from core_kit import Bench
from hypothesis import example, given
from hypothesis import strategies as st

import liberate
from liberate.connector import Collection, Kind, Place
from liberate.errors import ItemError
from liberate.ledger import Ledger
from liberate.mail import Folder, MailFacts, Role
from liberate.naming import Rules, decode, encode, fold, unique
from liberate.places import Places
from liberate.testing.memory import MailboxDestination
from liberate.testing.memory_store import Store

RULES = [
    Rules(),
    Rules(forbidden=frozenset('/\\:*?"<>|'), last=frozenset(". "), first=frozenset(" "), caseless=True),
    Rules(forbidden=frozenset("/%*."), first=frozenset("~#-"), reserved=frozenset({"con", "nul", "."})),
    Rules(forbidden=frozenset("/"), max_bytes=40),
    Rules(basenames=frozenset({"a", "con"}), endings=frozenset({".part", ".", " ", "b", "8c"})),
]
NAMES = st.text(max_size=60) | st.text("aAbB .%/*~‛／Ａé́\x00ÅÅ", max_size=20)


def legal(name: str, rules: Rules) -> bool:
    return (
        bool(name)
        and not set(name) & rules.forbidden
        and not any(unicodedata.category(char) in ("Cc", "Cs") for char in name)
        and name[0] not in rules.first
        and name[-1] not in rules.last
        and name.casefold() not in rules.reserved
        and (name[:1] + name[1:].partition(".")[0]).casefold() not in rules.basenames
        and not any(name.casefold().endswith(ending) for ending in rules.endings)
        and rules.measure(name) <= rules.max_bytes
    )


@given(NAMES, st.sampled_from(RULES))
def test_every_name_is_made_legal(name: str, rules: Rules) -> None:
    made = encode(name, rules)
    assert legal(made, rules)
    assert encode(name, rules) == made


@given(NAMES, st.sampled_from(RULES))
@example("\U00057c4b", RULES[-1])  # its bytes in hex end with an ending that is not allowed
@example("\U00057c4c", RULES[-1])
def test_a_name_that_was_not_shortened_is_given_back(name: str, rules: Rules) -> None:
    made = encode(name, rules)
    if name and "~" not in made[-9:]:
        assert decode(made) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("x.part", "x\uff0epart"),
        ("X.PART", "X\uff0ePART"),
        (".part", "\uff0epart"),
        ("x.part.part", "x.part\uff0epart"),
        ("x.parts", "x.parts"),
        ("x. ", "x.\u2420"),
        ("x..", "x.\uff0e"),
        ("con", "\uff43on"),
        ("CON.txt", "\uff23ON.txt"),
        ("con.tar.gz", "\uff43on.tar.gz"),
        ("console.txt", "console.txt"),
        (".con", ".con"),
    ],
)
def test_endings_and_basenames_that_are_not_allowed_are_replaced_and_given_back(name: str, made: str) -> None:
    rules = Rules(basenames=frozenset({"con", "nul"}), endings=frozenset({".part", ".", " "}))
    assert encode(name, rules) == made
    assert decode(made) == name


@given(st.lists(NAMES, max_size=12), st.sampled_from(RULES))
def test_names_of_one_place_stay_apart(names: list[str], rules: Rules) -> None:
    taken: set[str] = set()
    for name in names:
        made = unique(encode(name, rules), taken, rules)
        assert fold(made, rules) not in taken
        assert rules.measure(made) <= rules.max_bytes
        taken.add(fold(made, rules))


def test_a_name_that_needs_nothing_stays_as_it_is() -> None:
    assert encode("Ordinary name (1)", RULES[1]) == "Ordinary name (1)"


def test_three_hundred_letters_keep_their_beginning_and_stay_apart() -> None:
    rules = Rules()
    one, other = encode("x" * 300, rules), encode("x" * 299 + "y", rules)
    assert one.startswith("xxxxxxxx")
    assert one != other


# Places --------------------------------------------------------------------------------------------


class Server(MailboxDestination):
    """A server that tells its rules only in part."""

    def __init__(self, store: Store, rules: Rules, hidden: str = "") -> None:
        super().__init__(store, rules=rules)
        self._hidden = hidden

    def prepare(self, collection: Collection) -> Place:
        for segment in collection.path:
            if any(char in segment for char in self._hidden):
                raise ItemError("illegal-name", "Not this name.")
        return super().prepare(collection)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", owner="test")


def landed(ledger: Ledger, server: Server, *folders: Folder) -> list[str]:
    """Where these folders land, by their names there."""
    account = ledger.account("route", "anna", "anna")
    places = Places(ledger, account, server, Kind.MAIL)
    try:
        return [str(places.of(folder).place) for folder in folders]
    finally:
        ledger.close()


def path(*levels: str) -> Folder:
    return Folder(levels)


PLAIN = Rules(forbidden=frozenset("/"), reserved_top=frozenset({"inbox"}))


def test_a_folder_lands_under_its_own_name(ledger: Ledger) -> None:
    assert landed(ledger, Server(Store(), PLAIN), path("Work"), path("Work", "Roof")) == ["Work", "Work/Roof"]


def test_folders_that_differ_in_case_only_have_two_places_where_case_does_not_count(ledger: Ledger) -> None:
    rules = Rules(forbidden=frozenset("/"), caseless=True)
    found = landed(ledger, Server(Store(), rules), path("Work"), path("work"), path("work", "a"), path("Work", "A"))
    assert len(set(found)) == 4
    assert found[2].startswith(found[1] + "/")


def test_a_server_that_does_not_tell_that_case_does_not_count_gets_two_places_too(ledger: Ledger) -> None:
    class Quiet(Server):
        def prepare(self, collection: Collection) -> Place:
            name = "/".join(collection.path)
            same = next((one for one in self._store.places() if one.casefold() == name.casefold()), None)
            return Place(same) if same else super().prepare(collection)

    found = landed(ledger, Quiet(Store(), PLAIN), path("Work"), path("WORK"))
    assert len({one.casefold() for one in found}) == 2


def test_a_label_called_as_a_special_folder_has_a_place_of_its_own(ledger: Ledger) -> None:
    found = landed(ledger, Server(Store(), PLAIN), Folder((), Role.INBOX), path("INBOX"), path("Inbox"), path("inbox"))
    assert len(set(found)) == 4
    assert found[0] == "INBOX"


def test_the_same_name_serves_every_run(tmp_path: Path, ledger: Ledger) -> None:
    store = Store()
    folders = [path("a?"), path("b"), path("x" * 300), path("ä" * 200)]
    first = landed(ledger, Server(store, PLAIN), *folders)
    again = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", owner="again")
    assert landed(again, Server(store, PLAIN), *reversed(folders)) == list(reversed(first))
    assert len(set(first)) == 4


def test_a_name_that_the_server_refuses_without_a_rule_is_made_plainer_once(ledger: Ledger) -> None:
    found = landed(ledger, Server(Store(), PLAIN, hidden="!"), path("Hey!"))
    assert found[0].startswith("Hey-")


def test_a_folder_below_one_whose_name_was_refused_lands_below_its_plainer_name(ledger: Ledger) -> None:
    server = Server(Store(), PLAIN, hidden="!")
    child, parent, other = landed(ledger, server, path("Hey!", "child"), path("Hey!"), path("Hey!", "other"))
    assert child == f"{parent}/child"
    assert other == f"{parent}/other"


def test_a_server_that_takes_no_name_at_all_is_told_as_a_refusal(ledger: Ledger) -> None:
    with pytest.raises(ItemError):
        landed(ledger, Server(Store(), PLAIN, hidden="abcdefghijklmnopqrstuvwxyz"), path("Work"))


def test_hostile_labels_bring_every_message_somewhere_of_its_own(bench: Bench) -> None:
    labels = ["a.b", "INBOX/x", "~", "x" * 300, "😀", "Case", "case", "", " ", "..", "a\x00b", "a\nb", "‛", "%2F"]
    everything = bench.shelf.collection("All Mail", role="archive")
    for n, label in enumerate(labels):
        bench.shelf.put(everything, str(n), b"%d" % n, facts=MailFacts(folders=(Folder((label,)),)))
    account = bench.run()
    assert (account.moved, account.refused) == (len(labels), ())
    assert sum(len(bench.bodies(place)) for place in bench.store.places()) == len(labels)
    assert len(bench.store.places()) == len(labels)
    assert liberate.verify(bench.plan()).accounts[0].identical == len(labels)
