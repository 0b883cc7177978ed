"""Kinds of weight decay where a rule has its own: what would have no effect is refused."""

import pickle

import numpy as np
import pytest

import schuss as sc

# That of LAMB.
DECAYS = {"lecture": "coupled", "torch": "coupled", "optax": "coupled", "keras": "decoupled"}


def refuses(words, optimizer, option, value):
    before = repr(optimizer)
    with pytest.raises(ValueError, match=words):
        optimizer.param_groups[0][option] = value
    with pytest.raises(ValueError, match=words):
        optimizer.set_params(weight_decay=0.1, **{option: value})
    assert repr(optimizer) == before


@pytest.mark.parametrize("convention", DECAYS)
@pytest.mark.parametrize("rule", ["LAMB", "ScheduleFreeSGD", "ScheduleFreeAdamW"])
def test_a_kind_of_decay_without_effect_is_refused(rule, convention):
    def make(params=None, **options):
        return getattr(sc, rule)(params, **{"convention": convention, "decay_in_update": True, **options})

    own = {"LAMB": DECAYS[convention], "ScheduleFreeSGD": "coupled", "ScheduleFreeAdamW": "decoupled"}[rule]
    words = (
        f'decay must be "{own}" with decay_in_update=True, as weight decay is part of the update then, got'
    )
    assert make(decay=own) == make()
    for decay in {"coupled", "decoupled", "independent"} - {own}:
        with pytest.raises(ValueError, match=words):
            make(decay=decay)
        refuses(words, make(), "decay", decay)
        refuses(words, make([np.ones(2)]), "decay", decay)
        # Whatever comes first.
        free = make(decay=decay, decay_in_update=False)
        assert free == make(decay_in_update=False, decay=decay)
        assert make().set_params(decay=decay, decay_in_update=False) == free
        # What makes it so is refused as well.
        refuses(words, free, "decay_in_update", True)
        refuses(words, make([np.ones(2)], decay=decay, decay_in_update=False), "decay_in_update", True)
        assert free.set_params(decay_in_update=np.True_, decay=own) == make()


def test_a_group_with_a_kind_of_decay_without_effect_is_refused():
    with pytest.raises(ValueError, match='decay must be "decoupled" with decay_in_update=True'):
        sc.ScheduleFreeAdamW([{"params": "a", "decay": "coupled"}])
    sc.ScheduleFreeAdamW([{"decay": "coupled", "params": "a", "decay_in_update": False}])
    base = {"decay": "coupled", "decay_in_update": False}
    with pytest.raises(ValueError, match='decay must be "decoupled" with decay_in_update=True'):
        sc.ScheduleFreeAdamW([{"params": "a", "decay_in_update": True}], **base)
    sc.ScheduleFreeAdamW([{"params": "a", "decay_in_update": True, "decay": "decoupled"}], **base)


def test_states_of_before_with_a_kind_of_decay_that_had_no_effect_are_read():
    optimizer = sc.ScheduleFreeSGD([np.ones(2)], weight_decay=0.1)
    state = optimizer.state_dict()
    state["param_groups"][0]["decay"] = "independent"
    optimizer.load_state_dict(state)
    twin = pickle.loads(pickle.dumps(optimizer))
    for each in (optimizer, twin):
        assert each.param_groups[0]["decay"] == "independent"
        each.step([np.ones(2)])
