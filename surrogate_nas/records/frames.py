"""Records as data frames of pandas, which is optional, and as tables of HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
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


def html_table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of HTML, in which all texts are escaped."""
    columns = "".join(f"<th>{html.escape(text)}</th>" for text in head)
    lines = (
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>" for row in rows
    )
    return (
        f"<table><caption>{html.escape(caption)}</caption>"
        f"<thead><tr>{columns}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )
