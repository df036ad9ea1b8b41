"""One whole story on the screens of three people: a visitor, the administrator, a colleague.

The program is the real one, so are the browser, the mail server and every wait. Each step is seen by
everybody whom it concerns.
"""

import asyncio
from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.e2e.mailbox import Mailbox
from tests.e2e.program import Program
from tests.e2e.screens import Console, Visitor, screens
from tests.peers.dovecot import PASSWORD, Dovecot
from tests.peers.smtp import SmtpPeer, serving
from tests.widget.browser import chromium

pytestmark = pytest.mark.timeout(300)
NEW = "a better password of ours"
QUESTION = "Здравствуйте! Где мой заказ 4711?"
ANSWER = "Добрый день! Сейчас посмотрю."
TASK = "Найти посылку 4711 на складе"


@pytest.fixture
def smtp(dovecot: Dovecot) -> Iterator[SmtpPeer]:
    with serving((dovecot.host, dovecot.lmtp_port)) as peer:
        yield peer


async def add_colleague(admin: Console) -> str:
    """The administrator adds Boris to the support; his first password, as the screen says it."""
    await admin.go("/settings/agents", "agent-new")
    await expect(admin.by("agent-row")).to_have_count(1)
    await admin.by("agent-new").click()
    await admin.by("agent-name").fill("Борис Лунин")
    await admin.by("agent-email").fill("boris@desk.test")
    await admin.by("agent-form").get_by_text("Поддержка").click()
    await admin.by("agent-save").click()
    await expect(admin.by("agent-row")).to_have_count(2)
    return (await admin.by("secret").locator("code").inner_text()).strip()


async def connect_mail(admin: Console, dovecot: Dovecot, smtp: SmtpPeer) -> str:
    """The administrator connects the shop's mailbox in the form; its address."""
    address = dovecot.add_user("help")
    await admin.go("/settings/channels", "channel-new")
    await admin.by("channel-new").click()
    await admin.by("kind-email").click()
    values = {
        "address": address, "imap_host": dovecot.host, "imap_port": dovecot.imap_port,
        "imap_password": "wrong",
        "smtp_host": smtp.host, "smtp_port": smtp.port,
    }  # fmt: skip
    for name, value in values.items():
        await admin.by(f"field-{name}").fill(str(value))
    for label in ("Шифрование IMAP", "Шифрование SMTP"):
        await admin.page.get_by_label(label).select_option("none")
    await admin.by("channel-save").click()
    await expect(admin.by("channel-error")).to_be_visible()  # a real call comes first
    await admin.by("field-imap_password").fill(PASSWORD)
    await admin.by("channel-save").click()
    await expect(admin.by("channel-panel")).to_be_visible()
    await admin.go("/settings/channels", "channel-row")
    await expect(admin.by("channel-row", state="active")).to_have_count(2)
    return address


async def asked(visitor: Visitor, admin: Console, boris: Console) -> None:
    """The visitor writes; both consoles show it."""
    for console in (admin, boris):
        await console.go("/inbox/unassigned", "dialog-list")
        await console.rows(0)
    await visitor.open()
    await visitor.write(QUESTION)
    for console in (admin, boris):
        await expect(console.by("dialog-row")).to_contain_text("Где мой заказ 4711?")
        await console.counter("unassigned", 1)
    await admin.by("dialog-row").click()
    await admin.shows(QUESTION, direction="in")


async def answered(visitor: Visitor, admin: Console, boris: Console) -> None:
    """The administrator takes the dialog and answers; the visitor reads it; everybody knows."""
    await admin.key("a")
    await admin.page.locator('[data-pick^="agent:"]', has_text="Администратор").click()
    await expect(admin.by("assign")).to_contain_text("Администратор")
    for console in (admin, boris):
        await console.counter("unassigned", 0)
    await boris.rows(0)
    await boris.view("team")
    await boris.by("dialog-row").click()
    await boris.shows(QUESTION, direction="in")
    await admin.answer(ANSWER)
    await visitor.shows(QUESTION, ANSWER)
    for console in (admin, boris):
        await console.shows(ANSWER, direction="out", status="read")
    await expect(admin.by("delivery", status="read")).to_be_visible()


async def mailed(anna: Mailbox, smtp: SmtpPeer, admin: Console, boris: Console, support: str) -> None:
    """The same customer by mail: we write first, she answers, and a reply leaves."""
    await admin.by("contact-add").click()
    form = admin.by("customer-card").locator("form")
    await form.locator("input").fill(anna.address)
    await form.locator("button[type=submit]").click()
    await expect(admin.by("identity")).to_have_count(2)
    await admin.by("composer-recipient").click()
    await admin.by("recipient-option").filter(has_text=anna.address).click()
    await admin.answer("Пишу вам и на почту: посылку ищем.")
    first = await asyncio.to_thread(anna.wait, 1)
    assert support in first["From"]
    assert first["In-Reply-To"] is None
    await admin.shows("Пишу вам и на почту", direction="out", status="sent")
    theirs = await asyncio.to_thread(anna.reply, first, "Спасибо, жду. Адрес прежний.")
    for console in (admin, boris):
        await console.shows("Спасибо, жду. Адрес прежний.", direction="in")
        await expect(console.by("message")).to_have_count(4)
    await admin.answer("Нашли, завтра будет у вас.")
    second = await asyncio.to_thread(anna.wait, 2)
    assert second["In-Reply-To"] == theirs
    assert second["Subject"].startswith("Re: ")
    assert smtp.taken[-1].recipients == [anna.address]
    for console in (admin, boris):
        await console.shows("Нашли, завтра будет у вас.", direction="out", status="sent")


async def entrusted(admin: Console, boris: Console) -> None:
    """A task from the question goes to Boris, whose list shows it without a touch."""
    await boris.by("nav-tasks").click()
    await expect(boris.by("task-new")).to_be_visible()
    await expect(boris.by("task-card")).to_have_count(0)
    await admin.message(QUESTION).hover()
    await admin.message(QUESTION).locator('[data-testid="message-task"]').click()
    await expect(admin.by("task-title")).to_have_value(QUESTION)
    await admin.by("task-title").fill(TASK)
    await admin.by("task-owner").click()
    await admin.page.locator('[data-testid="pick-item"]', has_text="Борис").click()
    await admin.by("task-submit").click()
    await expect(boris.by("task-card", status="todo")).to_contain_text(TASK)
    await expect(admin.by("task-panel")).to_contain_text("Борис")


async def done(admin: Console, boris: Console) -> None:
    """The administrator puts the dialog off; Boris does the task; the dialog comes back with a line."""
    await admin.view("mine")
    await expect(admin.by("dialog-row").locator(".tasks")).to_have_text("1")
    await expect(admin.by("task-card", status="todo")).to_have_count(1)
    await boris.by("task-card").locator('[data-testid="task-status"]').click()
    await boris.by("task-status-in_progress").click()
    await expect(admin.by("task-card", status="in_progress")).to_have_count(1)
    await admin.key("s")
    await admin.pick(pick="reply")
    await admin.rows(0)
    await boris.by("task-card").locator(".open").click()
    await expect(boris.by("task-dialog")).to_contain_text("№")
    await boris.by("task-finish").click()
    await expect(boris.by("task-card")).to_have_count(0)
    await admin.rows(1)
    await admin.by("dialog-row").click()
    await expect(admin.by("system-line", kind="task.finished")).to_be_visible()
    await expect(admin.by("task-card", status="done")).to_have_count(1)
    await expect(admin.by("dialog-row").locator(".tasks")).to_have_count(0)


async def closed(admin: Console, boris: Console, visitor: Visitor) -> None:
    """E closes; no screen says otherwise, and neither does a fresh look."""
    await boris.by("nav-inbox").click()
    await boris.view("team")
    await boris.rows(1)
    await admin.key("e")
    for console in (admin, boris):
        await console.rows(0)
    for _ in ("live", "fresh"):
        for console in (admin, boris):
            for view in ("mine", "unassigned", "team", "all"):
                await console.counter(view, 0)
            await expect(console.by("list-empty")).to_be_visible()
            await console.page.reload()
    for console in (admin, boris):
        await console.go("/inbox/all?status=closed", "dialog-row")
        await console.rows(1)
        await console.by("dialog-row").click()
        await expect(console.by("status-bar")).to_be_visible()
        await expect(console.by("message")).to_have_count(5)
        await expect(console.by("message", status="read")).to_have_count(1)
        await expect(console.by("message", status="sent")).to_have_count(2)
        await console.go("/tasks?view=all", "task-new")
        await expect(console.by("task-card")).to_have_count(0)
    await visitor.shows(QUESTION, ANSWER)


async def test_a_customer_is_answered_and_everybody_sees_it(
    program: Program, dovecot: Dovecot, smtp: SmtpPeer
) -> None:
    async with chromium() as browser, screens(browser, program.address, title="story") as shown:
        admin = Console(await shown.open("admin"))
        await admin.login(program.email, program.password, new_password=NEW)
        boris = Console(await shown.open("boris"))
        await boris.login("boris@desk.test", await add_colleague(admin), new_password=NEW)
        support = await connect_mail(admin, dovecot, smtp)
        visitor = Visitor(await shown.open("visitor", "/demo-chat"))
        anna = Mailbox(dovecot, smtp, dovecot.add_user("anna"))
        await asked(visitor, admin, boris)
        await answered(visitor, admin, boris)
        await mailed(anna, smtp, admin, boris, support)
        await entrusted(admin, boris)
        await done(admin, boris)
        await closed(admin, boris, visitor)
