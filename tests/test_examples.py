"""The model that ships: what it is, how good it is, and what it was fitted to."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import ghmpp
from ghmpp.examples import digits, digits_model, digits_split, fit_digits
from ghmpp.models.model import Model
from tests.tolerances import EXACT


@pytest.fixture(scope="module")
def model() -> Model:
    return digits()


def joint_logs(model: Model, images: np.ndarray) -> np.ndarray:
    """log p(image, digit), shape (images, 10), by sums over hidden states, in plain numpy."""
    data = model.forest().data
    order = model.variables["pixel"].order
    leaves = images[:, order].reshape(len(images), 16, 4)
    ranks = np.arange(4)
    blocks = data["block->pixel"][ranks, :, leaves].prod(axis=2).reshape(-1, 4, 4, 32)
    quadrants = np.einsum("rsa,iqra->iqrs", data["quadrant->block"], blocks).prod(axis=2)
    roots = np.einsum("rsa,ira->irs", data["digit->quadrant"], quadrants).prod(axis=1)
    return np.log(roots * data["digit"][0])


class TestDigits:
    def test_is_the_declared_tree_with_all_tables(self, model):
        assert [len(found.states) for found in model.variables.values()] == [10, 64, 32, 17]
        assert [found.nodes for found in model.variables.values()] == [1, 4, 16, 64]
        assert model.free == ()

    def test_tables_are_conditional_probabilities(self, model):
        for stack in model.forest().data.values():
            np.testing.assert_allclose(stack.sum(axis=-1), 1.0, rtol=EXACT)

    def test_codes_unseen_images_in_few_bits(self, model):
        images = digits_split().test

        logs = np.logaddexp.reduce(joint_logs(model, images), axis=1)
        assert -logs.mean() / np.log(2) / 64 <= 2.07

    def test_recognises_unseen_digits(self, model):
        split = digits_split()

        right = joint_logs(model, split.test).argmax(axis=1) == split.test_digits
        assert right.mean() >= 0.93

    def test_engine_gives_the_same_probabilities(self, model):
        images = digits_split().test[:20]

        found = ghmpp.Inference(model).log_evidence(images)
        expected = np.logaddexp.reduce(joint_logs(model, images), axis=1)
        np.testing.assert_allclose(found, expected, rtol=EXACT)

    def test_files_are_about_100_kilobytes(self):
        files = Path(ghmpp.examples.__file__).parent.glob("data/digits.*")

        assert 50_000 < sum(file.stat().st_size for file in files) < 200_000


class TestDigitsModel:
    def test_all_tables_are_free(self):
        assert digits_model().free == ("digit->quadrant", "quadrant->block", "block->pixel")

    def test_a_quadrant_is_a_quarter_of_the_image(self):
        order = digits_model().variables["pixel"].order

        rows, columns = np.divmod(order[:16], 8)
        assert rows.max() < 4
        assert columns.max() < 4


class TestDigitsSplit:
    def test_sizes_and_grey_levels(self):
        split = digits_split()

        assert split.train.shape == (1347, 64)
        assert split.test.shape == (450, 64)
        assert split.train.dtype == split.train_digits.dtype == np.int64
        assert (split.train.min(), split.train.max()) == (0, 16)

    def test_parts_hold_every_image_once(self):
        load_digits = pytest.importorskip("sklearn.datasets").load_digits
        everything, _ = load_digits(return_X_y=True)
        split = digits_split()

        found = Counter(map(bytes, np.concatenate([split.train, split.test])))
        assert found == Counter(map(bytes, everything.astype(np.int64)))

    def test_every_digit_has_its_share_in_both_parts(self):
        split = digits_split()

        train = np.bincount(split.train_digits) / 1347
        test = np.bincount(split.test_digits) / 450
        np.testing.assert_allclose(train, test, atol=0.002)

    def test_is_always_the_same(self):
        for first, second in zip(digits_split(), digits_split(), strict=True):
            np.testing.assert_array_equal(first, second)


class TestFitDigits:
    def test_script_saves_what_was_fitted(self, model, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(fit_digits, "DATA", tmp_path / "data")
        monkeypatch.setattr(fit_digits, "fit_digits", lambda: model)
        fit_digits.main()

        saved = Model.load(tmp_path / "data" / "digits.json")
        assert saved.forest().data.keys() == model.forest().data.keys()
        assert "bits per pixel, accuracy 0.9" in capsys.readouterr().out

    @pytest.mark.slow
    def test_shipped_model_is_what_the_script_makes(self, model):
        again = fit_digits.fit_digits()

        logs = [ghmpp.Inference(each).log_evidence(digits_split().test) for each in (model, again)]
        np.testing.assert_allclose(logs[0].mean(), logs[1].mean(), rtol=1e-3)
