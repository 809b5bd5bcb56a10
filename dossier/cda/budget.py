"""How much of a document is shown: a page that a telephone opens, whatever was sent."""

from __future__ import annotations

from typing import Final

MAX_NODES: Final = 30_000
MAX_TEXT: Final = 1_000_000
MAX_IMAGES: Final = 40
MAX_IMAGE_BYTES: Final = 6_000_000  # all together
#: Deeper than this, what a narrative says is kept as text.
MAX_DEPTH: Final = 30


class Budget:
    """What is left of all that; ``cut`` once something was left out."""

    def __init__(self) -> None:
        self.cut = False
        self._nodes = MAX_NODES
        self._text = MAX_TEXT
        self._images = MAX_IMAGES
        self._image_bytes = MAX_IMAGE_BYTES

    def node(self) -> bool:
        """Whether one more element may be shown."""
        self._nodes -= 1
        self.cut = self.cut or self._nodes < 0
        return self._nodes >= 0

    def text(self, text: str) -> str:
        """As much of a text as may still be shown."""
        kept = text[: self._text]
        self._text -= len(kept)
        self.cut = self.cut or len(kept) < len(text)
        return kept

    def fits(self, size: int) -> bool:
        """Whether an image of so many octets could be shown now."""
        return self._images > 0 and size <= self._image_bytes

    def image(self, size: int) -> bool:
        """Whether one more image of so many octets may be shown: then it is counted."""
        fits = self.fits(size)
        if fits:
            self._images -= 1
            self._image_bytes -= size
        return fits
