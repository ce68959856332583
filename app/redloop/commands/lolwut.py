"""LOLWUT: a drawing, and the version (https://redis.io/docs/latest/commands/lolwut/).

A field of squares that lose their order from top to bottom, after Georg Nees's Schotter of 1968, in Braille dots. VERSION 5 and 6 take
the numbers of columns, and rows or squares, as there; any other version the same drawing with its own.
"""

from __future__ import annotations

from math import cos, pi, sin
from random import Random
from typing import Final

from redloop.engine.client import Client
from redloop.engine.command import FAST, READONLY, family
from redloop.engine.server import REDIS_VERSION
from redloop.numbers import parse_int
from redloop.resp.replies import Reply, Verbatim

command = family("server")

COLUMNS: Final = 66
SQUARES: Final = 8
ROWS: Final = 12
MOST: Final = (200, 200, 200)
SIZED: Final = (5, 6)
"""Versions that take sizes; the others look at nothing."""
DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of a Braille character for each of its 4 rows and 2 columns of dots."""


class Canvas:
    """Dots, two by four to a character."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._cells = [[0] * ((width + 1) // 2) for _ in range((height + 3) // 4)]

    def dot(self, x: int, y: int) -> None:
        """Sets a dot, if it is on the canvas."""
        if 0 <= x < self.width and 0 <= y < self.height:
            self._cells[y // 4][x // 2] |= DOTS[y % 4][x % 2]

    def line(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """Draws a line."""
        steps = int(max(abs(x2 - x1), abs(y2 - y1))) + 1
        for step in range(steps + 1):
            self.dot(round(x1 + (x2 - x1) * step / steps), round(y1 + (y2 - y1) * step / steps))

    def square(self, x: float, y: float, size: float, angle: float) -> None:
        """Draws a square around its centre, turned by `angle` radians."""
        corners = [(x + size * cos(angle + pi / 4 + turn * pi / 2), y + size * sin(angle + pi / 4 + turn * pi / 2)) for turn in range(4)]
        for at in range(4):
            self.line(*corners[at - 1], *corners[at])

    def text(self) -> str:
        """The canvas as lines of Braille."""
        return "".join(["".join([chr(0x2800 + cell) for cell in row]) + "\n" for row in self._cells])


def schotter(columns: int, per_row: int, rows: int, random: Random) -> str:
    """The drawing, `columns` characters wide, with `rows` rows of `per_row` squares."""
    width = columns * 2
    side = (width - 4) / per_row
    canvas = Canvas(width, int(side * rows) + 4)
    for row in range(rows):
        disorder = max(0.0, row / max(1, rows - 1) - 0.1)
        for column in range(per_row):
            x = 2 + side * (column + 0.5) + (random.random() - 0.5) * disorder * side
            y = 2 + side * (row + 0.5) + (random.random() - 0.5) * disorder * side
            canvas.square(x, y, side * 0.62, (random.random() - 0.5) * disorder * pi / 2)
    return canvas.text()


@command("LOLWUT [VERSION version]", "Draws a picture and tells the version.", READONLY | FAST, since="5.0.0")
def lolwut(client: Client, argv: list[bytes]) -> Reply:
    sizes = [COLUMNS, SQUARES, ROWS]
    if len(argv) > 2 and argv[1].upper() == b"VERSION" and parse_int(argv[2]) in SIZED:
        for at, word in enumerate(argv[3:6]):
            sizes[at] = min(max(1, parse_int(word)), MOST[at])
    drawing = schotter(sizes[0], sizes[1], sizes[2], client.server.random)
    return Verbatim(f"{drawing}\nGeorg Nees - schotter, plotter on paper, 1968. Redis ver. {REDIS_VERSION}\n".encode())
