"""Tables of evaluated architectures, imported as ``surrogate_nas.benchmarks``."""

from typing import TYPE_CHECKING, Any

if __name__ == "benchmarks":
    raise ImportError(
        "import surrogate_nas.benchmarks instead of benchmarks: "
        "the bare name would make a second copy of every class"
    )

if TYPE_CHECKING:
    from surrogate_nas.benchmarks.catalog import list_benchmarks, open_benchmark

__all__ = ["list_benchmarks", "open_benchmark"]


def __getattr__(name: str) -> Any:
    """Load a public name, and HDF5 with it, when it is used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from surrogate_nas.benchmarks import catalog

    return getattr(catalog, name)
