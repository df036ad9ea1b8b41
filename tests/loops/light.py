"""A fresh web process: lists kinds, stores a Telegram webhook, answers; then says what it has imported.

Run as a program with a JSON of `url`, `folder`, `key`, `hook`, `secret`, `token`, `dialog` as argument.
"""

import asyncio
import json
import sys
from pathlib import Path

import httpx
import psutil

from app.main import create_app
from tests.api.conftest import make_settings


async def main(told: dict[str, str]) -> dict[str, object]:
    settings = make_settings(told["url"], Path(told["folder"]), secret_key=told["key"])
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        headers = {"Authorization": f"Bearer {told['token']}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as http:
            kinds = await http.get("/api/v1/channels/kinds", headers=headers)
            state = await http.get("/api/v1/sync", headers=headers)
            update = {"update_id": 2, "message": {"message_id": 2, "chat": {"id": 5, "type": "private"}}}
            hook = await http.post(
                told["hook"], json=update, headers={"X-Telegram-Bot-Api-Secret-Token": told["secret"]}
            )
            answer = await http.post(
                f"/api/v1/dialogs/{told['dialog']}/messages",
                json={"client_key": "a-fresh-key", "text": "Здравствуйте!"},
                headers=headers,
            )
    return {
        "statuses": [kinds.status_code, state.status_code, hook.status_code, answer.status_code],
        "aiogram": "aiogram" in sys.modules,
        "megabytes": round(psutil.Process().memory_info().rss / 2**20),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
