"""Tables as notebooks show them: with a caption, few digits, separated thousands, and "yes" or "no" for truth values.

`show(frame)` is drawn as HTML in a notebook and is text elsewhere.  Both hold the same numbers, and neither holds an address or
a random identifier, so a stored output can be compared with a new one.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pandas.io.formats.style_render import CSSDict


STYLES: list["CSSDict"] = [
    {"selector": "caption", "props": "caption-side: top; text-align: left; font-weight: bold; padding: 0 0 4px 0"},
    {"selector": "th", "props": "text-align: right; padding: 2px 10px"},
    {"selector": "td", "props": "text-align: right; padding: 2px 10px"},
]


@dataclass(frozen=True)
class TableView:
    """A table that is ready to be shown."""

    frame: pd.DataFrame  # the numbers
    caption: str = ""  # stands above the table
    digits: int = 2  # places after the point of floats
    index: bool = False  # whether the names of the lines are shown

    def _repr_html_(self) -> str:
        """Return the styled table.  Its identifier is fixed, so that equal tables are equal text."""
        styler = self.frame.style.format(precision=self.digits, thousands=",", na_rep="-", escape="html")
        styler = styler.set_uuid("table").set_table_styles(STYLES)
        if self.caption:
            styler = styler.set_caption(self.caption)
        if not self.index:
            styler = styler.hide(axis="index")
        return str(styler.to_html())

    def __repr__(self) -> str:
        """Return the table as text, below its caption."""
        body = self.frame.to_string(index=self.index, float_format=lambda x: f"{x:,.{self.digits}f}", na_rep="-")
        return f"{self.caption}\n{body}".lstrip("\n")


def show(frame: pd.DataFrame, caption: str = "", digits: int = 2, index: bool = False) -> TableView:
    """Return `frame` as a notebook should show it.

    >>> show(pd.DataFrame({"d": [1024], "bits": [137.21]}), "security", digits=1)
    security
       d  bits
    1024 137.2
    """
    shown = frame.copy()
    for name in frame:
        shown[name] = _readable(frame[name], digits)
    return TableView(shown, caption, digits, index)


def _readable(column: pd.Series, digits: int) -> pd.Series:
    """Return a column with rounded floats, with "yes" and "no" for truth values, and with gaps for None."""
    if pd.api.types.is_float_dtype(column):
        return column.round(digits) + 0.0  # no "-0"
    if pd.api.types.is_bool_dtype(column):
        return column.map({True: "yes", False: "no"})
    return column.where(column.notna(), np.nan) if column.isna().any() else column
