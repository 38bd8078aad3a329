"""The labels that a Takeout file writes beside a message, in any language, as folders and flags. Pure.

Takeout puts them into the header field X-Gmail-Labels, in the language of the account, RFC 2047
encoded across folds, names with commas in quotes. The names below were collected from published
exports and from tools that read them; a system label in a language that is not here becomes a
folder of its name, which loses nothing.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b64decode
from binascii import Error as Base64Error
from binascii import a2b_qp
from collections.abc import Mapping

from liberate.connector import Skipped
from liberate.mail import Folder, MailFacts, Role
from liberate_local import mbox_facts

FIELDS = (b"x-gmail-labels", *mbox_facts.FIELDS)

_NAMES = {
    "inbox": """inbox|posteingang|boîte de réception|recibidos|bandeja de entrada|posta in arrivo|postvak in
        |inkorgen|inkorg|innboks|indbakke|saapuneet|postilaatikko|odebrane|skrzynka odbiorcza
        |caixa de entrada|doručená pošta|doručené|beérkező levelek|beérkezett üzenetek|εισερχόμενα
        |gelen kutusu|受信トレイ|收件箱|收件匣|входящие|вхідні|받은편지함|mesaje primite|inbox-ul|входяща поща
        |вх. поща|пристигли|primljeno|pristigla pošta|prejeto|postkast|sisendkaust|iesūtne|gautieji
        |safata d’entrada|safata d'entrada|kotak masuk|hộp thư đến|דואר נכנס|البريد الوارد
        |กล่องจดหมาย|inntak|sarrera-ontzia|bosca isteach|pósthólf|примљене""",
    "sent": """sent|sent mail|gesendet|messages envoyés|envoyés|envoyé|enviados|enviado|inviati
        |posta inviata|inviata|verzonden|verzonden berichten|skickat|skickade|sendt|sendt e-post
        |sendte mails|sendte|lähetetyt|lähetetyt viestit|wysłane|itens enviados|e-mails enviados
        |correio enviado|odeslaná pošta|odeslané|odoslané|elküldött üzenetek|elküldött levelek
        |elküldve|απεσταλμένα|gönderilmiş postalar|gönderilenler|gönderilmiş|送信済み|送信済みメール|已发邮件|已发送
        |寄件備份|отправленные|надіслані|보낸편지함|mesaje trimise|trimise|изпратени|poslano|poslana pošta
        |saadetud kirjad|saadetud|nosūtītie|nosūtne|išsiųsti laiškai|enviats|surat terkirim|terkirim
        |thư đã gửi|đã gửi|דואר יוצא|בדואר יוצא|بريد مرسل|จดหมายที่ส่งแล้ว|послате""",
    "drafts": """draft|drafts|entwürfe|brouillons|borradores|bozze|concepten|utkast|kladder|luonnokset
        |wersje robocze|rascunhos|koncepty|rozpísané správy|piszkozatok|πρόχειρα|taslaklar|下書き|草稿
        |черновики|чернетки|임시보관함|mesaje nefinalizate|schițe|чернови|skice|osnutki|mustandid
        |melnraksti|juodraščiai|esborranys|draf|thư nháp|טיוטות|مسودّات|مسودات|ร่างจดหมาย|drög""",
    "junk": """spam|spams|courrier indésirable|pourriel|correo no deseado|posta indesiderata|ongewenst
        |skräppost|søppelpost|roskaposti|lixo eletrónico|levélszemét|ανεπιθύμητα|迷惑メール|垃圾邮件|垃圾郵件
        |спам|스팸함|nevyžádaná pošta|neželjena pošta|vsiljena pošta|rämpspost|mēstules|šlamštas
        |correu brossa|ספאם|الرسائل غير المرغوب فيها|จดหมายขยะ|ruslpóstur|непожељне""",
    "trash": """trash|bin|papierkorb|corbeille|papelera|cestino|prullenbak|papperskorgen|papperskorg
        |papirkurv|papirkurven|søppel|roskakori|kosz|lixeira|caixote do lixo|koš|kôš|kuka|lomtár
        |κάδος απορριμμάτων|κάδος|çöp kutusu|ゴミ箱|已删除邮件|垃圾桶|корзина|кошик|휴지통|coș de gunoi|кошче
        |otpad|smetnjak|prügikast|miskaste|šiukšliadėžė|paperera|tong sampah|sampah|thùng rác|אשפה
        |المهملات|المهـملات|ถังขยะ|ruslatunna|отпад""",
    "archived": """archived|archiviert|messages archivés|archivés|archivé|archivados|archivado|archiviati
        |archiviato|archiviata|gearchiveerd|arkiverat|arkiverade|arkivert|arkiveret|arkistoitu
        |arkistoidut|zarchiwizowane|arquivado|arquivados|archivováno|archivované|archivált
        |archiválva|archivált üzenetek|αρχειοθετημένα|αρχειοθετήθηκε|arşivlendi|arşivlenmiş|アーカイブ済み
        |已归档|已封存|архивировано|заархивированные|архівовано|архівовані|заархівовані|보관됨|보관처리됨|arhivate
        |архивирани|arhivirano|arhiveeritud|arhivēts|archyvuota|arxivats|diarsipkan|đã lưu trữ
        |בארכיון|مؤرشف""",
    "unread": """unread|ungelesen|non lus|non lu|no leídos|no leído|da leggere|non letti|non letto|non letta
        |ongelezen|olästa|oläst|ulest|uleste|ulæst|ulæste|lukematon|lukemattomat|nieprzeczytane
        |não lidas|não lido|não lidos|não lida|nepřečtené|nepřečteno|neprečítané|olvasatlan
        |αναγνωσμένα όχι|μη αναγνωσμένα|μη αναγνωσμένο|okunmadı|okunmamış|未読|未读|未讀|непрочитанные
        |непрочитано|непрочитані|непрочитане|읽지 않음|necitite|непрочетени|nepročitano|neprebrano
        |lugemata|nelasītie|neskaityti|no llegits|belum dibaca|chưa đọc|לא נקראו|غير مقروءة""",
    "opened": """opened|geöffnet|ouvert|ouverts|abierto|abiertos|aperto|aperti|geopend|öppnat|öppnade|åpnet
        |åbnet|avattu|avatut|otwarte|aberto|abertos|abertas|otevřeno|otevřené|přečtené|otvorené
        |megnyitva|megnyitott|ανοιγμένα|ανοίχτηκε|αναγνωσμένα|açıldı|açılmış|okundu|開封済み|既読|已打开|已開啟
        |已读|已讀|открыто|открытые|прочитанные|відкрито|відкриті|прочитані|열어봄|읽음|deschise|citite
        |отворени|otvoreno|pročitano|odprto|avatud|atvērts|atidaryta|oberts|dibuka|đã mở|נפתח|نפתחו
        |مفتوحة""",
    "starred": """starred|markiert|suivis|favoris|messages suivis|destacados|destacado|con estrellas|speciali
        |preferiti|met ster|stjärnmärkta|stjärnmärkt|stjernemerket|stjernemerkede|stjernemarkerede
        |stjernemarkeret|tähdellä merkityt|tähdellä merkitty|oznaczone gwiazdką|z gwiazdką
        |com estrela|s hvězdičkou|s hviezdičkou|csillagozott|με αστέρι|yıldızlı|スター付き|已加星标|已加星號
        |помеченные|отмеченные|із зірочкою|별표편지함|별표|cu stea|със звезда|sa zvjezdicom|z zvezdico
        |tärniga|ar zvaigznīti|pažymėti žvaigždute|missatges destacats|berbintang|gắn dấu sao
        |thư gắn dấu sao|מסומן בכוכב|الرسائل المميزة بنجمة|ติดดาว|stjörnumerkt|са звездицом""",
    "important": """important|wichtig|importants|importante|importantes|importanti|belangrijk|viktigt|viktig
        |vigtigt|vigtige|tärkeää|tärkeät|ważne|důležité|dôležité|fontos|σημαντικά|önemli|重要|重要邮件
        |重要郵件|важное|важливо|важливі|중요|중요편지함|важно|važno|pomembno|oluline|svarīgi|svarbu|penting
        |quan trọng|חשוב|مهم|สำคัญ|mikilvægt""",
    "muted": """muted|stummgeschaltet|ignoriert|silenciados|silenziati|genegeerd|tystade|ミュート|без звука""",
    "chat": """chat|chats|chattar|чат|чаты|чати|チャット|聊天|채팅""",
}

# "Category Updates", "Kategorie: \"Neuigkeiten\"", "Catégorie : E-mails personnels", ...
_CATEGORY = re.compile(
    r"(?:category|kategori\w*|catégorie|categor[íi]a|categoria|categorie|kategoria|κατηγορία|カテゴリ|类别|類別"
    r"|категория|категорія|카테고리|luokka)\s*[:：]?\s*(?P<name>.+)"
)
_CATEGORIES = {
    "Updates": """updates|neuigkeiten|benachrichtigungen|notifications|mises à jour|notificaciones|actualizaciones
        |aggiornamenti|uppdateringar|oppdateringer|opdateringer|päivitykset|aktualizacje|atualizações|aktualizace
        |aktualizácie|frissítések|ενημερώσεις|güncellemeler|最新情報|新着|动态|最新快訊|обновления|оновлення
        |уведомления|оповещения""",
    "Promotions": """promotions|werbung|promociones|promozioni|reclame|reclames|kampanjer|reklamer|tarjoukset|oferty
        |promoções|promoce|propagácie|promóciók|hirdetések|προσφορές|tanıtımlar|プロモーション|推广|促銷內容
        |промоакции|реклама""",
    "Social": """social|soziale medien|soziale netzwerke|réseaux sociaux|sociaal|sociala|socialt|sosialt|sosiaalinen
        |sosiaaliset|społeczności|sociální sítě|sociálne siete|közösségi|κοινωνικά δίκτυα|sosyal|ソーシャル|社交
        |社交網路|соцсети|соцмережі|redes sociales|redes sociais""",
    "Forums": """forums|foren|foros|forum|forumi|forumai|fóruns|fóra|fórumok|φόρουμ|συζητήσεις|forumlar|フォーラム
        |论坛|論壇|форумы|форуми|keskustelualueet|listes""",
    "Personal": """personal|allgemein|persönlich|primary|principal|e-mails personnels|personnel|personnels|personale
        |personali|persoonlijk|personligt|personliga|personlig|henkilökohtainen|osobiste|pessoal|pessoais|osobní
        |osobné|személyes|προσωπικά|kişisel|個人|メイン|个人|主要|личные|несортированные|особисті""",
    "Purchases": "purchases|einkäufe|achats|compras|acquisti|aankopen|köp|kjøp|køb|ostokset|zakupy|покупки",
    "Reservations": "reservations|reservierungen|réservations|reservas|prenotazioni|reserveringen|bokningar",
    "Travel": "travel|reisen|voyages|viajes|viaggi|reizen|resor|reiser|rejser|matkat|podróże|viagens",
}


def _fold(name: str) -> str:
    """What two spellings of one system label share. Takeout writes no-break spaces, and tools "_" for blanks."""
    text = unicodedata.normalize("NFKC", name).casefold().replace("_", " ").replace("’", "'")
    return " ".join(text.strip(' "«»„“”').split())


_MEANING = {_fold(name): meaning for meaning, names in _NAMES.items() for name in names.split("|")}
_CATEGORY_OF = {_fold(name): category for category, names in _CATEGORIES.items() for name in names.split("|")}

_ROLES = {
    "inbox": Role.INBOX,
    "sent": Role.SENT,
    "drafts": Role.DRAFTS,
    "junk": Role.JUNK,
    "trash": Role.TRASH,
}
# Flags and keywords that a mail program set over IMAP come as labels: "IMAP_$Forwarded", "IMAP_NotJunk".
_IMAP = "IMAP_"


def facts(state: Mapping[bytes, bytes]) -> MailFacts | Skipped:
    """The facts in X-Gmail-Labels; Skipped (with no id) for a chat, which Takeout keeps among the mail.

    A message that is not marked unread was seen. One with no folder was archived. One without the
    field is no Takeout's: it has what other programs wrote, and stays in the mailbox of its file.
    """
    if b"x-gmail-labels" not in state:
        return mbox_facts.facts(state)
    labels = parse(state[b"x-gmail-labels"].partition(b":")[2])
    flags, keywords, folders = {"\\Seen"}, set[str](), dict[Folder, None]()
    for label in labels:
        meaning = _MEANING.get(_fold(label))
        category = _CATEGORY.fullmatch(_fold(label)) if meaning is None else None
        if meaning == "chat":
            return Skipped("", "chat", "It is a chat, which Google keeps among the mail.", "Move chats as chats.")
        if meaning == "unread":
            flags.discard("\\Seen")
        elif meaning == "starred":
            flags.add("\\Flagged")
        elif meaning == "important":
            keywords.add("$Important")
        elif meaning in _ROLES:
            folders[Folder((), _ROLES[meaning])] = None
        elif meaning is not None:
            pass  # opened, archived, muted: what they say is said by the others
        elif category and (known := _CATEGORY_OF.get(_fold(category["name"]))):
            keywords.add(f"$Category_{known}")
        elif label.startswith(_IMAP):
            word = label.removeprefix(_IMAP)
            if word.isascii() and word and " " not in word:
                keywords.add(word)
        else:
            folders[Folder(tuple(level for level in label.split("/") if level) or (label,))] = None
    return MailFacts(frozenset(flags), frozenset(keywords), folders=tuple(folders) or (Folder((), Role.ARCHIVE),))


def parse(value: bytes) -> list[str]:
    """The labels in the value of an X-Gmail-Labels field, as the account's owner reads them."""
    labels: list[str] = []
    current: list[str] = []
    within = False
    for char in _decoded(value):
        if char == '"' and (within or not "".join(current).strip()):
            within = not within
            current.append(char)
        elif char == "," and not within:
            labels.append("".join(current))
            current = []
        else:
            current.append(char)
    labels.append("".join(current))
    return [label for label in map(_bare, labels) if label]


def _bare(label: str) -> str:
    label = label.strip()
    if len(label) > 1 and label.startswith('"') and label.endswith('"'):
        label = label[1:-1]
    return label.strip()


_WORD = re.compile(rb"=\?([^?\s]+)\?([bBqQ])\?([^?\r\n]*)\?=")
_BETWEEN_WORDS = re.compile(rb"(\?=)\s+(?==\?)")


def _decoded(value: bytes) -> str:
    """RFC 2047 as Takeout writes it: unlike the standard's, its words hold blanks, quotes and commas.

    A character may be cut in two by the fold between two words of one charset, so those are joined.
    """
    value = _BETWEEN_WORDS.sub(rb"\1", re.sub(rb"\r?\n(?=[ \t])", b"", value).strip())
    out: list[str] = []
    at, held, charset = 0, b"", "utf-8"
    for word in _WORD.finditer(value):
        if word.start() > at:
            out += (_text(held, charset), _text(value[at : word.start()], "utf-8"))
            held = b""
        name = word[1].decode("ascii", "replace").partition("*")[0].lower()
        if name != charset:
            out.append(_text(held, charset))
            held, charset = b"", name
        held += _bytes(word[2], word[3])
        at = word.end()
    out += (_text(held, charset), _text(value[at:], "utf-8"))
    return "".join(out)


def _bytes(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"qQ":
        return a2b_qp(text, header=True)
    try:
        return b64decode(text + b"=" * (-len(text) % 4))
    except Base64Error:
        return text


def _text(data: bytes, charset: str) -> str:
    try:
        # Some charsets that Python knows (utf-7) make lone surrogates, which nothing could store.
        return data.decode(charset).encode("utf-8", "replace").decode()
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")
