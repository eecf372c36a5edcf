"""The section on the predictor: what it foretold, and what came out."""

from __future__ import annotations

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.reporting.digits import short
from surrogate_nas.reporting.html.chart import Chart, figure
from surrogate_nas.reporting.html.markup import Html, join, tag
from surrogate_nas.reporting.html.page import Section, paragraphs, table
from surrogate_nas.reporting.html.scales import AxisScale, lie
from surrogate_nas.reporting.html.subject import SearchSubject

_FEW = 5  # predictions say nothing
_PARTS = 4  # of the search, one after the other
_BINS = 6


def belief(subject: SearchSubject) -> Section | None:
    """Compare predictions with measured values; None where a search made none."""
    numbers, predicted, measured = predictions(subject)
    if len(numbers) < _FEW:
        return None
    body = join(
        paragraphs(
            f"Before {len(numbers):,} of {len(subject.trials):,} trials the guide predicted their "
            f"value. {_agreement(predicted, measured)} It proposes what it finds best, so these "
            "architectures are more alike than random ones, and harder to order."
        ),
        tag(
            "div",
            _parity(subject, numbers, predicted, measured),
            _calibration(subject, predicted, measured),
            class_="figures",
        ),
        _errors(subject, numbers, predicted, measured),
        _parts(numbers, predicted, measured),
    )
    return Section("predictor", "Predictor", body)


def predictions(subject: SearchSubject) -> tuple[IntArray, FloatArray, FloatArray]:
    """Trials with a prediction, what was predicted and what was measured, each (n,)."""
    found = [
        (i, subject.goal.sign * float(trial.proposal.info["predicted"]), float(value))
        for i, (trial, value) in enumerate(zip(subject.trials, subject.whole, strict=True))
        if trial.proposal.info.get("predicted") is not None and np.isfinite(value)
    ]
    rows = np.array(found, dtype=np.float64).reshape(len(found), 3)
    return rows[:, 0].astype(np.int64), rows[:, 1], rows[:, 2]


def _agreement(predicted: FloatArray, measured: FloatArray) -> str:
    error = measured - predicted
    told = f"Root mean square error {short(float(np.sqrt((error**2).mean())))}, mean error "
    told += f"{short(float(error.mean()))} (measured minus predicted)."
    if np.ptp(predicted) == 0 or np.ptp(measured) == 0:
        return told
    return f"Kendall's τ of both is {kendall_tau(predicted, measured):.2f}. {told}"


def _inside(predicted: FloatArray, measured: FloatArray) -> tuple[AxisScale, FloatArray, str]:
    """A scale of both without outliers, what lies inside, and a remark on the rest."""
    both = np.concatenate([predicted, measured])
    low, high = np.quantile(both, [0.02, 1.0])
    scale = AxisScale.of(both[(both >= low) & (both <= high)], margin=0.05)
    inside = np.ones(len(predicted))
    for values in (predicted, measured):
        inside[(values < scale.low) | (values > scale.high)] = np.nan
    outside = int(np.isnan(inside).sum())
    return scale, inside, f" {lie(outside)} outside the picture." if outside else ""


def _parity(
    subject: SearchSubject, numbers: IntArray, predicted: FloatArray, measured: FloatArray
) -> Html:
    scale, inside, cut = _inside(predicted, measured)
    unit = subject.unit
    chart = Chart(scale, scale, x_label=f"predicted{unit}", y_label=f"measured{unit}", height=320)
    ends = np.array([scale.low, scale.high])
    chart.line(ends, ends, style="thin")
    tips = [
        f"{subject.tip(int(i))}\npredicted {subject.text(float(told))}"
        for i, told in zip(numbers, predicted, strict=True)
    ]
    chart.dots(predicted, measured * inside, tips, style="faint")
    return figure(
        "Predicted and measured",
        chart.html(f"Measured against predicted values of {len(numbers)} trials."),
        caption=f"On the dashed line both are equal.{cut}",
    )


def _calibration(subject: SearchSubject, predicted: FloatArray, measured: FloatArray) -> Html:
    """Mean measured value of groups of trials with neighbouring predictions."""
    order = np.argsort(predicted, kind="stable")
    groups = [g for g in np.array_split(order, min(_BINS, len(order) // 3 or 1)) if g.size]
    told = np.array([predicted[g].mean() for g in groups])
    found = np.array([measured[g].mean() for g in groups])
    error = np.array([1.96 * measured[g].std(ddof=1) / np.sqrt(g.size) for g in groups])
    scale = AxisScale.of([*told, *(found - error), *(found + error)], margin=0.06)
    unit = subject.unit
    chart = Chart(
        scale, scale, x_label=f"mean prediction{unit}", y_label=f"mean measured{unit}", height=320
    )
    ends = np.array([scale.low, scale.high])
    chart.line(ends, ends, style="thin")
    for x, y, e in zip(told, found, error, strict=True):
        chart.line(np.array([x, x]), np.array([y - e, y + e]))
    tips = [
        f"{g.size} trials: predicted {subject.text(float(x))}, measured {subject.text(float(y))}"
        for g, x, y in zip(groups, told, found, strict=True)
    ]
    chart.dots(told, found, tips)
    return figure(
        "Calibration",
        chart.html(f"Mean measured value of {len(groups)} groups of neighbouring predictions."),
        caption="Groups of neighbouring predictions, with 95 % intervals of their mean. Above the "
        "dashed line values turned out larger than predicted.",
    )


def _errors(
    subject: SearchSubject, numbers: IntArray, predicted: FloatArray, measured: FloatArray
) -> Html:
    error = measured - predicted
    low, high = np.quantile(error, [0.02, 0.98])
    shown = error[(error >= low) & (error <= high)]
    scale = AxisScale.of([*shown, 0.0], margin=0.08)
    inside = np.where((error >= scale.low) & (error <= scale.high), error, np.nan)
    chart = Chart(
        AxisScale(0, len(subject.trials), whole=True),
        scale,
        x_label="trial",
        y_label=f"measured minus predicted{subject.unit}",
        height=200,
    )
    chart.rule(y=0.0)
    chart.dots(
        numbers.astype(np.float64), inside, [subject.tip(int(i)) for i in numbers], style="faint"
    )
    cut = int(np.isnan(inside).sum())
    return figure(
        "Error over the search",
        chart.html("Measured minus predicted value of each trial."),
        caption=f"{lie(cut)} outside the picture." if cut else None,
    )


def _parts(numbers: IntArray, predicted: FloatArray, measured: FloatArray) -> Html:
    rows = []
    for part in np.array_split(np.arange(len(numbers)), min(_PARTS, len(numbers) // 2)):
        told, found = predicted[part], measured[part]
        constant = np.ptp(told) == 0 or np.ptp(found) == 0
        tau = "–" if constant else f"{kendall_tau(told, found):.2f}"
        error = found - told
        rows.append(
            [
                f"{numbers[part[0]]} to {numbers[part[-1]]}",
                f"{len(part)}",
                tau,
                short(float(np.sqrt((error**2).mean()))),
                short(float(error.mean())),
            ]
        )
    head = ["trials", ">predictions", ">Kendall's τ", ">root mean square error", ">mean error"]
    return table(head, rows, caption="Agreement in the parts of the search, one after the other")
