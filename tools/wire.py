"""The wire: write the messages of problems and methods from their dataclasses, generate the stubs from protos/, and check that
all are up to date, well styled and unbroken.

    python -m tools.wire generate | check | baseline

protos/baseline.binpb is the wire as it was landed last. `generate` moves it along with every change that breaks nothing;
one that breaks something has to be accepted by `baseline`. buf works on a descriptor image built by grpc_tools, so nothing
has to be fetched.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
STUBS = ROOT / "service"
BASELINE = PROTOS / "baseline.binpb"
PACKAGE = PROTOS / "thalweg" / "v1"
NUMBERS = PROTOS / "fields.json"
"""The number and type that each field of a problem, a method or a plan was given, once and for ever."""
LINT = {"version": "v2", "lint": {"use": ["STANDARD"]}}
BREAKING = {"version": "v2", "breaking": {"use": ["FILE"]}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["generate", "check", "baseline"])
    task = parser.parse_args().task
    if task == "check":
        return check()
    write_messages()
    generate(STUBS)
    if task == "generate" and breaks():
        print("what is landed would break; where that is wanted, `make wire-baseline` accepts it")
        return 1
    bare(BASELINE)
    return 0


def messages() -> dict[Path, str]:
    """What the dataclasses say: the files of their messages, and that of the numbers."""
    from tools import messages  # here: it imports every problem and method

    texts, lock = messages.files(messages.read(NUMBERS))
    return {PACKAGE / f"{name}.proto": text for name, text in texts.items()} | {NUMBERS: messages.written(lock)}


def write_messages() -> None:
    for path, text in messages().items():
        path.write_text(text)


def sources() -> list[str]:
    return [str(path.relative_to(PROTOS)) for path in sorted(PROTOS.rglob("*.proto"))]


def generate(into: Path) -> None:
    protoc(f"--python_out={into}", f"--pyi_out={into}", f"--grpc_python_out={into}")


def image(path: Path) -> None:
    """With comments and line numbers, for complaints that say where."""
    protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={path}")


def bare(path: Path) -> None:
    """The wire alone: comments do not change it."""
    protoc("--include_imports", f"--descriptor_set_out={path}")


def protoc(*options: str) -> None:
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", *options, *sources()], check=True, cwd=PROTOS)


def check() -> int:
    unwritten = [path for path, text in messages().items() if not path.exists() or path.read_text() != text]
    for path in unwritten:
        print(f"{path.relative_to(ROOT)} is not what the dataclasses say; run `make protos`")
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        stale = [path for path in sorted(fresh.rglob("*_pb2*")) if differs(path, STUBS / path.relative_to(fresh))]
        for path in stale:
            print(f"{(STUBS / path.relative_to(fresh)).relative_to(ROOT)} is not what protos/ say; run `make protos`")
        image(fresh / "image.binpb")
        badly_styled = buf("lint", fresh / "image.binpb", LINT)
        bare(fresh / "bare.binpb")
        moved = differs(fresh / "bare.binpb", BASELINE)
        if moved:
            print(f"{BASELINE.relative_to(ROOT)} is not what protos/ say; run `make protos`")
    return int(bool(unwritten) or bool(stale) or bool(badly_styled) or moved)


def breaks() -> bool:
    """Whether what was landed last cannot be read any more as it was meant."""
    with tempfile.TemporaryDirectory() as folder:
        image(Path(folder) / "image.binpb")
        return bool(buf("breaking", Path(folder) / "image.binpb", BREAKING, "--against", str(BASELINE)))


def differs(fresh: Path, committed: Path) -> bool:
    return not committed.exists() or not filecmp.cmp(fresh, committed, shallow=False)


def buf(task: str, built: Path, config: Mapping[str, object], *options: str) -> int:
    command = [str(Path(sys.executable).with_name("buf")), task, str(built), "--path", "thalweg", "--config", json.dumps(config)]
    return subprocess.run([*command, *options], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
