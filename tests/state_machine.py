"""An optimizer that is used at random, beside a NumPy model and a twin that is never saved.

The model is written from the documentation, in float64 whatever the optimizer works in: it follows live
options, groups, frozen groups, rounds of gradients, gradients that are not finite, Lookahead, and averages
that begin and end.
"""

import copy
import io
import pickle
import random
from types import SimpleNamespace

import numpy as np

import reference
import schuss as sc

NAMES = ["a", "b", "c", "d.bias"]
SHAPES = {"a": (3, 2), "b": (4,), "c": (), "d.bias": (2, 1, 2)}
OWN = {
    "SGD": {
        "momentum": 0.0,
        "dampening": None,
        "nesterov": False,
        "first_step": "average",
        "lr_inside": False,
    },
    "Adam": {
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "eps_in_sqrt": False,
        "eps_hat": False,
        "eps_root": 0.0,
        "bias_correction": True,
        "amsgrad": False,
        "amsgrad_corrected": False,
    },
}
# What is changed live, and to what.
LIVE = {
    "lr": [0.0, 0.01, 0.05, 0.1],
    "lr_factor": [0.0, 0.5, 1.0, 1.0],
    "weight_decay": [0.0, 0.1],
    "decay": ["coupled", "decoupled", "independent"],
    "clip_value": [None, 0.5],
    "maximize": [False, True],
    "lookahead": [None, 1, 2, 3],
    "lookahead_alpha": [0.5, 0.25, 1.0],
    "ema": [None, 0.5, 0.9],
    "ema_start": ["params", "first", "zero"],
    "swa_start": [None, 0, 3, 8, 30],
}
WHOLE = {
    "clip_norm": [None, 1.0],
    "clip_tensor_norm": [None, 0.7],
    "accumulate": [1, 1, 2, 3],
    "nonfinite": ["raise", "skip"],
}
OF_RULE = {
    "SGD": {"momentum": [0.0, 0.5, 0.9], "nesterov": [False, True]},
    "Adam": {"betas": [(0.9, 0.999), (0.5, 0.75), (0.0, 0.5)], "eps": [1e-8, 1e-3], "amsgrad": [False, True]},
}


class Group:
    """A group of the model."""

    def __init__(self, options, names):
        self.options, self.names = dict(options), names
        self.t = self.since = self.moved = 0
        self.rule = {name: {} for name in names}
        self.slow, self.average, self.weight = {}, {}, 0.0

    def is_frozen(self):
        return self.options["lr"] == 0 or self.options["lr_factor"] == 0

    def kind(self):
        """What average is kept."""
        o = self.options
        return ("ema", o["ema_start"]) if o["ema"] is not None else (o["swa_start"] is not None and "swa",)

    def first(self):
        """The first step that counts in the average."""
        start = 0 if self.options["ema"] is not None else self.options["swa_start"] or 0
        return max(start, self.since + 1)

    def has_averaged(self):
        return self.kind() != (False,) and self.t >= self.first()


class Refused(Exception):
    """The model refuses a change: the optimizer must, too."""


class Model:
    """What the optimizer should be."""

    def __init__(self, rule, groups, whole, params):
        self.rule, self.groups, self.whole = rule, groups, dict(whole)
        self.params = {name: np.array(p, np.float64) for name, p in params.items()}
        self.steps = self.skipped = self.gathered = 0
        self.sums = dict.fromkeys(params, 0.0)

    def set(self, group, name, value):
        if name in WHOLE:
            if name == "accumulate" and self.gathered and value != self.whole[name]:
                raise Refused
            self.whole[name] = value
            return
        new = copy.copy(group)
        new.options = group.options | {name: value}
        o = new.options
        if o["ema"] is not None and o["swa_start"] is not None:
            raise Refused
        if self.gathered and group.is_frozen() and not new.is_frozen():
            raise Refused
        changed = [group.options[key] != o[key] for key in ("ema", "swa_start")]
        if new.kind() != group.kind() or (any(changed) and new.kind() != (False,)):
            if group.has_averaged() and new.kind() != (False,):
                keeps = group.kind() == new.kind() and new.kind()[0] == "ema" and o["ema_start"] != "zero"
                if not keeps:
                    raise Refused
            elif new.kind() != (False,):
                group.since, group.average = group.t, {}
        if new.kind() == (False,):
            group.average = {}
        if name == "lookahead" and value is None:
            group.slow = {}
        elif name == "lookahead" and group.options[name] is None:
            group.moved = group.t
        if name == "momentum" and value == 0:
            for state in group.rule.values():
                state.pop("v", None)
        if name == "amsgrad" and not value:
            for state in group.rule.values():
                state.pop("max", None)
        group.options = o

    def step(self, grads):
        """Returns "raise", "skip" or "stepped"."""
        active = [group for group in self.groups if not group.is_frozen()]
        names = [name for group in active for name in group.names]
        if not all(np.isfinite(grads[name]).all() for name in names):
            self.skipped += self.whole["nonfinite"] == "skip"
            return self.whole["nonfinite"]
        if self.whole["accumulate"] > 1:
            for name in names:
                self.sums[name] = (
                    self.sums[name] + np.asarray(grads[name], np.float64) / self.whole["accumulate"]
                )
            self.gathered += 1
            if self.gathered < self.whole["accumulate"]:
                return "stepped"
            grads = self.sums
            self.sums, self.gathered = dict.fromkeys(self.params, 0.0), 0
        gs = {name: np.array(grads[name], np.float64) for name in names}
        if (most := self.whole["clip_tensor_norm"]) is not None:
            gs = {name: g * min(1, most / max(np.sqrt((g**2).sum()), 1e-300)) for name, g in gs.items()}
        if (most := self.whole["clip_norm"]) is not None:
            norm = max(np.sqrt(sum((g**2).sum() for g in gs.values())), 1e-300)
            gs = {name: g * min(1, most / norm) for name, g in gs.items()}
        for group in active:
            group.t += 1
            for name in group.names:
                self.update(group, name, gs[name])
            if (every := group.options["lookahead"]) is not None and group.t - group.moved >= every:
                group.moved = group.t
        self.steps += 1
        return "stepped"

    def update(self, group, name, g):
        o, p, before = group.options, self.params[name], self.params[name]
        rate = o["lr"] * o["lr_factor"]
        g = -g if o["maximize"] else g
        if o["clip_value"] is not None:
            g = np.clip(g, -o["clip_value"], o["clip_value"])
        if o["decay"] == "coupled":
            g = g + o["weight_decay"] * p
        else:
            p = p * (1 - (rate if o["decay"] == "decoupled" else 1) * o["weight_decay"])
        own = {key: o[key] for key in OWN[self.rule]}
        p = reference.RULES[self.rule](p, g, group.rule[name], rate, group.t, **own)
        if o["lookahead"] is not None:
            slow = group.slow.setdefault(name, before)
            if group.t - group.moved >= o["lookahead"]:
                p = group.slow[name] = slow + o["lookahead_alpha"] * (p - slow)
        self.params[name] = p
        if group.kind()[0] and group.t >= group.first():
            count = group.t - group.first() + 1
            if o["ema"] is None:
                old, share = group.average.get(name, 0.0), 1 / count
            else:
                begin = {"params": before, "first": p, "zero": 0.0}[o["ema_start"]]
                old, share = group.average.get(name, begin), 1 - o["ema"]
            group.average[name] = old + share * (p - old)

    def averaged(self):
        if all(group.kind() == (False,) for group in self.groups):
            return None
        averages = {}
        for group in self.groups:
            for name in group.names:
                value = group.average.get(name, self.params[name])
                if name in group.average and group.kind() == ("ema", "zero"):
                    value = value / (1 - group.options["ema"] ** (group.t - group.since))
                averages[name] = value
        return averages


class Machine:
    """One random life of an optimizer."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.rule = self.rng.choice(list(OWN))
        self.dtype = self.rng.choice([np.float64, np.float64, np.float32])
        self.counts = {}
        self.begin({name: self.numbers.standard_normal(SHAPES[name]).astype(self.dtype) for name in NAMES})

    def begin(self, start):
        """A new optimizer: one group, groups of arrays, or groups by name; and its model and twin."""
        self.order = NAMES
        options = {name: values[0] for name, values in LIVE.items()}
        options |= OWN[self.rule] | {"lr": 0.05, "lr_factor": 1.0}
        whole = {name: values[0] for name, values in WHOLE.items()}
        self.grouping = self.rng.choice(["one", "parts", "selections"])
        split = {
            "one": [NAMES],
            "parts": [["a", "b"], ["c", "d.bias"]],
            "selections": [["a", "b", "c"], ["d.bias"]],
        }
        groups = [Group(options, names) for names in split[self.grouping]]
        self.model = Model(self.rule, groups, whole, start)
        self.optimizer, self.twin = ({name: p.copy() for name, p in start.items()} for _ in range(2))
        self.optimizer, self.twin = (
            SimpleNamespace(params=params, opt=self.make(params, NAMES))
            for params in (self.optimizer, self.twin)
        )

    def make(self, params, names):
        """An optimizer as new, of these parameters in this order."""
        kind = getattr(sc, self.rule)
        arrays = {name: np.asarray(params[name]) for name in names}
        if self.grouping == "one":
            return kind(arrays, lr=0.05)
        if self.grouping == "selections":
            return kind([{"params": "*.bias"}], lr=0.05).bind(arrays)
        return kind([{"params": {n: arrays[n] for n in group.names}} for group in self.model.groups], lr=0.05)

    def structure(self, values):
        """Values by name, in the structure of the parameters."""
        if self.grouping != "parts":
            return values
        return [{name: values[name] for name in group.names} for group in self.model.groups]

    def flat(self, values):
        return (
            values if self.grouping != "parts" else {name: v for part in values for name, v in part.items()}
        )

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def act(self):
        """Do something at random, and compare."""
        acts = {"step": 12, "set": 5, "again": 2, "nonfinite": 1, "refused": 1, "begin": 0.05, "lr": 0.3}
        act = self.rng.choices(list(acts), list(acts.values()))[0]
        getattr(self, act if act != "begin" else "rebegin")()
        self.compare()

    def both(self, use):
        """Use the optimizer and its twin; both answer the same."""
        answers = []
        for one in (self.optimizer, self.twin):
            try:
                answers.append(use(one.opt))
            except (ValueError, TypeError, sc.NonFiniteError) as error:
                answers.append(f"{type(error).__name__}: {error}")
        assert answers[0] == answers[1]
        return answers[0]

    def gradients(self):
        return {name: self.numbers.standard_normal(SHAPES[name]).astype(self.dtype)[()] for name in NAMES}

    def step(self, spoil=None):
        grads = self.gradients()
        if spoil is not None:
            name = self.rng.choice(NAMES)
            grads[name] = np.full(SHAPES[name], spoil, self.dtype)
        expected = self.model.step(grads)
        answer = self.both(lambda opt: opt.step(self.structure(grads)))
        assert answer is None if expected != "raise" else answer.startswith("NonFiniteError: grads")
        self.count("steps" if spoil is None else "gradients that were not finite")

    def nonfinite(self):
        self.step(self.rng.choice([np.nan, np.inf, -np.inf]))

    def set(self):
        number = self.rng.randrange(len(self.model.groups))
        name, values = self.rng.choice([*(LIVE | OF_RULE[self.rule] | WHOLE).items()])
        value = self.rng.choice(values)
        try:
            self.model.set(self.model.groups[number], name, value)
            refused = False
        except Refused:
            refused = True
        answer = self.both(lambda opt: opt.param_groups[number].__setitem__(name, value))
        assert (answer is not None) == refused, (name, value, answer)
        self.count("options that were refused" if refused else "options")

    def lr(self):
        value = self.rng.choice([0.02, 0.05])
        refused = self.model.gathered and any(
            group.options["lr"] == 0 and group.options["lr_factor"] for group in self.model.groups
        )
        answer = self.both(lambda opt: setattr(opt, "lr", value))
        assert (answer is not None) == bool(refused)
        if not refused:
            for group in self.model.groups:
                group.options["lr"] = value

    def refused(self):
        """What is wrong changes nothing."""
        grads = self.structure(self.gradients())
        some = self.structure({name: np.zeros(7, self.dtype) for name in NAMES})
        wrong = self.rng.choice([[grads], {}, None, some, 3, "grads"])
        assert self.both(lambda opt: opt.step(wrong)) is not None
        assert self.both(lambda opt: opt.param_groups[0].__setitem__("lr", -1)) is not None
        assert self.both(lambda opt: opt.load_state_dict({**opt.state_dict(), "step_count": -1})) is not None
        self.count("refusals")

    def again(self):
        """Another object continues: the twin knows nothing of it."""
        one, way = self.optimizer, self.rng.choice(["pickle", "deepcopy", "copy", "file", "state", "itself"])
        if way in ("pickle", "deepcopy"):
            one.opt, one.params = (
                pickle.loads(pickle.dumps((one.opt, one.params)))
                if way == "pickle"
                else copy.deepcopy((one.opt, one.params))
            )
        elif way == "copy":
            one.opt = copy.copy(one.opt)
        elif way == "itself":
            one.opt.load_state_dict(one.opt.state_dict())
        else:
            order = NAMES if self.grouping == "parts" else self.rng.sample(NAMES, len(NAMES))
            new = self.make(one.params, order)
            if way == "state":
                new.load_state_dict(one.opt.state_dict())
            else:
                file = io.BytesIO()
                one.opt.save(file)
                file.seek(0)
                new.load(file)
            one.opt = new
            if order != self.order:  # norms are summed in the order of the arrays
                self.order = order
                self.twin.opt = self.make(self.twin.params, order)
                self.twin.opt.load_state_dict(new.state_dict())
        self.count(way)

    def rebegin(self):
        self.begin({name: self.numbers.standard_normal(SHAPES[name]).astype(self.dtype) for name in NAMES})
        self.count("new ones")

    def compare(self):
        model, tolerance = self.model, 1e-9 if self.dtype == np.float64 else 2e-3
        for one in (self.optimizer, self.twin):
            assert one.opt.step_count == model.steps
            assert one.opt.skipped_steps == model.skipped
        averages = self.both(
            lambda opt: {name: a.tolist() for name, a in self.flat(opt.averaged_params()).items()}
        )
        expected = model.averaged()
        assert isinstance(averages, str) == (expected is None)
        for name in NAMES:
            mine, twin = self.optimizer.params[name], self.twin.params[name]
            assert mine.tobytes() == twin.tobytes()
            np.testing.assert_allclose(mine, model.params[name], rtol=tolerance, atol=tolerance)
            if expected is not None:
                np.testing.assert_allclose(
                    averages[name], expected[name], rtol=10 * tolerance, atol=10 * tolerance
                )
