"""Uploads by vk_api, made fit for us: in a thread, with time-outs, over the channel's own HTTP settings.

vk_api knows one address, has no time-outs, and sleeps when VK is busy. All its traffic goes through
`_Bridge`, which uses httpx as the rest of the adapter does.
"""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import requests
from jconfig.memory import MemoryConfig  # type: ignore[import-untyped]
from requests.adapters import BaseAdapter
from vk_api import VkApi, VkUpload
from vk_api.exceptions import ApiError, ApiHttpError, Captcha, VkApiError

from channels.base import DeliveryError, OutgoingFile, Rejected, RetryLater
from channels.http import client_options
from channels.text import clean
from channels.vk.client import VERSION, Client
from channels.vk.errors import of_code

_API = "https://api.vk.ru/"
_TOO_MANY = 6
_PHOTOS = frozenset({"image/jpeg", "image/png", "image/gif"})
_VOICES = frozenset({"audio/ogg", "audio/opus"})


class _Bridge(BaseAdapter):
    """`requests` over httpx: our address instead of vk_api's, our proxy, certificates and time-outs."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._base = client.http.base_url + "/"
        self._http = httpx.Client(**client_options(client.http.settings))

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        url = request.url or ""
        if url.startswith(_API):
            url = self._base + url.removeprefix(_API)
        given = dict(request.headers)
        answer = self._http.request(request.method or "GET", url, headers=given, content=request.body or b"")
        response = requests.Response()
        response.status_code = answer.status_code
        response._content = answer.content
        response.request = request
        return response

    def close(self) -> None:
        self._http.close()


class Uploader:
    """Uploads one file at a time in a thread of its own, so that nothing else waits for a dead peer."""

    def __init__(self, client: Client, token: str) -> None:
        self._client, self._token = client, token
        self._thread: ThreadPoolExecutor | None = None
        self._upload: VkUpload | None = None

    async def upload(self, file: OutgoingFile, *, peer: int) -> str:
        """Upload a file for a message to `peer`; returns `photo-1_2_key` to attach. Safe to repeat.

        The whole may take three calls' time.
        """
        content = await file.content.read()
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="vk-upload")
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._run, file, content, peer)
        try:
            async with asyncio.timeout(3 * self._client.timeout):
                return await work
        except TimeoutError:
            raise RetryLater("The upload took too long", code="timeout") from None

    def _run(self, file: OutgoingFile, content: bytes, peer: int) -> str:
        try:
            if self._upload is None:
                self._upload = _vk_upload(self._client, self._token)
            return _store(self._upload, file, content, peer)
        except DeliveryError:
            raise
        except Exception as error:
            # Errors of vk_api hold the token and all parameters: nothing of them may go on.
            raise _failure(error) from None

    async def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None
        if self._upload is not None:
            self._upload.http.close()
            self._upload = None


def _vk_upload(client: Client, token: str) -> VkUpload:
    session = requests.Session()
    session.trust_env = False
    bridge = _Bridge(client)
    session.mount("https://", bridge)
    session.mount("http://", bridge)
    vk = VkApi(token=token.strip(), api_version=VERSION, config=MemoryConfig, session=session)
    # The core owns the rate; the library would sleep and call itself without end.
    vk.RPS_DELAY = 0
    vk.error_handlers[_TOO_MANY] = _give_up
    upload = VkUpload(vk)
    upload.http = session
    return upload


def _give_up(error: ApiError) -> None:
    raise error


def _store(upload: VkUpload, file: OutgoingFile, content: bytes, peer: int) -> str:
    stream = io.BytesIO(content)
    stream.name = clean(file.name) or "file"
    if file.kind == "image" and file.mime in _PHOTOS:
        saved = upload.photo_messages(stream, peer_id=peer)[0]
        return _reference("photo", saved)
    if file.kind == "voice" and file.mime in _VOICES:
        return _reference("doc", upload.audio_message(stream, peer_id=peer)["audio_message"])
    return _reference("doc", upload.document_message(stream, title=stream.name, peer_id=peer)["doc"])


def _reference(kind: str, saved: dict[str, Any]) -> str:
    key = f"_{saved['access_key']}" if saved.get("access_key") else ""
    return f"{kind}{saved['owner_id']}_{saved['id']}{key}"


def _failure(error: Exception) -> DeliveryError:
    """Nothing was shown to anybody yet, so whatever broke on the way may be tried again."""
    if isinstance(error, Captcha):
        return of_code(14, "")
    if isinstance(error, ApiError):
        return of_code(int(error.code), str(error.error.get("error_msg", "VK refused"))[:300])
    if isinstance(error, ApiHttpError | httpx.HTTPError | requests.RequestException | ValueError):
        return RetryLater("The upload to VK failed", code="upload")
    if isinstance(error, KeyError | IndexError | TypeError | VkApiError):
        return Rejected("VK did not take the file", code="bad_file")
    return RetryLater("The upload to VK failed", code="upload")
