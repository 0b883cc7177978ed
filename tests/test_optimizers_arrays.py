"""Any array that NumPy can make is updated in place, and nothing beside it; what is refused changes nothing."""

# ruff: noqa: E501

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schuss as sc
from cases import ONE_OF_EACH, TABLES, Case
from reference import DECAY_THEMSELVES, RULES, trajectory

DTYPES = [np.float16, np.float32, np.float64, np.complex64, np.complex128]


def noise(rng: np.random.Generator, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Normally distributed numbers; complex ones have an imaginary part."""
    numbers = rng.normal(size=shape)
    return np.asarray(
        numbers + 1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else numbers, dtype
    )


def layouts(dtype: type) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Views with the array that owns their memory."""
    made = {}

    def view(name: str, base: np.ndarray, index: object) -> None:
        made[name] = (base[index], base)

    rng = np.random.default_rng(1)
    new = lambda *shape: noise(rng, shape, dtype)  # noqa: E731
    view("whole", new(4, 6), ...)
    view("fortran", np.asfortranarray(new(4, 6)), ...)
    view("every second column", new(4, 12), (slice(None), slice(None, None, 2)))
    view("every third row", new(12, 6), slice(None, None, 3))
    view("reversed", new(4, 6), (slice(None, None, -1), slice(None, None, -1)))
    view("one axis reversed", new(4, 6), (slice(None), slice(None, None, -1)))
    view("inner block", new(9, 9), (slice(2, 6), slice(1, 7)))
    view("one column", new(7, 5), (slice(None), 2))
    view("new axes", new(5), (None, slice(None), None))
    view("one number", new(3), (1, ...))
    view("no axes", new(), ...)
    view("empty", new(0, 3), ...)
    view("empty inside", new(3, 0, 2), ...)
    base = new(3, 4, 5)
    made["axes permuted"] = (base.transpose(1, 2, 0), base)
    base = new(3, 8, 5)
    made["permuted, reversed, sliced"] = (base.transpose(2, 0, 1)[::-1, :, 1:7:2], base)
    base = np.zeros(33, np.uint8)
    made["unaligned"] = (base[1:].view(dtype)[: 32 // np.dtype(dtype).itemsize], base)
    base = np.zeros(5, [("tag", np.uint8), ("value", dtype)])
    base["value"] = noise(rng, (5,), dtype)
    made["field of a record"] = (base["value"], base)
    base = new(70, 40)
    made["larger than a chunk"] = (base[:, ::-2], base)
    base = new(4, 6)
    named = np.dtype(dtype).newbyteorder("<" if sys.byteorder == "little" else ">")
    made["with this byte order by name"] = (base.view(named), base)
    return made


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", layouts(np.float64))
@pytest.mark.parametrize("gradient", ["C", "F", "reversed", "broadcast"])
@pytest.mark.parametrize("case", ONE_OF_EACH[:3], ids=str)
def test_a_layout_gives_the_bits_of_a_contiguous_copy(case, name, dtype, gradient):
    array, _ = layouts(dtype)[name]
    plain = array.copy()
    rng = np.random.default_rng(2)
    strided, contiguous = case.make([array], clip_norm=1e9), case.make([plain], clip_norm=1e9)
    for _ in range(5):
        g = noise(rng, array.shape, dtype)
        if gradient == "broadcast":
            g = np.broadcast_to(g.ravel()[:1].sum(), array.shape)
        given_g = {"F": np.asarray(g, order="F"), "reversed": g[..., ::-1].copy()[..., ::-1] if g.ndim else g}
        strided.step([given_g.get(gradient, g)])
        contiguous.step([np.ascontiguousarray(g).reshape(g.shape)])
        assert np.array_equal(array, plain)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", layouts(np.float64))
def test_nothing_beside_the_view_is_written(name, dtype):
    array, base = layouts(dtype)[name]
    before = base.tobytes()
    kept = array.copy()
    optimizer = sc.Adam(array, lr=0.1)
    optimizer.step(np.ones(array.shape, dtype))
    assert not array.size or not np.array_equal(array, kept)
    array[...] = kept
    assert base.tobytes() == before


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 5, 100, 40_000])
@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_the_gaps_of_a_view_keep_their_bytes(case, size, dtype):
    """Guards: every number beside the view, and as much again on both sides, is the byte 0xa5."""
    memory = np.full((size + 2) * 4 * np.dtype(dtype).itemsize, 0xA5, np.uint8)
    whole = memory.view(dtype).reshape(-1, 2)
    array = whole[::-1][size + 1 : 1 : -1, 1] if size > 5 else whole[1 : size + 1, 1]
    inside = np.zeros(whole.shape, bool)
    (inside[::-1][size + 1 : 1 : -1, 1] if size > 5 else inside[1 : size + 1, 1])[...] = True
    array[...] = noise(np.random.default_rng(0), array.shape, dtype)
    before = array.copy()
    optimizer = case.make([array])
    for _ in range(2):
        optimizer.step([noise(np.random.default_rng(1), array.shape, dtype)])
    assert not np.array_equal(array, before)
    assert np.all(memory.reshape(*whole.shape, -1)[~inside] == 0xA5)


def test_ten_thousand_tiny_arrays():
    params = [np.full(i % 4, 1.0, np.float32) for i in range(10_000)]
    opt = sc.Adam(params, lr=0.5, convention="torch")
    opt.step([np.full(p.shape, -2.0, np.float32) for p in params])
    assert all(np.allclose(p, 1.5, rtol=0, atol=1e-6) for p in params)


class TestHalf:
    """float16 is how parameters and gradients are stored; all else is float32."""

    def test_every_number_survives_a_step_that_moves_nothing(self):
        every = np.arange(65_536, dtype=np.uint16).view(np.float16)
        every = every[np.isfinite(every)]
        p = every.copy()
        sc.SGD(p, lr=0.0, nonfinite="ignore").step(every[::-1].copy())
        assert np.array_equal(p, every)

    def test_results_are_rounded_as_numpy_rounds(self):
        rng = np.random.default_rng(0)
        every = np.arange(65_536, dtype=np.uint16).view(np.float16)
        p = every[np.isfinite(every)]
        bits = rng.integers(0, 2**32, p.size, np.uint32).view(np.float32)
        small = p.astype(np.float32) * rng.choice([2.0**-11, 2.0**-12, 3 * 2.0**-12], p.size).astype(
            np.float32
        )
        for g in (small, np.where(np.isfinite(bits) & (abs(bits) > 1e-30), bits, np.float32(0))):
            with np.errstate(over="ignore"):
                expected = (p.astype(np.float32) - g).astype(np.float16)
            moved = p.copy()
            sc.SGD(moved, lr=1.0, nonfinite="ignore").step(g)
            assert np.array_equal(moved, expected)

    @pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
    def test_it_is_the_float32_step_rounded(self, case):
        rng = np.random.default_rng(1)
        half = noise(rng, (3000,), np.float16)
        single = half.astype(np.float32)
        of_half, of_single = case.make([half], clip_norm=5.0), case.make([single], clip_norm=5.0)
        for _ in range(5):
            g = noise(rng, half.shape, np.float16)
            of_half.step([g])
            of_single.step([g.astype(np.float32)])
            # Rules that pass twice over the parameters round decoupled decay by itself.
            if case.rule in ("LAMB", "Prodigy"):
                np.testing.assert_allclose(half, single, rtol=2e-3, atol=2e-3)
                return
            assert np.array_equal(half, single.astype(np.float16))
            single[...] = half
        for slots, singles in zip(
            of_half.state_dict()["state"].values(), of_single.state_dict()["state"].values(), strict=True
        ):
            assert slots[0].dtype == np.float32
            assert np.array_equal(slots[0], singles[0])


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_complex_numbers_follow_the_reference_of_their_parts(case, dtype):
    rng = np.random.default_rng(9)
    start, grads = noise(rng, (5, 2), dtype), [noise(rng, (5, 2), dtype) for _ in range(100)]
    parts = lambda z: np.stack([z.real, z.imag])  # noqa: E731
    around = {"clip_norm": 2.0, "weight_decay": 0.05}
    options = case.all_options(**around)
    expected = trajectory(case.rule, [parts(start)], [[parts(g)] for g in grads], lambda _: case.lr, options)
    p = start.copy()
    optimizer = case.make([p], **around)
    tolerance = {np.complex64: 1e-5, np.complex128: 1e-12}[dtype]
    for g, [after] in zip(grads, expected, strict=True):
        optimizer.step([g])
        np.testing.assert_allclose(parts(p), after, rtol=0, atol=tolerance * max(1, np.abs(after).max()))
    assert np.abs(p - start).max() > 1e-3


@pytest.mark.parametrize("case", [c for c in ONE_OF_EACH if c.rule != "Prodigy"], ids=str)
def test_float16_follows_the_reference_rounded_at_each_step(case):
    rng = np.random.default_rng(10)
    start, grads = noise(rng, (6, 3), np.float16), [noise(rng, (6, 3), np.float16) for _ in range(100)]
    around = {o["name"] for o in TABLES["SGD"]["options"]} & {o["name"] for o in TABLES["Lion"]["options"]}
    own = {name: value for name, value in case.all_options().items() if name not in around}
    own.pop("decay_in_update", None)
    if case.rule in DECAY_THEMSELVES:
        own["weight_decay"] = 0.0
    p, expected = start.copy(), start.astype(np.float64)
    state = {"z": expected} if case.rule.startswith("ScheduleFree") else {}
    optimizer = case.make([p], weight_decay=0.0)
    for t, g in enumerate(grads, start=1):
        optimizer.step([g])
        expected = RULES[case.rule](expected, g.astype(np.float64), state, case.lr, t, **own)
        expected = expected.astype(np.float16).astype(np.float64)
        # Where float32 and float64 round to neighbours, they may stay apart.
        close = 2 * np.spacing(np.maximum(np.abs(expected), 1).astype(np.float16)).astype(np.float64)
        assert (np.abs(p - expected) <= close).all()
        assert np.mean(p == expected) > 0.8
    assert np.abs(p - start).max() > 0.02


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_complex_numbers_are_pairs_of_reals(case, dtype):
    rng = np.random.default_rng(2)
    p = noise(rng, (4, 3), dtype)
    pairs = p.view(p.real.dtype).copy()
    of_complex, of_pairs = case.make([p], clip_norm=1.0), case.make([pairs], clip_norm=1.0)
    for _ in range(5):
        g = noise(rng, p.shape, dtype)
        of_complex.step([g])
        of_pairs.step([g.view(p.real.dtype)])
        assert np.array_equal(p.view(pairs.dtype), pairs)
    again = case.make([p.copy()])
    again.load_state_dict(of_complex.state_dict())
    for slot in again.state_dict()["state"].values():
        assert slot[0].dtype == dtype
        assert slot[0].shape == p.shape


def test_types_of_one_precision_go_together():
    params = [np.ones(2, np.float32), np.ones(2, np.float16), np.ones(2, np.complex64)]
    opt = sc.SGD(params, lr=0.5)
    opt.step([np.ones(2, np.float32), np.ones(2, np.float16), np.full(2, 1j, np.complex64)])
    assert [p[0] for p in params] == [0.5, 0.5, 1 - 0.5j]
    before = [p.tobytes() for p in params]
    good = [np.ones_like(p) for p in params]
    for index, bad in [(0, np.float16), (1, np.float64), (2, np.float32), (2, np.complex128)]:
        with pytest.raises(
            TypeError, match=rf"grads\[{index}\] must be an array of {params[index].dtype}, got"
        ):
            opt.step([*good[:index], np.ones(2, bad), *good[index + 1 :]])
        assert [p.tobytes() for p in params] == before


@settings(max_examples=60, deadline=None)
@given(
    st.data(),
    st.sampled_from(DTYPES),
    st.sampled_from(ONE_OF_EACH),
    st.integers(0, 4),
    st.sampled_from(["shape", "dtype", "value", "count"]),
)
def test_what_is_refused_has_changed_nothing_and_a_saved_run_goes_on(data, dtype, case, split, wrong):
    shapes = data.draw(st.lists(st.lists(st.integers(1, 4), max_size=3).map(tuple), min_size=1, max_size=4))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    params = [noise(rng, shape, dtype) for shape in shapes]
    grads = [[noise(rng, shape, dtype) for shape in shapes] for _ in range(5)]
    opt = case.make(params)
    for g in grads[:split]:
        opt.step(g)

    def arrays() -> list[bytes]:
        slots = [a for slot in opt.state_dict()["state"].values() for a in slot]
        return [a.tobytes() for a in [*slots, *params]]

    before, index = arrays(), data.draw(st.integers(0, len(shapes) - 1))
    bad = [g.copy() for g in grads[split]]
    if wrong == "count":
        bad.append(bad[0])
    elif wrong == "value":
        bad[index][...] = np.nan
    else:
        bad[index] = bad[index][None] if wrong == "shape" else np.ones(bad[index].shape, int)
    with pytest.raises((TypeError, ValueError, sc.NonFiniteError)):
        opt.step(bad)
    assert arrays() == before
    copies = [p.copy() for p in params]
    other = case.make(copies)
    other.load_state_dict(opt.state_dict())
    for g in grads[split:]:
        opt.step(g)
        other.step(g)
    assert all(np.array_equal(p, q) for p, q in zip(params, copies, strict=True))


def test_structures():
    def params():
        return {"w": np.ones((2, 3)), "rest": (np.ones(2), [np.ones(()), {"deep": np.ones(1)}])}

    grads = {"rest": [np.full(2, 2.0), (np.array(3.0), {"deep": np.array([4.0])})], "w": np.ones((2, 3))}
    p = params()
    sc.SGD(p, lr=1.0).step(grads)
    assert np.array_equal(p["w"], np.zeros((2, 3)))
    assert np.array_equal(p["rest"][0], [-1, -1])
    assert p["rest"][1][0] == -2
    assert p["rest"][1][1]["deep"] == -3


def test_one_array():
    p = np.ones(3)
    sc.SGD(p, lr=1.0).step(np.ones(3))
    assert np.array_equal(p, np.zeros(3))


def test_a_numpy_scalar_is_the_gradient_of_an_array_without_axes():
    """NumPy makes a scalar of ``2 * z`` where z has no axes."""
    z = np.array(3.0)
    opt = sc.SGD({"z": z}, lr=0.25)
    opt.step({"z": 2 * z})
    assert z == 1.5
    for bad, error in ((np.float32(1), TypeError), (1.0, TypeError)):
        with pytest.raises(error, match=r"grads\['z'\] must be"):
            opt.step({"z": bad})
    with pytest.raises(TypeError, match="grads must be a NumPy array, got float64"):
        sc.SGD(np.ones(1)).step(np.float64(1))


def test_a_gradient_may_be_the_parameter_itself_or_overlap_it():
    """The gradient of |p|^2 / 2 is p; what is read is what was there before the step."""
    p = np.arange(5000.0)
    before = p.copy()
    sc.SGD(p, lr=0.5).step(p)
    assert np.array_equal(p, before / 2)
    sc.SGD(p, lr=1.0).step(p[::-1])
    assert np.array_equal(p, before / 2 - before[::-1] / 2)
    base = np.arange(5001.0)
    expected = base[1:] - base[:-1]
    sc.SGD(base[1:], lr=1.0).step(base[:-1])
    assert np.array_equal(base[1:], expected)


def test_interleaved_parameters_are_taken():
    base = np.zeros((4, 6))
    sc.SGD([base[:, ::2], base[:, 1::2]], lr=1.0).step([np.ones((4, 3)), -np.ones((4, 3))])
    assert np.array_equal(base, np.tile([-1.0, 1.0], (4, 3)))


class TestRefused:
    """Everything that is wrong raises before anything changes."""

    W, B = (3, 2), (2,)

    def optimizer(self, **options):
        self.params = {"w": np.ones(self.W, np.float32), "b": np.ones(self.B, np.float32)}
        opt = sc.Adam(self.params, **options)
        opt.step({"w": np.ones(self.W, np.float32), "b": np.ones(self.B, np.float32)})
        return opt

    def snapshot(self, opt):
        state = opt.state_dict()
        arrays = [a for slot in state.pop("state").values() for a in slot] + list(self.params.values())
        return [a.tobytes() for a in arrays], repr(state)

    @pytest.mark.parametrize(
        ("grads", "error", "words"),
        [
            ({"w": np.ones(W, np.float32)}, ValueError, "grads must be 2 entries as in params, got 1"),
            ({"w": np.ones(W, np.float32), "c": np.ones(B, np.float32)}, ValueError, "grads['b'] must be there"),
            ([np.ones(W, np.float32), np.ones(B, np.float32)], TypeError, "grads must be a mapping"),
            (np.ones(W, np.float32), TypeError, "grads must be a mapping"),
            (None, TypeError, "grads must be a mapping"),
            ({"w": np.ones((2, 3), np.float32), "b": np.ones(B, np.float32)}, ValueError, "of shape (3, 2), got shape (2, 3)"),
            ({"w": np.ones(W, np.float32), "b": np.ones((2, 1), np.float32)}, ValueError, "grads['b'] must be of shape (2,)"),
            ({"w": np.ones(W), "b": np.ones(B, np.float32)}, TypeError, "grads['w'] must be an array of float32, got float64"),
            ({"w": np.ones(W, np.float32), "b": np.ones(B, int)}, TypeError, "grads['b'] must be an array of float32"),
            ({"w": np.ones(W, np.float32), "b": np.ones(B, ">f4")}, TypeError, "grads['b'] must be an array of float32"),
            ({"w": np.ones(W, np.float32), "b": [1.0, 1.0]}, TypeError, "grads['b'] must be a NumPy array, got list"),
            ({"w": np.ones(W, np.float32), "b": None}, TypeError, "grads['b'] must be a NumPy array, got NoneType"),
            (
                {"w": np.ones(W, np.float32), "b": np.array([1, np.nan], np.float32)},
                sc.NonFiniteError,
                "grads['b'] has NaN or infinite values at step 2",
            ),
            (
                {"w": np.full(W, np.inf, np.float32), "b": np.ones(B, np.float32)},
                sc.NonFiniteError,
                "grads['w'] has NaN or infinite",
            ),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("clip_norm", [None, 1.0])
    def test_gradients(self, grads, error, words, clip_norm):
        opt = self.optimizer(clip_norm=clip_norm)
        before = self.snapshot(opt)
        with pytest.raises(error) as raised:
            opt.step(grads)
        assert words in str(raised.value)
        assert self.snapshot(opt) == before

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda p: p.setflags(write=False), "params['w'] must be writable, got a read-only array"),
            (lambda p: setattr(p, "shape", (2, 3)), "params['w'] must be as it was"),
        ],
    )  # fmt: skip
    @pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")
    def test_parameters_that_have_changed(self, change, words):
        opt = self.optimizer()
        before = self.snapshot(opt)
        change(self.params["w"])
        with pytest.raises(ValueError, match="must be") as raised:
            opt.step({"w": np.ones(self.W, np.float32), "b": np.ones(self.B, np.float32)})
        assert words in str(raised.value)
        assert self.snapshot(opt)[0] == before[0]

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_a_step_may_be_skipped_and_is_counted(self, bad):
        opt = self.optimizer(nonfinite="skip")
        before = self.snapshot(opt)
        opt.step({"w": np.full(self.W, bad, np.float32), "b": np.ones(self.B, np.float32)})
        assert (opt.step_count, opt.skipped_steps) == (1, 1)
        assert self.snapshot(opt)[0] == before[0]
        opt.step({"w": np.ones(self.W, np.float32), "b": np.ones(self.B, np.float32)})
        assert (opt.step_count, opt.skipped_steps) == (2, 1)

    def test_not_looking_lets_it_through(self):
        opt = self.optimizer(nonfinite="ignore")
        opt.step({"w": np.full(self.W, np.nan, np.float32), "b": np.ones(self.B, np.float32)})
        assert np.isnan(self.params["w"]).all()
        assert np.isfinite(self.params["b"]).all()

    @pytest.mark.parametrize(
        ("params", "error", "words"),
        [
            ([], ValueError, "params must be at least one array"),
            ({}, ValueError, "params must be at least one array"),
            ([1.0], TypeError, "params[0] must be a NumPy array, got float"),
            ("abc", TypeError, "params must be a NumPy array, got str"),
            ([np.ones(2), None], TypeError, "params[1] must be a NumPy array, got NoneType"),
            (
                [np.ones(2, np.int64)],
                TypeError,
                "params[0] must be an array of float16, float32, float64, complex64 or complex128, got int64",
            ),
            ([np.ones(2, ">f4")], TypeError, "complex128, got >f4"),
            (
                [np.ones(2, np.float32), np.ones(2)],
                TypeError,
                "params[1] must be an array whose numbers are of float32, as those of the first one are, got float64",
            ),
            (
                {"a": np.broadcast_to(np.ones(2), (3, 2))},
                ValueError,
                "params['a'] must be an array whose elements have memory",
            ),
            (
                [np.lib.stride_tricks.as_strided(np.zeros(5), (3, 3), (8, 8))],
                ValueError,
                "whose elements have memory of their own",
            ),
            ([{"params": np.ones(2), "lr": -1}], ValueError, "lr must be"),
            ([{"params": np.ones(2), "clip_norm": 1}], ValueError, "clip_norm is about all groups"),
            ([{"params": np.ones(2), "beta": 1}], TypeError, "option of Adam"),
        ],
    )
    def test_parameters(self, params, error, words):
        with pytest.raises(error) as raised:
            sc.Adam(params)
        assert words in str(raised.value)

    def test_parameters_that_share_memory(self):
        w = np.zeros((4, 4))
        for params in ([w, w], [w[:2], w[1:]], [w, w.T], [np.zeros(3), w[::2], w[2]]):
            with pytest.raises(
                ValueError, match=r"params\[\d\] must be an array with memory of its own, got"
            ):
                sc.SGD(params)

    @pytest.mark.parametrize(
        ("options", "error", "words"),
        [
            ({"lr": -1}, ValueError, "lr must be a finite number >= 0, got -1"),
            ({"lr": float("nan")}, ValueError, "lr must be"),
            ({"lr": "fast"}, TypeError, "lr must be a number, a schedule or a callable of the step, got '"),
            ({"betas": (0.9, 1.0)}, ValueError, "betas must be two finite numbers in [0, 1), got (0.9, 1.0)"),
            ({"betas": 0.9}, TypeError, "betas must be two finite numbers in [0, 1), got 0.9"),
            ({"eps": "x"}, TypeError, "eps must be a finite number >= 0, got 'x'"),
            ({"amsgrad": 1}, TypeError, "amsgrad must be True or False, got 1"),
            ({"clip_norm": 0}, ValueError, "clip_norm must be a finite number > 0, or None, got 0"),
            ({"decay": "full"}, ValueError, 'decay must be "coupled", "decoupled" or "independent", got "full"'),
            ({"convention": "jax"}, ValueError, 'convention must be "lecture", "torch", "optax" or "keras", got "jax"'),
            ({"momentum": 0.9}, TypeError, 'option of Adam must be one of lr, betas, eps,'),
        ],
    )  # fmt: skip
    def test_options(self, options, error, words):
        with pytest.raises(error) as raised:
            sc.Adam(np.ones(2), **options)
        assert words in str(raised.value)

    def test_a_recipe_has_nothing_to_step(self):
        with pytest.raises(RuntimeError, match="made without params"):
            sc.Adam().step(np.ones(2))
        with pytest.raises(TypeError, match="base"):
            sc.Optimizer(np.ones(2))

    def test_a_schedule_that_fails(self):
        def broken(step):
            raise KeyError(step)

        p = np.ones(2)
        with pytest.raises(KeyError):
            sc.SGD(p, lr=broken).step(np.ones(2))
        with pytest.raises(ValueError, match="lr must be a finite number >= 0, got -1 from the schedule"):
            sc.SGD(p, lr=lambda step: -1.0).step(np.ones(2))
        with pytest.raises(
            TypeError, match="lr must be a function that returns numbers, got one that returns str"
        ):
            sc.SGD(p, lr=lambda step: "fast").step(np.ones(2))
        assert np.array_equal(p, np.ones(2))


@st.composite
def views(draw: st.DrawFn, dtype: type) -> np.ndarray:
    """A view of fresh memory with random axes, steps and order."""
    shape = draw(st.lists(st.integers(0, 5), max_size=4))
    steps = [draw(st.sampled_from([1, 2, -1, -2])) for _ in shape]
    whole = tuple(n * abs(s) for n, s in zip(shape, steps, strict=True))
    base = noise(np.random.default_rng(3), whole, dtype)
    order = draw(st.permutations(range(len(shape))))
    base = np.asarray(base, order=draw(st.sampled_from("CF")))
    return base[(*(slice(None, None, s) for s in steps), ...)].transpose(order)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(DTYPES), st.sampled_from([c for c in ONE_OF_EACH if c.rule != "LAMB"]))
def test_random_structures_of_random_layouts(data: st.DataObject, dtype: type, case: Case):
    arrays = data.draw(st.lists(views(dtype), min_size=1, max_size=4))
    grads = [noise(np.random.default_rng(4), a.shape, dtype) for a in arrays]
    grads = [np.asarray(g, order=data.draw(st.sampled_from("CF"))) for g in grads]
    flat = np.concatenate([a.ravel() for a in arrays])
    strided, plain = case.make(arrays), case.make(flat)
    for _ in range(3):
        strided.step(grads)
        plain.step(np.concatenate([g.ravel() for g in grads]))
    assert np.array_equal(np.concatenate([a.ravel() for a in arrays]), flat)


def test_one_core_gives_the_same_bits():
    """The same large step in a process that may use only one core."""
    script = (
        "import numpy as np, schuss, hashlib, os, sys\n"
        "if len(sys.argv) > 1: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "rng = np.random.default_rng(0)\n"
        "p = rng.normal(size=300_000).astype('f4')\n"
        "opt = schuss.Adam(p, clip_norm=1.0)\n"
        "[opt.step(rng.normal(size=p.size).astype('f4')) for _ in range(3)]\n"
        "print(hashlib.sha256(p.tobytes()).hexdigest())"
    )
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system cannot confine a process to one core")
    runs = [subprocess.check_output([sys.executable, "-c", script, *extra]) for extra in ([], ["one"])]
    assert runs[0] == runs[1]
