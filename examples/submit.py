"""Submit a job from Python, follow it, read what it brought home: `python examples/submit.py [SPEC]`."""

import sys
from pathlib import Path

from thalweg import Client, errors

SPEC = Path(__file__).with_name("logistic.toml")


def main(spec: str | Path = SPEC) -> None:
    client = Client()  # the embedded service of this user; Client("host:port") for another
    try:
        job = client.submit(spec)
    except errors.InvalidSpec as bad:
        sys.exit(f"{bad}")
    result = job.follow().result()
    print(result)
    for name, one in sorted(result.observables.items()):
        print(f"  {name} = {one.value:.6g} ± {one.standard_error:.2g} {one.unit}")
    for artifact in result.artifacts:
        print(f"  {artifact.name}: {artifact.description}")


if __name__ == "__main__":
    main(*sys.argv[1:])
