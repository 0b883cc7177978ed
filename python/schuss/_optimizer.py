"""The base of all optimizers: what Rust does, and how its state is kept."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _schuss, _torch_state
from ._files import File, describe, read_tree, write_tree
from ._masks import unwrapped, wrapped
from ._meant import did_you_mean

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Optimizer"]

_KIND = "optimizer"


class Optimizer(_schuss.Optimizer):
    """The base of all optimizers, which update NumPy arrays in place: `SGD`, `Adam` and all others.

    One that is made without arrays is a recipe: it has options, and no steps, state or averages.

    Raises
    ------
    TypeError
        If it is called itself: its subclasses are the optimizers.
    RuntimeError
        By whatever needs arrays, of a recipe; and by all of it while a training or a step uses it.
    """

    __slots__ = ()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(self._refusal(name))

        def __setattr__(self, name: str, value: Any) -> None:
            try:
                super().__setattr__(name, value)
            except AttributeError:
                if name == "lr" or not hasattr(type(self), name):
                    raise AttributeError(self._refusal(name)) from None
                raise

    def _refusal(self, name: str) -> str:
        options = [key for key in self.param_groups[0] if key not in ("params", "name", "lr")]
        if name in options:
            return f"{name!r} is an option of each group: opt.param_groups[0][{name!r}]"
        return f"{type(self).__name__} has no attribute {name!r}{did_you_mean(name, ['lr', *options])}"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The options and the learning rate, by name: searches of scikit-learn ask for them.

        Parameters
        ----------
        deep : bool, default True
            Of no meaning here.

        Returns
        -------
        dict
            Of the first group, as they were given: a schedule or a function itself, not what it gives.

        Raises
        ------
        RuntimeError
            While a training or a step uses it.
        """
        return {name: value for name, value in self._given(0).items() if name != "name"}

    def set_params(self, **options: Any) -> Self:
        """Set options and the learning rate by name, in all groups.

        Parameters
        ----------
        **options
            Such as ``lr=0.01``: ``GridSearchCV(model, {"optimizer__lr": [0.01, 0.001]})`` calls this on
            copies of the recipe that the model has. What is as `get_params` says stays as it is in all
            groups.

        Returns
        -------
        Optimizer
            This one.

        Raises
        ------
        TypeError, ValueError
            If there is no such option, or its value is not accepted; nothing has changed then.
        """
        known = self.get_params()
        for name in options:
            if name not in known:
                raise ValueError(
                    f"{type(self).__name__} has no option {name!r}{did_you_mean(name, list(known))}"
                )
        changed = [(name, value) for name, value in options.items() if not _is_same(value, known[name])]
        ordered = sorted(changed, key=_turn)
        # All of them are tried elsewhere first; nothing steps there.
        for target in (copy.copy(self), self):
            for group in target.param_groups:
                for name, value in ordered:
                    group[name] = value
        return self

    def __sklearn_clone__(self) -> Self:
        return copy.deepcopy(self)

    def __reduce__(self) -> tuple[Any, ...]:
        make, kind, parts = super().__reduce__()
        if "masks" in parts:
            parts["masks"] = wrapped(parts["masks"])
        return make, kind, parts

    def __getstate__(self) -> dict[str, Any]:
        # For savers that make an object of its class and this alone.
        parts: dict[str, Any] = self.__reduce__()[2]
        return parts

    def __setstate__(self, parts: dict[str, Any], /) -> None:
        if isinstance(parts, dict) and isinstance(masks := parts.get("masks"), list):
            parts = parts | {"masks": unwrapped(masks)}
        super().__setstate__(parts)

    def save(self, file: File) -> None:
        """Write the state to a ``.npz`` file: what `state_dict` gives, without the parameters.

        Parameters
        ----------
        file : str, path or binary file
            Where to; a file that is there is replaced.

        Raises
        ------
        TypeError
            If `file` is none of these.
        RuntimeError
            If this optimizer is a recipe, or a training or a step uses it.
        OSError
            If it cannot be written; the old file is as it was then.

        Notes
        -----
        The new file replaces the old one when it is whole, whatever happens meanwhile. `numpy.load` reads it
        without pickle: the arrays ``state/<name>/<number>``, numbers and strings under names like
        ``step_count`` and ``param_groups/0/lr``, and the format's own: a checksum among them.
        """
        write_tree(file, _KIND, self.state_dict())

    def load(self, file: File) -> None:
        """Continue from a state that `save` has written.

        Parameters
        ----------
        file : str, path or binary file
            Written by an optimizer of the same class with parameters of the same shapes and dtype.

        Raises
        ------
        TypeError, ValueError
            If it is damaged, another file, or does not fit; nothing has changed then.
        RuntimeError
            If this optimizer is a recipe, or a training or a step uses it.
        OSError
            If it cannot be read.
        """
        saved = read_tree(file, _KIND, unmarked=_nested)
        try:
            self.load_state_dict(saved)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{describe(file)} does not fit: {error}") from error

    def to_torch_state(self) -> dict[str, Any]:
        """Give the state as the class of the same name in `torch.optim` does, with arrays for tensors.

        Returns
        -------
        dict
            ``param_groups``, with the present learning rate, and ``state`` by the number of the parameter.
            With ``torch.from_numpy`` on each array, ``load_state_dict`` of torch's class takes it, and the
            run continues there. Clipping, schedules and averages of parameters are not part of torch's
            optimizers.

        Raises
        ------
        TypeError
            If torch has no such rule.
        ValueError
            If an option differs from torch's formula: see ``convention="torch"``.
        RuntimeError
            If this optimizer is a recipe, or a training or a step uses it.
        """
        return _torch_state.to_torch(self)

    @classmethod
    def from_torch_state(
        cls, state: Mapping[str, Any], params: Any, *, step_count: int | None = None, **options: Any
    ) -> Self:
        """Make an optimizer that continues where one of `torch.optim` was.

        Parameters
        ----------
        state : mapping
            The ``state_dict()`` of the class of the same name, of tensors on the CPU or arrays.
        params : array, sequence or mapping
            The parameters in torch's order, with their present values; where there are several groups, a
            sequence with a structure for each.
        step_count : int, optional
            Steps taken; needed only for a schedule on `SGD`, where torch does not count. Elsewhere it must be
            what the state says.
        **options
            What torch does outside its optimizers, such as ``clip_norm`` or a schedule as ``lr``, for all
            groups. All others are taken from the state. Averages (`ema`, `swa_start`), `lookahead` and
            `accumulate` begin with the next step.

        Returns
        -------
        Optimizer
            Bound to `params`.

        Raises
        ------
        TypeError, ValueError
            If torch has no such rule, or the state does not fit the parameters.
        """
        return _torch_state.from_torch(cls, state, params, step_count, **options)


def _turn(option: tuple[str, Any]) -> int:
    """When an option is set, where several are: each of them alone must be accepted."""
    name, value = option
    # Of options that exclude each other, the old one goes before the new one.
    if value is None:
        return 0
    # While `decay` has no effect, it must be left as it is.
    is_on = isinstance(value, bool | np.bool_) and bool(value)
    return {"decay": 2, "decay_in_update": 3 if is_on else 1}.get(name, 1)


def _is_same(value: Any, known: Any) -> bool:
    """Whether an option is what it was; True is not the number 1."""
    is_number = isinstance(value, int | float) and isinstance(known, int | float)
    are_alike = type(value) is type(known) or (is_number and bool not in (type(value), type(known)))
    return value is known or (are_alike and bool(value == known))


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The state in a file without a checksum: plain values, but arrays in what is called "state"."""
    tree: dict[str, Any] = {}
    for path, array in flat.items():
        *parents, name = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        plain = array.item() if array.ndim == 0 else tuple(array.tolist()) or None
        node[name] = array if parents and parents[0] == "state" else plain
    saved = {name: _lists(node) for name, node in tree.items()}
    # Such a file does not tell None from what is empty.
    saved["state"] = saved.get("state") or {}
    saved["memory"] = [memory or {} for memory in saved.get("memory", [])]
    saved["schedules"] = [schedule or [] for schedule in saved.get("schedules", [])]
    return saved


def _lists(node: Any) -> Any:
    """Lists in the place of mappings from 0, 1, 2, ..."""
    if not isinstance(node, dict):
        return node
    if all(name.isdigit() for name in node):
        return [_lists(node[name]) for name in sorted(node, key=int)]
    return {name: _lists(item) for name, item in node.items()}
