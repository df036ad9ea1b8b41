"""The demo: its story, its platforms, its living traffic."""
