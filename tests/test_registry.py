"""The tables of activations, links and losses say what the core does, and everybody reads them."""

import math
from pathlib import Path

import numpy as np
import pytest

import schuss as sc
from schuss import _schuss
from schuss._registry import ACTIVATIONS, LINKS, LOSSES, Node, loss_with_link

DOCS = (Path(__file__).parent.parent / "docs" / "network.md").read_text()
X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)


def core(loss: str, **options: float) -> _schuss.Network:
    return _schuss.Network(widths=[3, 2], activations=[], loss=loss, **options)


def table_row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def test_the_names_are_those_of_the_tables():
    assert tuple(ACTIVATIONS) == sc.ACTIVATIONS
    assert tuple(LOSSES) == sc.LOSSES
    assert {loss.link for loss in LOSSES.values()} <= set(LINKS)


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_an_activation_has_its_row_in_the_docs(activation):
    saved = "-" if activation.name == "identity" else "z" if activation.needs_input else "a"
    assert table_row(f"`{activation.name}`", activation.formula, saved, activation.init) in DOCS


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_loss_has_its_row_in_the_docs(loss):
    assert table_row(f"`{loss.name}`", loss.formula, LINKS[loss.link].formula) in DOCS


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_loss_takes_its_parameter_and_no_other(loss):
    theta = np.ones(8, np.float32)
    y = np.zeros(20, np.uint32) if loss.targets == "classes" else np.ones((20, 2), np.float32)
    rows = (X, y, None)
    if loss.parameter is None:
        with pytest.raises(ValueError, match=f"loss_parameter must be None for {loss.name}, .* got 0.5"):
            core(loss.name, loss_parameter=0.5)
        return
    name, default, above, below = loss.parameter
    usual = core(loss.name).loss(theta, rows, 1)
    assert core(loss.name, loss_parameter=default).loss(theta, rows, 1) == usual
    assert core(loss.name, loss_parameter=(above + default) / 2).loss(theta, rows, 1) != usual
    for outside in (above, below, above - 1, math.nan):
        with pytest.raises(ValueError, match=f"loss_parameter must be a {name} .* for {loss.name}, got"):
            core(loss.name, loss_parameter=outside)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_links_and_kinds_of_targets_are_those_of_the_core(loss):
    net = sc.MLP([3, 2], loss=loss.name)
    links = {
        "identity": lambda z: z,
        "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "exp": np.exp,
    }
    np.testing.assert_allclose(net.predict(X), links[loss.link](net.logits(X)), rtol=1e-5)
    assert net.predict(X).tobytes() == sc_predict(net, loss_with_link(loss.link)).tobytes()
    refused = {"classes": 2.0, "unit": 1.5, "counts": -1.0, "numbers": "no"}[loss.targets]
    with pytest.raises((ValueError, TypeError), match=r"^y must"):
        net.loss(X, np.full(20 if loss.targets == "classes" else (20, 2), refused))
    assert f" {loss.link} " in net.summary()


def sc_predict(net: sc.MLP, loss: str) -> np.ndarray:
    """What another loss predicts with the parameters of a network."""
    other = sc.MLP(net.layers, loss=loss)
    other.theta[:] = net.theta
    return other.predict(X)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_mean_forgets_how_many_rows_there_are(loss):
    net = sc.MLP([3, 2], loss=loss.name, dtype="float64")
    y = np.zeros(20, int) if loss.targets == "classes" else np.ones((20, 2))
    once, twice = net.loss(X, y), net.loss(np.concatenate([X, X]), np.concatenate([y, y]))
    assert twice == pytest.approx(once if loss.is_mean else 2 * once)


def test_functions_may_be_any_expression_over_operators(tmp_path):
    """Constants and operators on operators: softsign, z / (1 + |z|)."""
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper

    from schuss.exchange._graph import IR_VERSION, OPSET, Graph

    softsign = Node("Div", (None, Node("Add", (1.0, Node("Abs", (None,), {})), {})), {})
    graph = Graph(["X"])
    out = graph.apply(softsign, "X")
    array = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in ("X", out)]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "softsign", array[:1], array[1:], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"X": X})[0], X / (1 + np.abs(X)), rtol=1e-6)
