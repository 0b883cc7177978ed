"""Frames of a film as a GIF, or as a page that plays them."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

# Whoever has no JavaScript, or has it stripped as some viewers of notebooks do, sees the last frame.
PAGE = """<div class="schuss-race" style="display: inline-block; max-width: 100%">
<img src="{last}" alt="{alt}" style="max-width: 100%; display: block">
<div style="display: flex; gap: 0.5em; align-items: center">
<button type="button" aria-label="play or pause" style="width: 2.5em">&#9654;</button>
<input type="range" min="0" max="{end}" value="{end}" aria-label="frame" style="flex: 1">
</div>
<script type="application/json">{frames}</script>
</div>
<script>
document.querySelectorAll(".schuss-race:not([data-ready])").forEach(function (race) {{
  race.dataset.ready = "yes";
  const frames = JSON.parse(race.querySelector("script").textContent);
  const picture = race.querySelector("img"), button = race.querySelector("button");
  const slider = race.querySelector("input");
  let timer = null;
  function show(frame) {{ slider.value = frame; picture.src = frames[frame]; }}
  function pause() {{ clearInterval(timer); timer = null; button.textContent = "\\u25B6"; }}
  function play() {{
    button.textContent = "\\u275A\\u275A";
    timer = setInterval(function () {{
      if (!race.isConnected) return pause();
      const next = Number(slider.value) + 1;
      if (next < frames.length) show(next); else pause();
    }}, {interval});
  }}
  button.onclick = function () {{
    if (timer !== null) return pause();
    if (Number(slider.value) === frames.length - 1) show(0);
    play();
  }};
  slider.oninput = function () {{ pause(); show(Number(slider.value)); }};
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) {{ show(0); play(); }}
}});
</script>
"""
# A file says itself how its names are encoded.
WHOLE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Optimizers on their way down</title>
</head>
<body>
{film}</body>
</html>
"""


def picture_of(figure: Figure, dpi: float) -> Image:
    """A figure as it is now, in few enough colours for a GIF."""
    from PIL import Image

    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    with Image.open(file) as picture:
        # Of many greys and few colours: the default would take thin lines for greys.
        return picture.convert("RGB").quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def save_gif(path: str, pictures: Iterator[Image], seconds: float) -> None:
    """Write a GIF that plays for ever; each picture stays that long."""
    from PIL.Image import Dither

    every = list(pictures)
    # With the same colours in the same places only what has moved is written.
    first, *rest = (each.convert("RGB").quantize(palette=every[-1], dither=Dither.NONE) for each in every)
    # A GIF counts in hundredths of a second.
    duration = 10 * max(1, round(100 * seconds))
    first.save(path, format="GIF", save_all=True, append_images=rest, duration=duration, loop=0)


def page_of(pictures: Iterator[Image], seconds: float, alt: str) -> str:
    """HTML that plays the pictures once, and again where its button is pressed."""
    frames = [_inline(picture) for picture in pictures]
    facts: dict[str, Any] = {"last": frames[-1], "end": len(frames) - 1, "alt": alt}
    return PAGE.format(frames=json.dumps(frames), interval=round(1000 * seconds), **facts)


def _inline(picture: Image) -> str:
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"
