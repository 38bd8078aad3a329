"""Messages of every kind as Slack exports them, for a made-up workspace: the same for the same place in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

TEAM = "T0SOLROS0"
OTHER_TEAM = "T0PARTNER"
STRANGER = "U0STRANGE"
ERASED = "U0ERASED0"
BOT = "B0DEPLOY0"
TOKEN = "xoxe-" + "0" * 24
_TEXT = (
    "seed order harvest Tuesday the greenhouse members vote minutes budget pump is broken again lunch Saturday "
    "compost delivery van keys who has them thanks agreed see you there rain"
)
WORDS = _TEXT.split()


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a message is made."""

    room: str
    ts: str
    user: str
    other: str  # another member
    number: int  # of the message in its room
    files: str  # address of the server of files
    token: str = TOKEN

    def words(self, count: int = 8) -> str:
        """Some words, the same for the same message."""
        at = self.number * 7
        return " ".join(WORDS[(at + step * 3) % len(WORDS)] for step in range(count))

    def plain(self, **more: Any) -> dict[str, Any]:
        """A message of a person."""
        text = more.pop("text", None) or self.words()
        return {"type": "message", "user": self.user, "ts": self.ts, "text": text, "team": TEAM, **more}

    def file(self, mode: str = "hosted", **more: Any) -> dict[str, Any]:
        """A file object, of which the content is content_of(id, size)."""
        id_ = "F" + hashlib.sha256(f"{self.room}{self.number}{mode}".encode()).hexdigest()[:10].upper()
        size = 200 + self.number % 1000
        name = f"photo {self.number}.png"
        path = f"{self.files}/files-pri/{TEAM}-{id_}"
        return {
            "id": id_, "created": int(self.ts[:10]), "timestamp": int(self.ts[:10]), "name": name, "title": name,
            "mimetype": "image/png", "filetype": "png", "pretty_type": "PNG", "user": self.user, "user_team": TEAM,
            "editable": False, "size": size, "mode": mode, "is_external": False, "external_type": "",
            "is_public": True, "public_url_shared": False, "display_as_bot": False, "username": "",
            "url_private": f"{path}/photo.png?token={self.token}",
            "url_private_download": f"{path}/download/photo.png?token={self.token}",
            "permalink": f"https://solros.slack.com/files/{self.user}/{id_}/photo.png", "is_starred": False,
            "has_rich_preview": False, "file_access": "visible", **more,
        }  # fmt: skip


def content_of(id_: str, size: int) -> bytes:
    """The bytes of a made-up file."""
    seed = hashlib.sha256(id_.encode()).digest()
    return (b"\x89PNG\r\n" + seed * (size // len(seed) + 1))[:size]


def rich(*elements: dict[str, Any]) -> list[dict[str, Any]]:
    """A message's blocks as Slack's own programs make them."""
    return [{"type": "rich_text", "block_id": "b1", "elements": list(elements)}]


def section(*parts: dict[str, Any]) -> dict[str, Any]:
    """A line of rich text."""
    return {"type": "rich_text_section", "elements": list(parts)}


def text(words: str, **style: bool) -> dict[str, Any]:
    """Words in rich text."""
    return {"type": "text", "text": words, **({"style": style} if style else {})}


Maker = Callable[[Setting], Iterator[dict[str, Any]]]


def _one(make: Callable[[Setting], dict[str, Any]]) -> Maker:
    def made(at: Setting) -> Iterator[dict[str, Any]]:
        yield make(at)

    return made


def _rich_text(at: Setting) -> dict[str, Any]:
    return at.plain(
        text=f"*{at.words(2)}* <@{at.other}> :tada: <https://example.coop|us>",
        blocks=rich(
            section(
                text(at.words(2), bold=True), text(" "), {"type": "user", "user_id": at.other}, text(" "),
                {"type": "emoji", "name": "tada", "unicode": "1f389"}, text(" "),
                {"type": "link", "url": "https://example.coop", "text": "us"}, text(" "),
                {"type": "channel", "channel_id": at.room}, {"type": "broadcast", "range": "here"},
                {"type": "color", "value": "#ff8800"},
                {"type": "date", "timestamp": 1_780_000_000, "format": "{date}", "fallback": "28 May 2026"},
                {"type": "usergroup", "usergroup_id": "S0BOARD00"}, {"type": "team", "team_id": TEAM},
            ),
            {"type": "rich_text_list", "style": "bullet", "indent": 0, "border": 0,
             "elements": [section(text("seeds")), section(text("tools"))]},
            {"type": "rich_text_list", "style": "ordered", "indent": 1, "border": 0,
             "elements": [section(text("spade"))]},
            {"type": "rich_text_list", "style": "bullet", "indent": 0, "border": 0, "elements": [section(text("van"))]},
            {"type": "rich_text_preformatted", "border": 0, "elements": [text("a < b && c")]},
            {"type": "rich_text_quote", "elements": [text("as it was said")]},
        ),
        client_msg_id="11111111-2222-3333-4444-555555555555",
    )  # fmt: skip


def _program(at: Setting) -> dict[str, Any]:
    return {
        "type": "message", "subtype": "bot_message", "bot_id": BOT, "username": f"Deploys {at.number % 3}",
        "ts": at.ts, "text": "",
        "icons": {"emoji": ":rocket:"},
        "attachments": [{
            "id": 1, "color": "36a64f", "fallback": "built", "pretext": "Build &amp; test", "title": "Build 17",
            "title_link": "https://ci.example.coop/17", "text": "*passed* in 3 min",
            "fields": [{"title": "Branch", "value": "main", "short": True}], "footer": "CI",
        }],
    }  # fmt: skip


def _kit(at: Setting) -> dict[str, Any]:
    plain = {"type": "plain_text", "text": "Approve", "emoji": True}
    blocks = [
        {"type": "header", "block_id": "h", "text": {"type": "plain_text", "text": "Request", "emoji": True}},
        {"type": "section", "block_id": "s", "text": {"type": "mrkdwn", "text": f"From <@{at.user}>: _leave_"},
         "fields": [{"type": "mrkdwn", "text": "*Days:* 3"}]},
        {"type": "divider", "block_id": "d"},
        {"type": "image", "block_id": "i", "image_url": "https://example.coop/a.png", "alt_text": "a plan"},
        {"type": "context", "block_id": "c", "elements": [{"type": "mrkdwn", "text": "for :seedling: only"}]},
        {"type": "actions", "block_id": "a", "elements": [{"type": "button", "action_id": "x", "text": plain}]},
    ]  # fmt: skip
    return {"type": "message", "ts": at.ts, "bot_id": BOT, "user": "U0DEPLOYS", "text": "Request", "blocks": blocks,
            "bot_profile": {"id": BOT, "name": "Deploys", "deleted": False, "updated": 1, "app_id": "A0DEPLOYS",
                            "team_id": TEAM}}  # fmt: skip


def _unfurl(at: Setting) -> dict[str, Any]:
    return at.plain(
        text="<https://example.coop/news>",
        attachments=[{"id": 1, "from_url": "https://example.coop/news", "service_name": "Example", "fallback": "News",
                      "title": "News", "title_link": "https://example.coop/news", "text": "The harvest is in."}],
    )  # fmt: skip


def _thread(at: Setting) -> Iterator[dict[str, Any]]:
    seconds, _, micro = at.ts.partition(".")
    ts = [f"{int(seconds) + 3600 * step}.{micro}" for step in (1, 2, 30)]
    yield at.plain(
        thread_ts=at.ts, reply_count=3, reply_users_count=1, latest_reply=ts[-1], reply_users=[at.other],
        subscribed=False,
    )  # fmt: skip
    reply = {"type": "message", "user": at.other, "team": TEAM, "thread_ts": at.ts, "parent_user_id": at.user}
    yield {**reply, "ts": ts[0], "text": "first answer"}
    yield {**reply, "ts": ts[1], "text": "for all to see", "subtype": "thread_broadcast",
           "root": {"type": "message", "ts": at.ts, "text": "…", "thread_ts": at.ts, "reply_count": 3}}  # fmt: skip
    yield {**reply, "ts": ts[2], "text": "a day later"}


def _reacted(at: Setting) -> dict[str, Any]:
    return at.plain(
        reactions=[
            {"name": "+1", "users": [at.user, at.other], "count": 2},
            {"name": "clap::skin-tone-3", "users": [at.other], "count": 1},
            {"name": "solros", "users": [at.user], "count": 1},
            {"name": "eyes", "users": [at.user], "count": 60},
        ]
    )


def _change(subtype: str, **more: str) -> Maker:
    def made(at: Setting) -> dict[str, Any]:
        return {"type": "message", "subtype": subtype, "user": at.user, "ts": at.ts,
                "text": f"<@{at.user}> did: {subtype}", **more}  # fmt: skip

    return _one(made)


def _huddle(at: Setting) -> dict[str, Any]:
    return {"type": "message", "subtype": "huddle_thread", "user": "USLACKBOT", "ts": at.ts, "text": "",
            "room": {"created_by": at.user, "date_start": int(at.ts[:10]), "date_end": int(at.ts[:10]) + 60,
                     "participants": [at.user, at.other]}}  # fmt: skip


def _external(at: Setting) -> dict[str, Any]:
    url = "https://docs.google.com/document/d/1"
    return at.file("external", is_external=True, external_type="gdrive", mimetype="text/html",
                   url_private=url, external_url=url,
                   url_private_download="")  # fmt: skip


def _twin(at: Setting) -> Iterator[dict[str, Any]]:
    """What a merged export has twice."""
    yield at.plain(text="said once, exported twice")
    yield at.plain(text="said once, exported twice", reactions=[{"name": "+1", "users": [at.other], "count": 1}])


# Each kind once; what is not said comes with the code of its reason.
KINDS: tuple[tuple[Maker, tuple[str, ...]], ...] = (
    (_one(lambda at: at.plain()), ()),
    (_one(_rich_text), ()),
    (_one(lambda at: at.plain(text=f"*bold* _it_ ~no~ `x<y` <@{at.other}> <!here> 5 &lt; 6 &amp;lt; :seedling:")), ()),
    (_one(lambda at: at.plain(text="&gt; quoted\nand ```code &lt;b&gt;```")), ()),
    (_one(_program), ()),
    (_one(_kit), ()),
    (_one(_unfurl), ()),
    (_thread, ()),
    (_one(_reacted), ()),
    (_one(lambda at: at.plain(edited={"user": at.user, "ts": at.ts})), ()),
    (_one(lambda at: at.plain(subtype="me_message", text="waves")), ()),
    (_one(lambda at: at.plain(files=[at.file()], upload=False)), ()),
    (_one(lambda at: at.plain(files=[at.file("snippet", name="a.sh", mimetype="text/plain", editable=True)])), ()),
    (_one(lambda at: at.plain(files=[_external(at)])), ()),
    (_one(lambda at: at.plain(files=[{"id": f"F0TOMB{at.number}", "mode": "tombstone"}])), ()),
    (_one(lambda at: at.plain(files=[{"id": f"F0HIDE{at.number}", "mode": "hidden_by_limit"}])), ()),
    (_one(lambda at: at.plain(files=[{"id": f"F0ELSE{at.number}", "file_access": "check_file_info",
                                      "mode": "file_access"}])), ()),
    (_one(lambda at: at.plain(files=[{"id": f"F0DENY{at.number}", "file_access": "access_denied"}])), ()),
    (_one(lambda at: at.plain(files=[at.file("quip", mimetype="application/vnd.slack-docs", filetype="quip",
                                             pretty_type="Canvas", name="Plan", title="Plan", size=11)])), ()),
    (_one(lambda at: {**at.plain(subtype="file_share"), "file": at.file(name="old.pdf"), "upload": True}), ()),
    (_change("channel_join", inviter="U0MEMBER0"), ()),
    (_change("channel_topic", topic="Harvest &amp; sale"), ()),
    (_change("channel_purpose", purpose="Talk"), ()),
    (_change("channel_name", name="garden", old_name="yard"), ()),
    (_change("channel_leave"), ()),
    (_change("pinned_item", item_type="C"), ()),
    (_change("reminder_add"), ()),
    (_change("bot_add"), ()),
    (_one(_huddle), ()),
    (_one(lambda at: at.plain(user="USLACKBOT", subtype="slackbot_response")), ()),
    (_one(lambda at: at.plain(user=STRANGER, user_team=OTHER_TEAM, source_team=OTHER_TEAM, user_profile={
        "display_name": "Paz", "real_name": "Paz Partner", "name": "paz", "team": OTHER_TEAM})), ()),
    (_one(lambda at: at.plain(user=ERASED)), ()),
    (_one(lambda at: {"type": "message", "ts": at.ts, "user": None, "text": "system"}), ()),
    (_one(lambda at: at.plain(text="a\ud83d lone one and \0 nothing")), ()),
    (_one(lambda at: at.plain(text="", blocks=rich(section({"type": "sparkle", "text": "new here"})))), ()),
    (_one(lambda at: at.plain(subtype="brand_new_subtype")), ()),
    (_twin, ()),
    (_one(lambda at: at.plain(subtype="tombstone", user="USLACKBOT", text="This message was deleted.")), ("deleted",)),
    (_one(lambda at: {"type": "message", "subtype": "message_changed", "hidden": True, "ts": at.ts,
                      "message": at.plain(), "previous_message": at.plain(text="before")}), ("history",)),
    (_one(lambda at: {"type": "message", "subtype": "message_deleted", "hidden": True, "ts": at.ts,
                      "deleted_ts": at.ts, "previous_message": at.plain(text="gone")}), ("deleted",)),
    (_one(lambda at: at.plain() | {"ts": "not-a-number"}), ("bad-ts",)),
    (_one(lambda at: {key: value for key, value in at.plain().items() if key != "ts"}), ("bad-ts",)),
    (_one(lambda at: at.plain() | {"ts": "NaN"}), ("bad-ts",)),
)  # fmt: skip
