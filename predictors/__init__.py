"""Predictors of performance, imported as ``surrogate_nas.predictors``."""

if __name__ == "predictors":
    raise ImportError(
        "import surrogate_nas.predictors instead of predictors: "
        "the bare name would make a second copy of every class"
    )
