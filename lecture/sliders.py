"""A picture with sliders: what every notebook of the lecture needs beside schuss."""

import inspect

from IPython.display import display
from matplotlib import pyplot as plt


def with_sliders(draw, **options):
    """Show the figure that `draw` returns, and a slider for each of its arguments.

    The picture is an output of its own, which the sliders replace: where no widget runs
    (on a web page, on paper, without ipywidgets), the first one stays.

    Parameters
    ----------
    draw : callable
        Returns a new figure. The defaults of its arguments make the first one.
    **options : sequence
        For each of these arguments the values that its slider goes through; the default
        is one of them.

    Returns
    -------
    ipywidgets.VBox or None
        The sliders, for the last line of a cell; None without ipywidgets.
    """
    defaults = {
        name: each.default for name, each in inspect.signature(draw).parameters.items()
    }

    def figure(**values):
        made = draw(**values)
        plt.close(made)  # or Jupyter would show it once more
        return made

    shown = display(figure(), display_id=True)
    try:
        from ipywidgets import Layout, SelectionSlider, VBox
    except ImportError:
        return None
    look = {
        "continuous_update": False,
        "layout": Layout(width="28em"),
        "style": {"description_width": "9em"},
    }
    every = {
        name: SelectionSlider(
            options=list(values),
            value=defaults[name],
            description=name.replace("_", " "),
            **look,
        )
        for name, values in options.items()
    }

    def moved(_):
        shown.update(figure(**{name: slider.value for name, slider in every.items()}))

    for slider in every.values():
        slider.observe(moved, "value")
    return VBox(list(every.values()))
