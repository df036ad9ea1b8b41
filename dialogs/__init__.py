"""Customers, their dialogs and messages, on the way in and on the way out."""
