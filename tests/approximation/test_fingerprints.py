"""Fingerprints: equal for equal numbers, however they lie in memory, and for nothing else."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from ghmpp.approximation.fingerprints import Fingerprint, compare, joint_sha256

ARRAY = np.arange(6.0).reshape(2, 3)
OWN = Fingerprint.of("collect.x.exp_log.inner", ARRAY)


@pytest.mark.parametrize(
    "same", [np.asfortranarray(ARRAY), ARRAY.astype(">f8"), ARRAY[::-1][::-1], ARRAY.tolist()]
)
def test_layout_in_memory_does_not_matter(same):
    assert Fingerprint.of(OWN.name, np.asarray(same)) == OWN


@pytest.mark.parametrize(
    "other", [ARRAY.reshape(3, 2), ARRAY.astype(np.float32), np.nextafter(ARRAY, 9), -ARRAY]
)
def test_shape_type_and_last_bit_matter(other):
    assert Fingerprint.of(OWN.name, other).sha256 != OWN.sha256


def test_hash_is_that_of_type_shape_and_bytes():
    expected = hashlib.sha256(b"float64 (2, 3) " + ARRAY.tobytes()).hexdigest()

    assert OWN.sha256 == expected
    assert joint_sha256([OWN]) != joint_sha256([OWN, OWN]) != joint_sha256([])


@pytest.mark.parametrize(
    "name",
    ["collect.x.exp_log.inner", "collect.x_.exp_log.inner", "network.collect.x.exp_log.inner"],
)
def test_arrays_are_known_under_a_prefix_and_beside_reserved_names(name):
    chosen, differences = compare([OWN], {name: ARRAY})

    assert differences == []
    np.testing.assert_array_equal(chosen[OWN.name], ARRAY)


def test_missing_arrays_are_not_numbers():
    chosen, differences = compare([OWN], {})

    assert np.isnan(chosen[OWN.name]).all()
    assert [str(each) for each in differences] == [f"{OWN.name} (missing)"]
