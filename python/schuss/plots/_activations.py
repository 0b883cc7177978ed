"""Activations: what they are, and what a network makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import check_flag, check_name, check_sequence, shown
from .._registry import ACTIVATION_ALIASES, ACTIVATIONS
from ..network import MLP
from ..typing import ActivationName
from ._checks import FAR, Array, Range, axes_of, range_of
from ._style import MARKERS, ROWS, add_legend, colour_of, drawn_before, every

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHARE = 2.0**-9


def activations(
    names: Sequence[ActivationName] | ActivationName = ("relu", "tanh", "gelu"),
    bounds: Range = (-4.0, 4.0),
    ax: Axes | None = None,
    *,
    gradients: bool = True,
) -> Axes:
    """Draw activations and their derivatives, as networks compute them.

    Parameters
    ----------
    names : str or sequence of str, default ("relu", "tanh", "gelu")
        Some of `schuss.ACTIVATIONS`, or other names of them.
    bounds : (float, float), default (-4.0, 4.0)
        The range of the preactivation.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    gradients : bool, default True
        Whether to draw the derivatives, too, as dashed lines.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    TypeError, ValueError
        If `names` are not of `schuss.ACTIVATIONS` or other names of these, `bounds` is no finite range,
        `gradients` not True or False, or `ax` no axes.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import schuss as sc
    >>> ax = sc.plots.activations(["sigmoid", "tanh"])
    >>> ax.get_legend_handles_labels()[1]
    ['sigmoid', 'its gradient', 'tanh', 'its gradient']
    """
    chosen = [names] if isinstance(names, str) else check_sequence("names", names, "names of activations")
    known = {**ACTIVATIONS, **ACTIVATION_ALIASES}
    for name in chosen:
        if check_name("names", name, known) not in known:
            raise ValueError(f"names must be some of {', '.join(ACTIVATIONS)}, got {shown(name)}")
    check_flag("gradients", gradients)
    z = np.linspace(*range_of("bounds", bounds), 401)
    ax = axes_of(ax)
    for number, name in enumerate(chosen, drawn_before(ax)):
        values, slopes = computed(name, z)
        mark = {"marker": MARKERS[number % len(MARKERS)], "markevery": every(len(z), number), "markersize": 5}
        style: dict[str, Any] = {"color": colour_of(number), **mark}
        ax.plot(z, values, label=name, **style)
        if gradients:
            ax.plot(z, slopes, label="its gradient", linestyle="--", linewidth=1, fillstyle="none", **style)
    ax.set(xlabel="preactivation z", ylabel="activation")
    ax.grid(alpha=0.3)
    add_legend(ax, fontsize="small")
    return ax


def computed(name: ActivationName, z: Array) -> tuple[Array, Array]:
    """An activation and its derivative: by a network with a neuron for each z."""
    net = MLP([1, len(z), 1], activation=name, loss="absolute_error", dtype="float64")
    weights, biases, sums, _ = net.params
    # The sum of huge activations is finite so; a power of two rounds nothing.
    weights[:], biases[:], sums[:] = 0, z, SHARE
    rows = np.zeros((1, 1))
    hidden, output = net.forward_layers(rows)
    # With a lower target the loss changes by 1 where the output does, however large that is.
    _, gradients = net.loss_and_grads(rows, output.a - np.maximum(1, np.abs(output.a)))
    return hidden.a[0], gradients[1] / SHARE


def layer_activations(net: MLP, X: Any, ax: Axes | None = None, *, preactivations: bool = False) -> Axes:
    """Draw histograms of a network's activations, one above the other for its layers.

    Parameters
    ----------
    net : MLP
        The network.
    X : array or SciPy sparse matrix of shape (n_samples, n_inputs)
        Rows to look at.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    preactivations : bool, default False
        Whether to draw preactivations instead.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on. How many elements are not finite, and so are in no histogram, is beside the layer's
        name; what is further away than 1e300 is in the outermost bin.

    Raises
    ------
    TypeError, ValueError
        If `net` is no MLP, `X` is not accepted, as by `MLP.forward_layers`, or has no rows, or another
        argument is not accepted.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import schuss as sc
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> ax = sc.plots.layer_activations(sc.MLP([4, 32, 32, 1]), X)
    """
    check_network(net)
    check_flag("preactivations", preactivations)
    layers = net.forward_layers(X)
    if not len(layers[0].a):
        raise ValueError("X must have at least one row, got none")
    kinds = [*net.activations, "output"]
    found = {
        f"{layer.name}: {kind}": (layer.z if preactivations else layer.a).ravel()
        for layer, kind in zip(layers, kinds, strict=True)
    }
    shares = {name: _share(~np.isfinite(values), "not finite") for name, values in found.items()}
    named = {f"{name}\n{shares[name]}" if shares[name] else name: found[name] for name in found}
    ax = axes_of(ax)
    ridges(ax, named)
    ax.set(xlabel="preactivation" if preactivations else "activation", ylabel="layer")
    return ax


def layer_gradients(net: MLP, X: Any, y: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw histograms of the gradient by each layer's weights: whether it vanishes on the way back.

    Parameters
    ----------
    net : MLP
        The network.
    X, y
        Rows to look at, as for `MLP.loss_and_grads`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        With the magnitude's logarithm from left to right. How many elements are exactly 0, or not finite, and
        so have none, is beside the layer's name.

    Raises
    ------
    TypeError, ValueError
        If `net` is no MLP, the rows are not accepted, as by `MLP.loss_and_grads`, or `ax` is no axes.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import schuss as sc
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> ax = sc.plots.layer_gradients(sc.MLP([4, 32, 32, 1]), X, X[:, 0])
    """
    check_network(net)
    _, gradients = net.loss_and_grads(X, y)
    found = {}
    for name, gradient in zip(net.named_params, gradients, strict=True):
        if not name.endswith(".weight"):
            continue
        sizes = np.abs(gradient.ravel())
        words = [name, _share(sizes == 0, "are 0"), _share(~np.isfinite(sizes), "not finite")]
        found["\n".join(filter(None, words))] = np.log10(sizes[sizes > 0])
    ax = axes_of(ax)
    ridges(ax, found)
    ax.set(xlabel="size of the gradient, log10", ylabel="layer")
    return ax


def _share(which: NDArray[np.bool_], words: str) -> str:
    """How many of them are so, in words; nothing where none is."""
    share = float(np.mean(which))
    if not share:
        return ""
    return f"{'<1%' if share < 0.01 else '>99%' if 0.99 < share < 1 else f'{share:.0%}'} {words}"


def check_network(net: Any) -> None:
    """Refuse what is no network."""
    if not isinstance(net, MLP):
        raise TypeError(f"net must be an MLP, got {shown(net)}")


def ridges(ax: Axes, found: dict[str, Array]) -> None:
    """Histograms one above the other, the first at the top, all of one height and with the same bins."""
    # What an axis has no room for is in the outermost bin.
    finite = (np.asarray(values, np.float64)[np.isfinite(values)] for values in found.values())
    seen = [np.clip(values, -FAR, FAR) for values in finite]
    together = np.concatenate(seen)
    low, high = (together.min(), together.max()) if len(together) else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + max(1.0, abs(low) / 1000), 61)
    for number, values in enumerate(seen):
        counts, _ = np.histogram(values, edges)
        base = len(found) - 1 - number
        heights = base + 0.9 * counts / max(counts.max(), 1)
        colour = colour_of(number)
        # The last bin has its right edge, too.
        outline = np.append(heights, heights[-1])
        ax.fill_between(edges, base, outline, step="post", color=colour, alpha=0.35, linewidth=0)
        ax.step(edges, outline, where="post", color=colour, linewidth=1)
        ax.axhline(base, color="0.7", linewidth=0.6, zorder=0)
    # A line for each where there are many, and no higher than its histogram.
    names = list(found) if len(found) <= ROWS else [name.replace("\n", ", ") for name in found]
    size: dict[str, Any] = {"fontsize": max(4, min(10, 220 / len(found)))} if len(found) > ROWS else {}
    ax.set_yticks(np.arange(len(found))[::-1], labels=names, **size)
    ax.grid(axis="x", alpha=0.3)
