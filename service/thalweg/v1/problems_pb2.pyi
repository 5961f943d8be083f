from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Problem(_message.Message):
    __slots__ = ("vqe", "magnet", "density")
    VQE_FIELD_NUMBER: _ClassVar[int]
    MAGNET_FIELD_NUMBER: _ClassVar[int]
    DENSITY_FIELD_NUMBER: _ClassVar[int]
    vqe: Vqe
    magnet: Magnet
    density: Density
    def __init__(self, vqe: _Optional[_Union[Vqe, _Mapping]] = ..., magnet: _Optional[_Union[Magnet, _Mapping]] = ..., density: _Optional[_Union[Density, _Mapping]] = ...) -> None: ...

class Vqe(_message.Message):
    __slots__ = ("hamiltonian", "ansatz", "estimator", "start", "deflation")
    HAMILTONIAN_FIELD_NUMBER: _ClassVar[int]
    ANSATZ_FIELD_NUMBER: _ClassVar[int]
    ESTIMATOR_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    DEFLATION_FIELD_NUMBER: _ClassVar[int]
    hamiltonian: Hamiltonian
    ansatz: Ansatz
    estimator: Estimator
    start: VqeStart
    deflation: _containers.RepeatedCompositeFieldContainer[Deflation]
    def __init__(self, hamiltonian: _Optional[_Union[Hamiltonian, _Mapping]] = ..., ansatz: _Optional[_Union[Ansatz, _Mapping]] = ..., estimator: _Optional[_Union[Estimator, _Mapping]] = ..., start: _Optional[_Union[VqeStart, _Mapping]] = ..., deflation: _Optional[_Iterable[_Union[Deflation, _Mapping]]] = ...) -> None: ...

class Deflation(_message.Message):
    __slots__ = ("angles", "weight", "job")
    ANGLES_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    angles: _containers.RepeatedScalarFieldContainer[float]
    weight: float
    job: str
    def __init__(self, angles: _Optional[_Iterable[float]] = ..., weight: _Optional[float] = ..., job: _Optional[str] = ...) -> None: ...

class Hamiltonian(_message.Message):
    __slots__ = ("molecule", "pauli_sum", "fcidump", "transverse_field_ising", "heisenberg_xxz", "fermi_hubbard")
    MOLECULE_FIELD_NUMBER: _ClassVar[int]
    PAULI_SUM_FIELD_NUMBER: _ClassVar[int]
    FCIDUMP_FIELD_NUMBER: _ClassVar[int]
    TRANSVERSE_FIELD_ISING_FIELD_NUMBER: _ClassVar[int]
    HEISENBERG_XXZ_FIELD_NUMBER: _ClassVar[int]
    FERMI_HUBBARD_FIELD_NUMBER: _ClassVar[int]
    molecule: Molecule
    pauli_sum: PauliSum
    fcidump: Fcidump
    transverse_field_ising: TransverseFieldIsing
    heisenberg_xxz: HeisenbergXxz
    fermi_hubbard: FermiHubbard
    def __init__(self, molecule: _Optional[_Union[Molecule, _Mapping]] = ..., pauli_sum: _Optional[_Union[PauliSum, _Mapping]] = ..., fcidump: _Optional[_Union[Fcidump, _Mapping]] = ..., transverse_field_ising: _Optional[_Union[TransverseFieldIsing, _Mapping]] = ..., heisenberg_xxz: _Optional[_Union[HeisenbergXxz, _Mapping]] = ..., fermi_hubbard: _Optional[_Union[FermiHubbard, _Mapping]] = ...) -> None: ...

class Molecule(_message.Message):
    __slots__ = ("atoms", "basis", "mapping", "charge", "spin", "frozen_core", "active_space", "tapering")
    ATOMS_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    MAPPING_FIELD_NUMBER: _ClassVar[int]
    CHARGE_FIELD_NUMBER: _ClassVar[int]
    SPIN_FIELD_NUMBER: _ClassVar[int]
    FROZEN_CORE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_SPACE_FIELD_NUMBER: _ClassVar[int]
    TAPERING_FIELD_NUMBER: _ClassVar[int]
    atoms: str
    basis: str
    mapping: str
    charge: int
    spin: int
    frozen_core: bool
    active_space: ActiveSpace
    tapering: str
    def __init__(self, atoms: _Optional[str] = ..., basis: _Optional[str] = ..., mapping: _Optional[str] = ..., charge: _Optional[int] = ..., spin: _Optional[int] = ..., frozen_core: _Optional[bool] = ..., active_space: _Optional[_Union[ActiveSpace, _Mapping]] = ..., tapering: _Optional[str] = ...) -> None: ...

class ActiveSpace(_message.Message):
    __slots__ = ("electrons", "orbitals")
    ELECTRONS_FIELD_NUMBER: _ClassVar[int]
    ORBITALS_FIELD_NUMBER: _ClassVar[int]
    electrons: int
    orbitals: int
    def __init__(self, electrons: _Optional[int] = ..., orbitals: _Optional[int] = ...) -> None: ...

class Fcidump(_message.Message):
    __slots__ = ("text", "mapping", "tapering")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MAPPING_FIELD_NUMBER: _ClassVar[int]
    TAPERING_FIELD_NUMBER: _ClassVar[int]
    text: str
    mapping: str
    tapering: str
    def __init__(self, text: _Optional[str] = ..., mapping: _Optional[str] = ..., tapering: _Optional[str] = ...) -> None: ...

class TransverseFieldIsing(_message.Message):
    __slots__ = ("sites", "coupling", "field", "periodic")
    SITES_FIELD_NUMBER: _ClassVar[int]
    COUPLING_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    PERIODIC_FIELD_NUMBER: _ClassVar[int]
    sites: int
    coupling: float
    field: float
    periodic: bool
    def __init__(self, sites: _Optional[int] = ..., coupling: _Optional[float] = ..., field: _Optional[float] = ..., periodic: _Optional[bool] = ...) -> None: ...

class HeisenbergXxz(_message.Message):
    __slots__ = ("sites", "coupling", "anisotropy", "field", "periodic")
    SITES_FIELD_NUMBER: _ClassVar[int]
    COUPLING_FIELD_NUMBER: _ClassVar[int]
    ANISOTROPY_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    PERIODIC_FIELD_NUMBER: _ClassVar[int]
    sites: int
    coupling: float
    anisotropy: float
    field: float
    periodic: bool
    def __init__(self, sites: _Optional[int] = ..., coupling: _Optional[float] = ..., anisotropy: _Optional[float] = ..., field: _Optional[float] = ..., periodic: _Optional[bool] = ...) -> None: ...

class FermiHubbard(_message.Message):
    __slots__ = ("columns", "rows", "hopping", "repulsion", "spin_up", "spin_down", "periodic", "mapping", "tapering")
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    HOPPING_FIELD_NUMBER: _ClassVar[int]
    REPULSION_FIELD_NUMBER: _ClassVar[int]
    SPIN_UP_FIELD_NUMBER: _ClassVar[int]
    SPIN_DOWN_FIELD_NUMBER: _ClassVar[int]
    PERIODIC_FIELD_NUMBER: _ClassVar[int]
    MAPPING_FIELD_NUMBER: _ClassVar[int]
    TAPERING_FIELD_NUMBER: _ClassVar[int]
    columns: int
    rows: int
    hopping: float
    repulsion: float
    spin_up: int
    spin_down: int
    periodic: bool
    mapping: str
    tapering: str
    def __init__(self, columns: _Optional[int] = ..., rows: _Optional[int] = ..., hopping: _Optional[float] = ..., repulsion: _Optional[float] = ..., spin_up: _Optional[int] = ..., spin_down: _Optional[int] = ..., periodic: _Optional[bool] = ..., mapping: _Optional[str] = ..., tapering: _Optional[str] = ...) -> None: ...

class PauliSum(_message.Message):
    __slots__ = ("terms",)
    TERMS_FIELD_NUMBER: _ClassVar[int]
    terms: _containers.RepeatedCompositeFieldContainer[PauliTerm]
    def __init__(self, terms: _Optional[_Iterable[_Union[PauliTerm, _Mapping]]] = ...) -> None: ...

class PauliTerm(_message.Message):
    __slots__ = ("word", "coefficient")
    WORD_FIELD_NUMBER: _ClassVar[int]
    COEFFICIENT_FIELD_NUMBER: _ClassVar[int]
    word: str
    coefficient: float
    def __init__(self, word: _Optional[str] = ..., coefficient: _Optional[float] = ...) -> None: ...

class Ansatz(_message.Message):
    __slots__ = ("efficient_su2", "real_amplitudes", "uccsd", "k_up_ccgsd", "hamiltonian_variational", "excitation_preserving", "open_qasm", "qpy", "adapt")
    EFFICIENT_SU2_FIELD_NUMBER: _ClassVar[int]
    REAL_AMPLITUDES_FIELD_NUMBER: _ClassVar[int]
    UCCSD_FIELD_NUMBER: _ClassVar[int]
    K_UP_CCGSD_FIELD_NUMBER: _ClassVar[int]
    HAMILTONIAN_VARIATIONAL_FIELD_NUMBER: _ClassVar[int]
    EXCITATION_PRESERVING_FIELD_NUMBER: _ClassVar[int]
    OPEN_QASM_FIELD_NUMBER: _ClassVar[int]
    QPY_FIELD_NUMBER: _ClassVar[int]
    ADAPT_FIELD_NUMBER: _ClassVar[int]
    efficient_su2: EfficientSu2
    real_amplitudes: RealAmplitudes
    uccsd: Uccsd
    k_up_ccgsd: KUpCcgsd
    hamiltonian_variational: HamiltonianVariational
    excitation_preserving: ExcitationPreserving
    open_qasm: OpenQasm
    qpy: Qpy
    adapt: Adapt
    def __init__(self, efficient_su2: _Optional[_Union[EfficientSu2, _Mapping]] = ..., real_amplitudes: _Optional[_Union[RealAmplitudes, _Mapping]] = ..., uccsd: _Optional[_Union[Uccsd, _Mapping]] = ..., k_up_ccgsd: _Optional[_Union[KUpCcgsd, _Mapping]] = ..., hamiltonian_variational: _Optional[_Union[HamiltonianVariational, _Mapping]] = ..., excitation_preserving: _Optional[_Union[ExcitationPreserving, _Mapping]] = ..., open_qasm: _Optional[_Union[OpenQasm, _Mapping]] = ..., qpy: _Optional[_Union[Qpy, _Mapping]] = ..., adapt: _Optional[_Union[Adapt, _Mapping]] = ...) -> None: ...

class EfficientSu2(_message.Message):
    __slots__ = ("reps", "entanglement")
    REPS_FIELD_NUMBER: _ClassVar[int]
    ENTANGLEMENT_FIELD_NUMBER: _ClassVar[int]
    reps: int
    entanglement: str
    def __init__(self, reps: _Optional[int] = ..., entanglement: _Optional[str] = ...) -> None: ...

class RealAmplitudes(_message.Message):
    __slots__ = ("reps", "entanglement")
    REPS_FIELD_NUMBER: _ClassVar[int]
    ENTANGLEMENT_FIELD_NUMBER: _ClassVar[int]
    reps: int
    entanglement: str
    def __init__(self, reps: _Optional[int] = ..., entanglement: _Optional[str] = ...) -> None: ...

class Uccsd(_message.Message):
    __slots__ = ("reps",)
    REPS_FIELD_NUMBER: _ClassVar[int]
    reps: int
    def __init__(self, reps: _Optional[int] = ...) -> None: ...

class KUpCcgsd(_message.Message):
    __slots__ = ("k",)
    K_FIELD_NUMBER: _ClassVar[int]
    k: int
    def __init__(self, k: _Optional[int] = ...) -> None: ...

class HamiltonianVariational(_message.Message):
    __slots__ = ("layers",)
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    layers: int
    def __init__(self, layers: _Optional[int] = ...) -> None: ...

class ExcitationPreserving(_message.Message):
    __slots__ = ("reps",)
    REPS_FIELD_NUMBER: _ClassVar[int]
    reps: int
    def __init__(self, reps: _Optional[int] = ...) -> None: ...

class Adapt(_message.Message):
    __slots__ = ("pool", "operators", "steps_per_operator", "gradient")
    POOL_FIELD_NUMBER: _ClassVar[int]
    OPERATORS_FIELD_NUMBER: _ClassVar[int]
    STEPS_PER_OPERATOR_FIELD_NUMBER: _ClassVar[int]
    GRADIENT_FIELD_NUMBER: _ClassVar[int]
    pool: str
    operators: int
    steps_per_operator: int
    gradient: float
    def __init__(self, pool: _Optional[str] = ..., operators: _Optional[int] = ..., steps_per_operator: _Optional[int] = ..., gradient: _Optional[float] = ...) -> None: ...

class OpenQasm(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class Qpy(_message.Message):
    __slots__ = ("content",)
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    def __init__(self, content: _Optional[bytes] = ...) -> None: ...

class Estimator(_message.Message):
    __slots__ = ("shots", "engine", "device", "grouping", "noise", "readout_mitigation", "allocation")
    SHOTS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    GROUPING_FIELD_NUMBER: _ClassVar[int]
    NOISE_FIELD_NUMBER: _ClassVar[int]
    READOUT_MITIGATION_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    shots: int
    engine: str
    device: str
    grouping: str
    noise: Noise
    readout_mitigation: bool
    allocation: str
    def __init__(self, shots: _Optional[int] = ..., engine: _Optional[str] = ..., device: _Optional[str] = ..., grouping: _Optional[str] = ..., noise: _Optional[_Union[Noise, _Mapping]] = ..., readout_mitigation: _Optional[bool] = ..., allocation: _Optional[str] = ...) -> None: ...

class Noise(_message.Message):
    __slots__ = ("one_qubit_error", "two_qubit_error", "t1", "t2", "one_qubit_time", "two_qubit_time", "false_one", "false_zero", "backend_properties", "qubits")
    ONE_QUBIT_ERROR_FIELD_NUMBER: _ClassVar[int]
    TWO_QUBIT_ERROR_FIELD_NUMBER: _ClassVar[int]
    T1_FIELD_NUMBER: _ClassVar[int]
    T2_FIELD_NUMBER: _ClassVar[int]
    ONE_QUBIT_TIME_FIELD_NUMBER: _ClassVar[int]
    TWO_QUBIT_TIME_FIELD_NUMBER: _ClassVar[int]
    FALSE_ONE_FIELD_NUMBER: _ClassVar[int]
    FALSE_ZERO_FIELD_NUMBER: _ClassVar[int]
    BACKEND_PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    QUBITS_FIELD_NUMBER: _ClassVar[int]
    one_qubit_error: float
    two_qubit_error: float
    t1: float
    t2: float
    one_qubit_time: float
    two_qubit_time: float
    false_one: float
    false_zero: float
    backend_properties: BackendProperties
    qubits: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, one_qubit_error: _Optional[float] = ..., two_qubit_error: _Optional[float] = ..., t1: _Optional[float] = ..., t2: _Optional[float] = ..., one_qubit_time: _Optional[float] = ..., two_qubit_time: _Optional[float] = ..., false_one: _Optional[float] = ..., false_zero: _Optional[float] = ..., backend_properties: _Optional[_Union[BackendProperties, _Mapping]] = ..., qubits: _Optional[_Iterable[int]] = ...) -> None: ...

class BackendProperties(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class VqeStart(_message.Message):
    __slots__ = ("hartree_fock", "uniform", "values", "zeros", "job")
    HARTREE_FOCK_FIELD_NUMBER: _ClassVar[int]
    UNIFORM_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    ZEROS_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    hartree_fock: float
    uniform: float
    values: ParameterValues
    zeros: Zeros
    job: JobEnd
    def __init__(self, hartree_fock: _Optional[float] = ..., uniform: _Optional[float] = ..., values: _Optional[_Union[ParameterValues, _Mapping]] = ..., zeros: _Optional[_Union[Zeros, _Mapping]] = ..., job: _Optional[_Union[JobEnd, _Mapping]] = ...) -> None: ...

class Zeros(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ParameterValues(_message.Message):
    __slots__ = ("angles", "job", "replica")
    ANGLES_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    angles: _containers.RepeatedScalarFieldContainer[float]
    job: str
    replica: int
    def __init__(self, angles: _Optional[_Iterable[float]] = ..., job: _Optional[str] = ..., replica: _Optional[int] = ...) -> None: ...

class JobEnd(_message.Message):
    __slots__ = ("id", "replica")
    ID_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    id: str
    replica: int
    def __init__(self, id: _Optional[str] = ..., replica: _Optional[int] = ...) -> None: ...

class Magnet(_message.Message):
    __slots__ = ("grid", "material", "external_field", "start")
    GRID_FIELD_NUMBER: _ClassVar[int]
    MATERIAL_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_FIELD_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    grid: Grid
    material: Material
    external_field: _containers.RepeatedScalarFieldContainer[float]
    start: MagnetStart
    def __init__(self, grid: _Optional[_Union[Grid, _Mapping]] = ..., material: _Optional[_Union[Material, _Mapping]] = ..., external_field: _Optional[_Iterable[float]] = ..., start: _Optional[_Union[MagnetStart, _Mapping]] = ...) -> None: ...

class Grid(_message.Message):
    __slots__ = ("cells", "cell_size", "periodic")
    CELLS_FIELD_NUMBER: _ClassVar[int]
    CELL_SIZE_FIELD_NUMBER: _ClassVar[int]
    PERIODIC_FIELD_NUMBER: _ClassVar[int]
    cells: _containers.RepeatedScalarFieldContainer[int]
    cell_size: _containers.RepeatedScalarFieldContainer[float]
    periodic: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, cells: _Optional[_Iterable[int]] = ..., cell_size: _Optional[_Iterable[float]] = ..., periodic: _Optional[_Iterable[bool]] = ...) -> None: ...

class Material(_message.Message):
    __slots__ = ("saturation_magnetization", "exchange_stiffness", "interfacial_dmi", "uniaxial_anisotropy")
    SATURATION_MAGNETIZATION_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_STIFFNESS_FIELD_NUMBER: _ClassVar[int]
    INTERFACIAL_DMI_FIELD_NUMBER: _ClassVar[int]
    UNIAXIAL_ANISOTROPY_FIELD_NUMBER: _ClassVar[int]
    saturation_magnetization: float
    exchange_stiffness: float
    interfacial_dmi: float
    uniaxial_anisotropy: UniaxialAnisotropy
    def __init__(self, saturation_magnetization: _Optional[float] = ..., exchange_stiffness: _Optional[float] = ..., interfacial_dmi: _Optional[float] = ..., uniaxial_anisotropy: _Optional[_Union[UniaxialAnisotropy, _Mapping]] = ...) -> None: ...

class UniaxialAnisotropy(_message.Message):
    __slots__ = ("constant", "axis")
    CONSTANT_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    constant: float
    axis: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, constant: _Optional[float] = ..., axis: _Optional[_Iterable[float]] = ...) -> None: ...

class MagnetStart(_message.Message):
    __slots__ = ("skyrmion", "uniform", "random")
    SKYRMION_FIELD_NUMBER: _ClassVar[int]
    UNIFORM_FIELD_NUMBER: _ClassVar[int]
    RANDOM_FIELD_NUMBER: _ClassVar[int]
    skyrmion: SkyrmionStart
    uniform: UniformStart
    random: RandomStart
    def __init__(self, skyrmion: _Optional[_Union[SkyrmionStart, _Mapping]] = ..., uniform: _Optional[_Union[UniformStart, _Mapping]] = ..., random: _Optional[_Union[RandomStart, _Mapping]] = ...) -> None: ...

class SkyrmionStart(_message.Message):
    __slots__ = ("radius", "polarity")
    RADIUS_FIELD_NUMBER: _ClassVar[int]
    POLARITY_FIELD_NUMBER: _ClassVar[int]
    radius: float
    polarity: int
    def __init__(self, radius: _Optional[float] = ..., polarity: _Optional[int] = ...) -> None: ...

class UniformStart(_message.Message):
    __slots__ = ("direction",)
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    direction: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, direction: _Optional[_Iterable[float]] = ...) -> None: ...

class RandomStart(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Density(_message.Message):
    __slots__ = ("gaussian", "double_well", "logistic_regression")
    GAUSSIAN_FIELD_NUMBER: _ClassVar[int]
    DOUBLE_WELL_FIELD_NUMBER: _ClassVar[int]
    LOGISTIC_REGRESSION_FIELD_NUMBER: _ClassVar[int]
    gaussian: Gaussian
    double_well: DoubleWell
    logistic_regression: LogisticRegression
    def __init__(self, gaussian: _Optional[_Union[Gaussian, _Mapping]] = ..., double_well: _Optional[_Union[DoubleWell, _Mapping]] = ..., logistic_regression: _Optional[_Union[LogisticRegression, _Mapping]] = ...) -> None: ...

class Gaussian(_message.Message):
    __slots__ = ("scales", "correlation")
    SCALES_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_FIELD_NUMBER: _ClassVar[int]
    scales: _containers.RepeatedScalarFieldContainer[float]
    correlation: float
    def __init__(self, scales: _Optional[_Iterable[float]] = ..., correlation: _Optional[float] = ...) -> None: ...

class DoubleWell(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LogisticRegression(_message.Message):
    __slots__ = ("dataset", "prior_scale", "batch_size")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PRIOR_SCALE_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    prior_scale: float
    batch_size: int
    def __init__(self, dataset: _Optional[str] = ..., prior_scale: _Optional[float] = ..., batch_size: _Optional[int] = ...) -> None: ...
