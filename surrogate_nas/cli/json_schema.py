"""Writes the JSON schema of every command's answer; what ``scripts/json-schema`` runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from surrogate_nas.records.schema import write_schemas


def main() -> None:
    """Write ``COMMAND.schema.json`` for every command."""
    parser = argparse.ArgumentParser(description=main.__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="where they go")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for path in write_schemas(folder):
        print(f"wrote {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
