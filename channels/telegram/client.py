"""Calls to the Bot API: aiogram's methods over the shared HTTP client.

aiogram gives the methods and how they are written; answers stay raw JSON, because aiogram refuses an
answer as a whole when one field of it is new or missing, even though the message has been sent.
"""

from collections.abc import AsyncGenerator
from typing import Any

from aiogram import Bot
from aiogram.client.session.base import BaseSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.methods import TelegramMethod
from aiogram.types import InputFile
from aiogram.utils.token import TokenValidationError

from channels.base import Http, Unauthorized
from channels.http import HttpClient
from channels.telegram.errors import failure

SAFE = frozenset({
    "getMe", "getUpdates", "getFile", "getChat", "getUserProfilePhotos", "getWebhookInfo", "setWebhook",
    "deleteWebhook", "sendChatAction", "editMessageText", "editMessageCaption", "deleteMessages",
    "deleteBusinessMessages", "setMessageReaction", "answerCallbackQuery", "readBusinessMessage",
})  # fmt: skip
"""Methods that may be repeated without harm."""


class _Session(BaseSession):
    """aiogram's transport on `HttpClient`; returns the raw `result`."""

    def __init__(self, client: HttpClient) -> None:
        super().__init__(api=TelegramAPIServer.from_base(client.base_url))
        self.client = client

    async def make_request(self, bot: Bot, method: TelegramMethod[Any], timeout: int | None = None) -> Any:
        name = method.__api_method__
        data, files = await self._form(bot, method)
        url = self.api.api_url(token=bot.token, method=name)
        safe = name in SAFE
        answer = await self.client.request(
            "POST", url, safe=safe, timeout=timeout, data=data, files=files or None
        )
        body = answer.json()
        if isinstance(body, dict) and body.get("ok") is True and answer.status < 300:
            return body.get("result")
        raise failure(answer, body, safe=safe)

    async def _form(self, bot: Bot, method: TelegramMethod[Any]) -> tuple[dict[str, str], dict[str, Any]]:
        attached: dict[str, InputFile] = {}
        given = method.model_dump(warnings=False)
        values = {name: self.prepare_value(value, bot=bot, files=attached) for name, value in given.items()}
        files = {
            name: (file.filename or name, b"".join([chunk async for chunk in file.read(bot)]))
            for name, file in attached.items()
        }
        return {name: value for name, value in values.items() if value}, files

    async def close(self) -> None:
        await self.client.close()

    async def stream_content(self, *_args: Any, **_options: Any) -> AsyncGenerator[bytes, None]:
        raise NotImplementedError("files are fetched by channels.telegram.fetch")
        yield b""


class Client:
    """The Bot API for one bot."""

    def __init__(self, token: str, http: Http) -> None:
        self.http = HttpClient(http, base_url="https://api.telegram.org")
        self._session = _Session(self.http)
        self._token = token.strip()
        self._bot: Bot | None = None

    @property
    def bot_id(self) -> str:
        """The bot's id as its token tells it; not a secret."""
        return self._token.partition(":")[0]

    async def call(self, method: TelegramMethod[Any], *, timeout: int | None = None) -> Any:
        """`result` of a call; raises a `DeliveryError`."""
        return await self._open()(method, request_timeout=timeout)

    def file_url(self, path: str) -> str:
        """Address of a file. It holds the token: never store, log or show it."""
        return self._session.api.file_url(token=self._open().token, path=path)

    def _open(self) -> Bot:
        if self._bot is None:
            try:
                self._bot = Bot(self._token, session=self._session)
            except TokenValidationError:
                raise Unauthorized("The token is not a Telegram token", code="unauthorized") from None
        return self._bot

    async def close(self) -> None:
        await self.http.close()
