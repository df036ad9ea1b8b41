"""What can go wrong with channels, for a caller."""

from app.core.errors import Conflict, Invalid


class ChannelRefused(Invalid):
    """The platform did not accept the account, or could not be reached."""

    code, title = "channel_refused", "The platform did not accept this account."


class ChannelExists(Conflict):
    code, title = "channel_exists", "This account is connected already."


class Fenced(Exception):
    """Another process has taken the channel over: stop pulling, store nothing."""
