"""`inbound.webhook`: from signed webhooks to committed messages, through `otklik serve` and `otklik work`,
against pgbench with the statement that stores a message; as fast as 16 kept connections take them."""

import asyncio
import time
from collections.abc import Callable

import orjson

from app.core.embedded import EmbeddedServer
from bench import figure, poster
from bench.figure import Figure
from bench.inbound import PEOPLE, statement_limit
from bench.stage import Connected, Stage, add_channel, running, serving, stage, vk_message

Make = Callable[[int], poster.Request]


async def measure(running_server: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    count, seconds, rounds = (50, 1, 1) if smoke else (4000, 4, 3)
    taken: dict[str, list[tuple[float, float]]] = {"vk": [], "telegram": []}
    async with stage(running_server) as on:
        bot = await add_channel(on.db, on.settings, "telegram", {"token": "1:t", "transport": "webhook"})
        makes: dict[str, Make] = {"vk": vk(on), "telegram": telegram(bot)}
        async with serving(on) as address, running(on, "work"):
            for make in makes.values():
                await _stored(on, address, make, PEOPLE)  # everybody is known from here on
            for _ in range(rounds):
                limit = await asyncio.to_thread(statement_limit, on, seconds)
                for kind, make in makes.items():
                    taken[kind].append((await _stored(on, address, make, count), limit))
    return [figure.of(f"inbound.webhook.{kind}", "messages/s", pairs) for kind, pairs in taken.items()]


async def _stored(on: Stage, address: str, make: Make, count: int) -> float:
    """Messages a second from the first POST to the last message in the thread."""
    requests = [make(next(on.numbers)) for _ in range(count)]
    before = await on.db.raw.fetchval("select count(*) from messages")
    answered = await poster.run(address, requests, 1e9, began=True)
    while await on.db.raw.fetchval("select count(*) from messages") < before + count:
        await asyncio.sleep(0.01)
        if time.perf_counter() - answered[0] > 60:
            raise RuntimeError("messages are missing")
    return count / (time.perf_counter() - answered[0])


def vk(on: Stage) -> Make:
    """Messages of the Callback API."""

    def make(number: int) -> poster.Request:
        return on.hook, vk_message(on, person=number % PEOPLE, number=number).decode(), ""

    return make


def telegram(bot: Connected) -> Make:
    """Updates of the Bot API."""
    headers = f"X-Telegram-Bot-Api-Secret-Token: {bot.secret}\r\n"

    def make(number: int) -> poster.Request:
        person = 1000 + number % PEOPLE
        sender = {"id": person, "is_bot": False, "first_name": "Анна", "language_code": "ru"}
        message = {
            "message_id": number,
            "date": 1_760_000_000,
            "chat": {"id": person, "type": "private", "first_name": "Анна"},
            "from": sender,
            "text": "Здравствуйте, где мой заказ?",
        }
        return bot.hook, orjson.dumps({"update_id": number, "message": message}).decode(), headers

    return make
