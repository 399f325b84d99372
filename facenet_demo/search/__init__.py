"""Hyperparameter search: any setting of the command line, judged on validation photos.

space.py     a YAML file -> settings and their ranges
study.py     one worker: draws settings, trains, records; Optuna keeps the books
command.py   the command line: workers, the live table, the winner
pictures.py  trials -> figures and a page
"""

from __future__ import annotations

from facenet_demo.commands import exit_code


def main() -> int:
    """The command line of the search, once what only searching needs is found to be installed."""

    def run() -> int:
        from facenet_demo.search import command

        return command.main()

    return exit_code(run, "")
