"""How mkdocstrings reads this project's docstrings."""

from __future__ import annotations

import re
from typing import Any

import griffe

_NAME = re.compile(r"(?<!`)`(surrogate_nas(?:\.\w+)+)`(?!`)")


class Docstrings(griffe.Extension):
    """Shows ``Example:`` as code, and makes links of the full names in single backticks."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Change the text of a docstring before it is parsed."""
        if obj.docstring is None:
            return
        text = re.sub(r"(?m)^Example:$", "Examples:", obj.docstring.value)
        link = r'<autoref identifier="\1" optional><code>\1</code></autoref>'
        obj.docstring.value = _NAME.sub(link, text)
