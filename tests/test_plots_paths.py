"""Paths over landscapes, flat, in space and as a film: the numbers in what is drawn."""

import json
import re

import numpy as np
import pytest
import scipy.optimize

import schuss as sc
from schuss import plots

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
plt = pytest.importorskip("matplotlib.pyplot")


def valley(p):
    return 0.05 * p[0] ** 2 + p[1] ** 2, np.array([0.1 * p[0], 2 * p[1]])


def parabola(w):
    return float((w**2).sum()), 2 * w


def runs(fun=valley, start=(-8.0, 1.5), steps=40):
    recipes = {
        "gradient descent": sc.SGD(lr=0.8),
        "momentum": sc.SGD(lr=0.8, momentum=0.9),
        "Adam": sc.Adam(lr=0.3),
    }
    return {
        name: sc.minimize(fun, list(start), jac=True, optimizer=recipe, max_steps=steps, min_step=0)
        for name, recipe in recipes.items()
    }


def named(ax):
    return {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}


def drawn(figure):
    figure.canvas.draw()


class TestPaths:
    def test_are_where_the_optimizers_went(self):
        found = runs()
        ax = plots.paths(valley, paths=found)
        lines = named(ax)
        assert list(lines) == list(found)
        for name, run in found.items():
            np.testing.assert_array_equal(lines[name].get_xydata(), run.path)
        stars = [line for line in ax.get_lines() if line.get_marker() == "*"]
        for star, run in zip(stars, found.values(), strict=True):
            np.testing.assert_array_equal(star.get_xydata(), run.path[-1:])
        drawn(ax.figure)

    def test_can_be_told_apart_without_colours(self):
        lines = named(plots.paths(valley, paths=runs())).values()
        looks = {(line.get_linestyle(), line.get_marker()) for line in lines}
        assert len(looks) == len({line.get_color() for line in lines}) == 3

    def test_arrows_point_the_way_they_went(self):
        run = runs()["gradient descent"]
        ax = plots.paths(valley, paths={"it": run})
        assert len(ax.texts) == len(plots._landscape.ARROWS)
        for arrow in ax.texts:
            direction = np.subtract(arrow.xy, arrow.xyann)
            middles = (run.path[:-1] + run.path[1:]) / 2
            step = np.hypot(*(middles - arrow.xy).T).argmin()
            np.testing.assert_allclose(middles[step], arrow.xy, atol=1e-9)
            went = run.path[step + 1] - run.path[step]
            np.testing.assert_allclose(np.cross([*direction, 0], [*went, 0]), 0, atol=1e-9)
            assert direction @ went > 0

    def test_a_path_that_hardly_moves_has_no_arrows(self):
        ax = plots.paths(valley, {"still": [[0.5, 0.5], [0.5, 0.501]]}, ((-1, 1), (-1, 1)))
        assert not ax.texts

    def test_the_bounds_are_what_the_paths_need(self):
        ax = plots.paths(valley, paths={"a": [[0.0, 0.0], [2.0, 1.0]], "b": [[-2.0, 0.5], [np.nan, 7.0]]})
        np.testing.assert_allclose(ax.get_xlim(), (-2.6, 2.6))
        np.testing.assert_allclose(ax.get_ylim(), (-0.15, 1.15))

    def test_of_one_weight_are_steps_on_the_curve(self):
        run = sc.minimize(parabola, [2.0], jac=True, optimizer=sc.SGD(lr=0.3), max_steps=10)
        ax = plots.paths(parabola, paths={"it": run})
        np.testing.assert_array_equal(named(ax)["it"].get_xdata(), run.path[:, 0])
        np.testing.assert_array_equal(named(ax)["it"].get_ydata(), run.path[:, 0] ** 2)

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"paths": {}}, "paths must have at least one path"),
            ({"paths": {"a": np.zeros((3, 4))}}, r"paths\['a'\] must have 2 columns, got shape \(3, 4\)"),
            ({"paths": {"a": {"path": None}}}, r"paths\['a'\] must be a result with a path"),
            ({"paths": {"a": [[np.nan, 1.0]]}}, "bounds must be given where no point of the paths is finite"),
        ],
    )
    def test_what_is_wrong_is_refused(self, given, words):
        with pytest.raises(ValueError, match=words):
            plots.paths(valley, **given)

    @pytest.mark.parametrize("draw", [plots.paths, plots.loss_by_step, plots.surface, plots.animate])
    def test_one_result_without_a_name_is_refused_as_what_it_is(self, draw):
        result = runs()["Adam"]
        words = "paths must be a dict of names and arrays or results, got "
        for given in (result, scipy.optimize.OptimizeResult(result)):
            with pytest.raises(TypeError, match=f"^{words}an OptimizeResult$"):
                draw(valley, paths=given)
        with pytest.raises(TypeError, match=f"^{words}a History$"):
            draw(valley, paths=sc.History())


@pytest.mark.filterwarnings("ignore:overflow")
class TestDiverging:
    """A run of gradient descent that ends where the next square is no number."""

    def run(self, weights):
        recipe = sc.SGD(lr=5.0)
        return sc.minimize(
            lambda p: ((p**2).sum(), 2 * p), np.ones(weights), jac=True, optimizer=recipe, max_steps=500
        )

    @pytest.mark.parametrize(
        ("draw", "weights"),
        [
            (plots.paths, 1),
            (plots.paths, 2),
            (plots.surface, 2),
            (plots.animate, 1),
            (plots.animate, 2),
        ],
    )
    @pytest.mark.parametrize("reach", [2.0, 1e154])
    def test_has_a_picture_within_bounds_and_is_told_to_give_some(self, draw, weights, reach):
        run = self.run(weights)
        assert np.abs(run.path).max() > 1e150
        with pytest.raises(ValueError, match=r"bounds must be given where paths go further than 1e\+150"):
            draw(lambda p: (p**2).sum(), paths={"it": run})
        assert not plt.get_fignums()
        side = (-reach, reach)
        made = draw(lambda p: (p**2).sum(), paths={"it": run}, bounds=side if weights == 1 else (side, side))
        getattr(made, "ax", made).figure.canvas.draw()


class TestSurface:
    def test_is_the_loss_over_both_parameters(self):
        ax = plots.surface(lambda p: p[0] + 10 * p[1], ((0, 1), (2, 3)))
        assert ax.get_zlim()[0] <= 20
        assert ax.get_zlim()[1] >= 31
        assert (ax.get_xlim(), ax.get_ylim()) == ((0, 1), (2, 3))
        drawn(ax.figure)

    def test_paths_lie_on_it(self):
        found = runs()
        ax = plots.surface(valley, paths=found)
        for name, run in found.items():
            x, y, z = named(ax)[name].get_data_3d()
            np.testing.assert_array_equal(np.column_stack([x, y]), run.path)
            np.testing.assert_allclose(z, [valley(point)[0] for point in run.path])
        drawn(ax.figure)

    def test_what_leaves_the_bounds_is_not_drawn(self):
        ax = plots.surface(valley, ((-1, 1), (-1, 1)), {"it": [[0.5, 0.5], [2.0, 0.0], [0.0, 0.0]]})
        x, _, z = named(ax)["it"].get_data_3d()
        assert np.isnan(x).tolist() == np.isnan(z).tolist() == [False, True, False]

    def test_draws_on_axes_in_space_only(self):
        ax = plt.figure().add_subplot(projection="3d")
        assert plots.surface(valley, ((-1, 1), (-1, 1)), ax=ax) is ax
        with pytest.raises(TypeError, match='ax must be axes of matplotlib with projection="3d", got'):
            plots.surface(valley, ((-1, 1), (-1, 1)), ax=plt.figure().add_subplot())


class TestAnimate:
    def test_a_frame_shows_the_paths_up_to_its_step(self):
        found = runs()
        race = plots.animate(valley, paths=found)
        assert race.steps.tolist() == list(range(41))
        for frame in (0, 7, 40):
            race.show(frame)
            for name, run in found.items():
                np.testing.assert_array_equal(named(race.ax)[name].get_xydata(), run.path[: frame + 1])
            heads = [line for line in race.ax.get_lines() if line.get_label() == "_head"]
            for head, run in zip(heads, found.values(), strict=True):
                np.testing.assert_array_equal(head.get_xydata(), run.path[frame : frame + 1])

    def test_who_has_arrived_waits(self):
        short, long = np.ones((3, 2)), np.linspace([0, 0], [1, 2], 9)
        race = plots.animate(valley, paths={"short": short, "long": long})
        race.show(-1)
        np.testing.assert_array_equal(named(race.ax)["short"].get_xydata(), short)
        np.testing.assert_array_equal(named(race.ax)["long"].get_xydata(), long)

    def test_long_races_leave_steps_out_but_not_the_last(self):
        race = plots.animate(valley, paths={"it": np.linspace([0, 0], [1, 2], 1000)}, frames=30, seconds=3)
        assert len(race.steps) == 30
        assert race.steps[[0, -1]].tolist() == [0, 999]
        assert race.seconds == pytest.approx(0.1)

    def test_the_only_frame_shows_the_end(self):
        race = plots.animate(valley, runs(), frames=1)
        assert race.steps.tolist() == [40]

    def test_in_space_nothing_is_drawn_outside_the_bounds(self):
        ax = plt.figure().add_subplot(projection="3d")
        race = plots.animate(valley, {"path": [[-8.0, 1.5], [0.0, 0.5], [50.0, 9.0]]}, ((-9, 1), (-2, 2)), ax)
        for frame in range(len(race.steps)):
            race.show(frame)
            points = np.concatenate([np.array(line.get_data_3d()).T for line in ax.get_lines()])
            points = points[np.isfinite(points).all(axis=1)]
            assert len(points)
            assert (points[:, 0] <= 1).all()

    def test_a_page_says_how_it_is_encoded(self, tmp_path):
        race = plots.animate(valley, {"Schuß": [[-8.0, 1.5], [0.0, 0.5]]})
        race.save(tmp_path / "race.html")
        text = (tmp_path / "race.html").read_text(encoding="utf-8")
        assert text.startswith("<!DOCTYPE html>")
        assert '<meta charset="utf-8">' in text
        assert text.count("<head>") == text.count("</body>") == 1
        assert "Schuß" in text
        assert race._repr_html_().startswith("<div")

    def test_in_space_and_on_a_curve(self):
        ax = plt.figure().add_subplot(projection="3d")
        race = plots.animate(valley, paths=runs(), ax=ax)
        assert race.ax is ax
        race.show(3)
        _, y, z = named(ax)["Adam"].get_data_3d()
        np.testing.assert_allclose(z, [valley(point)[0] for point in runs()["Adam"].path[:4]])
        assert len(y) == 4
        race = plots.animate(parabola, paths={"it": np.array([2.0, -1.0, 0.5])})
        np.testing.assert_array_equal(named(race.ax)["it"].get_xydata(), [[2, 4], [-1, 1], [0.5, 0.25]])

    def test_is_html_that_needs_nothing_and_a_gif_that_plays(self, tmp_path):
        pictures = pytest.importorskip("PIL.Image")
        race = plots.animate(valley, paths=runs(steps=6), seconds=0.7)
        page = race._repr_html_()
        # Each frame, and the last one for whoever has no JavaScript.
        assert page.count("data:image/png;base64") == 8
        assert not re.search(r"https?:|<link|<script[^>]*src", page)
        frames = json.loads(re.search(r'<script type="application/json">(.*)</script>', page)[1])
        assert len(set(frames)) == 7
        assert f'<img src="{frames[-1]}"' in page
        assert 'alt="optimizers on their way down: gradient descent, momentum, Adam"' in page
        race.save(tmp_path / "race.gif", dpi=40)
        with pictures.open(tmp_path / "race.gif") as film:
            assert film.n_frames == 7
            assert film.info["duration"] == 100
        race.save(str(tmp_path / "race.html"), dpi=40)
        assert (tmp_path / "race.html").read_text().count("data:image/png;base64") == 8

    def test_colours_of_a_film_are_those_of_the_lines(self, tmp_path):
        pictures = pytest.importorskip("PIL.Image")
        race = plots.animate(valley, paths=runs(), frames=5)
        race.save(tmp_path / "race.gif")
        for frame in range(1, 5):
            with pictures.open(tmp_path / "race.gif") as film:
                film.seek(frame)
                pixels = np.asarray(film.convert("RGB"), int).reshape(-1, 3)
            for line in named(race.ax).values():
                colour = 255 * np.array(matplotlib.colors.to_rgb(line.get_color()))
                assert (np.abs(pixels - colour).max(axis=1) < 8).sum() > 80

    def test_in_a_part_of_a_figure_the_film_shows_all_of_it(self):
        part = plt.figure().subfigures(1, 2)[0]
        race = plots.animate(parabola, paths={"": [1.0, 0.5], "it": [2.0, 0.5]}, ax=part.add_subplot())
        assert 'alt="optimizers on their way down: it"' in race.to_html()

    def test_a_frame_that_a_gif_cannot_keep_so_long_is_refused(self, tmp_path):
        race = plots.animate(parabola, paths={"it": [2.0, 0.5]}, seconds=2000)
        with pytest.raises(ValueError, match="seconds must be no more than 655 for each frame of a GIF, got"):
            race.save(tmp_path / "race.gif")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("wrong", [5, -5, 0.5, "1", slice(0, 1)])
    def test_a_frame_that_is_not_there_is_refused(self, wrong):
        race = plots.animate(parabola, paths={"it": np.linspace(2, 0, 4)})
        with pytest.raises(IndexError, match="frame must be an integer from -4 to 3, got"):
            race.show(wrong)
        race.show(np.int64(-4))

    def test_pyplot_shows_no_second_picture_of_it(self):
        plots.animate(valley, paths=runs(steps=3))
        assert not plt.get_fignums()

    def test_what_is_wrong_is_refused(self, tmp_path):
        race = plots.animate(valley, paths=runs(steps=3))
        with pytest.raises(
            ValueError, match=r"file must be a path that ends with .gif or .html, got 'race.mp4'"
        ):
            race.save("race.mp4")
        for name in ("a\0b.gif", "\ud800.html"):
            with pytest.raises(ValueError, match="file must be a path of characters that names of files may"):
                race.save(name)
        with pytest.raises(ValueError, match="dpi must be a positive number, got 0"):
            race.save(tmp_path / "x.gif", dpi=0)
        with pytest.raises(ValueError, match="dpi must be finite, got inf"):
            race.to_html(dpi=np.inf)
        with pytest.raises(ValueError, match="paths must have at least one path"):
            plots.animate(valley, {})
        for wrong in ({"frames": 0}, {"seconds": 0.0}, {"seconds": np.inf}):
            with pytest.raises(ValueError, match=next(iter(wrong))):
                plots.animate(valley, paths=runs(steps=3), **wrong)
