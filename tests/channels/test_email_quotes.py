# ruff: noqa: E501  (mails are not wrapped)
"""Quotes of the mail programs of Russia and the world: folded, never lost, never slow."""

import time

import pytest

from channels.email.quotes import fold

CASES = {
    "gmail ru": ("Да, всё верно.", "вт, 4 мар. 2025 г. в 12:30, Магазин <help@shop.test>:\n\n> Здравствуйте!\n> Вы заказывали?"),
    "gmail en": ("Yes.", "On Tue, Mar 4, 2025 at 12:30 PM Support <help@shop.test> wrote:\n\n> Hello\n> there"),
    "gmail en, broken line": ("Yes.", "On Tue, Mar 4, 2025 at 12:30 PM Support of the Very Long Shop <\nhelp@shop.test> wrote:\n\n> Hello"),
    "yandex": ("Спасибо", '04.03.2025, 12:30, "Магазин" <help@shop.test>:\n\n> Здравствуйте\n\n-- \nС уважением, Иван'),
    "yandex with rule": ("Спасибо", "----------------\nКому: ivan@yandex.test (ivan@yandex.test);\nТема: Заказ;\n04.03.2025, 12:30, Магазин <help@shop.test>:\nЗдравствуйте"),
    "mail.ru": ("Хорошо", ">Вторник, 4 марта 2025, 12:30 +03:00 от Магазин <help@shop.test>:\n> \n>Здравствуйте"),
    "mail.ru without marks": ("Хорошо", "Вторник, 4 марта 2025, 12:30 +03:00 от Магазин <help@shop.test>:\n\nЗдравствуйте"),
    "outlook ru": ("Готово", "От: Магазин <help@shop.test>\nОтправлено: 4 марта 2025 г. 12:30\nКому: Иван\nТема: Заказ\n\nЗдравствуйте\nещё строка"),
    "outlook ru, old": ("Готово", "-----Исходное сообщение-----\nFrom: Магазин\nSent: вчера\n\nЗдравствуйте"),
    "outlook en": ("Done", "________________________________\nFrom: Support <help@shop.test>\nSent: Tuesday, March 4, 2025 12:30 PM\nTo: Ivan\nSubject: Order\n\nHello"),
    "outlook en, old": ("Done", "-----Original Message-----\nFrom: Support\nSent: Tuesday\n\nHello"),
    "apple ru": ("Хорошо.\n\nОтправлено с iPhone", "> 4 марта 2025 г., в 12:30, Магазин <help@shop.test> написал(а):\n> \n> Здравствуйте"),
    "apple en": ("Fine\n\nSent from my iPhone", "> On 4 Mar 2025, at 12:30, Support <help@shop.test> wrote:\n> \n> Hello"),
    "thunderbird ru": ("Ясно", "04.03.2025 12:30, Магазин пишет:\n> Здравствуйте\n> ещё"),
    "thunderbird de": ("Klar", "Am 04.03.2025 um 12:30 schrieb Support:\n> Hallo"),
    "marks only": ("Согласен", "> Здравствуйте\n> Вы согласны?"),
}  # fmt: skip

WHOLE = {
    "answers between": "04.03.2025 12:30, Магазин пишет:\n> Вопрос 1?\nОтвет 1\n> Вопрос 2?\nОтвет 2",
    "answers between, with greeting": "Отвечаю ниже.\n\nOn 4 Mar 2025, at 12:30, Support wrote:\n> Q1?\nA1\n> Q2?\nA2",
    "answer below": "> Вопрос?\n\nОтвет",
    "only a quote": "> Здравствуйте\n> Всё",
    "legitimate from": "Прошу передать посылку.\nОт: склада на Ленина\nспасибо",
    "a date is no header": "Мне 04.03.2025 позвонили и сказали:\nжди\nдо завтра",
    "forwarded": "Посмотрите, что мне ответили\n\n---------- Forwarded message ---------\nОт: Банк\nДата: вчера\nТема: Отказ\n\nВам отказано",
    "ornament": "Список:\n------------\nодин\nдва",
    "plain": "Просто текст\n\nв два абзаца",
    "empty": "",
}  # fmt: skip


@pytest.mark.parametrize(("visible", "quoted"), CASES.values(), ids=CASES)
def test_quotes_fold(visible: str, quoted: str) -> None:
    folded = fold(f"{visible}\n\n{quoted}\n")
    assert folded.visible == visible
    assert folded.quoted == quoted


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE)
def test_what_is_no_quote_stays_whole(text: str) -> None:
    folded = fold(text)
    assert folded.visible == text
    assert folded.quoted == ""


@pytest.mark.parametrize(
    "text",
    ["\n" * 100_000, "On " * 5_000, ("On " * 99 + "\n") * 600, ("On x wrote " * 25 + "\n") * 600, "From: x\n" * 9_000,
     ("04.03.2025 " * 27 + "\n") * 600, ("> " * 140 + "\n") * 600, ("* " * 140 + "\n") * 600, "От: x\n" * 9_000],
)  # fmt: skip
def test_hostile_text_is_done_quickly(text: str) -> None:
    started = time.process_time()
    fold(text)
    assert time.process_time() - started < 3
