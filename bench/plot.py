"""Line charts as SVG, by hand: nothing but the standard library."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 460
LEFT, RIGHT, TOP, BOTTOM = 96, 200, 44, 56
# Tell apart in print and by those who see few colours; hawser's own are the first, and thicker.
COLOURS = ["#c1121f", "#f08a24", "#e9b44c", "#1d3557", "#457b9d", "#2a9d8f", "#6a994e", "#7b2cbf",
           "#8d6e63", "#5c677d", "#000000", "#d55fa0"]
DASHES = ["", "6 3", "2 3", "8 3 2 3"]


class Chart:
    """x: the labels of the points, evenly spaced. series: {name: [value or None]}. y is logarithmic."""

    def __init__(self, title, x_title, y_title, x, series, y_text):
        self.title, self.x_title, self.y_title = title, x_title, y_title
        self.x, self.y_text = x, y_text
        self.series = {name: row for name, row in series.items() if any(row)}
        values = [value for row in self.series.values() for value in row if value]
        self.low = 10 ** math.floor(math.log10(min(values, default=1)))
        self.high = 10 ** math.ceil(math.log10(max(values, default=10) * 1.0001))

    def _x(self, index):
        inner = WIDTH - LEFT - RIGHT
        return LEFT + inner * (index + 0.5) / len(self.x)

    def _y(self, value):
        share = math.log10(value / self.low) / math.log10(self.high / self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def _grid(self):
        right, decade = WIDTH - RIGHT, self.low
        while decade <= self.high * 1.001:
            y = self._y(decade)
            yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#bbb"/>'
            label = self.y_text(decade).replace(".00", "").replace(".0 ", " ")
            yield _text(LEFT - 8, y + 4, label, "end")
            for part in range(2, 10):
                if decade * part < self.high:
                    y = self._y(decade * part)
                    yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#eee"/>'
            decade *= 10
        for index, label in enumerate(self.x):
            yield _text(self._x(index), HEIGHT - BOTTOM + 18, label, "middle")

    def _lines(self):
        for number, (name, row) in enumerate(self.series.items()):
            colour = COLOURS[number % len(COLOURS)]
            dash = DASHES[number // len(COLOURS) % len(DASHES)]
            width = 3 if name.startswith("hawser") else 1.6
            points = [(self._x(i), self._y(value)) for i, value in enumerate(row) if value]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            style = f'stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dash}"'
            yield f'<polyline points="{path}" fill="none" {style}/>'
            for x, y in points:
                yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{width:.1f}" fill="{colour}"/>'
            y, x = TOP + 10 + 18 * number, WIDTH - RIGHT + 14
            yield f'<line x1="{x}" y1="{y}" x2="{x + 24}" y2="{y}" {style}/>'
            yield _text(x + 30, y + 4, name)

    def svg(self):
        middle = (TOP + HEIGHT - BOTTOM) / 2
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            _text(LEFT, 24, self.title, size=15),
            *self._grid(),
            *self._lines(),
            _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, self.x_title, "middle"),
            f'<g transform="rotate(-90 16 {middle})">',
            _text(16, middle, self.y_title, "middle"),
            "</g></svg>",
        ]
        return "\n".join(parts) + "\n"


def _text(x, y, words, anchor="start", size=12):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="#222">'
        f"{escape(words)}</text>"
    )
