"""The SDK: `Client` submits specifications to a service, a `Job` is followed to its `Result`."""

from thalweg.client.artifact import Artifact
from thalweg.client.client import Client
from thalweg.client.job import Job
from thalweg.client.result import Result
from thalweg.client.state import State

__all__ = ["Artifact", "Client", "Job", "Result", "State"]
