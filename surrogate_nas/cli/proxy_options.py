"""The options about zero-cost proxies."""

from __future__ import annotations

import argparse

from surrogate_nas.cli.console import names
from surrogate_nas.cli.network_options import KNOWN_DATASETS, add_data_dir_option


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
    """Add the options about the images that proxies see, for a command without trainings."""
    group = parser.add_argument_group("images that proxies see (default: those the table records)")
    group.add_argument("--dataset", metavar="D", help=KNOWN_DATASETS)
    add_data_dir_option(group.add_argument)
