"""`otklik openapi`: the OpenAPI document of the REST API, for clients and for the console's types."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def openapi(
    output: Annotated[Path | None, typer.Option(help="File to write; without it, standard output.")] = None,
) -> None:
    """Print the OpenAPI document. Needs no database."""
    import json

    from app.core.config import load
    from app.main import openapi_document

    text = json.dumps(openapi_document(load()), ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text)
