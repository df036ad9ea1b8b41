"""Measurements: each figure is a ratio to a limit taken in the same run on the same data."""
