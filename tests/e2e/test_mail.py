"""Mail in a real browser: hostile letters do nothing, copies are chosen, mails are passed on."""

import asyncio
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from playwright.async_api import Page, Request, expect

from tests.channels.test_email_html import ATTACKS
from tests.e2e.desk import Desk, signed_in
from tests.e2e.program import Program
from tests.e2e.screens import Console, screens
from tests.helpers import eventually
from tests.peers import smtp as peers
from tests.peers.dovecot import PASSWORD, Dovecot
from tests.peers.smtp import SmtpPeer
from tests.widget.browser import chromium

pytestmark = [pytest.mark.timeout(240)]
NEW = "a better password of ours"
PICTURE = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d\x00\x00\x00\x00IEND\xaeB`\x82"
)


@pytest.fixture
def smtp() -> Iterator[SmtpPeer]:
    with peers.serving() as peer:
        yield peer


def hostile(to: str) -> bytes:
    """Every attack that we know in one letter, one after the other; and an honest picture."""
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "Eve <eve@evil.test>", to, "Attacks"
    letter["Cc"], letter["Message-ID"] = "boss@customer.test", "<attacks@evil.test>"
    letter.set_content("Plain words")
    page = '<p>Look</p><img src="cid:own@evil"><img src="http://evil.test/spy.gif">'
    page += "".join(f"<section>{name}: {attack}</section>" for name, attack in CLOSED.items())
    letter.add_alternative(f"{page}<p>last words</p>", subtype="html")
    html = letter.get_payload()[1]  # type: ignore[index]
    html.add_related(PICTURE, maintype="image", subtype="png", cid="<own@evil>")  # type: ignore[union-attr]
    return letter.as_bytes()


ENDLESS = ("comment", "textarea", "title", "unclosed", "svg style", "math", "noscript", "template")
CLOSED = {name: attack for name, attack in ATTACKS.items() if name not in ENDLESS}


async def watched(page: Page, own: str) -> list[str]:
    """What must not happen: a dialog of a script, a request to elsewhere, a script of a frame."""
    found: list[str] = []

    def asks(request: Request) -> None:
        if not request.url.startswith((own, "data:", "blob:", "about:")):
            found.append(request.url)

    page.on("request", asks)
    page.on("dialog", lambda dialog: found.append(f"dialog {dialog.message}"))
    page.on("popup", lambda popup: found.append(f"popup {popup.url}"))
    return found


async def test_letters_are_shown_answered_to_all_and_passed_on(
    program: Program, dovecot: Dovecot, smtp: SmtpPeer
) -> None:
    session = await signed_in(program.address, program.email, program.password, new_password=NEW)
    desk = Desk(program.address, session)
    address = dovecot.add_user("letters")
    settings = {
        "address": address, "imap_host": "127.0.0.1", "imap_port": dovecot.imap_port, "imap_tls": "none",
        "imap_password": PASSWORD, "smtp_host": "127.0.0.1", "smtp_port": smtp.port, "smtp_tls": "none",
    }  # fmt: skip
    async with desk.http:
        await desk.call("POST", "/channels", kind="email", name="Letters", settings=settings)
        await asyncio.to_thread(dovecot.deliver, hostile(address), address)
        async with chromium() as browser, screens(browser, program.address, title="mail") as shown:
            console = Console(await shown.open("admin"))
            happened = await watched(console.page, program.address)
            await console.login(program.email, NEW)
            await console.go("/inbox/unassigned", "dialog-row")
            await console.by("dialog-row").click()
            await hostile_letter(console)
            assert happened == []
            await to_all(console, smtp)
            await passed_on(console, smtp)
            assert happened == []


async def hostile_letter(console: Console) -> None:
    await console.by("show-html").click()
    frame = console.page.frame_locator('[data-testid="mail-frame"]')
    await expect(frame.get_by_text("last words")).to_be_attached()
    own = frame.locator('img[data-cid="own@evil"]')
    assert await eventually(lambda: own.evaluate("one => one.naturalWidth"), 20) == 1
    assert await frame.locator("script, svg, iframe, object, form, meta[http-equiv=refresh]").count() == 0
    assert await frame.locator('img[src^="http"]').count() == 0
    asked = console.page.expect_response(lambda answer: "/picture?url=" in answer.url)
    async with asked as answer:
        await console.by("show-pictures").click()
    assert (await answer.value).status == 502, "evil.test was reached"


async def to_all(console: Console, smtp: SmtpPeer) -> None:
    await console.by("mail-reply-all").click()
    await expect(console.by("mail-field-to")).to_have_value("eve@evil.test")
    await expect(console.by("mail-field-cc")).to_have_value("boss@customer.test")
    await expect(console.by("mail-outside")).to_have_count(0)
    await console.by("mail-field-bcc").fill("new@else.test")
    await expect(console.by("mail-outside")).to_contain_text("new@else.test")
    await console.answer("To all of you")
    await eventually(lambda: smtp.taken, 25)
    assert smtp.taken[-1].recipients == ["eve@evil.test", "boss@customer.test", "new@else.test"]
    chips = console.message("To all of you", direction="out")
    await expect(chips.locator('[data-testid="mail-bcc"]')).to_contain_text("new@else.test")


async def passed_on(console: Console, smtp: SmtpPeer) -> None:
    await console.by("message", direction="in").locator('[data-testid="mail-forward"]').click()
    await expect(console.by("composer-send")).to_be_disabled()
    await console.by("mail-field-to").fill("supplier@parts.test")
    await console.by("composer-send").click()
    await eventually(lambda: len(smtp.taken) == 2, 25)
    mail = smtp.taken[-1]
    assert mail.recipients == ["supplier@parts.test"]
    assert b"Subject: Fwd: Attacks" in mail.content
    assert b"filename=" in mail.content, "the picture stayed behind"
