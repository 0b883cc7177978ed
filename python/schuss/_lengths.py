"""Schedules that take their length from the training that they are used in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ._checks import check_count, shown
from ._schuss import LBFGS, Optimizer, Schedule

# The options of a group that may be schedules.
SCHEDULED = ("lr", "weight_decay")


def is_open(value: Any) -> bool:
    """Whether it is a schedule without a length of its own."""
    return isinstance(value, Schedule) and any(
        part is None or is_open(part) or (isinstance(part, tuple) and any(map(is_open, part)))
        for part in value.__reduce__()[1]
    )


def is_closed(value: Any) -> bool:
    """Whether it is a schedule without functions of somebody's, who might mind being asked ahead."""
    return isinstance(value, Schedule) and all(map(_has_no_function, value.__reduce__()[1]))


def _has_no_function(part: Any) -> bool:
    if isinstance(part, tuple):
        return all(map(_has_no_function, part))
    return is_closed(part) if isinstance(part, Schedule) else not callable(part)


class OpenSchedules(NamedTuple):
    """Schedules of an optimizer that are as long as its trainings are together.

    Attributes
    ----------
    total : int
        The steps that they have now; 0 where nobody has said.
    groups, names : list
        Of which group of parameters each is, and which option.
    schedules : list of Schedule
        Each without a length.
    """

    total: int
    groups: list[int]
    names: list[str]
    schedules: list[Schedule]

    @classmethod
    def of(cls, total: Any, groups: Any, names: Any, schedules: Any) -> OpenSchedules:
        """Those that a file has.

        Raises
        ------
        TypeError, ValueError
            If they are none.
        """
        total = check_count("total of open_schedules", total, least=0)
        kinds = (groups, int), (names, str), (schedules, Schedule)
        if not all(isinstance(of, list) and all(isinstance(e, kind) for e in of) for of, kind in kinds):
            raise TypeError(f"open_schedules must be groups, names and schedules, got {shown(schedules)}")
        if not len(groups) == len(names) == len(schedules):
            raise ValueError(
                "open_schedules must be as many groups as names and schedules, "
                f"got {len(groups)}, {len(names)} and {len(schedules)}"
            )
        return cls(total, groups, names, schedules)


def open_schedules(recipe: Optimizer, total: int | None = 0) -> OpenSchedules | None:
    """Those of a recipe, or of an optimizer at work, for a training of so many steps; None for none.

    Raises
    ------
    ValueError
        If there are some, and nobody knows how many steps: `total` is None.
    """
    found = recipe._opened() or [each for each in scheduled(recipe) if is_open(each[2])]
    return _of_training(found, 0, total) if found else None


def _of_training(found: list[tuple[int, str, Schedule]], done: int, steps: int | None) -> OpenSchedules:
    if steps is None:
        raise ValueError(
            "optimizer must have total_steps in its schedules where X is a source of blocks, got "
            f"{shown(found[0][2])}"
        )
    return OpenSchedules(done + steps, *map(list, zip(*found, strict=True)))


def steps_made(recipe: Optimizer, gradients: int) -> int:
    """The steps that are made of so many gradients, which a recipe or an optimizer may accumulate."""
    accumulate: int = recipe.param_groups[0]["accumulate"]
    # A schedule is at least one step long, even if none is made.
    return max(gradients // accumulate, 1)


def met_by(optimizer: Optimizer) -> tuple[int, int]:
    """The steps that an optimizer has done, and the gradients that it has gathered since."""
    return optimizer.step_count, optimizer._gathered()


def longer(
    schedules: OpenSchedules | None,
    optimizer: Optimizer | LBFGS,
    gradients: int | None,
    met: Sequence[int] | None = None,
) -> OpenSchedules | None:
    """The same for so many gradients more than the optimizer has met, but those that were replaced since.

    What it has met is what it says, unless steps and gathered gradients are given.
    """
    if schedules is None or isinstance(optimizer, LBFGS):
        return None
    now = {(group, name): schedule for group, name, schedule in scheduled(optimizer)}
    found = [
        (group, name, schedule)
        for group, name, schedule in zip(*schedules[1:], strict=True)
        if now.get((group, name)) == schedule.with_length(schedules.total)
    ]
    done, gathered = met or met_by(optimizer)
    steps = None if gradients is None else steps_made(optimizer, gathered + gradients)
    return _of_training(found, done, steps) if found else None


def put(schedules: OpenSchedules | None, optimizer: Optimizer | LBFGS) -> None:
    """Give the optimizer those schedules in their length."""
    if schedules is None or isinstance(optimizer, LBFGS):
        return
    for group, name, schedule in zip(*schedules[1:], strict=True):
        optimizer._follow(group, name, schedule, schedules.total)


def scheduled(optimizer: Optimizer) -> list[tuple[int, str, Any]]:
    """Group, name and value of all options that may be schedules."""
    groups = [optimizer._given(number) for number in range(len(optimizer.param_groups))]
    return [(number, name, group[name]) for number, group in enumerate(groups) for name in SCHEDULED]
