"""``surrogate-nas import optuna``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from surrogate_nas.cli.import_csv import assignment, mapping

if TYPE_CHECKING:
    from surrogate_nas.benchmarks.importers.base import Imported, Listener

HELP = "a study of Optuna, whose completed trials become rows"
DESCRIPTION = (
    "Make a table of an Optuna study whose parameters are the decisions of a space: a user's own "
    "history, or what `search --store` kept. Several trials of one architecture are its seeds. The "
    "parameters of a study of another space are matched by their names: those that are no "
    "decisions are left out, and decisions that it lacks need --fixed."
)
EXAMPLE = (
    "surrogate-nas import optuna sqlite:///study.db --study sweep --space my.toml --name sweep \\\n"
    "      --task mine --decision depth=n_layers --fixed norm=batch"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this format."""
    parser.description = DESCRIPTION
    parser.epilog = f"example:\n  {EXAMPLE}"
    option = parser.add_argument
    option("storage", metavar="URL", help="FILE.journal, or a database (sqlite:///run.db)")
    option("--name", required=True, metavar="N", help="name of the table; an old one is replaced")
    option(
        "--study", metavar="NAME", help="the study, where there are several (default: the search)"
    )
    option(
        "--space",
        metavar="S",
        help="nasbench201, nats-size, …, or FILE.toml (default: what `search --store` noted)",
    )
    option("--task", metavar="T", help="name of the task (default: what `search --store` noted)")
    option(
        "--decision",
        type=assignment,
        action="append",
        default=[],
        metavar="NAME=PARAMETER",
        help="the parameter of a decision that is called otherwise (repeats)",
    )
    option(
        "--fixed",
        type=assignment,
        action="append",
        default=[],
        metavar="NAME=OPTION",
        help="a decision that the study lacks, and the option that all of its trials had (repeats)",
    )
    option(
        "--nearest",
        action="store_true",
        help="a number between two options of a decision means the nearer one",
    )
    option(
        "--skip-bad",
        action="store_true",
        help="leave completed trials out that are no architecture or have no finite value, instead "
        "of refusing the study",
    )


def run(arguments: argparse.Namespace, listener: Listener) -> Imported:
    """Import the study."""
    from surrogate_nas.benchmarks.importers.optuna import import_optuna
    from surrogate_nas.store.storages import explained, open_storage, quiet

    storage = open_storage(arguments.storage, new=False)
    with quiet(), explained(arguments.storage):
        return import_optuna(
            storage,
            name=arguments.name,
            study=arguments.study,
            space=arguments.space,
            task=arguments.task,
            decisions=mapping("--decision", arguments.decision),
            fixed=mapping("--fixed", arguments.fixed),
            nearest=arguments.nearest,
            skip_bad=arguments.skip_bad,
            listener=listener,
        )
