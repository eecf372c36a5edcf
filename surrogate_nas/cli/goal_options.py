"""The options of goals and limits, which `search` and `compare` share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from surrogate_nas.cli.console import names
from surrogate_nas.errors import InvalidArgumentError

if TYPE_CHECKING:
    from surrogate_nas.workflows.goals import WantedGoals


_UNSURE = 0.5  # confidence below which a limit is more likely broken than kept


def weights(text: str) -> list[float]:
    """A list of numbers, comma-separated."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        message = f"must be numbers separated by commas, got {text!r}"
        raise argparse.ArgumentTypeError(message) from None


def add_goal_options(parser: argparse.ArgumentParser) -> None:
    """Options that choose goals and limits."""
    group = parser.add_argument_group("several goals, limits, several tasks")
    option = group.add_argument
    option(
        "--goal",
        action="append",
        default=[],
        metavar="METRIC",
        help="what is optimised, once for each goal: the task's own metric, or another one of the "
        "table or training (default: the task's own)",
    )
    option(
        "--limit",
        action="append",
        default=[],
        metavar="METRIC<=X",
        help="what must hold, once for each limit: 'latency<=5' or 'accuracy>=90'",
    )
    option(
        "--minimise",
        type=names,
        default=[],
        metavar="METRIC,…",
        help="goals to be minimised, where the table does not say it",
    )
    option(
        "--known",
        type=names,
        default=[],
        metavar="METRIC,…",
        help="goals and limits that the search may read of all architectures without a trial "
        "(parameters and FLOPs of a table are)",
    )
    option(
        "--weights",
        type=weights,
        metavar="W,…",
        help="of several tasks or data sets: optimise their weighted mean (default: equal ones)",
    )
    option(
        "--scale",
        choices=("raw", "normal"),
        default="raw",
        help="weighted mean of the values themselves, or of their normal scores in each task "
        "(default: %(default)s)",
    )
    option(
        "--each-task-a-goal",
        action="store_true",
        help="of several tasks or data sets: optimise each, for a front",
    )
    _add_cost_options(parser)


def _add_cost_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the cost on a device as a goal or limit")
    option = group.add_argument
    option(
        "--cost-model",
        metavar="TABLE.h5",
        help="networks that 'surrogate-nas measure' measured on the device, or any table (B or "
        "B:T); what the others cost is predicted. Its metric becomes known of all architectures: "
        "name it by --goal or --limit, such as 'latency_ms<=5'",
    )
    option(
        "--cost-sources",
        metavar="FILE.safetensors|B[:T,…]",
        help="other devices to learn from: weights of meta-cost, or tables",
    )
    option(
        "--confidence",
        type=float,
        default=0.95,
        metavar="P",
        help="probability with which a limit of a predicted cost shall hold (default: "
        "%(default)s); below .5 only where the best are measured in the end (search --verify K)",
    )


def wanted_goals(arguments: argparse.Namespace) -> WantedGoals:
    """The goals that the options describe.

    Raises:
        InvalidArgumentError: If they do not fit together.
    """
    if arguments.confidence < _UNSURE and getattr(arguments, "verify", None) is None:
        raise InvalidArgumentError(
            f"--confidence below {_UNSURE} is for a search that measures the best in the end, got "
            f"{arguments.confidence:g}; add --verify K to a search, or give a larger one"
        )
    from surrogate_nas.workflows.goals import WantedGoals

    return WantedGoals(
        goals=tuple(arguments.goal),
        limits=tuple(arguments.limit),
        minimise=tuple(arguments.minimise),
        known=tuple(arguments.known),
        weights=None if arguments.weights is None else tuple(arguments.weights),
        scale=arguments.scale,
        each_task_a_goal=arguments.each_task_a_goal,
        cost_model=arguments.cost_model,
        cost_sources=arguments.cost_sources,
        confidence=arguments.confidence,
    )
