import builtins
import copy
import io
import json
import math
import os
import pickle
import re
import select
import struct
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from functools import partialmethod
from types import SimpleNamespace

import numpy as np
import pytest

import schuss as sc
from schuss import Stop
from schuss.history import History, progress_bar, tqdm_bar

NAN = float("nan")


def history_of(stopped="epochs", **columns):
    history = History()
    for values in zip(*columns.values(), strict=True):
        history.append(**dict(zip(columns, values, strict=True)))
    history.stopped = stopped
    return history


@pytest.mark.parametrize("losses", [[-1e308, 1e308], [-1e308, -1.0], [-1e308, -1e250], [1e308, 0.0, -5.0]])
@pytest.mark.parametrize("best", [None, 1])
def test_losses_of_any_size_and_sign_are_drawn(losses, best):
    pytest.importorskip("matplotlib")
    history = history_of(loss=losses)
    history.best_epoch = best
    ax = history.plot()
    ax.figure.savefig(io.BytesIO())
    low, high = ax.get_ylim()
    assert np.isfinite(high - low)
    assert low < high


def line_of(screen, seconds=30):
    """What a terminal shows up to the end of a line, which the system may hand over in pieces."""
    shown = b""
    while not shown.endswith(b"\n") and select.select([screen], [], [], seconds)[0]:
        shown += screen.read(1024)
    return shown.decode()


def without(monkeypatch, package):
    """Make `import package` fail as if it were not installed."""
    importing = builtins.__import__

    def fail(name, *args, **kwargs):
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return importing(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", fail)


def svg_of(history):
    svg = re.search(r"<svg.*</svg>", history._repr_html_())
    return ElementTree.fromstring(svg[0]) if svg else None


def curves_of(history):
    """The points of each curve: the paths of the drawing with as many as the history has epochs."""
    paths = [path for path in svg_of(history).findall(".//{*}path") if path.get("stroke-linejoin")]
    return [
        [(kind, float(x), float(y)) for kind, x, y in re.findall(r"([ML])([\d.]+) ([\d.]+)", path.get("d"))]
        for path in paths
    ]


def texts_of(history):
    return [text.text for text in svg_of(history).findall(".//{*}text")]


class TestHistory:
    def test_is_a_mapping_of_lists(self):
        history = history_of(loss=[0.9, 0.4], lr=[0.1, 0.05])
        assert history["loss"] == [0.9, 0.4]
        assert dict(history) == {"loss": [0.9, 0.4], "lr": [0.1, 0.05]}
        assert history.epochs == 2
        assert len(history) == 2
        assert "val_loss" not in history

    def test_an_unknown_column_is_named_with_those_there_are(self):
        with pytest.raises(KeyError, match=r"'accuracy'.*\['loss'\]"):
            history_of(loss=[1.0])["accuracy"]

    def test_a_column_that_is_never_given_does_not_exist(self):
        assert list(history_of(loss=[1.0, 2.0], val_loss=[None, None])) == ["loss"]

    def test_columns_stay_equally_long(self):
        history = history_of(loss=[1.0, 2.0, 3.0], val_loss=[None, 5.0, None])
        history.append(lr=0.1)
        assert history["val_loss"] == pytest.approx([NAN, 5, NAN, NAN], nan_ok=True)
        assert history["loss"] == pytest.approx([1, 2, 3, NAN], nan_ok=True)
        assert history["lr"] == pytest.approx([NAN, NAN, NAN, 0.1], nan_ok=True)

    def test_columns_are_lists_that_only_append_changes(self):
        history = history_of(loss=[1.0, 2.0])
        column = history["loss"]
        for change in (
            lambda: column.append(3.0),
            lambda: column.extend([3.0]),
            lambda: column.__iadd__([3.0]),
            lambda: column.__setitem__(0, 3.0),
            lambda: column.__setitem__(slice(None), []),
            lambda: column.__delitem__(0),
            column.pop,
            column.clear,
            column.sort,
        ):
            with pytest.raises(TypeError, match=r"append.* adds an epoch, list.* can be changed"):
                change()
        assert column == history["loss"] == [1.0, 2.0]
        for copied in (history, history.copy(), pickle.loads(pickle.dumps(history)), copy.deepcopy(history)):
            assert isinstance(copied["loss"], list)
            with pytest.raises(TypeError, match="can be changed"):
                copied["loss"].append(3.0)
            copied.append(loss=3.0)
            assert copied["loss"] == [1.0, 2.0, 3.0]
            copied._truncate(2)
        with pytest.raises(TypeError, match=r"\{name: list\(column\) for .* can be changed") as refused:
            history.clear()
        words = str(refused.value)
        mine = eval(words[words.index("{") : words.index("}") + 1], {"history": history})
        mine["loss"].append(3.0)
        assert history["loss"] == [1.0, 2.0]
        for own in (list(column), [*column], column.copy(), column[:], pickle.loads(pickle.dumps(column))):
            own.append(3.0)
            assert own == [1.0, 2.0, 3.0]

    def test_repr_says_where_training_ended(self):
        assert repr(history_of(loss=[1.0, 0.25])) == "History(epochs=2, loss=0.25, stopped='epochs')"
        assert repr(History()) == "History(epochs=0, stopped=None)"

    def test_repr_says_which_epoch_was_kept(self):
        history = history_of(loss=[1.0, 0.25])
        history.best_epoch = 1
        assert repr(history) == "History(epochs=2, loss=0.25, best_epoch=1, stopped='epochs')"

    def test_to_frame_counts_epochs_from_one(self):
        pytest.importorskip("pandas")
        frame = history_of(loss=[0.9, 0.4], val_loss=[None, 0.5]).to_frame()
        assert list(frame.columns) == ["loss", "val_loss"]
        assert list(frame.index) == [1, 2]
        assert frame.index.name == "epoch"
        assert frame.loc[2, "val_loss"] == 0.5

    @pytest.mark.parametrize(("package", "method"), [("pandas", "to_frame"), ("matplotlib", "plot")])
    def test_a_missing_package_is_named(self, monkeypatch, package, method):
        without(monkeypatch, package)
        with pytest.raises(ImportError, match=package):
            getattr(history_of(loss=[1.0]), method)()

    def test_why_it_stopped_and_its_best_epoch_are_what_a_file_can_have(self, tmp_path):
        net = sc.MLP([2, 1])
        net.history = history = history_of(loss=[2.0, 1.0, 3.0])
        history.stopped, history.best_epoch = "converged", np.argmin(history["loss"]) + 1
        assert history.stopped is Stop.CONVERGED
        assert type(history.best_epoch) is int
        json.loads(history.to_json())
        net.save(tmp_path / "net.npz")
        assert sc.MLP.load(tmp_path / "net.npz").history.best_epoch == 2
        for value in ("patience", 3, np.zeros(2), b"epochs"):
            with pytest.raises(ValueError, match=r"stopped must be None or one of 'epochs', .*, got"):
                history.stopped = value
        for value, error in ((0, ValueError), (1.5, TypeError), ("2", TypeError), (True, TypeError)):
            with pytest.raises(error, match="best_epoch must be"):
                history.best_epoch = value
        assert (history.stopped, history.best_epoch) == ("converged", 2)


class TestHtml:
    def test_a_curve_goes_through_every_epoch_and_falls_with_the_loss(self):
        (curve,) = curves_of(history_of(loss=[4.0, 3.0, 1.0, 2.0]))
        kinds, x, y = zip(*curve, strict=True)
        assert kinds == ("M", "L", "L", "L")
        assert x[1] - x[0] == pytest.approx(x[3] - x[2], abs=0.1)
        assert y[0] < y[1] < y[3] < y[2]  # SVG counts downwards

    def test_validation_is_a_second_curve_with_its_name(self):
        history = history_of(loss=[4.0, 3.0], val_loss=[5.0, 4.5])
        assert len(curves_of(history)) == 2
        assert {"loss", "val_loss"} <= set(texts_of(history))

    def test_the_scale_is_logarithmic_where_the_loss_fell_far(self):
        (curve,) = curves_of(history_of(loss=[1.0, 0.1, 0.01]))
        assert curve[1][2] - curve[0][2] == pytest.approx(curve[2][2] - curve[1][2], abs=0.2)
        assert {"1", "0.1", "0.01"} <= set(texts_of(history_of(loss=[1.0, 0.1, 0.01])))
        (curve,) = curves_of(history_of(loss=[1.0, 0.5, 0.0]))
        assert curve[1][2] - curve[0][2] == pytest.approx(curve[2][2] - curve[1][2], abs=0.2)

    def test_values_that_are_not_finite_interrupt_the_curve(self):
        (curve,) = curves_of(history_of(loss=[3.0, 2.0, NAN, math.inf, 2.5, 1.0]))
        assert [kind for kind, _, _ in curve] == ["M", "L", "M", "L"]

    @pytest.mark.parametrize(
        "loss",
        [
            [0.5],
            [0.5, 0.5],
            [0.0, 0.0],
            [-2.0, -3.0],
            [1e-30, 1e30],
            [1e300, 0],
            [5e-324, 0],
            [4e-323, 3e-323],
            [1e300, 1.7e308],
            [1.7e308, -1.7e308, 0.1],
            [1.79e308, 1.79e308],
        ],
    )
    def test_odd_histories_stay_inside_the_picture(self, loss):
        (curve,) = curves_of(history_of(loss=loss))
        assert len(curve) == len(loss)
        assert all(0 <= x <= 480 and 0 <= y <= 220 for _, x, y in curve)

    @pytest.mark.parametrize("epochs", [1, 2, 3, 6, 7, 10, 11, 100, 1000, 12345])
    def test_the_epochs_on_the_axis_are_ordered_and_within_range(self, epochs):
        below = svg_of(history_of(loss=[1.0] * epochs)).findall(".//{*}text[@text-anchor='middle']")
        ticks = [int(text.text) for text in below if text.text != "epoch"]
        assert ticks[-1] == epochs
        assert ticks == sorted(set(ticks))
        assert len(ticks) <= 9

    def test_the_losses_on_the_axis_differ_however_little_they_do(self):
        svg = svg_of(history_of(loss=[1 - 1e-7 * i for i in range(50)]))
        ticks = [text.text for text in svg.findall(".//{*}text[@text-anchor='end']")]
        assert len(ticks) == len(set(ticks)) > 2

    def test_a_long_history_is_drawn_with_few_points_up_to_its_end(self):
        loss = [1 + 1 / (1 + i) for i in range(10_000)]
        html = history_of(loss=loss)._repr_html_()
        assert len(html) < 20_000
        (curve,) = curves_of(history_of(loss=loss))
        assert curve[-1][1] == pytest.approx(468, abs=0.1)
        assert html.count("<tr>") == 14
        assert "<td>1</td>" in html
        assert "<td>10000</td>" in html

    def test_every_value_of_a_short_history_is_in_the_table(self):
        html = history_of(loss=[0.9, 0.4], lr=[0.1, 0.05])._repr_html_()
        assert "<tr><th>epoch</th><th>loss</th><th>lr</th></tr>" in html
        assert "<tr><td>2</td><td>0.4</td><td>0.05</td></tr>" in html

    def test_without_losses_there_is_a_heading_alone(self):
        assert "0 epochs" in History()._repr_html_()
        assert svg_of(history_of(loss=[NAN, NAN])) is None
        assert svg_of(history_of(lr=[0.1])) is None

    def test_the_picture_is_no_wider_than_its_cell(self):
        assert "max-width:100%" in svg_of(history_of(loss=[1.0, 2.0])).get("style")

    def test_names_are_escaped(self):
        assert "a&lt;b" in history_of(**{"a<b": [1.0]})._repr_html_()


class Terminal(io.StringIO):
    def isatty(self):
        return True


class TestProgressBar:
    def test_disabled_shows_nothing(self, capsys):
        with progress_bar(3, enabled=False) as update:
            update(1, 0.5, None)
        assert capsys.readouterr() == ("", "")

    def test_tqdm_counts_the_epochs_and_shows_the_losses(self, capsys):
        pytest.importorskip("tqdm")
        with progress_bar(3) as update:
            for epoch in (1, 2, 3):
                update(epoch, 0.5 / epoch, 0.75)
        error = capsys.readouterr().err
        assert "3/3" in error
        assert "loss=0.1667, val_loss=0.75" in error

    def test_a_bar_that_tqdm_does_not_show_does_no_harm(self, monkeypatch):
        tqdm = pytest.importorskip("tqdm").tqdm
        monkeypatch.setattr(tqdm, "__init__", partialmethod(tqdm.__init__, disable=True))
        with tqdm_bar(tqdm, 3, "epoch") as bar:
            bar.update(1)

    def test_with_tqdm_a_training_that_ends_early_fills_its_bar(self, capsys):
        pytest.importorskip("tqdm")
        with progress_bar(50) as update:
            update(7, 0.5, None)
        last = capsys.readouterr().err.rstrip().rpartition("\r")[2]
        assert "100%" in last
        assert "7/7" in last

    def test_with_tqdm_an_interrupted_training_does_not(self, capsys):
        pytest.importorskip("tqdm")

        def train():
            with progress_bar(50) as update:
                update(7, 0.5, None)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train()
        assert "7/50" in capsys.readouterr().err.rstrip().rpartition("\r")[2]

    def test_a_bar_that_cannot_be_written_leaves_no_lock_behind(self, monkeypatch):
        tqdm = pytest.importorskip("tqdm").tqdm
        tqdm.monitor_interval, before = 0, tqdm.monitor_interval

        def full(text):
            raise OSError("no space left")

        def train():
            with progress_bar(3) as update:
                update(1, 0.5, None)

        monkeypatch.setattr(sys.stderr, "write", full)
        with pytest.raises(OSError, match="no space left"):
            train()
        monkeypatch.undo()
        tqdm.monitor_interval = before
        taken = threading.Event()

        def take():
            with tqdm.get_lock():
                taken.set()

        threading.Thread(target=take, daemon=True).start()
        assert taken.wait(30)

    def test_without_tqdm_a_log_gets_ten_lines(self, monkeypatch):
        without(monkeypatch, "tqdm")
        file = io.StringIO()
        with progress_bar(50, file=file) as update:
            for epoch in range(1, 51):
                update(epoch, 1 / epoch, None)
        lines = file.getvalue().splitlines()
        assert len(lines) == 10
        assert lines[-1] == "epoch 50/50 loss=0.02"

    def test_without_tqdm_the_last_epoch_is_shown_when_training_stops_early(self, monkeypatch):
        without(monkeypatch, "tqdm")
        file = io.StringIO()

        def train():
            with progress_bar(50, file=file) as update:
                for epoch in range(1, 8):
                    update(epoch, 1.0, 2.0)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train()
        assert file.getvalue().splitlines()[-1] == "epoch 7/50 loss=1, val_loss=2"

    def test_without_tqdm_a_terminal_line_rewrites_itself(self, monkeypatch):
        without(monkeypatch, "tqdm")
        terminal = Terminal()
        with progress_bar(1000, file=terminal) as update:
            for epoch in range(1, 1001):
                update(epoch, 1.0, None)
        shown = terminal.getvalue()
        assert shown.startswith("\repoch 1/1000 loss=1")
        assert shown.endswith("\repoch 1000/1000 loss=1\x1b[K\n")

    @pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
    @pytest.mark.parametrize(
        ("columns", "shown"),
        [
            (80, "epoch 1000/1000 loss=1234, val_loss=0.1235"),
            (40, "epoch 1000/1000 loss=1234"),
            (20, "epoch 1000/1000"),
            (4, "epo"),
            (0, "epoch 1000/1000 loss=1234, val_loss=0.1235"),
        ],
    )
    def test_without_tqdm_a_line_is_no_wider_than_its_terminal(self, monkeypatch, columns, shown):
        without(monkeypatch, "tqdm")
        fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
        reader, writer = os.openpty()
        fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        with open(reader, "rb", buffering=0) as screen, open(writer, "w") as terminal:
            with progress_bar(1000, file=terminal) as update:
                update(1000, 1234.5, 0.12345)
            terminal.flush()
            assert line_of(screen) == f"\r{shown}\x1b[K\r\n"

    @pytest.mark.parametrize("installed", [True, False])
    def test_a_program_without_a_console_shows_nothing(self, monkeypatch, installed):
        if not installed:
            without(monkeypatch, "tqdm")
        monkeypatch.setattr(sys, "stderr", None)
        with progress_bar(2) as update:
            update(1, 1.0, None)

    def test_neither_does_a_bar_of_tqdm(self, monkeypatch):
        tqdm = pytest.importorskip("tqdm").tqdm
        monkeypatch.setattr(sys, "stderr", None)
        with tqdm_bar(tqdm, 2, "network") as bar:
            bar.update(1)

    @pytest.mark.parametrize(("disable", "shows"), [("1", False), ("", True)])
    def test_tqdms_own_variable_hides_its_bar(self, disable, shows):
        pytest.importorskip("tqdm")
        code = (
            "from tqdm import tqdm; from schuss.history import tqdm_bar\n"
            "with tqdm_bar(tqdm, 2, 'network') as bar: bar.update(2)"
        )
        command, env = [sys.executable, "-c", code], os.environ | {"TQDM_DISABLE": disable}
        run = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        assert ("2/2" in run.stderr) is shows

    def test_without_tqdm_the_default_is_standard_error(self, monkeypatch, capsys):
        without(monkeypatch, "tqdm")
        with progress_bar(1) as update:
            update(1, 1.0, None)
        assert capsys.readouterr() == ("", "epoch 1/1 loss=1\n")

    @pytest.mark.parametrize("has_tqdm", [False, True])
    def test_a_closed_standard_error_and_one_that_only_writes_end_no_training(self, monkeypatch, has_tqdm):
        if has_tqdm:
            pytest.importorskip("tqdm")
        else:
            without(monkeypatch, "tqdm")
        closed = io.StringIO()
        closed.close()
        for console in (closed, SimpleNamespace(write=len, flush=lambda: None)):
            monkeypatch.setattr(sys, "stderr", console)
            with progress_bar(2) as update:
                update(2, 1.0, None)


def test_importing_the_package_loads_nothing_optional():
    code = "import sys, schuss; print({'matplotlib', 'pandas', 'scipy', 'sklearn', 'tqdm'} & {*sys.modules})"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "set()\n"


class TestAsADict:
    def history(self):
        history = history_of(loss=[2.0, 1.0], val_loss=[NAN, 0.5])
        history.best_epoch = 2
        return history

    def test_pandas_takes_it_as_its_table(self):
        frame = pytest.importorskip("pandas").DataFrame(self.history())
        assert list(frame.columns) == ["loss", "val_loss"]
        assert frame["loss"].tolist() == [2.0, 1.0]

    def test_json_has_all_of_it_and_no_nan(self):
        assert json.loads(self.history().to_json()) == {
            "columns": {"loss": [2.0, 1.0], "val_loss": [None, 0.5]},
            "stopped": "epochs",
            "best_epoch": 2,
        }

    @pytest.mark.parametrize(
        "copied", [copy.copy, copy.deepcopy, lambda h: pickle.loads(pickle.dumps(h)), History.copy]
    )
    def test_copies_have_all_of_it_and_lists_of_their_own(self, copied):
        history = self.history()
        other = copied(history)
        assert type(other) is History
        assert (other.to_json(), other.epochs) == (history.to_json(), 2)
        other.append(loss=0.5)
        assert history["loss"] == [2.0, 1.0]

    @pytest.mark.parametrize(
        "copied", [copy.copy, copy.deepcopy, lambda h: pickle.loads(pickle.dumps(h)), History.copy]
    )
    def test_copies_have_epochs_without_columns(self, copied):
        history = History()
        history.append(loss=None)
        other = copied(history)
        other.append(loss=1.0)
        assert (other.epochs, history.epochs) == (2, 1)
        np.testing.assert_equal(other["loss"], [NAN, 1.0])

    @pytest.mark.parametrize(
        "change",
        [
            lambda h: h.update(loss=[1.0]),
            lambda h: h.pop("loss"),
            lambda h: h.clear(),
            lambda h: h.setdefault("more", []),
            lambda h: h.__setitem__("loss", []),
            lambda h: h.__delitem__("loss"),
        ],
    )
    def test_nothing_but_append_changes_it(self, change):
        history = self.history()
        with pytest.raises(TypeError, match="a History keeps what happened"):
            change(history)
        assert history.to_json() == self.history().to_json()
