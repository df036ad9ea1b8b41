"""The commands of the command line. Each module here has a typer app named `app`.

A typer app with a name becomes a group (`otklik channel …`), one without adds its commands to the top.
Heavy imports belong inside the functions: `otklik --help` loads every module of this package.
"""
