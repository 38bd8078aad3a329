"""Reports as jobs leave them: finished, half-way, and with everything that can be told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from liberate.report import AccountReport, Count, Finding, FolderCount, Refusal, Renamed, Report, RoomReceipt

ANNA = AccountReport(
    source="anna@old.example",
    destination="anna",
    route="google->mail",
    state="done",
    stopped=None,
    listed=41_211,
    moved=41_203,
    copies=0,
    waiting=0,
    bytes=3_214_000_000,
    verified=0,
    identical=0,
    line_ends=0,
    altered=0,
    different=0,
    missing=0,
    evidence={"size": 41_203},
    skipped=(Count("policy-spam", "The plan leaves spam behind.", "", 8),),
    refused=(),
    refusals=(),
    findings=(),
    folders=(FolderCount("INBOX", 1200, 1200),),
    renamed=(),
    notes=(),
)
DONE = Report(
    job="solros",
    started=datetime(2026, 11, 1, 9, 30, tzinfo=UTC),
    ended=datetime(2026, 11, 2, 17, 5, tzinfo=UTC),
    accounts=(ANNA,),
    changed=True,
    interrupted=False,
)
REFUSED = replace(
    ANNA,
    source="bo@old.example",
    destination="bo",
    listed=120,
    moved=117,
    copies=1,
    bytes=812_400,
    evidence={"size": 100, "read-back": 17},
    skipped=(),
    refused=(
        Count("too-large", "The message is larger than the server takes (52 MB).", "Ask for a higher limit.", 2),
        Count("empty", "The message has no bytes.", "", 1),
    ),
    refusals=(
        Refusal("18f0", "Projekt/Åre", "too-large", "The message is larger than the server takes.", "", "18f0.eml"),
        Refusal("18f1", "Projekt/Åre", "too-large", "The message is larger than the server takes.", "", "18f1.eml"),
        Refusal("18f2", "<b>INBOX</b>", "empty", "The message has no bytes.", "", None),
    ),
    folders=(FolderCount("INBOX", 20, 20), FolderCount("Projekt/Åre", 90, 88)),
    renamed=(Renamed("a.b", "a．b"),),
    notes=("3 keywords could not be kept: $x, $y, $z",),
    spent={"join": 1_234},
    rooms=(RoomReceipt("<i>general</i>", 6_002, 5_990, 1, 2, 3, 6, 41, "c0ffee" * 10 + "cafe"),),
)
VERIFIED = replace(
    ANNA,
    source="cy@old.example",
    destination="cy",
    verified=41_203,
    identical=40_000,
    line_ends=1_200,
    altered=3,
    findings=tuple(Finding(f"18e{n}", "Projekt/Åre", "altered", f"71:{n}", 2_048) for n in range(3)),
)
WRONG = replace(
    VERIFIED,
    identical=39_998,
    different=1,
    missing=1,
    findings=(
        Finding("18d1", "INBOX", "missing", "70:12", 1_800),
        Finding("18d2", "<b>Board</b>", "different", "72:9", None),
    ),
)
UNFINISHED = replace(
    ANNA, source="dag@old.example", destination="dag", state="unfinished", moved=10, listed=41_211, waiting=41_193
)
STOPPED = replace(
    UNFINISHED,
    source="eva@old.example",
    destination="eva",
    state="stopped",
    stopped=("login", "The server mail.example.coop refuses eva's password", "Correct it in people.csv"),
    moved=0,
    bytes=0,
    waiting=0,
    listed=0,
    skipped=(),
    evidence={},
    folders=(),
)
SHARED = replace(
    ANNA,
    source="fia@old.example",
    destination="fia",
    listed=90,
    moved=39,
    bytes=306_000,
    evidence={"received-digest": 39},
    skipped=(
        Count("moves-with-owner", "It belongs to somebody else of the plan, with whom it moves.", "", 50),
        Count("google-map", "This is a map of My Maps.", "Export it to KML.", 1),
    ),
    folders=(),
    files=True,
)
EVERYTHING = replace(DONE, accounts=(STOPPED, ANNA, REFUSED, VERIFIED, UNFINISHED))
NOTHING = Report("solros", None, None, (), False, False)
