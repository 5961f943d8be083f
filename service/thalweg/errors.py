"""What can go wrong, as the user meets it: the text of every error is one sentence.

ThalwegError
├── InvalidSpec             a specification that cannot be as it was given; knows the field
│   └── BadArgument         an argument of a call, likewise (also a ValueError)
├── NotFound                no such job, no such artifact
├── OutOfRange              no such event, no such byte
├── AlreadyExists           this request_id was used before, with another specification
├── FailedPrecondition      right in itself, but not here or not now: no GPU, no result yet
├── Exhausted               the service has no room for it
├── Unauthenticated         the service does not know the caller's token
├── Unavailable             nobody answers; the same call may succeed later
│   ├── CannotNow           the service answers, and says why it cannot do it now
│   └── NoService           nobody ever answered at this address, or the embedded service did not start
├── TimedOut                the wait is over, the job goes on (also a TimeoutError)
├── ServiceFailed           the service met an error of its own
├── Corrupt                 an artifact is not what its checksums say, or the service's database is damaged
└── Ended                   a job ended without succeeding
    ├── JobFailed
    └── JobCancelled
"""

from __future__ import annotations


class ThalwegError(Exception):
    """Anything that thalweg complains about."""


class InvalidSpec(ThalwegError):
    """A specification that cannot be as it was given.

    Args:
        field: path of the field, "problem.vqe.ansatz"; empty where the complaint is about the whole.
        sentence: what was wanted, what was got, what to do; without the field and without a full stop.
        file: which of several files it is about; empty where there is no doubt.
    """

    def __init__(self, field: str, sentence: str, file: str = "") -> None:
        super().__init__(": ".join(filter(None, [file, field, sentence])))
        self.field = field
        self.sentence = sentence


class BadArgument(InvalidSpec, ValueError):
    """An argument that cannot be as it was given; `field` is its name."""


class OutOfRange(ThalwegError):
    """The job has not so many events, the artifact not so many bytes."""


class NotFound(ThalwegError):
    """There is no such job or artifact."""


class AlreadyExists(ThalwegError):
    """The request_id belongs to a job with another specification."""


class FailedPrecondition(ThalwegError):
    """The call is right in itself, but not on this machine or not in this state of the job."""


class Exhausted(ThalwegError):
    """The service has no room: too many jobs, too large a message."""


class Unauthenticated(ThalwegError):
    """The service does not accept the token that the call carried, or wants one and got none."""


class Unavailable(ThalwegError):
    """Nobody answers."""


class CannotNow(Unavailable):
    """The service answers, and says why it cannot do it now."""


class NoService(Unavailable):
    """Nobody answers at all: waiting longer is of no use."""


class TimedOut(ThalwegError, TimeoutError):
    """The wait is over; what was waited for goes on."""


class ServiceFailed(ThalwegError):
    """The service met an error of its own."""


class Corrupt(ThalwegError):
    """Bytes that do not match their checksum, or a database that is damaged."""


class Ended(ThalwegError):
    """A job ended without success.

    Args:
        job: its id.
        outcome: how it ended, in the service's own sentence.
    """

    def __init__(self, job: str, outcome: str) -> None:
        super().__init__(f"job {job} {self._verb}: {outcome}" if outcome else f"job {job} {self._verb}")
        self.job = job
        self.outcome = outcome

    _verb = "ended"


class JobFailed(Ended):
    """The job failed."""

    _verb = "failed"


class JobCancelled(Ended):
    """The job was cancelled; what it had so far is kept."""

    _verb = "was cancelled"
