"""What Google's own documents look like when they are exported: small files of the form asked for, each valid."""

from __future__ import annotations

import io
import json
import zipfile
from xml.sax.saxutils import escape

GOOGLE = "application/vnd.google-apps."
ODF = "application/vnd.oasis.opendocument."
OOXML = "application/vnd.openxmlformats-officedocument."
PDF = "application/pdf"

FORMATS: dict[str, tuple[str, ...]] = {
    GOOGLE + "document": (
        OOXML + "wordprocessingml.document", ODF + "text", "text/plain", "text/html", PDF, "application/rtf",
    ),
    GOOGLE + "spreadsheet": (OOXML + "spreadsheetml.sheet", ODF + "spreadsheet", "text/csv", PDF),
    GOOGLE + "presentation": (OOXML + "presentationml.presentation", ODF + "presentation", "text/plain", PDF),
    GOOGLE + "drawing": ("image/svg+xml", PDF),
    GOOGLE + "script": (GOOGLE + "script+json",),
    GOOGLE + "vid": ("video/mp4",),
}  # fmt: skip
"""The forms that each kind can be exported in; a part of Google's own list."""

_PLAYED = frozenset(
    {ODF + "text", ODF + "spreadsheet", ODF + "presentation", OOXML + "wordprocessingml.document",
     OOXML + "spreadsheetml.sheet", OOXML + "presentationml.presentation", "image/svg+xml",
     GOOGLE + "script+json", "text/plain"}
)  # fmt: skip
_MAIN = "http://schemas.openxmlformats.org/"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def played(mime: str) -> bool:
    """Whether this stand-in can make the form."""
    return mime in _PLAYED


def export(mime: str, text: str, stamp: int, filler: bytes = b"") -> bytes:
    """The text as a file of that form. `stamp` numbers the exports: no two of them are the same bytes.

    `filler` goes into the file as a picture would, and makes it large.
    """
    if mime.startswith(ODF):
        return _odf(mime, text, stamp, filler)
    if mime.startswith(OOXML):
        return _ooxml(mime.removeprefix(OOXML), text, stamp, filler)
    if mime == "image/svg+xml":
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="80"><!-- {stamp} -->'
        return f'{svg}<text x="8" y="40">{escape(text)}</text></svg>\n'.encode()
    if mime == GOOGLE + "script+json":
        files = [{"id": f"made-{stamp}", "name": "Code", "type": "server_js", "source": f"// {text}\n"}]
        return json.dumps({"files": files}, indent=1).encode()
    return f"\ufeff{text}\r\n".encode()


def _zip(parts: list[tuple[str, bytes]], stamp: int, stored: frozenset[str]) -> bytes:
    out = io.BytesIO()
    when = (2026, 1 + stamp // 43200 % 12, 1 + stamp // 1800 % 28, stamp // 60 % 24, stamp % 60, stamp // 1440 % 30 * 2)
    with zipfile.ZipFile(out, "w") as into:
        for name, data in parts:
            kind = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            into.writestr(zipfile.ZipInfo(name, when), data, kind)
    return out.getvalue()


def _odf(mime: str, text: str, stamp: int, filler: bytes) -> bytes:
    lines = text.split("\n")
    if mime == ODF + "text":
        body = f"<office:text>{''.join(f'<text:p>{escape(line)}</text:p>' for line in lines)}</office:text>"
    elif mime == ODF + "spreadsheet":
        cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
        rows = "".join(f"<table:table-row>{cell.format(escape(line))}</table:table-row>" for line in lines)
        body = (
            '<office:spreadsheet><table:table table:name="Sheet1"><table:table-column/>'
            f"{rows}</table:table></office:spreadsheet>"
        )
    else:
        box = "".join(f"<text:p>{escape(line)}</text:p>" for line in lines)
        body = (
            '<office:presentation><draw:page draw:name="1" draw:master-page-name="Default"><draw:frame svg:x="2cm" '
            f'svg:y="2cm" svg:width="20cm" svg:height="4cm"><draw:text-box>{box}</draw:text-box></draw:frame>'
            "</draw:page></office:presentation>"
        )
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{where}:1.0"'
        for name, where in (("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"),
                            ("svg", "svg-compatible"), ("style", "style"))
    )  # fmt: skip
    content = f'{_HEAD}<office:document-content {spaces} office:version="1.3"><office:body>{body}</office:body>'
    styles = (
        f'{_HEAD}<office:document-styles {spaces} office:version="1.3"><office:automatic-styles>'
        '<style:page-layout style:name="P"/></office:automatic-styles><office:master-styles>'
        '<style:master-page style:name="Default" style:page-layout-name="P"/></office:master-styles>'
        "</office:document-styles>"
    )
    entries = [("/", mime), ("content.xml", "text/xml"), ("styles.xml", "text/xml")]
    parts = [
        ("mimetype", mime.encode()),  # first and not packed, as the standard wants it (ODF 1.3 part 2, 3.3)
        ("content.xml", f"{content}</office:document-content>".encode()),
        ("styles.xml", styles.encode()),
    ]
    if filler:
        entries.append(("Pictures/1.bin", "application/octet-stream"))
        parts.append(("Pictures/1.bin", filler))
    space = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    listed = "".join(
        f'<manifest:file-entry manifest:full-path="{path}" manifest:media-type="{kind}"/>' for path, kind in entries
    )
    manifest = f'{_HEAD}<manifest:manifest xmlns:manifest="{space}" manifest:version="1.3">{listed}</manifest:manifest>'
    parts.append(("META-INF/manifest.xml", manifest.encode()))
    return _zip(parts, stamp, frozenset({"mimetype", "Pictures/1.bin"}))


def _ooxml(kind: str, text: str, stamp: int, filler: bytes) -> bytes:
    make = {
        "wordprocessingml.document": _word,
        "spreadsheetml.sheet": _sheet,
        "presentationml.presentation": _slides,
    }[kind]
    main, parts, types = make(text.split("\n"))
    overrides = "".join(f'<Override PartName="/{name}" ContentType="{mime}"/>' for name, mime in types)
    listed = (
        f'{_HEAD}<Types xmlns="{_MAIN}package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Default Extension="bin" ContentType="application/octet-stream"/>{overrides}</Types>'
    )
    first = [("[Content_Types].xml", listed), ("_rels/.rels", _rels([("officeDocument", main)]))]
    whole = [(name, text_.encode()) for name, text_ in (*first, *parts)]
    if filler:
        whole.append((f"{main.partition('/')[0]}/media/1.bin", filler))
    return _zip(whole, stamp, frozenset({f"{main.partition('/')[0]}/media/1.bin"}))


_Parts = tuple[str, list[tuple[str, str]], list[tuple[str, str]]]


def _rels(targets: list[tuple[str, str]]) -> str:
    one = "".join(
        f'<Relationship Id="rId{at}" Type="{_MAIN}officeDocument/2006/relationships/{kind}" Target="{target}"/>'
        for at, (kind, target) in enumerate(targets, 1)
    )
    return f'{_HEAD}<Relationships xmlns="{_MAIN}package/2006/relationships">{one}</Relationships>'


def _word(lines: list[str]) -> _Parts:
    body = "".join(f'<w:p><w:r><w:t xml:space="preserve">{escape(line)}</w:t></w:r></w:p>' for line in lines)
    document = f'{_HEAD}<w:document xmlns:w="{_MAIN}wordprocessingml/2006/main"><w:body>{body}</w:body></w:document>'
    kind = f"{OOXML}wordprocessingml.document.main+xml"
    return "word/document.xml", [("word/document.xml", document)], [("word/document.xml", kind)]


def _sheet(lines: list[str]) -> _Parts:
    space = f'xmlns="{_MAIN}spreadsheetml/2006/main"'
    rows = "".join(
        f'<row r="{at}"><c r="A{at}" t="inlineStr"><is><t>{escape(line)}</t></is></c></row>'
        for at, line in enumerate(lines, 1)
    )
    book = (
        f'{_HEAD}<workbook {space} xmlns:r="{_MAIN}officeDocument/2006/relationships"><sheets>'
        '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    parts = [
        ("xl/workbook.xml", book),
        ("xl/_rels/workbook.xml.rels", _rels([("worksheet", "worksheets/sheet1.xml")])),
        ("xl/worksheets/sheet1.xml", f"{_HEAD}<worksheet {space}><sheetData>{rows}</sheetData></worksheet>"),
    ]
    types = [
        ("xl/workbook.xml", f"{OOXML}spreadsheetml.sheet.main+xml"),
        ("xl/worksheets/sheet1.xml", f"{OOXML}spreadsheetml.worksheet+xml"),
    ]
    return "xl/workbook.xml", parts, types


def _slides(lines: list[str]) -> _Parts:
    spaces = (
        f'xmlns:a="{_MAIN}drawingml/2006/main" xmlns:p="{_MAIN}presentationml/2006/main" '
        f'xmlns:r="{_MAIN}officeDocument/2006/relationships"'
    )
    group = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
    said = "".join(f"<a:p><a:r><a:t>{escape(line)}</a:t></a:r></a:p>" for line in lines)
    shape = (
        '<p:sp><p:nvSpPr><p:cNvPr id="2" name="Text"/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr/>'
        f"<p:txBody><a:bodyPr/>{said}</p:txBody></p:sp>"
    )
    empty = f"<p:cSld><p:spTree>{group}</p:spTree></p:cSld>"
    colours = " ".join(
        f'{one}="{two}"'
        for one, two in (("bg1", "lt1"), ("tx1", "dk1"), ("bg2", "lt2"), ("tx2", "dk2"), ("hlink", "hlink"),
                         ("folHlink", "folHlink"), *((f"accent{n}", f"accent{n}") for n in range(1, 7)))
    )  # fmt: skip
    parts = [
        (
            "ppt/presentation.xml",
            f'{_HEAD}<p:presentation {spaces}><p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/>'
            '</p:sldMasterIdLst><p:sldIdLst><p:sldId id="256" r:id="rId2"/></p:sldIdLst>'
            '<p:sldSz cx="9144000" cy="6858000"/><p:notesSz cx="6858000" cy="9144000"/></p:presentation>',
        ),
        (
            "ppt/_rels/presentation.xml.rels",
            _rels([("slideMaster", "slideMasters/slideMaster1.xml"), ("slide", "slides/slide1.xml")]),
        ),
        (
            "ppt/slides/slide1.xml",
            f"{_HEAD}<p:sld {spaces}><p:cSld><p:spTree>{group}{shape}</p:spTree></p:cSld></p:sld>",
        ),
        ("ppt/slides/_rels/slide1.xml.rels", _rels([("slideLayout", "../slideLayouts/slideLayout1.xml")])),
        ("ppt/slideLayouts/slideLayout1.xml", f"{_HEAD}<p:sldLayout {spaces}>{empty}</p:sldLayout>"),
        (
            "ppt/slideLayouts/_rels/slideLayout1.xml.rels",
            _rels([("slideMaster", "../slideMasters/slideMaster1.xml")]),
        ),
        (
            "ppt/slideMasters/slideMaster1.xml",
            f"{_HEAD}<p:sldMaster {spaces}>{empty}<p:clrMap {colours}/><p:sldLayoutIdLst><p:sldLayoutId "
            'id="2147483649" r:id="rId1"/></p:sldLayoutIdLst></p:sldMaster>',
        ),
        (
            "ppt/slideMasters/_rels/slideMaster1.xml.rels",
            _rels([("slideLayout", "../slideLayouts/slideLayout1.xml"), ("theme", "../theme/theme1.xml")]),
        ),
        ("ppt/theme/theme1.xml", _theme()),
    ]
    kinds = {
        "presentation.xml": "presentation.main",
        "slide1.xml": "slide",
        "slideLayout1.xml": "slideLayout",
        "slideMaster1.xml": "slideMaster",
    }
    types = [
        (name, f"{OOXML}presentationml.{kinds[name.rpartition('/')[2]]}+xml")
        for name, _ in parts
        if name.rpartition("/")[2] in kinds
    ]
    types.append(("ppt/theme/theme1.xml", f"{OOXML}theme+xml"))
    return "ppt/presentation.xml", parts, types


def _theme() -> str:
    names = ("dk1", "lt1", "dk2", "lt2", *(f"accent{n}" for n in range(1, 7)), "hlink", "folHlink")
    colour = {"dk": "000000", "lt": "FFFFFF"}
    colours = "".join(f'<a:{one}><a:srgbClr val="{colour.get(one[:2], "2E74B5")}"/></a:{one}>' for one in names)
    font = '<a:latin typeface="Arial"/><a:ea typeface=""/><a:cs typeface=""/>'
    fill = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>' * 3
    line = '<a:ln><a:solidFill><a:schemeClr val="phClr"/></a:solidFill></a:ln>' * 3
    effect = "<a:effectStyle><a:effectLst/></a:effectStyle>" * 3
    return (
        f'{_HEAD}<a:theme xmlns:a="{_MAIN}drawingml/2006/main" name="Plain"><a:themeElements>'
        f'<a:clrScheme name="Plain">{colours}</a:clrScheme><a:fontScheme name="Plain"><a:majorFont>{font}</a:majorFont>'
        f'<a:minorFont>{font}</a:minorFont></a:fontScheme><a:fmtScheme name="Plain"><a:fillStyleLst>{fill}'
        f"</a:fillStyleLst><a:lnStyleLst>{line}</a:lnStyleLst><a:effectStyleLst>{effect}</a:effectStyleLst>"
        f"<a:bgFillStyleLst>{fill}</a:bgFillStyleLst></a:fmtScheme></a:themeElements></a:theme>"
    )
