"""Files as rows of cells, whatever they say: CSV, workbooks, HTML, JSON, within bounds."""
