"""Calls to the VK API with a community's token, over the shared HTTP client."""

from typing import Any

from channels.base import Http, RetryLater
from channels.http import HttpClient, unusable
from channels.vk.errors import failure

VERSION = "5.199"
NOT_SAFE = "messages.send"
"""The only method of ours that does harm when it is repeated; an upload done twice leaves an unused file."""


class Client:
    """The API for one community."""

    def __init__(self, token: str, http: Http) -> None:
        self.http = HttpClient(http, base_url="https://api.vk.com")
        self._token = token.strip()

    @property
    def timeout(self) -> float:
        return self.http.timeout

    async def call(self, method: str, **parameters: Any) -> Any:
        """`response` of a call; raises a `DeliveryError`. Parameters that are None are left out."""
        safe = method != NOT_SAFE
        form = {name: str(value) for name, value in parameters.items() if value is not None}
        # In the body: an address ends up in logs of proxies.
        form |= {"access_token": self._token, "v": VERSION}
        answer = await self.http.request(
            "POST", f"{self.http.base_url}/method/{method}", safe=safe, data=form
        )
        body = answer.json()
        if isinstance(body, dict) and "error" in body:
            raise failure(body["error"])
        if answer.status != 200 or not isinstance(body, dict) or "response" not in body:
            raise unusable(answer, safe=safe)
        return body["response"]

    async def long_poll(self, server: str, *, key: str, ts: str, wait: int) -> dict[str, Any]:
        """One long poll; raises `RetryLater` when it fails in any way."""
        query = {"act": "a_check", "key": key, "ts": ts, "wait": str(wait)}
        timeout = wait + self.timeout
        answer = await self.http.request("GET", server, safe=True, timeout=timeout, params=query)
        body = answer.json()
        if answer.status != 200 or not isinstance(body, dict):
            raise unusable(answer, safe=True)
        if "failed" not in body and not ("ts" in body and isinstance(body.get("updates"), list)):
            raise RetryLater("The long poll answered with something unexpected", code="bad_answer")
        return body

    async def close(self) -> None:
        await self.http.close()
