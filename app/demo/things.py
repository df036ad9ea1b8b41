"""Files of the story by name: pictures, a voice note, a PDF. The same name always gives the same bytes."""

import io
import math
import random
import wave
from dataclasses import dataclass
from functools import lru_cache

from app.demo import pictures
from channels.base import Kind

_RATE = 8000


@dataclass(frozen=True)
class Thing:
    """A file as a customer or an agent sends it."""

    name: str
    kind: Kind
    mime: str
    data: bytes


@lru_cache(64)
def thing(name: str) -> Thing:
    """`sofa-leg.png`, `angry.wav`, `invoice.pdf`, `face-3.png`, `sticker.png`; raises `KeyError`."""
    stem, _, extension = name.rpartition(".")
    if extension == "wav":
        return Thing(name, "voice", "audio/wav", _voice(stem))
    if extension == "pdf":
        return Thing(name, "document", "application/pdf", _pdf(stem))
    if name == "sticker.png":
        return Thing(name, "sticker", "image/png", pictures.sticker())
    if stem.startswith("face-"):
        return Thing(name, "image", "image/png", pictures.face(int(stem[5:])))
    return Thing(name, "image", "image/png", pictures.picture(stem))


def _voice(name: str) -> bytes:
    """A hum that rises and falls like talk; nobody says anything."""
    dice = random.Random(name)  # noqa: S311 - a sound
    base, words = (150, 16) if name == "angry" else (220, 9)
    samples = bytearray()
    for _ in range(words):
        pitch, length = base * dice.uniform(0.8, 1.5), int(_RATE * dice.uniform(0.1, 0.32))
        for at in range(length):
            swell = math.sin(math.pi * at / length)
            wobble = math.sin(2 * math.pi * pitch * at / _RATE) + 0.4 * math.sin(
                4 * math.pi * pitch * at / _RATE
            )
            samples.append(128 + int(60 * swell * wobble))
        samples += b"\x80" * int(_RATE * dice.uniform(0.03, 0.14))
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(_RATE)
        file.writeframes(bytes(samples))
    return out.getvalue()


def seconds(data: bytes) -> int:
    """Length of a voice note."""
    return max(1, round((len(data) - 44) / _RATE))


def _pdf(title: str) -> bytes:
    lines = ["Cricket House", title.replace("-", " ").capitalize(), "", "Made for the demonstration only."]
    shown = " ".join(f"({line}) Tj 0 -28 Td" for line in lines)
    stream = f"BT /F1 20 Tf 72 720 Td {shown} ET".encode("ascii", "replace")
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(bodies, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % table
    return bytes(out)
