"""scikit-learn's callback protocol, which its version 1.9 brought: each epoch is a task of the fit."""

from __future__ import annotations

from typing import Any

from . import _parameters

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """scikit-learn has no callbacks before version 1.9."""


# What scikit-learn keeps on an estimator during a fit, to tell its callbacks that it is over.
TO_TEAR_DOWN = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


class Tasks:
    """A fit and its epochs, told to scikit-learn's callbacks; silent where there are none."""

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any, epochs: int) -> None:
        self.estimator = estimator
        self.given = {
            "estimator": estimator,
            "X": X,
            "y": y,
            "metadata": None if sample_weight is None else {"sample_weight": sample_weight},
        }
        self.listened_to = hasattr(estimator, "_skl_callbacks")
        self.fit: Any = None
        self.epoch: Any = None
        # A meta-estimator's tree of tasks has a place for this fit, even if nobody listens to its epochs.
        if self.listened_to or hasattr(estimator, "_parent_callback_ctx"):
            self.fit = estimator._init_callback_context(max_subtasks=epochs)
            self.fit.call_on_fit_task_begin(**self.given)

    def begin_epoch(self) -> None:
        """To be called before an epoch."""
        if self.fit is not None and self.listened_to:
            self.epoch = self.fit.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(**self.given, reconstruction_attributes=self._fitted)

    def end_epoch(self) -> bool:
        """To be called after an epoch. Whether a callback wants it to be the last."""
        epoch, self.epoch = self.epoch, None
        if epoch is None:
            return False
        return bool(epoch.call_on_fit_task_end(**self.given, reconstruction_attributes=self._fitted))

    def end(self) -> None:
        """To be called after the fit."""
        if self.epoch is not None:
            # Begun, but not finished: there is nothing to look at.
            self.epoch.call_on_fit_task_end(estimator=self.estimator)
        if self.fit is not None:
            self.fit.call_on_fit_task_end(**self.given, reconstruction_attributes=self._fitted)

    def _fitted(self) -> dict[str, Any]:
        """What a copy of the estimator needs to predict as it does now."""
        estimator = self.estimator
        coefs, intercepts = _parameters.copied(estimator.coefs_, estimator.intercepts_)
        attributes: dict[str, Any] = {"coefs_": coefs, "intercepts_": intercepts}
        if hasattr(estimator, "feature_names_in_"):
            # The rows that callbacks are given have no column names any more.
            attributes["feature_names_in_"] = None
        return attributes
