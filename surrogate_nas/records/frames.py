"""Records as data frames of pandas, which is optional."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from surrogate_nas.errors import MissingDependencyError

if TYPE_CHECKING:
    import pandas as pd


def dataframe(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """A data frame with the given columns, whose rows may lack some of them.

    Raises:
        MissingDependencyError: If pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependencyError(
            "to_dataframe needs pandas, the extra dataframe: pip install 'surrogate-nas[dataframe]'"
        ) from error
    return pd.DataFrame(list(rows), columns=list(columns))
