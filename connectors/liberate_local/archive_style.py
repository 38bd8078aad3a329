"""How the pages of a chat archive look, and the frame that all of them share."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable

from liberate_local.archive_html import text

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d8dee4; --ground: #fff; --card: #f6f8fa;
  --link: #0a58a6; --mark: #fff6cf; --warn: #fff1e5; --warnline: #b35900; --target: #e6f2ff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9da7b1; --line: #343b44; --ground: #0f1419;
  --card: #191f27; --link: #79b8ff; --mark: #3a3212; --warn: #33210f; --warnline: #f0a050; --target: #12304f; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 4rem; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif;
  overflow-wrap: anywhere; -webkit-text-size-adjust: 100%; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: .2rem; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: .5rem; top: .5rem; background: var(--ground); padding: .5rem; z-index: 2; }
.hidden { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; white-space: nowrap; }
.top { position: sticky; top: 0; z-index: 1; background: var(--ground); border-bottom: 1px solid var(--line); }
.top div, main, body > footer { max-width: 52rem; margin: 0 auto; padding: 0 1rem; }
.top div { display: flex; flex-wrap: wrap; gap: .15rem 1rem; align-items: baseline; padding-block: .55rem; }
.top ol { display: flex; flex-wrap: wrap; list-style: none; margin: 0; padding: 0; flex: 1 1 auto; }
.top li + li::before { content: "\\203a"; color: var(--soft); margin: 0 .5rem; }
.turn { display: flex; gap: 1rem; justify-content: space-between; }
.turn.foot { margin: 2rem 0; padding-top: 1rem; border-top: 1px solid var(--line); }
main { padding-block: 1.25rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
h3 { font-size: 1.05rem; margin: .5rem 0 .2rem; }
p { margin: .25rem 0; }
.soft { color: var(--soft); font-size: .92em; }
.lead { color: var(--soft); margin: .25rem 0 1rem; }
.private { background: var(--warn); border-left: .3rem solid var(--warnline); border-radius: .3rem;
  padding: .6rem .9rem; margin: .9rem 0; }
.badge { font-size: .75rem; font-weight: 500; color: var(--soft); border: 1px solid var(--line); border-radius: 1rem;
  padding: .05rem .5rem; white-space: nowrap; }
.badge.closed { color: var(--warnline); border-color: var(--warnline); }
.day { position: relative; text-align: center; font-size: .95rem; font-weight: 600; margin: 1.75rem 0 .75rem; }
.day::before { content: ""; position: absolute; left: 0; right: 0; top: 50%; border-top: 1px solid var(--line); }
.day span { position: relative; background: var(--ground); padding: 0 .8rem; }
.m { position: relative; padding: .3rem .5rem .3rem 3.4rem; margin-top: .65rem; border-radius: .4rem;
  min-height: 2.6rem; }
.m.same { margin-top: 0; padding-block: .1rem; min-height: 0; }
.m > header { display: flex; flex-wrap: wrap; gap: .1rem .5rem; align-items: baseline; }
.face { position: absolute; left: .5rem; top: .45rem; width: 2.3rem; height: 2.3rem; border-radius: .5rem; color: #fff;
  display: grid; place-content: center; font-size: .9rem; font-weight: 600; }
.c0 { background: #a8324a; } .c1 { background: #8a4b08; } .c2 { background: #5c6410; } .c3 { background: #21703a; }
.c4 { background: #0f6a75; } .c5 { background: #2159b0; } .c6 { background: #6344b8; } .c7 { background: #963096; }
.when { color: var(--soft); font-size: .82rem; text-decoration: none; font-variant-numeric: tabular-nums; }
a.when:hover { text-decoration: underline; }
.m.same > header { position: absolute; left: 0; top: .3rem; width: 3.1rem; justify-content: flex-end; }
.m.same > header .face { display: none; }
.m.same > header .who, .m.same > header .badge { position: absolute; clip-path: inset(50%); width: 1px; height: 1px;
  overflow: hidden; }
.m.same > header .when { font-size: .7rem; opacity: 0; }
.m.same:hover > header .when, .m.same > header .when:focus, .m.same:target > header .when { opacity: 1; }
@media (hover: none) { .m.same > header .when { opacity: .8; } }
.m:target, .change:target, .lines li:target { background: var(--target); }
.m.notice { background: var(--card); }
.said > :first-child { margin-top: 0; } .said > :last-child { margin-bottom: 0; }
.emote, .emote + p { display: inline; font-style: italic; }
.note { color: var(--soft); font-size: .85rem; }
.change { padding: .1rem .5rem .1rem 3.4rem; color: var(--soft); font-size: .92rem; }
.change time { font-size: .82rem; }
.mention { background: var(--mark); border-radius: .25rem; padding: 0 .2rem; text-decoration: none; }
a.mention { text-decoration: underline; }
.emoji.named { color: var(--soft); font-size: .9em; }
blockquote { margin: .35rem 0; padding: .1rem 0 .1rem .8rem; border-left: .25rem solid var(--line);
  color: var(--soft); }
code { font: .9em/1.45 ui-monospace, monospace; background: var(--card); border-radius: .25rem;
  padding: .05rem .25rem; }
pre { margin: .4rem 0; padding: .6rem .8rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .4rem; overflow-x: auto; overflow-wrap: normal; }
pre code { background: none; padding: 0; }
hr { border: 0; border-top: 1px solid var(--line); margin: .6rem 0; }
ul, ol { padding-left: 1.4rem; margin: .25rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.said td { border: 1px solid var(--line); padding: .25rem .6rem; }
.list table, table.list { width: 100%; }
.list th, .list td { text-align: left; vertical-align: top; padding: .45rem .9rem .45rem 0;
  border-bottom: 1px solid var(--line); }
.list th { font-weight: 500; } .list thead th { color: var(--soft); font-size: .88rem; }
.list .n { text-align: right; white-space: nowrap; }
.files, .reactions, .plain { list-style: none; padding: 0; margin: .4rem 0; }
.files li { margin: .3rem 0; }
.files li > a.file, .lost { display: inline-block; border: 1px solid var(--line); border-radius: .4rem;
  padding: .4rem .7rem; background: var(--card); }
figure { margin: 0; }
figure img { display: block; max-width: 100%; max-height: 22rem; border-radius: .5rem; border: 1px solid var(--line); }
figcaption { font-size: .85rem; color: var(--soft); }
.reactions { display: flex; flex-wrap: wrap; gap: .3rem; }
.reactions li { border: 1px solid var(--line); background: var(--card); border-radius: 1rem; padding: 0 .55rem;
  font-size: .88rem; }
.thread { margin: .35rem 0 .2rem; }
.thread > summary { cursor: pointer; color: var(--link); font-size: .9rem; font-weight: 600; padding: .3rem 0; }
.thread > div { border-left: .2rem solid var(--line); padding-left: .3rem; }
.thread .m { padding-left: 2.9rem; } .thread .face { width: 1.8rem; height: 1.8rem; font-size: .75rem; }
.rooms { list-style: none; padding: 0; margin: 0; }
.rooms li { padding: .55rem 0; border-bottom: 1px solid var(--line); }
.rooms a { font-weight: 600; }
.jump { display: flex; flex-wrap: wrap; gap: .35rem .9rem; list-style: none; padding: 0; margin: .4rem 0; }
.lines { list-style: none; padding: 0; margin: 0; }
.lines li { padding: .15rem 0 .15rem .6rem; text-indent: -.6rem; }
.lines li.reply { margin-left: 1.2rem; }
.lines a { font-size: .85rem; white-space: nowrap; font-variant-numeric: tabular-nums; }
section.days { content-visibility: auto; contain-intrinsic-size: auto 40rem; }
@media (max-width: 36rem) { .m { padding-left: 2.9rem; }
  .face { left: .1rem; width: 2rem; height: 2rem; font-size: .8rem; }
  .m.same > header { width: 2.6rem; } .change { padding-left: 2.9rem; } .thread .m { padding-left: 2.3rem; }
  .thread .face { left: 0; } h1 { font-size: 1.4rem; } }
@media print { .top { position: static; } .turn, .skip, nav { display: none; } main { max-width: none; }
  body { font-size: 10pt; } .m, .change { break-inside: avoid; } section.days { content-visibility: visible; }
  details::details-content { content-visibility: visible; height: auto; } a { color: inherit; } }
"""
_DIGEST = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; img-src 'self' file:; base-uri 'none'; form-action 'none'"


def page_top(title: str, crumbs: Iterable[tuple[str, str]], here: str, turn: str = "") -> str:
    """The beginning of a page, up to and with <main>. `crumbs` are addresses and texts, `here` is this page's."""
    way = "".join(f'<li><a href="{text(href)}"><bdi>{text(name)}</bdi></a></li>' for href, name in crumbs)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{text(_POLICY)}">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="robots" content="noindex">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#main">To the content</a>\n'
        f'<div class="top"><div><nav aria-label="You are here"><ol>{way}'
        f'<li aria-current="page"><bdi>{text(here)}</bdi></li></ol></nav>{turn}</div></div>\n<main id="main">\n'
    )


def page_end() -> str:
    """The end of a page."""
    return "</main>\n</body>\n</html>\n"
