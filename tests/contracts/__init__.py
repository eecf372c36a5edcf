"""The shipped contract tests, over everything that is registered."""

import pytest

pytest.register_assert_rewrite("surrogate_nas.testing")
