"""What all figures share: colour-blind safe colours, a canvas without global state, PNG bytes."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib.figure
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

# Okabe & Ito (2008), "Color universal design"
NETWORK_COLOUR, REFERENCE_COLOUR, HOLE_COLOUR, QUIET = "#0072B2", "#E69F00", "#D55E00", "#666666"
PALE = "#B0B0B0"
WIDTH_IN = 6.6
DPI = 150


@dataclass(frozen=True)
class Figure:
    """A drawn figure: file name without ending, what it shows in words, and its bytes."""

    name: str
    caption: str
    png: bytes


def canvas(
    height_in: float, width_in: float = WIDTH_IN, columns: int = 1, panels: int | None = None
) -> tuple[matplotlib.figure.Figure, list[Axes]]:
    """An empty drawing and its panels, row by row; without ``panels`` it is one row."""
    # Not pyplot, which keeps every figure in a global list.
    drawing = matplotlib.figure.Figure(figsize=(width_in, height_in), dpi=DPI, layout="constrained")
    FigureCanvasAgg(drawing)
    n_panels = panels or columns
    n_rows = -(-n_panels // columns)
    drawn = [drawing.add_subplot(n_rows, columns, place + 1) for place in range(n_panels)]
    for axes in drawn:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    return drawing, drawn


def legend_above(axes: Axes, columns: int) -> None:
    """A legend on top of a panel, where it hides nothing."""
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, fontsize=8, frameon=False, borderaxespad=0.2
    )


def share_y(panels: Sequence[Axes], columns: int) -> None:
    """One range for all panels, drawn before, with its numbers on the left column only."""
    limits = [axes.get_ylim() for axes in panels]
    for place, axes in enumerate(panels):
        axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
        axes.tick_params(labelleft=place % columns == 0)


def png(drawing: matplotlib.figure.Figure, name: str, caption: str) -> Figure:
    """The drawing as a figure of a report; equal drawings give equal bytes."""
    target = io.BytesIO()
    save: Callable[..., None] = drawing.savefig
    save(target, format="png", metadata={"Software": None})  # no version in the bytes
    return Figure(name, caption, target.getvalue())
