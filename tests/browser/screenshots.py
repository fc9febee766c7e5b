"""
Pictures of the pages in docs/screenshots, a desktop's and a phone's of each: `python tests/browser/screenshots.py [FOLDER]`.

Not part of the tests: run it after a change of how pages look. Where Pillow is installed the pictures take a third of the space.
"""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path

from chromium import Bench, chromium, executable, unusable
from page_samples import SAMPLES

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
SIZES = {"": {"width": 900, "height": 640}, "-phone": {"width": 360, "height": 640}}
LEFT_OUT = {"api-docs", "front"}


def packed(picture: bytes) -> bytes:
    """With a palette, which is enough for pages of a few colours."""
    try:
        from PIL import Image
    except ImportError:
        return picture
    small = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(96, dither=0).save(small, "PNG", optimize=True)
    return small.getvalue()


async def main(folder: Path, scheme: str, *, every_state: bool) -> None:
    if (reason := unusable()) is not None:
        raise SystemExit(reason)
    folder.mkdir(parents=True, exist_ok=True)
    async with chromium(executable() or "") as browser:
        bench = Bench(browser)
        for name, states in SAMPLES.items():
            for state in list(states)[: None if every_state else 1]:
                for suffix, size in SIZES.items():
                    if name in LEFT_OUT and not every_state:
                        continue
                    shown = await bench.turn_to(name, state, viewport=size, color_scheme=scheme)
                    file = f"{name}-{state}{suffix}.png" if every_state else f"{name}{suffix}.png"
                    (folder / file).write_bytes(packed(await shown.page.screenshot(full_page=True)))


if __name__ == "__main__":
    everything = len(sys.argv) > 1
    where = Path(sys.argv[1]) if everything else FOLDER
    asyncio.run(main(where, sys.argv[2] if len(sys.argv) > 2 else "light", every_state=everything))
