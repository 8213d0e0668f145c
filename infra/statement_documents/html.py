"""A document as one HTML file that needs nothing else, and prints on one page."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from infra.statement_documents.document import AnyDocument, check, facts, figures

HERE = Path(__file__).parent


def to_html(document: AnyDocument) -> bytes:
    """Write it; raise `Unusable` for what cannot be shown."""
    check(document)
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("statement.html").render(
        document=document,
        language=document.locale.replace("_", "-"),
        facts=facts(document),
        figures=figures(document),
    )
    return f"{page}\n".encode()
