"""The doors: HTTP, websocket, webhooks, the static console."""
