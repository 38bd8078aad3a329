"""An account's rules and absence replies as one Sieve script (RFC 5228), and what of them it cannot say. Pure.

A rule is written so that it acts on no letter on which it did not act before, or it is listed. None discards a
letter: what was deleted goes to the trash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from liberate.errors import ItemError
from liberate.filters import Absence, Action, File, Filters, Forward, Gap, Mark, Not, Reply, Rule, Trash
from liberate.labels import LabelPolicy, keyword, primary
from liberate.mail import Folder, Role
from liberate.sieve_tests import Cannot, Conditions, flags_of, listed, missing, quoted

VERSION = 1  # grows when the same rules become another script
USUAL = frozenset({"fileinto", "envelope", "imap4flags", "copy", "vacation", "date", "relational", "body", "regex"})
"""The extensions that a server is taken to have where it cannot be asked."""
ABSENCE = "The reply while away"

_HEAD = "# Written by liberate from the rules of the old account. Once somebody edits it, liberate leaves it alone.\n"
_ADDRESS = re.compile(r"[^\s@\"<>()\[\]\\,;:]+@[^\s@\"<>()\[\]\\,;:]+\.[^\s@\"<>()\[\]\\,;:]+")
_ARCHIVE = Folder((), Role.ARCHIVE)


@dataclass(frozen=True, slots=True)
class Target:
    """What the script is written for."""

    extensions: frozenset[str]
    mailbox: Callable[[Folder], str]  # what a folder is called there; raises ItemError
    labels: LabelPolicy = LabelPolicy.COPIES
    forwarding: bool = False  # whether letters may be sent on to somebody else
    addresses: tuple[str, ...] = ()  # the account's own: there, and at the source
    domain: str = ""  # whoever writes from there is a colleague; "": not known
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one rule."""

    rule: str
    outcome: Literal["written", "partly", "listed", "off"]
    """partly: it is there and does all but what `gaps` names; off: it was switched off at the source."""
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script; `empty` if it does nothing."""

    text: str
    told: tuple[Told, ...]
    empty: bool
    needs: tuple[str, ...] = ()  # extensions


def script(filters: Filters, target: Target) -> Script:
    """The script for these filters. The same ones give the same script."""
    return _Writer(target).write(filters)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A rule that goes: its test and what is done, by what comes first."""

    rule: Rule
    test: str
    exact: bool
    marks: tuple[str, ...]
    forwards: tuple[str, ...]
    trash: str  # the mailbox; "": it is not deleted
    files: tuple[tuple[Folder, str, bool], ...]  # folder, mailbox, whether as a copy
    gaps: tuple[Gap, ...]


class _Writer:
    def __init__(self, target: Target) -> None:
        self._target = target
        self._labels = target.labels
        self._tests = Conditions(target.extensions)
        self._used: set[str] = set()  # by what is surely written

    def write(self, filters: Filters) -> Script:
        told: list[Told] = []
        blocks: list[str] = []
        if filters.ordered:
            self._labels = LabelPolicy.COPIES  # folders, not labels: a letter goes where the rule says
        if filters.absence is not None:
            found, outcome = self._absence(filters.absence)
            blocks += found
            told.append(outcome)
        found, outcomes = self._ordered(filters.rules) if filters.ordered else self._together(filters.rules)
        blocks += found
        told += outcomes
        head = _HEAD
        if self._used:
            head += f"require [{', '.join(quoted(one) for one in sorted(self._used))}];\n"
        return Script(
            head + "".join(f"\n{block}\n" for block in blocks), tuple(told), not blocks, tuple(sorted(self._used))
        )

    # Rules ---------------------------------------------------------------------------------------

    def _ordered(self, rules: Iterable[Rule]) -> tuple[list[str], list[Told]]:
        """One after the other. A rule that stopped the later ones does so even where it is not written itself."""
        blocks: list[str] = []
        told: list[Told] = []
        blocked: Gap | None = None
        for rule in rules:
            if not rule.enabled:
                told.append(Told(rule.name, "off"))
                continue
            if blocked is not None:
                told.append(Told(rule.name, "listed", (blocked,)))
                continue
            ready = self._ready(rule)
            exact = False
            if isinstance(ready, _Ready):
                exact = ready.exact
                blocks.append(_block(rule, ready.test, self._statements(ready), stop=rule.stop))
                told.append(Told(rule.name, "partly" if ready.gaps else "written", ready.gaps))
            else:
                told.append(ready)
            if rule.stop and not exact:
                guard = self._guard(rule)
                if guard is None:
                    blocked = Gap(
                        "after-unwritten",
                        "It comes after a rule that stopped all later ones for its letters and that is not written "
                        "as it was: it would act on more letters than before.",
                        "Set up the earlier rule by hand first, then this one.",
                    )
                else:
                    blocks.append(_block(rule, guard, [], stop=True))
        return blocks, told

    def _guard(self, rule: Rule) -> str | None:
        """A test for every letter that the rule may have matched; None: there is none but "all of them"."""
        self._tests.used.clear()
        try:
            with_exceptions = [self._tests.wide(rule.condition)[0]]
            for exception in rule.exceptions:
                with_exceptions.append(f"not {self._tests.narrow(exception)[0]}")
        except Cannot:
            return None
        if with_exceptions[0] == "true":
            return None
        self._settle()
        return with_exceptions[0] if len(with_exceptions) == 1 else f"allof ({', '.join(with_exceptions)})"

    def _together(self, rules: Iterable[Rule]) -> tuple[list[str], list[Told]]:
        """All that fit. Marks come first, since a letter is filed with those it has by then; what is deleted stands
        nowhere else."""
        told: list[Told] = []
        every: list[_Ready] = []
        for rule in rules:
            ready = self._ready(rule) if rule.enabled else Told(rule.name, "off")
            if isinstance(ready, Told):
                told.append(ready)
                continue
            every.append(ready)
            told.append(Told(rule.name, "partly" if ready.gaps else "written", ready.gaps))
        blocks = [_block(one.rule, one.test, self._marked(one)) for one in every if one.marks]
        blocks += [_block(one.rule, one.test, self._forwarded(one)) for one in every if one.forwards]
        blocks += [_block(one.rule, one.test, self._trashed(one), stop=True) for one in every if one.trash]
        filing = [one for one in every if one.files and not one.trash]
        if self._labels is LabelPolicy.PRIMARY:
            # The folder that says most about a letter is the one it stands in, as of those that were moved.
            for folder in _by_rank(filing):
                for one in filing:
                    for where, mailbox, _ in one.files:
                        if where == folder:
                            blocks.append(_block(one.rule, one.test, [f"fileinto {quoted(mailbox)};"], stop=True))
        else:
            blocks += [_block(one.rule, one.test, self._filed(one)) for one in filing]
        return blocks, told

    def _ready(self, rule: Rule) -> _Ready | Told:
        """The rule, if it can go without acting on more letters, or on letters that then nobody sees."""
        gaps = list(rule.gaps)
        test, exact = "", False
        self._tests.used.clear()
        try:
            parts = [self._tests.narrow(rule.condition)]
            for exception in rule.exceptions:
                parts.append(self._tests.narrow(Not(exception)))
            texts = [text for text, _ in parts]
            test = texts[0] if len(texts) == 1 else f"allof ({', '.join(texts)})"
            exact = all(one for _, one in parts)
        except Cannot as reason:
            gaps.append(reason.gap)
        ready = _Ready(rule, test, exact, (), (), "", (), ())
        for action in self._actions(rule.actions):
            used = set(self._tests.used)
            try:
                ready = self._with(ready, action)
            except Cannot as reason:
                self._tests.used = used
                gaps.append(reason.gap)
        leaves = bool(ready.trash) or any(not copy for _, _, copy in ready.files)
        nothing = not (leaves or ready.marks or ready.forwards or ready.files)
        of = {gap.of for gap in gaps}
        does = not nothing or (rule.stop and not gaps)
        if "condition" in of or not does or ("action" in of and leaves):
            return Told(rule.name, "listed", tuple(gaps) or (_NOTHING,))
        self._settle()
        return replace(ready, gaps=tuple(gaps))

    def _settle(self) -> None:
        """What was used so far is used by something that is written."""
        self._used |= self._tests.used
        self._tests.used.clear()

    def _actions(self, actions: Iterable[Action]) -> Iterator[Action]:
        """The actions as the policy for labels wants them."""
        for action in actions:
            if not isinstance(action, File) or self._labels is LabelPolicy.COPIES:
                yield action
            elif self._labels is LabelPolicy.PRIMARY:
                yield File(action.folder, copy=False)
            elif action.folder.role is not None:
                yield action
            else:
                yield Mark((keyword(action.folder.path),))
                if not action.copy:
                    yield File(_ARCHIVE, copy=False)

    def _with(self, ready: _Ready, action: Action) -> _Ready:
        """The rule with one more action. Raises Cannot."""
        match action:
            case Mark(flags):
                try:
                    self._tests.need("imap4flags")
                except Cannot as reason:
                    raise Cannot(replace(reason.gap, of="mark")) from None
                return replace(ready, marks=(*ready.marks, *flags))
            case Forward(addresses):
                return replace(ready, forwards=(*ready.forwards, *self._addressees(addresses)))
            case Trash():
                return replace(ready, trash=self._mailbox(Folder((), Role.TRASH)))
            case File(folder, copy):
                if copy:
                    self._need("copy")
                mailbox = self._mailbox(folder)
                if any(one == mailbox for _, one, _ in ready.files):
                    return ready
                return replace(ready, files=(*ready.files, (folder, mailbox, copy)))

    def _need(self, extension: str) -> None:
        try:
            self._tests.need(extension)
        except Cannot:
            raise Cannot(replace(missing(extension), of="action")) from None

    def _mailbox(self, folder: Folder) -> str:
        self._need("fileinto")
        try:
            name = self._target.mailbox(folder)
        except ItemError as error:
            raise Cannot(Gap("no-folder", error.why, error.todo, "action")) from None
        quoted(name)
        return name

    def _addressees(self, addresses: tuple[str, ...]) -> tuple[str, ...]:
        if not self._target.forwarding:
            why = "It forwards letters, and this route does not let the new account send anything on by itself."
            todo = 'If it shall, set forwarding = "copy" in the route, or set the rule up by hand.'
            raise Cannot(Gap("policy-forwarding", why, todo, "action"))
        self._need("copy")
        if not addresses or not all(_ADDRESS.fullmatch(one) for one in addresses):
            raise Cannot(Gap("illegal-address", "It forwards to something that is no address.", of="action"))
        return addresses

    # Statements ----------------------------------------------------------------------------------

    def _statements(self, ready: _Ready) -> list[str]:
        return [*self._marked(ready), *self._forwarded(ready), *self._filed(ready), *self._trashed(ready)]

    @staticmethod
    def _marked(ready: _Ready) -> list[str]:
        return [f"addflag {listed(flags_of(ready.marks))};"] if ready.marks else []

    @staticmethod
    def _forwarded(ready: _Ready) -> list[str]:
        return [f"redirect :copy {quoted(one)};" for one in dict.fromkeys(ready.forwards)]

    @staticmethod
    def _trashed(ready: _Ready) -> list[str]:
        return [f"fileinto {quoted(ready.trash)};"] if ready.trash else []

    @staticmethod
    def _filed(ready: _Ready) -> list[str]:
        return [f"fileinto {':copy ' if copy else ''}{quoted(mailbox)};" for _, mailbox, copy in ready.files]

    # Absence -------------------------------------------------------------------------------------

    def _absence(self, absence: Absence) -> tuple[list[str], Told]:
        gaps = list(absence.gaps)
        if absence.end is not None and absence.end <= self._target.now:
            return [], Told(ABSENCE, "listed", (_ENDED,))
        replies: dict[str, str] = {}
        self._tests.used.clear()
        for reply in absence.replies:
            try:
                if reply.to == "contacts":
                    raise Cannot(_CONTACTS)
                if reply.to != "everybody" and not self._target.domain:
                    raise Cannot(_NO_DOMAIN)
                replies[reply.to] = self._vacation(reply, absence.days)
            except Cannot as reason:
                gaps.append(reason.gap)
        try:
            when = self._dates(absence)
        except Cannot as reason:
            gaps.append(reason.gap)
            replies = {}
        if not replies:
            return [], Told(ABSENCE, "listed", tuple(gaps) or (_NOTHING,))
        self._settle()
        inside = f'address :domain :is "from" {quoted(self._target.domain)}'
        lines: list[str] = []
        for to, statement in replies.items():
            tests = [*when, *({"inside": [inside], "outside": [f"not {inside}"]}.get(to, []))]
            lines.append(_if(tests, [statement]) if tests else statement)
        told = Told(ABSENCE, "partly" if gaps else "written", tuple(gaps))
        return ["\n".join(["# rule:[Away]", *lines])], told

    def _vacation(self, reply: Reply, days: int) -> str:
        self._tests.need("vacation")
        subject = " ".join(reply.subject.split())
        own = sorted({one for one in self._target.addresses if _ADDRESS.fullmatch(one)})
        parts = ["vacation", f":days {max(1, days)}"]
        if own:
            parts.append(f":addresses {listed(own)}")
        if subject:
            parts.append(f":subject {quoted(subject)}")
        text = "\r\n".join(reply.text.splitlines()).strip() or "."
        return f"{' '.join(parts)} {quoted(text)};"

    def _dates(self, absence: Absence) -> list[str]:
        tests = []
        for moment, beyond in ((absence.start, "gt"), (absence.end, "lt")):
            if moment is None or (beyond == "gt" and moment <= self._target.now):
                continue
            self._tests.need("date", "relational")
            at = moment.astimezone(UTC)
            day, time = quoted(at.strftime("%Y-%m-%d")), quoted(at.strftime("%H:%M:%S"))
            here = 'currentdate :zone "+0000"'
            same = f'allof ({here} :is "date" {day}, {here} :value "{beyond[0]}e" "time" {time})'
            tests.append(f'anyof ({here} :value "{beyond}" "date" {day}, {same})')
        return tests


_NOTHING = Gap("does-nothing", "It does nothing that a mail server could do.")
_ENDED = Gap("ended", "The absence is over.", "Nothing is left to do.")
_CONTACTS = Gap(
    "contacts-only",
    "It answers nobody but the account's contacts, which Sieve does not know.",
    "Set the reply up by hand in the webmail while you are away.",
)
_NO_DOMAIN = Gap(
    "no-domain",
    "It answers colleagues otherwise than others, and the account's name does not say who is a colleague.",
    "Set the reply up by hand in the webmail while you are away.",
)


def _by_rank(filing: list[_Ready]) -> list[Folder]:
    left = {folder for one in filing for folder, _, _ in one.files}
    out = []
    while left:
        first = primary(tuple(sorted(left, key=lambda folder: (folder.path, folder.role or ""))))
        out.append(first)
        left.discard(first)
    return out


def _block(rule: Rule, test: str, statements: list[str], *, stop: bool = False) -> str:
    name = "".join(char if char.isprintable() else " " for char in rule.name).strip()[:100]
    name = name.encode("utf-8", "replace").decode()
    return f"# rule:[{name}]\n{_if([test], [*statements, *(['stop;'] if stop else [])])}"


def _if(tests: list[str], statements: list[str]) -> str:
    test = tests[0] if len(tests) == 1 else f"allof ({', '.join(tests)})"
    return "\n".join([f"if {test} {{", *(f"  {one}" for one in statements), "}"])
