"""Bytes of a mail to text, whatever their charset claims to be. Never raises."""

import codecs
import re

from charset_normalizer import from_bytes

# What senders write, and what they mean. The Chinese and Korean names stand for supersets in practice.
ALIASES = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "euc-kr": "cp949",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "cp-1251": "cp1251",
    "win-1251": "cp1251",
    "windows1251": "cp1251",
    "koi8r": "koi8-r",
    "utf8mb4": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
}
GUESSES = ["cp1251", "koi8-r", "cp866", "iso8859_5", "cp1252", "cp1250", "cp1254", "gb18030", "cp932"]
GUESS_SAMPLE = 20_000

_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")


def clean(text: str) -> str:
    """Drop what no database and no screen takes: NUL, control characters, lone surrogates."""
    return _CONTROL.sub("", text)


def decode(data: bytes, declared: str = "") -> str:
    """Text of `data`: as declared, else UTF-8, else the likeliest of `GUESSES`, else Latin-1."""
    for name in (_codec(declared), "utf-8"):
        text = _strict(data, name)
        if text is not None:
            return clean(text.removeprefix("\ufeff"))
    return clean(_guess(data))


def _codec(declared: str) -> str:
    name = declared.strip().strip("\"'").lower()
    name = ALIASES.get(name, name)
    try:
        # `rot13`, `hex` and the like are codecs, too, but not of text.
        return name if codecs.lookup(name)._is_text_encoding else ""
    except (LookupError, ValueError):
        return ""


def _strict(data: bytes, codec: str) -> str | None:
    if not codec or codec in ("unicode_escape", "raw_unicode_escape", "idna", "punycode"):
        return None
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        # Only the last character is cut: an excerpt of a larger text.
        cut = len(data) > 4 and error.start >= len(data) - 3 and codec == "utf-8"
        return data[: error.start].decode(codec) if cut else None
    except (UnicodeError, ValueError):
        return None


def _guess(data: bytes) -> str:
    try:
        best = from_bytes(data[:GUESS_SAMPLE], cp_isolation=GUESSES, threshold=0.5).best()
    except Exception:
        best = None
    if best is not None:
        return data.decode(best.encoding, "replace")
    return data.decode("latin-1")
