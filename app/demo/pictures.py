"""Small pictures drawn in code: what customers photograph, and faces."""

import random
import struct
import zlib
from collections.abc import Callable

Colour = tuple[int, int, int]

WALL, FLOOR, OAK, WALNUT, DARK = (
    (233, 224, 212),
    (196, 164, 128),
    (190, 140, 84),
    (112, 74, 46),
    (52, 46, 44),
)
RED, GREEN, BLUE, CREAM, GREY = (
    (205, 52, 48),
    (104, 138, 100),
    (86, 110, 138),
    (250, 240, 214),
    (150, 146, 142),
)


class Canvas:
    """Pixels in rows; what is drawn outside of them is left out."""

    def __init__(self, width: int, height: int, colour: Colour) -> None:
        self.width, self.height = width, height
        self.rows = [bytearray(bytes(colour) * width) for _ in range(height)]

    def rect(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        left, right = max(0, x), min(self.width, x + width)
        if right > left:
            for row in self.rows[max(0, y) : max(0, y + height)]:
                row[left * 3 : right * 3] = bytes(colour) * (right - left)

    def disc(self, x: int, y: int, radius: int, colour: Colour) -> None:
        for row in range(-radius, radius + 1):
            half = int((radius**2 - row**2) ** 0.5)
            if 0 <= y + row < self.height:
                self.rect(x - half, y + row, 2 * half, 1, colour)

    def line(self, x: int, y: int, to_x: int, to_y: int, colour: Colour, *, thick: int = 3) -> None:
        steps = max(abs(to_x - x), abs(to_y - y), 1)
        for step in range(steps + 1):
            self.rect(x + (to_x - x) * step // steps, y + (to_y - y) * step // steps, thick, thick, colour)

    def shade(self) -> None:
        """Light from the left above, so that it looks less like a drawing."""
        for number, row in enumerate(self.rows):
            level = 256 - 46 * number // self.height
            self.rows[number] = bytearray(value * level >> 8 for value in row)

    def png(self) -> bytes:
        raw = b"".join(b"\0" + bytes(row) for row in self.rows)
        head = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        parts = (_chunk(b"IHDR", head), _chunk(b"IDAT", zlib.compress(raw, 6)), _chunk(b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _room(width: int = 560, height: int = 400) -> Canvas:
    canvas = Canvas(width, height, WALL)
    canvas.rect(0, height * 3 // 4, width, height // 4, FLOOR)
    for y in range(height * 3 // 4, height, 24):
        canvas.rect(0, y, width, 2, (176, 144, 108))
    return canvas


def _sofa_leg() -> Canvas:
    canvas = _room()
    canvas.rect(70, 110, 420, 130, (88, 118, 104))
    canvas.rect(48, 160, 60, 130, (76, 104, 92))
    canvas.rect(452, 160, 60, 130, (76, 104, 92))
    canvas.rect(104, 214, 350, 76, (104, 134, 118))
    canvas.rect(278, 214, 3, 76, (76, 104, 92))
    for x in (70, 190, 350):
        canvas.rect(x, 290, 22, 52, WALNUT)
    canvas.rect(470, 290, 22, 34, RED)
    canvas.disc(481, 310, 44, (236, 72, 60))
    canvas.disc(481, 310, 40, FLOOR)
    canvas.rect(470, 290, 22, 34, RED)
    canvas.rect(452, 270, 60, 20, (76, 104, 92))
    return canvas


def _lamp() -> Canvas:
    canvas = Canvas(420, 420, (44, 48, 66))
    canvas.disc(210, 180, 150, (92, 84, 74))
    canvas.disc(210, 180, 110, (250, 214, 130))
    canvas.disc(210, 180, 92, (255, 236, 182))
    canvas.rect(196, 288, 28, 90, DARK)
    canvas.rect(140, 372, 140, 16, DARK)
    for part in ((150, 190, 176, 214), (176, 214, 214, 222), (214, 222, 252, 210), (252, 210, 270, 184)):
        canvas.line(*part, DARK)
    return canvas


def _shelf() -> Canvas:
    canvas = _room(420, 520)
    for y in (70, 150, 230, 326, 406):
        canvas.rect(90, y, 240, 14, OAK)
    for x in (90, 318):
        canvas.rect(x, 50, 12, 400, WALNUT)
    for x, height, colour in ((110, 54, RED), (130, 48, BLUE), (152, 58, GREEN), (180, 40, CREAM)):
        canvas.rect(x, 150 - height, 18, height, colour)
    canvas.disc(270, 204, 26, DARK)
    canvas.disc(270, 176, 16, DARK)
    canvas.rect(258, 158, 7, 10, DARK)
    canvas.rect(276, 158, 7, 10, DARK)
    canvas.line(296, 220, 330, 200, DARK, thick=6)
    return canvas


def _cup() -> Canvas:
    canvas = Canvas(440, 360, (214, 222, 224))
    canvas.rect(0, 270, 440, 90, OAK)
    canvas.disc(300, 180, 54, CREAM)
    canvas.disc(300, 180, 34, (214, 222, 224))
    canvas.rect(130, 100, 170, 180, CREAM)
    canvas.rect(130, 92, 170, 14, (226, 214, 186))
    for part in ((190, 100, 204, 140), (204, 140, 188, 176), (188, 176, 206, 214), (206, 214, 198, 250)):
        canvas.line(*part, DARK)
    return canvas


def _box() -> Canvas:
    canvas = _room(480, 380)
    canvas.rect(110, 130, 260, 190, (198, 158, 108))
    canvas.rect(110, 130, 260, 34, (178, 138, 90))
    canvas.rect(226, 130, 28, 190, (222, 196, 150))
    canvas.disc(240, 124, 54, WALL)
    canvas.line(190, 150, 240, 186, (128, 94, 58), thick=4)
    canvas.line(240, 186, 296, 148, (128, 94, 58), thick=4)
    canvas.rect(130, 270, 60, 34, CREAM)
    return canvas


def _dusty_room() -> Canvas:
    canvas = Canvas(560, 400, (216, 178, 176))
    canvas.rect(0, 310, 560, 90, FLOOR)
    canvas.rect(60, 60, 130, 150, CREAM)
    canvas.rect(68, 68, 114, 134, (176, 206, 224))
    canvas.rect(122, 68, 6, 134, CREAM)
    canvas.rect(230, 220, 230, 90, BLUE)
    canvas.rect(215, 200, 30, 110, (72, 94, 120))
    canvas.rect(446, 200, 30, 110, (72, 94, 120))
    canvas.rect(160, 330, 240, 26, GREEN)
    return canvas


def _stool() -> Canvas:
    canvas = _room(420, 400)
    canvas.rect(110, 170, 180, 30, GREEN)
    for x in (126, 250):
        canvas.rect(x, 200, 18, 140, OAK)
    for row in range(60):
        width = int(46 * (1 - abs(row - 30) / 30))
        canvas.rect(340 - width // 2, 200 + row, width, 1, (92, 150, 84))
    canvas.line(340, 250, 340, 290, (70, 112, 62))
    return canvas


_PICTURES: dict[str, Callable[[], Canvas]] = {
    "sofa-leg": _sofa_leg,
    "lamp": _lamp,
    "shelf": _shelf,
    "cup": _cup,
    "box": _box,
    "room": _dusty_room,
    "stool": _stool,
}


def picture(name: str) -> bytes:
    """The PNG called `name`; raises `KeyError`."""
    canvas = _PICTURES[name]()
    canvas.shade()
    return canvas.png()


def sticker() -> bytes:
    """A cricket that waves."""
    canvas = Canvas(256, 256, (255, 255, 255))
    canvas.disc(128, 140, 84, (122, 168, 92))
    canvas.disc(100, 116, 20, (255, 255, 255))
    canvas.disc(156, 116, 20, (255, 255, 255))
    canvas.disc(104, 120, 9, DARK)
    canvas.disc(152, 120, 9, DARK)
    canvas.line(96, 172, 128, 186, DARK, thick=6)
    canvas.line(128, 186, 160, 172, DARK, thick=6)
    canvas.line(96, 66, 66, 16, DARK, thick=5)
    canvas.line(160, 66, 190, 16, DARK, thick=5)
    return canvas.png()


def face(number: int) -> bytes:
    """A face of its own for every number; the odd ones have long hair."""
    dice = random.Random(number)  # noqa: S311 - a drawing
    skin = dice.choice(((240, 205, 175), (222, 178, 140), (172, 122, 86), (120, 82, 58)))
    hair = dice.choice((DARK, WALNUT, (196, 150, 70), (176, 88, 46), (190, 186, 180)))
    shirt = dice.choice((RED, GREEN, BLUE, (214, 168, 66), (128, 92, 140)))
    canvas = Canvas(
        160, 160, dice.choice(((206, 222, 226), (236, 220, 200), (216, 226, 204), (230, 212, 222)))
    )
    canvas.disc(80, 174, 66, shirt)
    canvas.rect(68, 96, 24, 30, skin)
    canvas.disc(80, 66, 44, hair)
    if number % 2:
        canvas.rect(36, 64, 88, 46, hair)
    canvas.disc(80, 76, 36, skin)
    canvas.disc(67, 74, 4, DARK)
    canvas.disc(93, 74, 4, DARK)
    canvas.line(68, 92, 80, 96, (150, 70, 66))
    canvas.line(80, 96, 92, 92, (150, 70, 66))
    return canvas.png()
