"""What a terminal's package writes as CSV."""

import csv
import io
from typing import Any


def table(*records: dict[str, Any], index: bool = False) -> str:
    """As `pandas.DataFrame(...).to_csv()` writes it, with a column of row numbers if `index`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*([""] if index else []), *records[0]])
    writer.writerows(
        [*([str(number)] if index else []), *record.values()] for number, record in enumerate(records)
    )
    return text.getvalue()
