"""Figures as an SVG picture: for each a bar of ours above the other's; lines where something grows."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from bench.result import Figure, Result
from bench.table import number

_WIDTH = 860
_LEFT = 330
_BAR = 380
_OURS, _THEIRS, _MISSED, _GOAL = "#2563a8", "#b8bec6", "#c2410c", "#111827"
_COLOURS = ("#2563a8", "#0f766e", "#9333ea", "#b45309", "#db2777", "#65a30d")
_CHART = 180


def draw(results: Sequence[Result]) -> str:
    """Return the picture."""
    parts = list(_legend())
    y = 60
    for result in results:
        parts.append(_text(10, y, result.title, weight="bold"))
        y += 8
        for figure in result.figures:
            parts += _bars(figure, y)
            y += 44 if figure.other is not None else 30
        if result.lines:
            parts += _chart(result.lines, y + 10)
            y += _CHART + 60
        y += 30
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" viewBox="0 0 {_WIDTH} {y}" '
        'font-family="system-ui, sans-serif" font-size="13">'
    )
    return "\n".join([head, f'<rect width="{_WIDTH}" height="{y}" fill="#ffffff"/>', *parts, "</svg>", ""])


def _legend() -> Iterator[str]:
    keys = ((_OURS, "ours"), (_MISSED, "ours, goal missed"), (_THEIRS, "what we are measured against"))
    for index, (colour, text) in enumerate(keys):
        yield f'<rect x="{10 + 180 * index}" y="12" width="12" height="12" fill="{colour}"/>'
        yield _text(28 + 180 * index, 23, text)
    yield _text(600, 23, "| the goal")


def _bars(figure: Figure, y: int) -> Iterator[str]:
    most = max(figure.ours, figure.other or figure.goal or 0) or 1
    yield _text(20, y + 15, figure.what)
    yield _text(_WIDTH - 10, y + 15, _verdict(figure), anchor="end")
    colour = _MISSED if figure.met is False else _OURS
    yield from _bar(y + 4, figure.ours / most, colour, number(figure.ours, figure.unit))
    limit = figure.goal * (figure.other or 1) / most if figure.goal is not None else 0
    if 0 < limit <= 1:
        x = _LEFT + round(limit * (_BAR - 130))
        yield f'<rect x="{x - 1}" y="{y + 1}" width="2" height="20" fill="{_GOAL}"/>'
    if figure.other is not None:
        theirs = f"{number(figure.other, figure.unit)} {figure.against}"
        yield from _bar(y + 20, figure.other / most, _THEIRS, theirs)


def _bar(y: int, share: float, colour: str, label: str) -> Iterator[str]:
    width = max(1, round(share * (_BAR - 130)))
    yield f'<rect x="{_LEFT}" y="{y}" width="{width}" height="14" fill="{colour}"/>'
    yield _text(_LEFT + width + 6, y + 12, label)


def _verdict(figure: Figure) -> str:
    shown = "" if figure.ratio is None else f"{figure.ratio:.2f} x"
    if figure.goal is None:
        return shown
    goal = f"{figure.goal:.2f}" if figure.ratio is not None else number(figure.goal, figure.unit)
    return f"{shown} (goal {goal})"


def _chart(lines: Mapping[str, Mapping[str, float]], y: int) -> Iterator[str]:
    """Draw lines over 1x, 2x, 4x, each in parts of its own first value."""
    points = {name: {float(x): value / next(iter(of.values())) for x, value in of.items()}
              for name, of in lines.items()}  # fmt: skip
    right = max(max(of) for of in points.values())
    top = max(max(of.values()) for of in points.values())
    bottom = y + _CHART
    for mark in sorted({x for of in points.values() for x in of}):
        x = _LEFT + round(mark / right * 300)
        if mark <= top:
            yield _text(_LEFT - 8, bottom - round(mark / top * _CHART) + 4, f"{mark:g}x", anchor="end")
        yield f'<line x1="{x}" y1="{y}" x2="{x}" y2="{bottom}" stroke="#e5e7eb"/>'
        yield _text(x, bottom + 16, f"{mark:g}x", anchor="middle")
        level = bottom - round(mark / top * _CHART) if mark <= top else None
        if level is not None:
            yield f'<line x1="{_LEFT}" y1="{level}" x2="{_LEFT + 300}" y2="{level}" stroke="#e5e7eb"/>'
    for index, (name, of) in enumerate(points.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        path = " ".join(
            f"{_LEFT + round(x / right * 300)},{bottom - round(v / top * _CHART)}" for x, v in of.items()
        )
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield f'<rect x="20" y="{y + 20 * index}" width="12" height="12" fill="{colour}"/>'
        yield _text(38, y + 20 * index + 11, name)


def _text(x: int, y: int, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}" fill="#1f2937">'
        f"{escape(text)}</text>"
    )
