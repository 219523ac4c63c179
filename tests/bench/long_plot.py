#!/usr/bin/env python3
"""Draws what long_ratio.py saved: time and memory against length, as one SVG.

    long_plot.py TABLE.json PLOT.svg

Needs nothing but Python. Colours are read on white as on black, and the file has no background of its own.
"""
import argparse
import html
import json
import math
import pathlib

WIDTH, HEIGHT = 920, 430
PANELS = (("Seconds a text", 0, 70), ("Peak memory beyond the weights, MiB", 1, 520))  # title, value, left
TOP, PANEL_WIDTH, PANEL_HEIGHT = 56, 370, 270
# Dashed: transformers. One hue a pattern.
STYLES = {
    "Headlight, bert-base": ("dense, Headlight", "#d9730d", ""),
    "transformers, bert-base": ("dense, transformers sdpa", "#d9730d", "5 4"),
    "Headlight, longformer-base": ("window, Headlight", "#2f81f7", ""),
    "transformers, longformer-base": ("window, transformers", "#2f81f7", "5 4"),
}
GREY = "#808890"


def text(x, y, words, anchor="middle", size=12, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}">'
            f"{html.escape(words)}</text>")


def line(x1, y1, x2, y2, opacity):
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{GREY}" stroke-opacity="{opacity}"/>'


class Axis:
    """Logarithmic, so that a straight line's slope is the power of growth."""

    def __init__(self, values, start, end):
        self.low, self.high = min(values), max(values)
        self.start, self.end = start, end

    def place(self, value):
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + (self.end - self.start) * part


def tick_values(low, high):
    """1, 2 and 5 of each power of ten within the bounds."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [step * 10.0**power for power in powers for step in (1, 2, 5) if low <= step * 10.0**power <= high]


def draw_axes(across, up, lengths):
    parts = []
    for value in tick_values(up.low, up.high):
        parts.append(line(across.start, up.place(value), across.end, up.place(value), 0.25))
        parts.append(text(across.start - 6, up.place(value) + 4, f"{value:,g}", "end"))
    for length in lengths:
        parts.append(line(across.place(length), up.start, across.place(length), up.end, 0.25))
        parts.append(text(across.place(length), up.start + 18, f"{length:,}"))
    return parts


def draw_curves(series, value, across, up):
    for name, points in series.items():
        _, colour, dashes = STYLES[name]
        places = [(across.place(int(length)), up.place(measured[value])) for length, measured in points.items()]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2.2" stroke-dasharray="{dashes}"/>'
        for x, y in places:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def draw_panel(series, title, value, left):
    lengths = sorted({int(length) for points in series.values() for length in points})
    measured = [point[value] for points in series.values() for point in points.values()]
    across = Axis(lengths, left, left + PANEL_WIDTH)
    up = Axis([min(measured) * 0.8, max(measured) * 1.25], TOP + PANEL_HEIGHT, TOP)
    middle = left + PANEL_WIDTH / 2
    return [*draw_axes(across, up, lengths), *draw_curves(series, value, across, up),
            text(middle, TOP - 14, title, size=14, weight="bold"),
            text(middle, TOP + PANEL_HEIGHT + 38, "tokens (both axes are logarithmic)")]


def draw_legend():
    for index, (words, colour, dashes) in enumerate(STYLES.values()):
        x, y = 64 + index * 210, HEIGHT - 30
        yield f'<path d="M{x} {y}h34" stroke="{colour}" stroke-width="2.2" stroke-dasharray="{dashes}"/>'
        yield text(x + 40, y + 4, words, "start")


def draw(table):
    parts = [part for panel in PANELS for part in draw_panel(table["series"], *panel)]
    about = table["about"]
    caption = (f"BERT's and Longformer's base shapes (a window of 512), {about['layers']} layers, fp32, one thread, "
               f"{about['cpu']}")
    parts.append(text(WIDTH / 2, HEIGHT - 6, caption, size=11))
    body = "\n".join([*parts, *draw_legend()])
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
            f'fill="{GREY}">\n<title>Time and memory against the length of a text</title>\n{body}\n</svg>\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=pathlib.Path)
    parser.add_argument("plot", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.plot.write_text(draw(json.loads(arguments.table.read_text())))


if __name__ == "__main__":
    main()
