"""Ways in which users save and load a model, and the model that comes back."""

import pytest


def by_skops(model):
    """What a careful user does: look at the types that are not trusted, then trust ours."""
    skops = pytest.importorskip("skops.io")
    file = skops.dumps(model)
    unknown = skops.get_untrusted_types(data=file)
    assert all(name.startswith("schuss.") for name in unknown)
    return skops.loads(file, trusted=unknown)
