"""Mails understood: charsets, structure, identity, threading, files, our own mail, limits."""

import base64
import importlib.util
import time
from email.message import EmailMessage
from pathlib import Path

import pytest

from channels.base import BadEvent, Echo, Event, Gone, Ignored, InboundMessage
from channels.email import parse, threading
from tests.channels.mail import ADDRESS, SECRET, adapter, mail, one, only, raw

_SUITE = importlib.util.find_spec("test")  # CPython's own tests; some packages of it leave them out
_FOLDER = Path((_SUITE and _SUITE.origin) or "/nowhere").parent / "test_email" / "data"
CORPUS = sorted(_FOLDER.glob("*.txt"))
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_corpus_of_cpython_is_understood_or_refused_by_name(path: Path) -> None:
    payload = path.read_bytes()
    parse.lane(payload)
    for event in _understood(payload):
        if isinstance(event, InboundMessage):
            for file in event.files:
                adapter().extract(payload, file.ref)


def _understood(payload: bytes) -> list[Event]:
    refusal = ""
    try:
        return adapter().parse(payload)
    except BadEvent as error:
        refusal = str(error)
    assert refusal == "the mail names no sender"
    return []


@pytest.mark.skipif(not _FOLDER.exists(), reason="this Python comes without its own tests")
def test_corpus_is_there() -> None:
    assert len(CORPUS) > 30


@pytest.mark.parametrize(
    ("declared", "actual"),
    [
        ("windows-1251", "cp1251"),
        ("cp-1251", "cp1251"),
        ("koi8-r", "koi8-r"),
        ("KOI8R", "koi8-r"),
        ("utf-8", "utf-8"),
        ("iso-8859-5", "iso8859-5"),
        ("utf-8", "cp1251"),
        ("x-unknown", "cp1251"),
        ("us-ascii", "koi8-r"),
        ("rot13", "utf-8"),
    ],
)
def test_charsets_declared_rightly_wrongly_and_not_at_all(declared: str, actual: str) -> None:
    text = "Здравствуйте! Подскажите, пожалуйста, когда придёт мой заказ? Жду уже целую неделю."
    head = f"From: a@b.test\nContent-Type: text/plain; charset={declared}\nContent-Transfer-Encoding: 8bit"
    assert one(raw(head, text.encode(actual))).text == text


def test_broken_bytes_and_nul_neither_raise_nor_reach_the_database() -> None:
    message = one(raw("From: a@b.test\nSubject: x\x00y", b"one\x00two \xff\xfe\x81 three"))
    assert "\x00" not in message.text + message.meta["subject"]
    assert message.text.startswith("onetwo")


def test_headers_in_every_spelling() -> None:
    koi8 = base64.b64encode("Иван Петров".encode("koi8-r")).decode()
    cut = [base64.b64encode(part).decode() for part in ("Привет".encode()[:3], "Привет".encode()[3:])]
    message = one(
        raw(
            f"From: =?koi8-r?B?{koi8}?= <IVAN@Пример.РФ>\n"
            f"Subject: =?utf-8?B?{cut[0]}?=\n =?utf-8?B?{cut[1]}?= =?utf-8?q?=2C_=D0=BC=D0=B8=D1=80?="
        )
    )
    assert message.sender.name == "Иван Петров"
    assert message.sender.external_id == "ivan@xn--e1afmkfd.xn--p1ai"
    assert message.sender.scope == "email"
    assert message.meta["subject"] == "Привет, мир"


def test_subject_in_bare_eight_bit() -> None:
    head = b"From: a@b.test\nSubject: " + "Где мой заказ и когда он придёт?".encode("cp1251")
    assert one(head + b"\n\nx").meta["subject"] == "Где мой заказ и когда он придёт?"


def test_mail_without_a_sender_is_refused() -> None:
    with pytest.raises(BadEvent, match="sender"):
        adapter().parse(raw("Subject: hello"))


def test_a_mail_of_only_a_subject_says_its_subject() -> None:
    assert one(mail("\n")).text == "Order 4711"


def test_time_is_that_of_our_server_not_the_senders() -> None:
    trace = "from x by y; Wed, 05 Mar 2025 10:00:00 +0000"
    message = one(raw(f"Received: {trace}\nFrom: a@b.test\nDate: Fri, 01 Jan 2100 00:00:00 +0000"))
    assert message.occurred_at is not None
    assert message.occurred_at.isoformat() == "2025-03-05T10:00:00+00:00"
    assert one(raw("From: a@b.test\nDate: Wed, 99 Foo 20205 77:00")).occurred_at is None


def test_format_flowed_is_joined_again() -> None:
    head = "From: a@b.test\nContent-Type: text/plain; charset=utf-8; format=flowed"
    assert one(raw(head, b"one \ntwo\nthree\n-- \nme\n")).text == "one two\nthree\n-- \nme"


# --- identity -------------------------------------------------------------------------------


def test_identity_ignores_what_servers_add() -> None:
    payload = mail()
    delivered = (
        b"Received: from x by y\r\nDelivered-To: z@z.test\r\n" + payload.replace(b"\n", b"\r\n") + b"\r\n"
    )
    assert parse.content_key(payload) == parse.content_key(delivered)
    assert one(payload).external_id == one(delivered).external_id


def test_the_same_message_id_with_another_text_is_another_mail() -> None:
    first, second = one(mail("one")), one(mail("two"))
    assert first.external_id != second.external_id
    assert first.aliases == second.aliases == ["<m1@customer.test>"]


def test_a_mail_without_message_id_has_an_identity_and_a_thread() -> None:
    message = one(mail(headers={"Message-ID": ""}))
    assert message.aliases == []
    assert message.external_id in message.chat


def test_parsing_is_repeatable() -> None:
    payload = mail(html="<p>Hello</p>")
    assert adapter().parse(payload) == adapter().parse(payload)


# --- threading ------------------------------------------------------------------------------


def test_references_are_newest_first_and_the_oldest_names_the_thread() -> None:
    message = one(
        mail(headers={"In-Reply-To": "<c@x.test>", "References": "<a@x.test> <b@x.test> <c@x.test>"})
    )
    assert message.references == ["<c@x.test>", "<b@x.test>", "<a@x.test>"]
    assert message.chat == "<a@x.test>" == adapter_lane(message)


def adapter_lane(message: InboundMessage) -> str:
    named = " ".join(reversed(message.references))
    return parse.lane(mail(headers={"References": named}))


def test_a_foreign_in_reply_to_does_not_hide_ours() -> None:
    ours = threading.message_id("55", secret=SECRET, domain="shop.test")
    message = one(mail(headers={"In-Reply-To": "<crm@x.test>", "References": f"{ours} <crm@x.test>"}))
    assert ours in message.references


def test_signed_reply_address_refers_to_our_message() -> None:
    address = threading.reply_address(ADDRESS, "55", SECRET)
    ours = threading.message_id("55", secret=SECRET, domain="shop.test")
    assert one(mail(headers={"To": address})).references == [ours]
    assert one(mail(headers={"Delivered-To": address.upper()})).references == [ours]


def test_a_forged_reply_address_refers_to_nothing() -> None:
    forged = threading.reply_address(ADDRESS, "55", "another secret")
    assert one(mail(headers={"To": forged})).references == []


def test_message_ids_are_stable_signed_and_readable_back() -> None:
    ours = threading.message_id("9223372036854775807", secret=SECRET, domain="shop.test")
    assert ours == threading.message_id("9223372036854775807", secret=SECRET, domain="shop.test")
    assert threading.key_of(ours, SECRET) == "9223372036854775807"
    assert threading.key_of(ours, "another secret") is None
    assert threading.key_of(threading.message_id("a-b", secret=SECRET, domain="d"), SECRET) == ""


# --- our own mail ---------------------------------------------------------------------------


def test_our_own_mail_is_an_echo_with_its_key() -> None:
    ours = threading.message_id("55", secret=SECRET, domain="shop.test")
    event = only(mail(headers={"From": f"Shop <{ADDRESS}>", "To": "anna@customer.test", "Message-ID": ours}))
    assert isinstance(event, Echo)
    assert (event.key, event.external_id) == ("55", ours)
    assert event.recipient is not None
    assert event.recipient.external_id == "anna@customer.test"


def test_our_address_without_our_signature_is_nobody() -> None:
    for sender in (ADDRESS, ADDRESS.upper(), "help+x@shop.test"):
        assert isinstance(only(mail(headers={"From": sender})), Ignored)


def test_our_mail_sent_round_by_a_list_is_ignored() -> None:
    mark = threading.loop_mark(SECRET)
    assert isinstance(only(mail(headers={"From": "list@other.test", parse.LOOP_HEADER: mark})), Ignored)


# --- structure and files --------------------------------------------------------------------


def test_attachments_and_inline_pictures_come_back_byte_by_byte() -> None:
    message = EmailMessage()
    message["From"] = "a@b.test"
    message.set_content("See")
    message.add_alternative('<p>See <img src="cid:pic@x"></p>', subtype="html")
    message.get_payload()[1].add_related(PNG, "image", "png", cid="<pic@x>")  # type: ignore[index,union-attr]
    message.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="Счёт № 5.pdf")
    message.add_attachment("a;b", subtype="csv", filename="t.csv")
    payload = message.as_bytes()
    found = one(payload)
    assert [(file.name, file.kind) for file in found.files] == [
        ("part-2.png", "image"), ("Счёт № 5.pdf", "document"), ("t.csv", "document"),
    ]  # fmt: skip
    assert found.files[0].content_id == "pic@x"
    assert 'data-cid="pic@x"' in found.html
    assert adapter().extract(payload, found.files[0].ref) == (PNG, "image/png", "part-2.png")
    assert adapter().extract(payload, found.files[1].ref)[0] == b"%PDF-1.4"
    assert [file.size for file in found.files] == [len(PNG), 8, 4]


def test_a_wrong_part_is_gone() -> None:
    for ref in ({"part": 99}, {"part": "x"}, {}):
        with pytest.raises(Gone):
            adapter().extract(mail(), ref)


def test_picture_that_no_text_names_is_an_attachment() -> None:
    message = EmailMessage()
    message["From"] = "a@b.test"
    message.set_content("See")
    message.add_attachment(PNG, maintype="image", subtype="png", cid="<other@x>", disposition="inline")
    assert [file.content_id for file in one(message.as_bytes()).files] == [""]


def test_svg_is_no_picture() -> None:
    message = EmailMessage()
    message["From"] = "a@b.test"
    message.add_attachment(b"<svg/>", maintype="image", subtype="svg+xml", filename="a.svg")
    assert one(message.as_bytes()).files[0].kind == "document"


def test_a_mail_within_a_mail_is_a_file() -> None:
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("secret text")
    outer = EmailMessage()
    outer["From"] = "a@b.test"
    outer.set_content("forwarded")
    outer.add_attachment(inner)
    found = one(outer.as_bytes())
    assert found.text == "forwarded"
    data, mime, name = adapter().extract(outer.as_bytes(), found.files[0].ref)
    assert (mime, name) == ("message/rfc822", "part-1.eml")
    assert b"secret text" in data


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        ('filename="../../etc/passwd"', "etc_passwd"),
        ("filename*=utf-8''%D0%A1%D1%87%D1%91%D1%82.pdf", "Счёт.pdf"),
        ("filename*=us-ascii''%F6.pdf", "ö.pdf"),
        ('filename="=?koi8-r?B?8NLJ18XU?=.txt"', "Привет.txt"),
        ('filename=""', "part-0.pdf"),
        ('filename="a\u202egpj.exe"', "a_gpj.exe"),
    ],
)
def test_file_names_are_decoded_and_harmless(declared: str, name: str) -> None:
    head = f"From: a@b.test\nContent-Type: application/pdf\nContent-Disposition: attachment; {declared}"
    assert one(raw(head)).files[0].name == name


def test_text_footer_of_a_list_is_kept_with_html() -> None:
    message = EmailMessage()
    message["From"] = "a@b.test"
    message.set_content("plain")
    message.add_alternative("<p>rich</p>", subtype="html")
    message.make_mixed()
    footer = EmailMessage()
    footer.set_content("footer <b>")
    message.attach(footer)
    found = one(message.as_bytes())
    assert "footer" in found.text
    assert "footer &lt;b&gt;" in found.html


def test_text_of_html_only_mail() -> None:
    head = "From: a@b.test\nContent-Type: text/html; charset=utf-8"
    found = one(raw(head, "<p>Добрый&nbsp;день</p><ul><li>раз<li>два</ul>".encode()))
    assert found.text == "Добрый день\n\n• раз\n• два"


def test_quoted_part_folds_and_nothing_is_lost() -> None:
    text = "Да.\n\nвт, 4 мар. 2025 г. в 12:30, Магазин <help@shop.test>:\n> Вы получили?\n"
    found = one(mail(text))
    assert found.text == "Да."
    assert found.meta["full_text"] == text.strip()
    assert "Вы получили?" in found.meta["quoted"]


# --- limits ---------------------------------------------------------------------------------


def _nested(depth: int) -> bytes:
    opened = [f'Content-Type: multipart/mixed; boundary="b{i}"\n\n--b{i}\n' for i in range(depth)]
    return b"From: a@b.test\n" + "".join(opened).encode() + b"Content-Type: text/plain\n\nx\n"


@pytest.mark.parametrize(
    "payload",
    [
        _nested(25),
        _nested(5000),
        b"From: a@b.test\nSubject: " + b"x" * 300_000 + b"\n\nx",
        b"From: a@b.test\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 1000,
    ],
    ids=["deep", "very deep", "headers", "parts"],
)
def test_hostile_structure_is_quarantined_quickly(payload: bytes) -> None:
    started = time.process_time()
    with pytest.raises(BadEvent):
        adapter().parse(payload)
    assert isinstance(parse.lane(payload), str)
    assert time.process_time() - started < 3


def test_hostile_parameters_do_not_take_for_ever() -> None:
    started = time.process_time()
    one(b"From: a@b.test\nContent-Type: text/plain; " + b'a=";' * 50_000 + b"\n\nx")
    one(b"From: " + b'"a" <a@b.test>, ' * 10_000 + b"\nTo: " + b"(" * 100_000 + b"\n\nx")
    assert time.process_time() - started < 3


def test_mail_that_the_server_could_not_give_is_quarantined() -> None:
    with pytest.raises(BadEvent, match="could not give"):
        adapter().parse(parse.UNREADABLE + b" 1:2 broken")
