import pytest

import gigawatt as gw


def test_the_package_gives_the_rank_module_and_its_version() -> None:
    from gigawatt import rank, version

    assert gw.report is rank.report
    assert gw.checkpoint_dir is rank.checkpoint_dir
    assert gw.__version__ == version.__version__


def test_a_name_that_nobody_has_is_no_attribute() -> None:
    for name in ("reprot", "Clinet", "_secret"):
        with pytest.raises(AttributeError, match=name):
            getattr(gw, name)
