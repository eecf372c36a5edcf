"""The options about zero-cost proxies."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from surrogate_nas.cli.console import names, note
from surrogate_nas.cli.network_options import KNOWN_DATASETS, add_data_dir_option

if TYPE_CHECKING:
    from surrogate_nas.searchers.method import Method
    from surrogate_nas.spaces.base import SearchSpace
    from surrogate_nas.training.objective import TrainingObjective
    from surrogate_nas.training.proxies.table import ProxyTable
    from surrogate_nas.transfer import PredictorChoice


def add_proxies_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--proxies``."""
    parser.add_argument(
        "--proxies",
        type=names,
        metavar="N,…",
        help="what gp, blend, xgboost and forest see beside the structure: naswot,snip are a good "
        "choice among naswot, snip, synflow, jacob_cov, grad_norm, zen, parameters, flops. Every "
        "network of the space is built for it, untrained, once: 10 milliseconds a proxy for small "
        "networks, up to a second for large ones",
    )


def add_image_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which images proxies see, for a command that trains nothing."""
    group = parser.add_argument_group("images that proxies see (default: those the table records)")
    group.add_argument("--dataset", metavar="D", help=KNOWN_DATASETS)
    add_data_dir_option(group.add_argument)


def chosen_proxies(
    arguments: argparse.Namespace,
    method: Method,
    guide: PredictorChoice | None,
    space: SearchSpace,
    training: TrainingObjective | None,
) -> ProxyTable | None:
    """The proxies that a search reads, or None if it reads none.

    Args:
        arguments: Of the command.
        method: Of the search.
        guide: The predictor.
        space: Where the search is.
        training: Says what builds the networks; None if it is known that there is no need.

    Raises:
        InvalidArgumentError: If there are proxies that nothing reads.
    """
    from surrogate_nas.workflows.proxies import all_proxies, method_proxies, unread

    found = method_proxies(arguments.proxies, method, guide)
    if arguments.proxies is not None and not found:
        raise unread(f"the searcher {method.name}" + (f" with {guide.name}" if guide else ""))
    if not found or training is None:
        return None
    return all_proxies(space, training, found, on_step=note)
