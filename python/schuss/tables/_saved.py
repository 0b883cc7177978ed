"""Fitted estimators for tables in files, without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .. import history
from .._files import File, read_tree, write_tree
from .._network_file import knowing, network_of, tree_of
from ..network import MLP
from ._encoder import TableEncoder
from ._ensemble import Ensemble, Member
from ._inputs import Inputs
from ._leaderboard import Leaderboard
from ._recipe import Recipe
from ._target import ClassTarget, RegressionTarget

if TYPE_CHECKING:
    from typing_extensions import Self

# What fitting has learnt besides, where it is there.
_PLAIN = ("n_features_in_", "temperature_")
_RANDOM = "RandomState"


class Saved:
    """What has `save` and `load`."""

    _target_class: ClassVar[type[ClassTarget] | type[RegressionTarget]]

    def save(self, file: File) -> None:
        """Write the fitted estimator to a file: parameters, columns, networks, leaderboard.

        Parameters
        ----------
        file : str, path or binary file
            Where to; a file that is there is replaced when the new one is whole.

        Raises
        ------
        NotFittedError
            If it has not been fitted.
        TypeError
            If a parameter is no plain value: a file holds no code. Nothing has been written then. If `file`
            is none of these.
        OSError
            If it cannot be written; the old file is as it was then.

        Notes
        -----
        It is a ``.npz`` file without pickle and with a checksum. What is loaded predicts the same bits.
        """
        check_is_fitted(self)
        write_tree(file, self._kind_of_file(), _tree_of(self))

    @classmethod
    def load(cls, file: File) -> Self:
        """Read an estimator that `save` has written.

        Parameters
        ----------
        file : str, path or binary file
            The file.

        Returns
        -------
        TabularClassifier or TabularRegressor
            An estimator of this class, like the saved one in all that it had.

        Raises
        ------
        TypeError
            If `file` is none of these.
        ValueError
            If the file is damaged, has an estimator of another class, or none of this or an earlier version.
        OSError
            If it cannot be read.
        """
        tree = read_tree(file, cls._kind_of_file())
        with knowing(file, "estimator"):
            model: Self = _model_of(cls, tree)
        return model

    @classmethod
    def _kind_of_file(cls) -> str:
        return "tabular classifier" if cls._target_class is ClassTarget else "tabular regressor"


def _tree_of(model: Any) -> dict[str, Any]:
    names = getattr(model, "feature_names_in_", None)
    board: Leaderboard = model.leaderboard_
    return {
        "parameters": {name: _plain(value) for name, value in model.get_params(deep=False).items()},
        "learnt": {name: getattr(model, name) for name in _PLAIN if hasattr(model, name)},
        "feature_names": None if names is None else names.tolist(),
        "encoder": model.encoder_.get_state(),
        "target": _state_of_target(model._target),
        "ensemble": _state_of_ensemble(model.ensemble_),
        "leaderboard": {
            "lines": [dict(line) for line in board],
            "metric": board.metric,
            "score": board.score,
        },
        "histories": [
            (number, [history.plain(each) for each in of_folds])
            for number, of_folds in model.history_.items()
        ],
    }


def _model_of(kind: Any, tree: Mapping[str, Any]) -> Any:
    model = kind(**{name: _rebuilt(value) for name, value in tree["parameters"].items()})
    for name, value in tree["learnt"].items():
        if name not in _PLAIN:
            raise ValueError(f"there is no {name!r}")
        setattr(model, name, value)
    if tree["feature_names"] is not None:
        model.feature_names_in_ = np.array(tree["feature_names"], dtype=object)
    encoder = model.encoder_ = TableEncoder.from_state(tree["encoder"])
    encoder.columns, encoder.categorical_features = model.columns, model.categorical_features
    encoder._owner = kind.__name__
    model._target = kind._target_class.from_state(tree["target"])
    n_classes = None
    if isinstance(model._target, ClassTarget):
        model.classes_ = model._target.classes
        n_classes = len(model.classes_)
    model.ensemble_ = _ensemble_of(tree["ensemble"], encoder, n_classes)
    model.leaderboard_ = Leaderboard(**tree["leaderboard"])
    model.history_ = {
        number: [history.rebuilt(**each) for each in of_folds] for number, of_folds in tree["histories"]
    }
    return model


# Parameters and targets


def _plain(value: Any) -> Any:
    """A parameter as a file may have it."""
    if isinstance(value, np.random.RandomState):
        return {_RANDOM: value.get_state(legacy=False)}
    if isinstance(value, range) or (hasattr(value, "__array__") and not isinstance(value, np.generic)):
        # Names of pandas, or arrays of objects or of NumPy's text of any length: a list says the same.
        is_plain = isinstance(value, np.ndarray) and value.dtype.kind not in "OT"
        return value if is_plain else np.asarray(value, dtype=object).tolist()
    return value


def _rebuilt(value: Any) -> Any:
    if not isinstance(value, dict) or value.keys() != {_RANDOM}:
        return value
    random = np.random.RandomState()
    random.set_state(value[_RANDOM])
    return random


def _state_of_target(target: Any) -> dict[str, Any]:
    state: dict[str, Any] = target.get_state()
    if isinstance(target, ClassTarget) and target.classes.dtype.kind != "O":
        # As numbers and texts of their own dtype; dates are numbers.
        classes = target.classes
        state["classes"] = classes.view(np.int64) if classes.dtype.kind in "mM" else classes
    return state


# The ensemble


def _state_of_ensemble(ensemble: Ensemble) -> dict[str, Any]:
    """Members with numbers for what several have: inputs, and what a network is but for its parameters."""
    inputs: list[Inputs] = []
    kinds: list[dict[str, Any]] = []
    members = []
    for member in ensemble.members:
        networks = []
        for network, given in zip(member.networks, member.inputs, strict=True):
            kind = tree_of(network)
            theta = kind.pop("theta")
            place = next((place for place, each in enumerate(inputs) if each is given), len(inputs))
            inputs += [given] if place == len(inputs) else []
            kinds += [] if kind in kinds else [kind]
            networks.append({"kind": kinds.index(kind), "inputs": place, "theta": theta})
        members.append({"recipe": member.recipe.facts(), "weight": member.weight, "networks": networks})
    return {"inputs": [each.get_state() for each in inputs], "kinds": kinds, "members": members}


def _ensemble_of(state: Mapping[str, Any], encoder: TableEncoder, n_classes: int | None) -> Ensemble:
    inputs = [Inputs.from_state(encoder, each) for each in state["inputs"]]
    members = []
    for each in state["members"]:
        networks, given = [], []
        for part in each["networks"]:
            network = network_of(MLP, {**state["kinds"][part["kind"]], "theta": part["theta"]})
            of = inputs[part["inputs"]]
            if network.layers[0] != of.width:
                raise ValueError(f"a network takes {network.layers[0]} inputs, and is given {of.width}")
            networks.append(network)
            given.append(of)
        members.append(Member(Recipe(**each["recipe"]), networks, given, each["weight"]))
    return Ensemble(members, n_classes)
