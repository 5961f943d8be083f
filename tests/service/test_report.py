"""Reports of jobs whose every number is known, because the records are made here."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format
from matplotlib import image

from thalweg.report import write
from thalweg.report.course import kept
from thalweg.report.draws import MOST_ROWS
from thalweg.report.magnets import direction_colours
from thalweg.specs import to_toml
from thalweg.v1 import jobs_pb2

SPECS: dict[str, dict[str, Any]] = {
    "vqe": {
        "name": "H2 & <friends>",
        "problem": {
            "vqe": {
                "start": {"hartree_fock": 0.1},
                "hamiltonian": {"molecule": {"atoms": "H 0 0 0; H 0 0 0.735"}},
                "ansatz": {"efficient_su2": {"reps": 3}},
                "estimator": {"shots": 1000},
            }
        },
        "method": {"adam": {"learning_rate": 0.1}},
        "plan": {"steps": 60, "replicas": 4, "seed": 7},
    },
    "magnet": {
        "name": "Skyrmion",
        "problem": {
            "magnet": {"grid": {"cells": [32, 32, 1], "cell_size": [1e-9, 1e-9, 4e-10], "periodic": [True, True, False]}}
        },
        "method": {"llg": {"damping": 1.0}},
        "plan": {"stop": {"max_torque": 1e-3}},
    },
    "draws": {
        "name": "Posterior",
        "problem": {"density": {"logistic_regression": {"dataset": "breast_cancer"}}},
        "method": {"hmc": {}},
        "plan": {"replicas": 8, "steps": 300},
    },
}
EXACT = -1.137306036
FIGURES = {
    "vqe": {"descent"},
    "magnet": {"magnetization", "descent"},
    "draws": {"worst-coordinates", "coordinates", "energy"},
}


@dataclass
class Made:
    """A record made up for a test."""

    job: jobs_pb2.Job
    files: dict[str, bytes] = field(default_factory=dict)

    def read(self, name: str) -> bytes:
        return self.files[name]

    def keep(self, name: str, content: bytes, description: str = "made up") -> Made:
        self.files[name] = content
        digest = hashlib.sha256(content).hexdigest()
        self.job.result.artifacts.add(name=name, size=len(content), sha256=digest, description=description)
        return self

    def observe(self, name: str, value: float, error: float = 0.0, unit: str = "") -> Made:
        entry = self.job.result.observables[name]
        entry.value, entry.standard_error, entry.unit = value, error, unit
        return self


def npz(arrays: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def made(kind: str, state: str = "SUCCEEDED", outcome: str = "all steps of the plan were done") -> Made:
    spec = json_format.ParseDict(SPECS[kind], jobs_pb2.JobSpec())
    job = jobs_pb2.Job(id="job-7", spec=spec, state=f"JOB_STATE_{state}", outcome=outcome)
    job.end_time.FromJsonString("2026-11-21T12:00:00Z")
    job.provenance.version, job.provenance.seed = "0.1.0", 7
    job.provenance.packages["torch"] = "2.13.0"
    return Made(job)


def trace(value: Any, sigma: float = 0.0, shots: int = 0, norm: Any = None) -> bytes:
    value = np.asarray(value, dtype=float)
    steps = np.arange(1, len(value) + 1)
    spent = np.broadcast_to(steps[:, None], value.shape)
    columns = {
        "step": steps,
        "value": value,
        "value_var": np.full(value.shape, sigma**2),
        "gradient_norm": np.abs(value) if norm is None else norm,
        "acceptance": np.ones_like(value),
        **{name: spent * scale for name, scale in (("shots", shots), ("circuits", 325), ("gradients", 1), ("evaluations", 1))},
    }
    return npz(columns)


def vqe(steps: int = 60, replicas: int = 4, shots: int = 325_000) -> Made:
    """A walk that falls as exp(-step/12) from 40 mHa above the exact energy, under noise of 11 mHa."""
    rng = np.random.default_rng(0)
    fall = 0.04 * np.exp(-np.arange(steps) / 12)[:, None] * rng.uniform(0.7, 1.3, replicas)
    true = fall[-1] + 4e-4
    record = made("vqe")
    record.job.result.value, record.job.result.standard_error, record.job.result.unit = -1.136512, 0.002779, "Ha"
    record.job.result.cost.update({"shots": 78_000_000.0, "gradients": 240.0, "seconds": 12.345})
    record.job.result.stops["all steps of the plan were done"] = replicas
    record.observe("exact_energy", EXACT, unit="Ha").observe("true_energy", EXACT + 7.5e-4, unit="Ha")
    record.observe("energy_error", 7.5e-4, 5.2e-5, "Ha")
    record.keep("trace.npz", trace(EXACT + fall + 4e-4 + 0.011 * rng.standard_normal((steps, replicas)), 0.011, shots))
    ends = {"x": np.zeros((replicas, 16)), "stopped_at": np.full(replicas, steps), "observable.energy_error": true}
    return record.keep("final.npz", npz({**ends, "value": EXACT + true, "value_var": np.full(replicas, 0.0028**2)}))


def skyrmion(radius: float, cells: int = 32) -> Any:
    u = np.arange(cells) - (cells - 1) / 2
    x, y = np.meshgrid(u, u)
    polar = 2 * np.arctan(np.exp((np.hypot(x, y) - radius) / 2.5))
    turn = np.arctan2(y, x)
    return np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), -np.cos(polar)], axis=-1)


def png(m: Any) -> bytes:
    buffer = io.BytesIO()
    image.imsave(buffer, np.repeat(np.repeat(direction_colours(m)[::-1], 8, 0), 8, 1), format="png")
    return buffer.getvalue()


def magnet(steps: int = 900) -> Made:
    record = made("magnet", outcome="the largest torque fell under plan.stop.max_torque")
    record.job.result.value, record.job.result.unit = -3.25e-18, "J"
    record.job.result.cost.update({"gradients": 2.0 * steps, "seconds": 3.0})
    record.observe("topological_charge", -0.99987).observe("skyrmion_radius", 5.4321e-9, unit="m").observe("max_torque", 9.7e-4)
    fall = np.exp(-np.arange(steps) / 60)[:, None]
    record.keep("trace.npz", trace(-3.25e-18 + 4e-18 * fall, norm=0.9 * np.exp(-np.arange(steps) / 130)[:, None]))
    before, after = skyrmion(9.0), skyrmion(5.4)
    record.keep("final.npz", npz({"x": after[None, None], "start": before[None, None], "stopped_at": np.array([steps])}))
    return record.keep("before.png", png(before)).keep("after.png", png(after))


def draws(dimension: int = 31, chains: int = 8, steps: int = 300, stuck: int | None = None) -> Made:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((steps, chains, dimension)) * np.linspace(0.3, 1.0, dimension) + np.linspace(-1, 1, dimension)
    if stuck is not None:
        x[:, : chains // 2, stuck] += 4
    record = made("draws")
    record.job.result.value, record.job.result.standard_error = 46.25, 0.123
    record.job.result.cost.update({"gradients": 12345.0, "seconds": 5.0})
    record.observe("rhat_max", 1.004).observe("ess_bulk_min", 1234.4).observe("ess_tail_min", 987.0).observe(
        "acceptance", 0.81, 0.002
    )
    rows = [
        {
            "name": f"coefficient {i}",
            "mean": float(x[:, :, i].mean()),
            "sd": float(x[:, :, i].std()),
            "mcse": float(x[:, :, i].std() / np.sqrt(steps * chains)),
            "ess_bulk": 60.0 if i == stuck else 2000.0 + i,
            "ess_tail": 1900.0 + i,
            "rhat": 1.8 if i == stuck else 1.001,
        }
        for i in range(dimension)
    ]
    record.keep("trace.npz", trace(46 + rng.standard_normal((steps, chains))))
    record.keep("final.npz", npz({"x": x[-1], "stopped_at": np.full(chains, steps)}))
    return record.keep("draws.npy", npy(x)).keep("summary.json", json.dumps(rows).encode())


MAKERS = {"vqe": vqe, "magnet": magnet, "draws": draws}


def html(tmp_path: Path, *records: Made) -> str:
    (path,) = write(list(records), tmp_path / "report.html")
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", MAKERS)
def test_a_page_needs_nothing_but_itself(kind: str, tmp_path: Path):
    page = html(tmp_path, MAKERS[kind]())
    assert not re.search(r"https?://", page)
    assert "<script" not in page and "<link" not in page and "@import" not in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page) + re.findall(r"url\(([^)]*)\)", page)
    assert all(source.startswith(("#", "data:image/png;base64,")) for source in sources), sources


@pytest.mark.parametrize("kind", MAKERS)
def test_every_figure_is_drawn_once_with_words_for_those_who_cannot_see_it(kind: str, tmp_path: Path):
    page = html(tmp_path, MAKERS[kind]())
    assert len(re.findall(r'<svg viewBox="[^"]*" role="img" aria-label="[^"]+">', page)) == len(FIGURES[kind])
    written = write([MAKERS[kind]()], tmp_path / "report.md")
    names = {path.stem.removeprefix("job-1-") for path in written[1:]}
    assert names == FIGURES[kind]
    for path in written[1:]:
        pixels = image.imread(path)
        assert pixels.shape[1] > 1000 and pixels[..., :3].std() > 0.02  # something is drawn, and wide enough for print
        assert f"report_files/{path.name}" in written[0].read_text(encoding="utf-8")


def test_names_in_the_figures_of_one_page_do_not_collide(tmp_path: Path):
    page = html(tmp_path, vqe(), vqe(), draws())
    names = re.findall(r'\bid="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert set(re.findall(r'href="#([^"]+)"', page)) | set(re.findall(r"url\(#([^)]+)\)", page)) <= set(names)


def test_the_vqe_page_says_value_error_truth_and_whether_chemistry_is_served(tmp_path: Path):
    page = html(tmp_path, vqe())
    assert "Energy −1.1365 ± 0.0028 Ha, beside −1.137306 Ha exactly" in page
    assert "lies 0.750 ± 0.052 mHa above it, within chemical accuracy (1.6 mHa)" in page
    assert '<td>shots</td><td class="n">78\u2009000\u2009000</td>' in page
    assert '<td>seconds</td><td class="n">12.3 s</td>' in page
    assert "All steps of the plan were done." in page
    assert "H2 &amp; &lt;friends&gt;" in page and "<friends>" not in page


def test_an_energy_outside_chemical_accuracy_is_said_to_be_outside(tmp_path: Path):
    assert "2.00 mHa above it, outside" not in html(tmp_path, vqe())
    assert "2 mHa above it, outside chemical accuracy" in html(tmp_path, vqe().observe("energy_error", 2e-3, 0.0, "Ha"))
    assert "below it, outside chemical accuracy" in html(tmp_path, vqe().observe("energy_error", -2e-3, 0.0, "Ha"))


def test_an_energy_below_the_exact_one_is_explained(tmp_path: Path):
    words = (
        "The state lies below the lowest energy of the sector that the reference belongs to, so the circuit has left that sector"
    )
    below = vqe().observe("energy_error", -2e-3, 1e-4, "Ha")
    assert f"{words}." in html(tmp_path, below)
    assert f"{words}: it holds 1.25 electrons." in html(tmp_path, below.observe("electrons", 1.25))
    for error, spread in ((2e-3, 0.0), (-2e-3, 1e-3), (-1e-13, 0.0)):  # above; within three standard errors; rounding
        assert "sector" not in html(tmp_path, vqe().observe("energy_error", error, spread, "Ha"))


def test_energies_of_one_kind_stand_under_one_prefix(tmp_path: Path):
    record = magnet().observe("exchange_energy", 7.5e-20, unit="J").observe("zeeman_energy", 0.0, unit="J")
    page = html(tmp_path, record.observe("dmi_energy", -2.5e-22, unit="J"))
    for name, number in (("exchange energy", "75"), ("Zeeman energy", "0"), ("DMI energy", "−0.25")):
        assert f'<tr><td>{name}</td><td class="n">{number}</td><td class="unit">zJ</td></tr>' in page


def test_the_path_of_a_field_keeps_its_small_letters_where_a_sentence_begins_with_it(tmp_path: Path):
    page = html(tmp_path, made("magnet", "FAILED", "method.llg.time_step: wanted at most 0.1 ps"))
    assert "method.llg.time_step: wanted at most 0.1 ps." in page


def test_what_a_user_wrote_stays_text_in_markdown(tmp_path: Path):
    record = draws(dimension=1, chains=1, steps=1)
    record.job.spec.name = "a_b*c | <script>alert(1)</script>\x1b[31m\n# heading"
    rows = json.loads(record.files["summary.json"])
    record.files["summary.json"] = json.dumps([{**rows[0], "name": "x|y\n<b>"}]).encode()
    for records in ([record], [record, vqe()]):
        page = write(records, tmp_path / "report.md")[0].read_text(encoding="utf-8")
        outside = re.sub(r"```toml\n.*?```", "", page, flags=re.DOTALL)
        assert "# a\\_b\\*c \\| &lt;script&gt;alert(1)&lt;/script&gt;\\\\x1b\\[31m\\\\n\\# heading\n" in outside
        assert "| x\\|y\\\\n&lt;b&gt; |" in outside
        assert "<script>" not in outside and "\x1b" not in page


def test_the_magnet_page_shows_its_numbers_with_prefixes(tmp_path: Path):
    page = html(tmp_path, magnet())
    assert "Energy −3.25 aJ, topological charge −0.99987, skyrmion radius 5.4321 nm." in page
    assert '5.4321 <span class="unit">nm</span>' in page
    assert "−0.99987" in page
    assert page.count("data:image/png;base64,") == 3  # before, after, and the key


def test_the_pictures_on_the_page_are_the_files_pixel_by_pixel(tmp_path: Path):
    record = magnet()
    page = html(tmp_path, record)
    embedded = [base64.b64decode(re.sub(r"\s", "", data)) for data in re.findall(r"data:image/png;base64,([^\"]+)", page)]
    shown = [image.imread(io.BytesIO(data)) for data in embedded]
    for name in ("before.png", "after.png"):
        pixels = image.imread(io.BytesIO(record.read(name)))[..., :3]
        same = [p for p in shown if p.shape[:2] == pixels.shape[:2] and np.abs(p[..., :3] - pixels).max() < 1.5 / 255]
        turned = [p for p in shown if p.shape[:2] == pixels.shape[:2] and np.abs(p[::-1, :, :3] - pixels).max() < 1.5 / 255]
        assert same or turned, name


def test_the_key_has_the_colours_of_the_pictures():
    m = np.array([[0, 0, 1], [0, 0, -1], [1, 0, 0], [-0.5, np.sqrt(0.75), 0], [-0.5, -np.sqrt(0.75), 0]], dtype=float)
    expected = [[1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]  # white up, black down, red, green, blue at thirds
    np.testing.assert_allclose(direction_colours(m), expected, atol=1e-12)


def test_diagnostics_stand_worst_first(tmp_path: Path):
    page = html(tmp_path, draws(stuck=17))
    rows = re.findall(r"<tr><td>(coefficient \d+)</td>", page)
    assert rows[:3] == ["coefficient 17", "coefficient 0", "coefficient 1"]
    assert "(12 of 31)" in page and "1.800" in page
    assert "Mean energy 46.25 ± 0.12." in page
    assert re.search(r"smallest bulk ESS</dt><dd>1234<", page)


def test_chains_that_disagree_are_called_so(tmp_path: Path):
    assert "not to be trusted" not in html(tmp_path, draws())
    assert "not to be trusted yet: the chains disagree, R̂ is up to 1.8." in html(tmp_path, draws().observe("rhat_max", 1.8))
    assert "not to be trusted yet" in html(tmp_path, draws().observe("rhat_max", float("nan")))


def test_tiny_errors_get_a_smaller_unit(tmp_path: Path):
    assert "lies 3.916 nHa above it" in html(tmp_path, vqe().observe("energy_error", 3.9157e-9, 0.0, "Ha"))
    assert "lies 0.02 mHa above it" in html(tmp_path, vqe().observe("energy_error", 2e-5, 0.0, "Ha"))


def test_labels_at_one_height_are_pushed_apart():
    from thalweg.report.style import _apart

    heights = [0.1, 0.2, 0.1]
    for centres in ([0.5, 0.5, 0.5], [0.0, 0.0, 0.01], [0.99, 1.0, 1.0], [0.1, 0.5, 0.9]):
        placed = _apart(centres, heights)
        for i in range(2):
            assert placed[i + 1] - placed[i] >= (heights[i] + heights[i + 1]) / 2 - 1e-12
        assert placed[-1] <= 1.02
    assert _apart([0.1, 0.5, 0.9], heights) == [0.1, 0.5, 0.9]


def test_the_specification_reads_back_as_it_was(tmp_path: Path):
    write([vqe()], tmp_path / "report.md")
    (block,) = re.findall(r"```toml\n(.*?)```", (tmp_path / "report.md").read_text(encoding="utf-8"), re.DOTALL)
    assert json_format.ParseDict(tomllib.loads(block), jobs_pb2.JobSpec()) == vqe().job.spec


def test_a_text_as_long_as_a_file_is_cut_and_the_rest_of_the_specification_is_not(tmp_path: Path):
    record = vqe()
    record.job.spec.problem.vqe.hamiltonian.fcidump.text = '&FCI "NORB"\n' + "0.5 1 1 1 1\n" * 1000
    write([record], tmp_path / "report.md")
    (block,) = re.findall(r"```toml\n(.*?)```", (tmp_path / "report.md").read_text(encoding="utf-8"), re.DOTALL)
    read = tomllib.loads(block)["problem"]["vqe"]
    assert re.fullmatch(r'&FCI "NORB"\n(0.5 1 1 1 1\n)*.{0,9}… \(\d{5} characters\)', read["hamiltonian"]["fcidump"]["text"])
    assert len(block) < 3000
    assert read["estimator"] == tomllib.loads(to_toml(vqe().job.spec))["problem"]["vqe"]["estimator"]


def test_several_jobs_are_compared_on_top_and_linked(tmp_path: Path):
    page = html(tmp_path, vqe(), magnet(), draws(), made("vqe", "FAILED", "the molecule has no basis"))
    table = page[page.index('class="wide compare"') : page.index('<section class="job"')]
    assert table.count("<tr>") == 5
    for number in range(1, 5):
        assert f'href="#job-{number}"' in table and f'id="job-{number}"' in page
    assert "−1.1365 ± 0.0028" in table and "0.750 ± 0.052 mHa" in table and "78\u2009000\u2009000 shots, 12.3 s" in table
    assert "failed" in table


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("FAILED", "The job failed without a result."),
        ("CANCELLED", "The job was cancelled without a result."),
        ("RUNNING", "No result yet: the job is running."),
    ],
)
def test_a_job_without_a_result_says_so(state: str, words: str, tmp_path: Path):
    page = html(tmp_path, made("vqe", state, "the molecule has no basis"))
    assert words in page
    assert "The molecule has no basis." in page
    assert "<figure>" not in page


def test_one_step_and_one_replica_make_a_page(tmp_path: Path):
    assert "<figure>" in html(tmp_path, vqe(steps=1, replicas=1))
    assert "<figure>" in html(tmp_path, magnet(steps=1))
    assert "<figure>" in html(tmp_path, draws(dimension=1, chains=1, steps=1))
    assert "<figure>" in html(tmp_path, draws(dimension=2, chains=1, steps=50))


def test_rows_that_are_not_numbers_do_not_stop_a_page(tmp_path: Path):
    walk = np.full((20, 3), np.nan)
    record = made("vqe")
    record.job.result.value = float("nan")
    record.observe("exact_energy", EXACT, unit="Ha").observe("energy_error", float("nan"), float("nan"), "Ha")
    page = html(tmp_path, record.keep("trace.npz", trace(walk)))
    assert "not a number" in page
    half = np.concatenate([np.linspace(0, EXACT, 10)[:, None].repeat(3, 1), walk])
    assert "<figure>" in html(
        tmp_path, made("vqe").observe("exact_energy", EXACT, unit="Ha").keep("trace.npz", trace(half, 0.01, 1000))
    )
    lost = draws()
    x = np.load(io.BytesIO(lost.files["draws.npy"]))
    x[100:, 2] = np.nan
    lost.files["draws.npy"] = npy(x)
    assert "<figure>" in html(tmp_path, lost)


def test_a_replica_is_drawn_no_further_than_it_walked(tmp_path: Path):
    from thalweg.report.arrays import final_of, trace_of
    from thalweg.report.course import course_of

    record = vqe(steps=30, replicas=2)
    record.files["final.npz"] = npz({"x": np.zeros((2, 1)), "stopped_at": np.array([10, 30])})
    walked, end = trace_of(record), final_of(record)
    assert walked is not None
    course = course_of(walked, end)
    assert np.isfinite(course.value).sum(axis=0).tolist() == [10, 30]
    assert np.isfinite(course.settled).all()


def test_a_long_walk_is_thinned_with_its_ends_kept(tmp_path: Path):
    places = kept(np.arange(1.0, 100_001.0))
    assert places[0] == 0 and places[-1] == 99_999 and len(places) <= 1000
    assert (np.diff(places) > 0).all()
    page = html(tmp_path, magnet(steps=100_000), vqe(steps=20_000, replicas=32))
    assert len(page) < 6_000_000


def test_many_coordinates_show_the_worst(tmp_path: Path):
    page = html(tmp_path, draws(dimension=300, steps=60, stuck=250))
    assert f"The {MOST_ROWS} worst of 300 coordinates" in page
    assert ">coefficient 250<" in page


def test_a_page_is_the_same_whenever_it_is_written(tmp_path: Path):
    assert html(tmp_path / "a", vqe(), magnet()) == html(tmp_path / "b", vqe(), magnet())


@pytest.mark.parametrize(("records", "name"), [([], "report.html"), ([1], "report.pdf")])
def test_what_cannot_be_written_is_refused_in_a_sentence(records: list[int], name: str, tmp_path: Path):
    with pytest.raises(ValueError, match=r"at least one job|NAME\.html or NAME\.md"):
        write([vqe() for _ in records], tmp_path / name)
