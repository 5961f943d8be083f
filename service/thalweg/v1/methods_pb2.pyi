from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Method(_message.Message):
    __slots__ = ("gradient_descent", "adam", "textbook_adam", "lbfgs", "textbook_lbfgs", "natural_gradient", "textbook_natural_gradient", "spsa", "qn_spsa", "smo", "icans", "gcans", "rosalin", "llg", "ula", "mala", "hmc")
    GRADIENT_DESCENT_FIELD_NUMBER: _ClassVar[int]
    ADAM_FIELD_NUMBER: _ClassVar[int]
    TEXTBOOK_ADAM_FIELD_NUMBER: _ClassVar[int]
    LBFGS_FIELD_NUMBER: _ClassVar[int]
    TEXTBOOK_LBFGS_FIELD_NUMBER: _ClassVar[int]
    NATURAL_GRADIENT_FIELD_NUMBER: _ClassVar[int]
    TEXTBOOK_NATURAL_GRADIENT_FIELD_NUMBER: _ClassVar[int]
    SPSA_FIELD_NUMBER: _ClassVar[int]
    QN_SPSA_FIELD_NUMBER: _ClassVar[int]
    SMO_FIELD_NUMBER: _ClassVar[int]
    ICANS_FIELD_NUMBER: _ClassVar[int]
    GCANS_FIELD_NUMBER: _ClassVar[int]
    ROSALIN_FIELD_NUMBER: _ClassVar[int]
    LLG_FIELD_NUMBER: _ClassVar[int]
    ULA_FIELD_NUMBER: _ClassVar[int]
    MALA_FIELD_NUMBER: _ClassVar[int]
    HMC_FIELD_NUMBER: _ClassVar[int]
    gradient_descent: GradientDescent
    adam: Adam
    textbook_adam: TextbookAdam
    lbfgs: Lbfgs
    textbook_lbfgs: TextbookLbfgs
    natural_gradient: NaturalGradient
    textbook_natural_gradient: TextbookNaturalGradient
    spsa: Spsa
    qn_spsa: QnSpsa
    smo: Smo
    icans: Icans
    gcans: Gcans
    rosalin: Rosalin
    llg: Llg
    ula: Ula
    mala: Mala
    hmc: Hmc
    def __init__(self, gradient_descent: _Optional[_Union[GradientDescent, _Mapping]] = ..., adam: _Optional[_Union[Adam, _Mapping]] = ..., textbook_adam: _Optional[_Union[TextbookAdam, _Mapping]] = ..., lbfgs: _Optional[_Union[Lbfgs, _Mapping]] = ..., textbook_lbfgs: _Optional[_Union[TextbookLbfgs, _Mapping]] = ..., natural_gradient: _Optional[_Union[NaturalGradient, _Mapping]] = ..., textbook_natural_gradient: _Optional[_Union[TextbookNaturalGradient, _Mapping]] = ..., spsa: _Optional[_Union[Spsa, _Mapping]] = ..., qn_spsa: _Optional[_Union[QnSpsa, _Mapping]] = ..., smo: _Optional[_Union[Smo, _Mapping]] = ..., icans: _Optional[_Union[Icans, _Mapping]] = ..., gcans: _Optional[_Union[Gcans, _Mapping]] = ..., rosalin: _Optional[_Union[Rosalin, _Mapping]] = ..., llg: _Optional[_Union[Llg, _Mapping]] = ..., ula: _Optional[_Union[Ula, _Mapping]] = ..., mala: _Optional[_Union[Mala, _Mapping]] = ..., hmc: _Optional[_Union[Hmc, _Mapping]] = ...) -> None: ...

class GradientDescent(_message.Message):
    __slots__ = ("learning_rate",)
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    learning_rate: float
    def __init__(self, learning_rate: _Optional[float] = ...) -> None: ...

class Adam(_message.Message):
    __slots__ = ("learning_rate", "beta1", "beta2", "epsilon", "amsgrad", "first_samples", "pilot", "pilot_noise", "growth", "shrinking", "max_step", "allocation", "averaging", "tempering")
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    BETA1_FIELD_NUMBER: _ClassVar[int]
    BETA2_FIELD_NUMBER: _ClassVar[int]
    EPSILON_FIELD_NUMBER: _ClassVar[int]
    AMSGRAD_FIELD_NUMBER: _ClassVar[int]
    FIRST_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    PILOT_FIELD_NUMBER: _ClassVar[int]
    PILOT_NOISE_FIELD_NUMBER: _ClassVar[int]
    GROWTH_FIELD_NUMBER: _ClassVar[int]
    SHRINKING_FIELD_NUMBER: _ClassVar[int]
    MAX_STEP_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    AVERAGING_FIELD_NUMBER: _ClassVar[int]
    TEMPERING_FIELD_NUMBER: _ClassVar[int]
    learning_rate: float
    beta1: float
    beta2: float
    epsilon: float
    amsgrad: bool
    first_samples: int
    pilot: bool
    pilot_noise: float
    growth: float
    shrinking: float
    max_step: float
    allocation: str
    averaging: float
    tempering: float
    def __init__(self, learning_rate: _Optional[float] = ..., beta1: _Optional[float] = ..., beta2: _Optional[float] = ..., epsilon: _Optional[float] = ..., amsgrad: _Optional[bool] = ..., first_samples: _Optional[int] = ..., pilot: _Optional[bool] = ..., pilot_noise: _Optional[float] = ..., growth: _Optional[float] = ..., shrinking: _Optional[float] = ..., max_step: _Optional[float] = ..., allocation: _Optional[str] = ..., averaging: _Optional[float] = ..., tempering: _Optional[float] = ...) -> None: ...

class TextbookAdam(_message.Message):
    __slots__ = ("learning_rate", "beta1", "beta2", "epsilon", "amsgrad")
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    BETA1_FIELD_NUMBER: _ClassVar[int]
    BETA2_FIELD_NUMBER: _ClassVar[int]
    EPSILON_FIELD_NUMBER: _ClassVar[int]
    AMSGRAD_FIELD_NUMBER: _ClassVar[int]
    learning_rate: float
    beta1: float
    beta2: float
    epsilon: float
    amsgrad: bool
    def __init__(self, learning_rate: _Optional[float] = ..., beta1: _Optional[float] = ..., beta2: _Optional[float] = ..., epsilon: _Optional[float] = ..., amsgrad: _Optional[bool] = ...) -> None: ...

class Lbfgs(_message.Message):
    __slots__ = ("memory", "step_factor", "max_step", "pair_test", "filtering", "curvature", "first_samples", "pilot", "pilot_noise", "growth", "allocation", "averaging")
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    STEP_FACTOR_FIELD_NUMBER: _ClassVar[int]
    MAX_STEP_FIELD_NUMBER: _ClassVar[int]
    PAIR_TEST_FIELD_NUMBER: _ClassVar[int]
    FILTERING_FIELD_NUMBER: _ClassVar[int]
    CURVATURE_FIELD_NUMBER: _ClassVar[int]
    FIRST_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    PILOT_FIELD_NUMBER: _ClassVar[int]
    PILOT_NOISE_FIELD_NUMBER: _ClassVar[int]
    GROWTH_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    AVERAGING_FIELD_NUMBER: _ClassVar[int]
    memory: int
    step_factor: float
    max_step: float
    pair_test: float
    filtering: bool
    curvature: bool
    first_samples: int
    pilot: bool
    pilot_noise: float
    growth: float
    allocation: str
    averaging: float
    def __init__(self, memory: _Optional[int] = ..., step_factor: _Optional[float] = ..., max_step: _Optional[float] = ..., pair_test: _Optional[float] = ..., filtering: _Optional[bool] = ..., curvature: _Optional[bool] = ..., first_samples: _Optional[int] = ..., pilot: _Optional[bool] = ..., pilot_noise: _Optional[float] = ..., growth: _Optional[float] = ..., allocation: _Optional[str] = ..., averaging: _Optional[float] = ...) -> None: ...

class TextbookLbfgs(_message.Message):
    __slots__ = ("memory", "reduction", "gradient")
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    REDUCTION_FIELD_NUMBER: _ClassVar[int]
    GRADIENT_FIELD_NUMBER: _ClassVar[int]
    memory: int
    reduction: float
    gradient: float
    def __init__(self, memory: _Optional[int] = ..., reduction: _Optional[float] = ..., gradient: _Optional[float] = ...) -> None: ...

class NaturalGradient(_message.Message):
    __slots__ = ("learning_rate", "curvature", "adapting", "metric", "measured", "metric_share", "metric_memory", "damping", "noise_damping", "noise_step", "filtering", "max_distance", "max_step", "first_samples", "pilot", "pilot_noise", "growth", "allocation", "averaging")
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    CURVATURE_FIELD_NUMBER: _ClassVar[int]
    ADAPTING_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    MEASURED_FIELD_NUMBER: _ClassVar[int]
    METRIC_SHARE_FIELD_NUMBER: _ClassVar[int]
    METRIC_MEMORY_FIELD_NUMBER: _ClassVar[int]
    DAMPING_FIELD_NUMBER: _ClassVar[int]
    NOISE_DAMPING_FIELD_NUMBER: _ClassVar[int]
    NOISE_STEP_FIELD_NUMBER: _ClassVar[int]
    FILTERING_FIELD_NUMBER: _ClassVar[int]
    MAX_DISTANCE_FIELD_NUMBER: _ClassVar[int]
    MAX_STEP_FIELD_NUMBER: _ClassVar[int]
    FIRST_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    PILOT_FIELD_NUMBER: _ClassVar[int]
    PILOT_NOISE_FIELD_NUMBER: _ClassVar[int]
    GROWTH_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    AVERAGING_FIELD_NUMBER: _ClassVar[int]
    learning_rate: float
    curvature: bool
    adapting: bool
    metric: str
    measured: bool
    metric_share: float
    metric_memory: float
    damping: float
    noise_damping: float
    noise_step: float
    filtering: bool
    max_distance: float
    max_step: float
    first_samples: int
    pilot: bool
    pilot_noise: float
    growth: float
    allocation: str
    averaging: float
    def __init__(self, learning_rate: _Optional[float] = ..., curvature: _Optional[bool] = ..., adapting: _Optional[bool] = ..., metric: _Optional[str] = ..., measured: _Optional[bool] = ..., metric_share: _Optional[float] = ..., metric_memory: _Optional[float] = ..., damping: _Optional[float] = ..., noise_damping: _Optional[float] = ..., noise_step: _Optional[float] = ..., filtering: _Optional[bool] = ..., max_distance: _Optional[float] = ..., max_step: _Optional[float] = ..., first_samples: _Optional[int] = ..., pilot: _Optional[bool] = ..., pilot_noise: _Optional[float] = ..., growth: _Optional[float] = ..., allocation: _Optional[str] = ..., averaging: _Optional[float] = ...) -> None: ...

class TextbookNaturalGradient(_message.Message):
    __slots__ = ("learning_rate", "metric", "damping")
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    DAMPING_FIELD_NUMBER: _ClassVar[int]
    learning_rate: float
    metric: str
    damping: float
    def __init__(self, learning_rate: _Optional[float] = ..., metric: _Optional[str] = ..., damping: _Optional[float] = ...) -> None: ...

class Spsa(_message.Message):
    __slots__ = ("first_step", "perturbation", "gain_decay", "perturbation_decay", "stability", "resamplings", "calibration", "max_step", "blocking", "first_samples", "growth", "allocation", "averaging")
    FIRST_STEP_FIELD_NUMBER: _ClassVar[int]
    PERTURBATION_FIELD_NUMBER: _ClassVar[int]
    GAIN_DECAY_FIELD_NUMBER: _ClassVar[int]
    PERTURBATION_DECAY_FIELD_NUMBER: _ClassVar[int]
    STABILITY_FIELD_NUMBER: _ClassVar[int]
    RESAMPLINGS_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    MAX_STEP_FIELD_NUMBER: _ClassVar[int]
    BLOCKING_FIELD_NUMBER: _ClassVar[int]
    FIRST_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    GROWTH_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    AVERAGING_FIELD_NUMBER: _ClassVar[int]
    first_step: float
    perturbation: float
    gain_decay: float
    perturbation_decay: float
    stability: float
    resamplings: int
    calibration: int
    max_step: float
    blocking: float
    first_samples: int
    growth: float
    allocation: str
    averaging: float
    def __init__(self, first_step: _Optional[float] = ..., perturbation: _Optional[float] = ..., gain_decay: _Optional[float] = ..., perturbation_decay: _Optional[float] = ..., stability: _Optional[float] = ..., resamplings: _Optional[int] = ..., calibration: _Optional[int] = ..., max_step: _Optional[float] = ..., blocking: _Optional[float] = ..., first_samples: _Optional[int] = ..., growth: _Optional[float] = ..., allocation: _Optional[str] = ..., averaging: _Optional[float] = ...) -> None: ...

class QnSpsa(_message.Message):
    __slots__ = ("first_step", "perturbation", "gain_decay", "perturbation_decay", "stability", "regularization", "resamplings", "calibration", "max_step", "blocking", "first_samples", "growth", "allocation", "averaging")
    FIRST_STEP_FIELD_NUMBER: _ClassVar[int]
    PERTURBATION_FIELD_NUMBER: _ClassVar[int]
    GAIN_DECAY_FIELD_NUMBER: _ClassVar[int]
    PERTURBATION_DECAY_FIELD_NUMBER: _ClassVar[int]
    STABILITY_FIELD_NUMBER: _ClassVar[int]
    REGULARIZATION_FIELD_NUMBER: _ClassVar[int]
    RESAMPLINGS_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    MAX_STEP_FIELD_NUMBER: _ClassVar[int]
    BLOCKING_FIELD_NUMBER: _ClassVar[int]
    FIRST_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    GROWTH_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    AVERAGING_FIELD_NUMBER: _ClassVar[int]
    first_step: float
    perturbation: float
    gain_decay: float
    perturbation_decay: float
    stability: float
    regularization: float
    resamplings: int
    calibration: int
    max_step: float
    blocking: float
    first_samples: int
    growth: float
    allocation: str
    averaging: float
    def __init__(self, first_step: _Optional[float] = ..., perturbation: _Optional[float] = ..., gain_decay: _Optional[float] = ..., perturbation_decay: _Optional[float] = ..., stability: _Optional[float] = ..., regularization: _Optional[float] = ..., resamplings: _Optional[int] = ..., calibration: _Optional[int] = ..., max_step: _Optional[float] = ..., blocking: _Optional[float] = ..., first_samples: _Optional[int] = ..., growth: _Optional[float] = ..., allocation: _Optional[str] = ..., averaging: _Optional[float] = ...) -> None: ...

class Smo(_message.Message):
    __slots__ = ("order", "max_step", "jump_test", "first_samples", "growth", "allocation", "averaging")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    MAX_STEP_FIELD_NUMBER: _ClassVar[int]
    JUMP_TEST_FIELD_NUMBER: _ClassVar[int]
    FIRST_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    GROWTH_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    AVERAGING_FIELD_NUMBER: _ClassVar[int]
    order: str
    max_step: float
    jump_test: float
    first_samples: int
    growth: float
    allocation: str
    averaging: float
    def __init__(self, order: _Optional[str] = ..., max_step: _Optional[float] = ..., jump_test: _Optional[float] = ..., first_samples: _Optional[int] = ..., growth: _Optional[float] = ..., allocation: _Optional[str] = ..., averaging: _Optional[float] = ...) -> None: ...

class Icans(_message.Message):
    __slots__ = ("learning_rate", "lipschitz", "variant", "first_samples", "memory", "bias", "allocation")
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    LIPSCHITZ_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    FIRST_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    BIAS_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    learning_rate: float
    lipschitz: float
    variant: int
    first_samples: int
    memory: float
    bias: float
    allocation: str
    def __init__(self, learning_rate: _Optional[float] = ..., lipschitz: _Optional[float] = ..., variant: _Optional[int] = ..., first_samples: _Optional[int] = ..., memory: _Optional[float] = ..., bias: _Optional[float] = ..., allocation: _Optional[str] = ...) -> None: ...

class Gcans(_message.Message):
    __slots__ = ("learning_rate", "lipschitz", "first_samples", "memory", "allocation")
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    LIPSCHITZ_FIELD_NUMBER: _ClassVar[int]
    FIRST_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    learning_rate: float
    lipschitz: float
    first_samples: int
    memory: float
    allocation: str
    def __init__(self, learning_rate: _Optional[float] = ..., lipschitz: _Optional[float] = ..., first_samples: _Optional[int] = ..., memory: _Optional[float] = ..., allocation: _Optional[str] = ...) -> None: ...

class Rosalin(_message.Message):
    __slots__ = ("learning_rate", "lipschitz", "first_samples", "memory", "bias")
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    LIPSCHITZ_FIELD_NUMBER: _ClassVar[int]
    FIRST_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    BIAS_FIELD_NUMBER: _ClassVar[int]
    learning_rate: float
    lipschitz: float
    first_samples: int
    memory: float
    bias: float
    def __init__(self, learning_rate: _Optional[float] = ..., lipschitz: _Optional[float] = ..., first_samples: _Optional[int] = ..., memory: _Optional[float] = ..., bias: _Optional[float] = ...) -> None: ...

class Llg(_message.Message):
    __slots__ = ("damping", "precession", "time_step")
    DAMPING_FIELD_NUMBER: _ClassVar[int]
    PRECESSION_FIELD_NUMBER: _ClassVar[int]
    TIME_STEP_FIELD_NUMBER: _ClassVar[int]
    damping: float
    precession: bool
    time_step: float
    def __init__(self, damping: _Optional[float] = ..., precession: _Optional[bool] = ..., time_step: _Optional[float] = ...) -> None: ...

class Ula(_message.Message):
    __slots__ = ("step_size", "temperature")
    STEP_SIZE_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    step_size: float
    temperature: float
    def __init__(self, step_size: _Optional[float] = ..., temperature: _Optional[float] = ...) -> None: ...

class Mala(_message.Message):
    __slots__ = ("step_size", "temperature", "target_acceptance")
    STEP_SIZE_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TARGET_ACCEPTANCE_FIELD_NUMBER: _ClassVar[int]
    step_size: float
    temperature: float
    target_acceptance: float
    def __init__(self, step_size: _Optional[float] = ..., temperature: _Optional[float] = ..., target_acceptance: _Optional[float] = ...) -> None: ...

class Hmc(_message.Message):
    __slots__ = ("step_size", "leapfrog_steps", "temperature", "target_acceptance")
    STEP_SIZE_FIELD_NUMBER: _ClassVar[int]
    LEAPFROG_STEPS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TARGET_ACCEPTANCE_FIELD_NUMBER: _ClassVar[int]
    step_size: float
    leapfrog_steps: int
    temperature: float
    target_acceptance: float
    def __init__(self, step_size: _Optional[float] = ..., leapfrog_steps: _Optional[int] = ..., temperature: _Optional[float] = ..., target_acceptance: _Optional[float] = ...) -> None: ...

class Plan(_message.Message):
    __slots__ = ("steps", "replicas", "seed", "warmup", "stop", "budget", "cpus", "device", "precision", "checkpoint_every")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    WARMUP_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    CPUS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_EVERY_FIELD_NUMBER: _ClassVar[int]
    steps: int
    replicas: int
    seed: int
    warmup: int
    stop: Stop
    budget: Budget
    cpus: int
    device: str
    precision: str
    checkpoint_every: int
    def __init__(self, steps: _Optional[int] = ..., replicas: _Optional[int] = ..., seed: _Optional[int] = ..., warmup: _Optional[int] = ..., stop: _Optional[_Union[Stop, _Mapping]] = ..., budget: _Optional[_Union[Budget, _Mapping]] = ..., cpus: _Optional[int] = ..., device: _Optional[str] = ..., precision: _Optional[str] = ..., checkpoint_every: _Optional[int] = ...) -> None: ...

class Stop(_message.Message):
    __slots__ = ("max_torque", "gradient_norm", "value", "plateau")
    MAX_TORQUE_FIELD_NUMBER: _ClassVar[int]
    GRADIENT_NORM_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    PLATEAU_FIELD_NUMBER: _ClassVar[int]
    max_torque: float
    gradient_norm: float
    value: float
    plateau: int
    def __init__(self, max_torque: _Optional[float] = ..., gradient_norm: _Optional[float] = ..., value: _Optional[float] = ..., plateau: _Optional[int] = ...) -> None: ...

class Budget(_message.Message):
    __slots__ = ("shots", "gradients", "seconds")
    SHOTS_FIELD_NUMBER: _ClassVar[int]
    GRADIENTS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    shots: int
    gradients: int
    seconds: float
    def __init__(self, shots: _Optional[int] = ..., gradients: _Optional[int] = ..., seconds: _Optional[float] = ...) -> None: ...
