from __future__ import annotations

import pytest

from ghmpp.backends.symbolics.functions import FUNCTIONS, needed


def test_numpy_and_torch_have_the_same_functions_but_for_conversion():
    assert FUNCTIONS["torch"].keys() - FUNCTIONS["numpy"].keys() == {"number"}
    assert FUNCTIONS["numpy"].keys() <= FUNCTIONS["torch"].keys()


def test_only_what_is_called_is_needed_and_what_that_calls():
    sources = "\n".join(needed("numpy", "x = shares(y)"))

    assert "def shares(" in sources
    assert "def logsumexp(" in sources
    assert "def log(" in sources
    assert "def send(" not in sources


def test_c_functions_stand_before_their_callers():
    sources = "\n".join(needed("C", "joint(1, 2);"))

    assert sources.index("double logsumexp(") < sources.index("void shares(")
    assert sources.index("void shares(") < sources.index("void joint(")


@pytest.mark.parametrize("language", FUNCTIONS)
def test_nothing_is_left_unfilled(language):
    for name, source in FUNCTIONS[language].items():
        assert name in source
        assert "{xp}" not in source
        assert "{join}" not in source
