"""The files of the sample: small PDFs and a picture, drawn here."""

from __future__ import annotations

import io
import math
from typing import Final

from PIL import Image, ImageDraw
from reportlab.lib.pagesizes import A5
from reportlab.pdfgen.canvas import Canvas

_LINES: Final = (
    "Document inventé pour le mode invité.",
    "Il ne concerne personne, et ne dit rien de vrai.",
)


def pdf(title: str) -> bytes:
    """A page with a title that says that it is invented."""
    out = io.BytesIO()
    page = Canvas(out, pagesize=A5, invariant=1)
    page.setTitle(title)
    page.setFillColorRGB(0.04, 0.36, 0.39)
    page.rect(0, A5[1] - 60, A5[0], 60, stroke=0, fill=1)
    page.setFillColorRGB(1, 1, 1)
    page.setFont("Helvetica-Bold", 18)
    page.drawString(30, A5[1] - 38, title)
    page.setFillColorRGB(0.1, 0.15, 0.17)
    page.setFont("Helvetica", 11)
    for number, line in enumerate(_LINES):
        page.drawString(30, A5[1] - 100 - 18 * number, line)
    page.save()
    return out.getvalue()


def picture() -> bytes:
    """Something like the radiograph of a wrist."""
    image = Image.new("L", (480, 640), 12)
    draw = ImageDraw.Draw(image)
    for left, wide in ((170, 54), (262, 44)):
        draw.rounded_rectangle((left, 300, left + wide, 660), 24, fill=150)
    for number in range(8):
        angle = math.pi * (0.2 + 0.09 * number)
        x, y = 240 + 90 * math.cos(angle), 300 - 70 * math.sin(angle) * (1 + number % 2 / 3)
        draw.ellipse((x - 26, y - 24, x + 26, y + 24), fill=172)
    for number in range(5):
        left = 120 + 56 * number
        draw.rounded_rectangle((left, 40 + 22 * abs(2 - number), left + 24, 190), 12, fill=160)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
