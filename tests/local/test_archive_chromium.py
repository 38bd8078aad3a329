"""A chat archive as people see it: in a real browser, from a folder, without a server and without scripts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .archive_kit import archive, carry, workspace
from .chromium_kit import Tab, chromium, program


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("chat") / "the archive"
    with archive(root) as opened:
        carry(workspace(), opened)
    return root


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    if program() is None:
        why = "Chromium is not installed: apt-get install chromium"
        if os.environ.get("LIBERATE_REQUIRE_CHROMIUM"):
            pytest.fail(why)
        pytest.skip(why)
    with chromium(tmp_path_factory.mktemp("browser")) as tab:
        yield tab


@pytest.fixture
def tab(browser: Tab) -> Iterator[Tab]:
    """The page; whatever a test did, nothing was asked of any server."""
    browser.asked.clear()
    browser.size(1000, 800)
    yield browser
    assert [url for url in browser.asked if not url.startswith(("file:", "about:"))] == []


def test_a_volunteer_finds_a_message_by_its_words_and_reads_it_where_it_was_said(tab: Tab, folder: Path) -> None:
    tab.go((folder / "index.html").as_uri())
    years = tab.do("[...document.querySelectorAll('.jump a')].map(one => one.href)")
    assert years == [(folder / name).as_uri() for name in ("words-2025.html", "words-2026.html")]
    tab.go(years[1])
    assert tab.do("window.find('this is the CELLAR')")
    href = tab.do("getSelection().anchorNode.parentElement.closest('li').querySelector('a').href")
    tab.go(href)
    assert tab.do("document.querySelector(':target .who').innerText") == "Bo"
    assert tab.do("document.querySelector(':target .said').innerText") == "This is the cellar:"
    assert tab.do("document.querySelector(':target').closest('details').open")
    box = tab.do("(r => [r.top, r.bottom])(document.querySelector(':target').getBoundingClientRect())")
    assert 0 < box[0] < 800


def test_a_thread_is_opened_with_a_click_and_with_the_keyboard_and_its_picture_is_seen(tab: Tab, folder: Path) -> None:
    for how in ("click", "keys"):
        tab.go((folder / "rooms/general/2026-03.html").as_uri())
        assert not tab.do("document.querySelector('details').open")
        if how == "click":
            tab.click("summary")
        else:
            for _ in range(60):
                tab.press("Tab")
                if tab.do("document.activeElement.tagName") == "SUMMARY":
                    break
            tab.press("Enter")
        assert tab.do("document.querySelector('details').open")
        size = tab.do(
            """new Promise(done => { const picture = document.querySelector('img');
            picture.scrollIntoView(); const look = () => picture.complete && picture.naturalWidth
            ? done([picture.naturalWidth, picture.naturalHeight]) : requestAnimationFrame(look); look(); })"""
        )
        assert size == [120, 80]
        assert tab.do("document.querySelector('img').getBoundingClientRect().width") > 100


def test_no_script_runs_whatever_stands_in_a_page(tab: Tab, folder: Path) -> None:
    page = folder / "rooms/general/2026-03.html"
    evil = folder / "rooms/general/evil.html"
    added = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\"><img src=https://evil.example/x>"
    evil.write_text(page.read_text("utf-8").replace("<h1>", added + "<h1>", 1), "utf-8")
    try:
        tab.go(evil.as_uri())
        assert tab.do("document.title") == "March 2026: general"
        assert tab.do("document.querySelectorAll('script').length") == 1
    finally:
        evil.unlink()
        tab.asked[:] = [url for url in tab.asked if "evil.example" not in url]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(tab: Tab, folder: Path, scheme: str) -> None:
    tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    for name in (
        "index.html",
        "people.html",
        "words-2026.html",
        "rooms/general/2026-03.html",
        "rooms/board/index.html",
    ):
        tab.go((folder / name).as_uri())
        for said, ink, ground in tab.do(_COLOURS):
            assert _contrast(ink, ground) >= 4.5, (name, said, ink, ground)
    assert sum(_rgb(tab.do("getComputedStyle(document.body).backgroundColor"))) == pytest.approx(
        765 if scheme == "light" else 60, abs=5
    )


def test_a_page_fits_a_phone_and_paper(tab: Tab, folder: Path) -> None:
    tab.size(360, 700)
    for name in (
        "index.html",
        "people.html",
        "words-2026.html",
        "rooms/general/2026-03.html",
        "rooms/general/files.html",
    ):
        tab.go((folder / name).as_uri())
        assert tab.do("document.documentElement.scrollWidth") <= 360, name
    tab.size(1000, 800)
    tab.call("Emulation.setEmulatedMedia", media="print")
    try:
        tab.go((folder / "rooms/general/2026-03.html").as_uri())
        assert tab.do("getComputedStyle(document.querySelector('.turn')).display") == "none"
    finally:
        tab.call("Emulation.setEmulatedMedia", media="")


# Each text that is seen, with its colour and that of what stands behind it.
_COLOURS = """[...document.querySelectorAll('main *')].filter(one => one.checkVisibility() &&
    [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim())).map(one => {
    let ground = one; while (ground && getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)')
        ground = ground.parentElement;
    return [one.outerHTML.slice(0, 80), getComputedStyle(one).color, getComputedStyle(ground).backgroundColor]; })"""


def _rgb(colour: str) -> list[int]:
    return [int(one) for one in re.findall(r"\d+", colour)[:3]]


def _contrast(one: str, other: str) -> float:
    """https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio"""

    def luminance(colour: str) -> float:
        parts = [value / 255 for value in _rgb(colour)]
        red, green, blue = (one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
