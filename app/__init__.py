"""The program: its core, its people, its web and its processes."""
