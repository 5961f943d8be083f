from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Observable(_message.Message):
    __slots__ = ("value", "standard_error", "unit")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    STANDARD_ERROR_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    value: float
    standard_error: float
    unit: str
    def __init__(self, value: _Optional[float] = ..., standard_error: _Optional[float] = ..., unit: _Optional[str] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("value", "standard_error", "unit", "observables", "cost", "artifacts", "stops")
    class ObservablesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Observable
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Observable, _Mapping]] = ...) -> None: ...
    class CostEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class StopsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    VALUE_FIELD_NUMBER: _ClassVar[int]
    STANDARD_ERROR_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    OBSERVABLES_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    STOPS_FIELD_NUMBER: _ClassVar[int]
    value: float
    standard_error: float
    unit: str
    observables: _containers.MessageMap[str, Observable]
    cost: _containers.ScalarMap[str, float]
    artifacts: _containers.RepeatedCompositeFieldContainer[Artifact]
    stops: _containers.ScalarMap[str, int]
    def __init__(self, value: _Optional[float] = ..., standard_error: _Optional[float] = ..., unit: _Optional[str] = ..., observables: _Optional[_Mapping[str, Observable]] = ..., cost: _Optional[_Mapping[str, float]] = ..., artifacts: _Optional[_Iterable[_Union[Artifact, _Mapping]]] = ..., stops: _Optional[_Mapping[str, int]] = ...) -> None: ...

class Artifact(_message.Message):
    __slots__ = ("name", "size", "sha256", "media_type", "description")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    size: int
    sha256: str
    media_type: str
    description: str
    def __init__(self, name: _Optional[str] = ..., size: _Optional[int] = ..., sha256: _Optional[str] = ..., media_type: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...

class Provenance(_message.Message):
    __slots__ = ("version", "revision", "spec_sha256", "seed", "packages", "python", "platform", "processor", "device", "threads", "batch_width", "method", "attempts", "other_jobs")
    class PackagesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SPEC_SHA256_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    PACKAGES_FIELD_NUMBER: _ClassVar[int]
    PYTHON_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    PROCESSOR_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    BATCH_WIDTH_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    OTHER_JOBS_FIELD_NUMBER: _ClassVar[int]
    version: str
    revision: str
    spec_sha256: str
    seed: int
    packages: _containers.ScalarMap[str, str]
    python: str
    platform: str
    processor: str
    device: str
    threads: int
    batch_width: int
    method: str
    attempts: int
    other_jobs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, version: _Optional[str] = ..., revision: _Optional[str] = ..., spec_sha256: _Optional[str] = ..., seed: _Optional[int] = ..., packages: _Optional[_Mapping[str, str]] = ..., python: _Optional[str] = ..., platform: _Optional[str] = ..., processor: _Optional[str] = ..., device: _Optional[str] = ..., threads: _Optional[int] = ..., batch_width: _Optional[int] = ..., method: _Optional[str] = ..., attempts: _Optional[int] = ..., other_jobs: _Optional[_Iterable[str]] = ...) -> None: ...
