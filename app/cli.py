"""The command line: only gathers what `app/commands/*.py` offer, and renders expected errors."""

import importlib
import pkgutil
import sys

import typer

from app import commands

cli = typer.Typer(
    name="otklik",
    help="Otklik: one inbox for messengers, mail and site chat.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def gather() -> None:
    """Add every command module, in the order of their names."""
    for module in sorted(pkgutil.iter_modules(commands.__path__), key=lambda found: found.name):
        offered = getattr(importlib.import_module(f"{commands.__name__}.{module.name}"), "app", None)
        if isinstance(offered, typer.Typer):
            cli.add_typer(offered)


def main() -> None:
    """Entry point. What a user can put right ends in one sentence and exit code 2, without a traceback."""
    gather()
    try:
        cli()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if not _is_expected(error):
            raise
        sys.stderr.write(f"otklik: {error}\n")
        sys.exit(2)


def _is_expected(error: Exception) -> bool:
    # Imported only now: pydantic alone would double the time of `otklik --help`.
    from app.core.config import SettingsError
    from app.core.errors import AppError

    return isinstance(error, SettingsError | AppError)


if __name__ == "__main__":
    main()
