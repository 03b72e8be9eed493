"""A report as blocks, which are dressed as HTML or as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from emo_ray.reports.content import Table
from emo_ray.reports.drawing import Figure
from emo_ray.reports.markdown import markdown_table, plain
from emo_ray.reports.page import html_figure, html_table


@dataclass(frozen=True)
class Heading:
    """A title; level 1 is that of the page."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Line:
    """A paragraph; ``hole`` is a warning, ``small`` is small print."""

    text: str
    kind: Literal["", "headline", "hole", "small", "verdict"] = ""


@dataclass(frozen=True)
class Shown:
    """A table; ``words`` wraps its cells."""

    table: Table
    words: bool = False


@dataclass(frozen=True)
class Link:
    """To another report beside this one, in the same form: ``stem`` without ending."""

    text: str
    stem: str


@dataclass(frozen=True)
class Folded:
    """What is shown when its title is clicked."""

    title: str
    blocks: tuple[Line | Shown, ...]


Block = Heading | Line | Shown | Link | Folded | Figure


def as_html(blocks: Sequence[Block]) -> list[str]:
    """Parts of a page; every text is escaped."""
    return [_html(block) for block in blocks]


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Line(text, kind):
            return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"
        case Shown(table, words):
            return html_table(table, words=words)
        case Link(text, stem):
            return f'<p><a href="{escape(stem)}.html">{escape(text)}</a></p>'
        case Folded(title, inner):
            content = "\n".join(as_html(inner))
            return f"<details><summary>{escape(title)}</summary>\n{content}\n</details>"
        case Figure():
            return html_figure(block)


def as_markdown(blocks: Sequence[Block]) -> list[str]:
    """Parts of a Markdown file, to be set apart by empty lines."""
    return [_markdown(block) for block in blocks]


def _markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {plain(text)}"
        case Line(text, kind):
            marks = {"": "{}", "small": "<sub>{}</sub>"}
            return marks.get(kind, "**{}**").format(plain(text))
        case Shown(table, _):
            return markdown_table(table)
        case Link(text, stem):
            return f"[{plain(text)}]({stem}.md)"
        case Folded(title, inner):
            content = "\n\n".join(as_markdown(inner))
            return f"<details><summary>{plain(title)}</summary>\n\n{content}\n\n</details>"
        case Figure(name, caption, _):
            return f"![{plain(caption)}](figures/{name}.png)"
