"""Clients in processes of their own, to be killed at any moment. What they are told is written down in `notes`, line by line."""

from __future__ import annotations

import os
import random
import uuid
from itertools import islice
from multiprocessing.synchronize import Event
from pathlib import Path

from thalweg import Client
from thalweg.client import Job
from thalweg.client.service import ends
from thalweg.errors import ThalwegError

from .specs import LONG, labelled

ACKNOWLEDGED, ANSWER, FOLLOWED, WRONG = "acknowledged", "answer", "followed", "wrong"
"""First words of notes: "acknowledged REQUEST JOB", "answer KIND sentence", "followed JOB", "wrong sentence"."""


class Notes:
    """Lines added to a file, each whole, whoever is killed."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def add(self, *words: str) -> None:
        os.write(self._file, (" ".join(words).replace("\n", " ") + "\n").encode())


def restless(address: str, notes: Path, seed: int, submits: bool) -> None:
    """Submits a job, watches, lists, reads artifacts, over and over; somebody kills it soon."""
    rng, told = random.Random(seed), Notes(notes)
    try:
        with Client(address) as client:
            job = submit(client, rng, told) if submits else None
            while True:
                if job is not None:
                    for _ in islice(job.watch(), rng.randint(1, 4)):
                        pass
                listed = list(client.jobs(limit=20))
                for artifact in rng.choice(listed).artifacts() if listed else ():
                    artifact.read()
                job = rng.choice(listed) if listed else None
    except ThalwegError as error:
        told.add(ANSWER, type(error).__name__, str(error))


def steady(address: str, notes: Path, seed: int, over: Event) -> None:
    """Submits a job, follows it to its end, reads what it brought home, and begins again until it is over."""
    rng, told = random.Random(seed), Notes(notes)
    while not over.is_set():
        try:
            with Client(address) as client:
                while not over.is_set():
                    _follow(submit(client, rng, told), told)
        except ThalwegError as error:
            told.add(ANSWER, type(error).__name__, str(error))
            over.wait(0.2)


def submit(client: Client, rng: random.Random, told: Notes) -> Job:
    request = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    job = client.submit(labelled(rng.choice(LONG)), request)
    told.add(ACKNOWLEDGED, request, job.id)
    return job


def _follow(job: Job, told: Notes) -> None:
    events = list(job.watch())
    numbers = [event.number for event in events]
    if numbers != list(range(1, len(events) + 1)):
        told.add(WRONG, f"a watch of job {job.id} saw the events {numbers}")
    if [ends(event) for event in events].count(True) != 1:
        told.add(WRONG, f"a watch of job {job.id} ended without an event that ends the job")
    for artifact in job.artifacts():
        artifact.read()
    told.add(FOLLOWED, job.id)
