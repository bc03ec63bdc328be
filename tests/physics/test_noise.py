"""Noise models: their moments, their streams, and where noise is in the algebra."""

import dataclasses
import pickle

import array_api_strict
import dask.array as da
import numpy as np
import pytest
from cases import raises
from dask.base import tokenize
from hypothesis import given
from hypothesis import strategies as st
from sensors import Coils, Pairs

from daskphys.errors import DtypeError, ParameterError, SensorError, ShapeError, UnknownKeywordError
from daskphys.physics import (
    Blur,
    ComplexGaussianNoise,
    Diagonal,
    GaussianNoise,
    Identity,
    LaplaceNoise,
    MatrixOperator,
    NoiseModel,
    PhaseRetrieval,
    PoissonGaussianNoise,
    PoissonNoise,
    SaltPepperNoise,
    UniformNoise,
    block_diagonal,
    gaussian_blur,
    stack,
    value,
)
from daskphys.physics.noise import streams

K = gaussian_blur(1.0)
X = np.random.default_rng(0).random((3, 40, 50))
REAL = [
    GaussianNoise(0.3),
    UniformNoise(0.3),
    LaplaceNoise(0.3),
    SaltPepperNoise(0.1, 0.2),
    PoissonNoise(0.2),
    PoissonGaussianNoise(0.2, 0.3),
]
INDEPENDENT = [m for m in REAL if not m.depends]
names = {"ids": lambda m: type(m).__name__}


def test_every_model_is_tried():
    def below(cls):
        return {cls, *(c for sub in cls.__subclasses__() for c in below(sub))}

    public = {
        c
        for c in below(NoiseModel)
        if c.__module__.startswith("daskphys") and c.__qualname__.endswith("Noise")
    }
    assert public - {type(m) for m in REAL} == {
        ComplexGaussianNoise,
        *(c for c in public if c.__name__ == "CountedNoise"),
    }


# -- moments ---------------------------------------------------------------------------------------------------

LEVEL, N = 2.0, 400
MOMENTS = {  # mean, variance, and fourth central moment, of a measurement of LEVEL
    "GaussianNoise": (LEVEL, 0.09, 3 * 0.09**2),
    "UniformNoise": (LEVEL, 0.03, 0.3**4 / 5),
    "LaplaceNoise": (LEVEL, 0.18, 24 * 0.3**4),
    "PoissonNoise": (LEVEL, 0.4, 0.2**4 * (10 + 3 * 10**2)),
    "PoissonGaussianNoise": (LEVEL, 0.49, 0.2**4 * (10 + 300) + 6 * 0.4 * 0.09 + 3 * 0.09**2),
}


def moments_agree(sample, mean, variance, fourth):
    """Within five standard errors, which chance exceeds once in two million seeds."""
    n = sample.size
    assert abs(sample.mean() - mean) < 5 * np.sqrt(variance / n)
    assert abs(np.mean((sample - mean) ** 2) - variance) < 5 * np.sqrt((fourth - variance**2) / n)


@pytest.mark.parametrize("model", [m for m in REAL if type(m).__name__ in MOMENTS], **names)
@pytest.mark.parametrize("seed", [0, 1])
def test_mean_and_variance(model, seed):
    y = Identity(noise_model=model)(np.full((N, N), LEVEL), seed=seed)
    moments_agree(y, *MOMENTS[type(model).__name__])


def test_complex_noise_has_its_sigma_in_each_part_and_they_are_independent():
    A = Identity(noise_model=ComplexGaussianNoise(0.3))
    noise = A(np.zeros((N, N), np.complex128), seed=0)
    for part in (noise.real, noise.imag):
        moments_agree(part, 0.0, 0.09, 3 * 0.09**2)
    moments_agree(noise.real * noise.imag, 0.0, 0.09**2, 9 * 0.09**4)


def test_salt_and_pepper_replace_as_often_as_they_should():
    x = np.full((N, N), 0.5)
    y = Identity(noise_model=SaltPepperNoise(p=0.1, s=0.2))(x, seed=0)
    assert set(np.unique(y)) == {0.0, 0.5, 1.0}
    for share, p in ((y == 0, 0.1), (y == 1, 0.2)):
        assert abs(share.mean() - p) < 5 * np.sqrt(p * (1 - p) / y.size)


def test_samples_are_not_correlated_along_any_axis_or_between_sensors():
    S = stack(*[Identity(noise_model=GaussianNoise(1.0))] * 2)
    a, b = S(np.zeros((4, 200, 200)), seed=0)
    for one, other in ((a[:, 1:], a[:, :-1]), (a[..., 1:], a[..., :-1]), (a[1:], a[:-1]), (a, b)):
        moments_agree(one * other, 0.0, 1.0, 9.0)


def test_counts_are_given_where_they_are_asked_for():
    y = Identity(noise_model=PoissonNoise(0.5, normalize=False))(np.full((N, N), 2.0), seed=0)
    moments_agree(y, 4.0, 4.0, 4 + 3 * 16)


# -- streams ----------------------------------------------------------------------------------------------------


def test_a_stream_is_that_of_numpy():
    """What the documentation promises, written down without our code."""
    y = stack(*[Identity(noise_model=GaussianNoise(1.0))] * 3)(np.zeros((2, 4, 5)), seed=11)
    key = np.random.SeedSequence(11).generate_state(2, np.uint64)
    for sensor in range(3):
        for row in range(8):  # Identity acts on single samples: a row is what its streams are made of
            rng = np.random.Generator(np.random.Philox(key=key, counter=[0, 0, row, sensor]))
            np.testing.assert_array_equal(y[sensor].reshape(8, 5)[row], rng.standard_normal(5))


def test_rows_are_drawn_together(monkeypatch):
    """Of a sensor's own axes, as many whole rows as make a cell."""
    monkeypatch.setattr(streams, "CELL", 12)
    y = Diagonal(np.ones((7, 5)), noise_model=GaussianNoise(1.0))(np.zeros((2, 7, 5)), seed=11)
    key = np.random.SeedSequence(11).generate_state(2, np.uint64)
    for lead in range(2):
        for cell in range(3):
            rng = np.random.Generator(np.random.Philox(key=key, counter=[0, cell, lead, 0]))
            rows = y[lead, 3 * cell : 3 * cell + 3]
            np.testing.assert_array_equal(rows, rng.standard_normal(rows.shape))


@pytest.mark.parametrize("model", REAL, **names)
def test_a_seed_gives_the_same_noise_and_none_another_each_time(model):
    A = Blur(K, noise_model=model)
    np.testing.assert_array_equal(A(X, seed=3), A(X, seed=3))
    assert not np.array_equal(A(X, seed=3), A(X, seed=4))
    assert not np.array_equal(A(X), A(X))
    own = A.with_noise(type(model)(**{**model._fields(), "seed": 3}))
    np.testing.assert_array_equal(own(X), A(X, seed=3))
    np.testing.assert_array_equal(own(X, seed=4), A(X, seed=4))
    np.testing.assert_array_equal(own.A(X), Blur(K).A(X))


@pytest.mark.parametrize("model", REAL, **names)
def test_an_entry_has_the_noise_that_it_has_alone_as_the_first(model):
    A = Blur(K, noise_model=model)
    np.testing.assert_array_equal(A(X, seed=0)[0], A(X[0], seed=0))
    assert not np.array_equal(A(np.stack([X[0]] * 2), seed=0)[1], A(X[0], seed=0))


def test_a_sensor_has_the_stream_of_its_index():
    S = stack(*[Blur(K, noise_model=GaussianNoise(s)) for s in (1.0, 2.0)])
    noise = [a - b for a, b in zip(S(X, seed=0), S.A(X), strict=True)]
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 5 / np.sqrt(X.size)
    np.testing.assert_allclose(S[0](X, seed=0), S(X, seed=0)[0], rtol=1e-12)
    np.testing.assert_allclose(S[1:](X, seed=0)[0] - S.A(X)[1], 2 * noise[0], rtol=1e-9)


def test_rows_of_a_matrix_are_sensors():
    A = MatrixOperator(np.arange(1.0, 13).reshape(4, 3), noise_model=PoissonNoise(0.5))
    x = np.ones((2, 3))
    y = A(x, seed=5)
    np.testing.assert_array_equal(A[:2](x, seed=5), y[:, :2])
    np.testing.assert_array_equal(A(da.from_array(x, chunks=(1, 3)), seed=5).compute(), y)
    assert (
        len({float(v) for v in (A(np.full((50, 3), 100.0), seed=5) / (100 * A.A(np.ones(3)))).ravel()}) > 100
    )


@pytest.mark.parametrize("kind", [Coils, Pairs])
def test_a_sensor_axis_has_a_stream_for_each_of_its_sensors(kind):
    model = GaussianNoise(1.0)
    A = kind(np.ones((3, 6, 7)), noise_model=model)
    x = np.zeros((2, 6, 7))
    y = A(x, seed=5)
    one = Diagonal(np.ones((6, 7)), noise_model=model)
    np.testing.assert_array_equal(y, np.stack(list(stack(one, one, one)(x, seed=5)), 1))
    np.testing.assert_array_equal((A @ Identity())(x, seed=5), y)
    for part in (slice(2), slice(1, 3)):
        np.testing.assert_array_equal(A[part](x, seed=5), y[:, :2])
        np.testing.assert_array_equal((A @ Identity())[part](x, seed=5), y[:, :2])
    np.testing.assert_array_equal(A[2](x, seed=5), y[:, 0])  # alone it is sensor 0
    assert (2 * A).noise_model is None
    np.testing.assert_array_equal(A.A(x), 0)


@pytest.mark.parametrize("model", INDEPENDENT, **names)
def test_single_precision_has_the_same_noise_to_rounding(model):
    A = Identity(noise_model=model)
    x = X.astype(np.float32)
    single, double = A(x, seed=0), A(x.astype(np.float64), seed=0)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, atol=1e-6)


@given(st.data())
def test_a_part_of_a_measurement_finds_its_noise(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)))
    along = data.draw(st.booleans())
    whole = streams.Part.all_of(shape, data.draw(st.integers(1, len(shape))), 3, along=along)
    spans = [sorted(data.draw(st.tuples(st.integers(0, n - 1), st.integers(1, n)))) for n in shape]
    spans = [(a, max(a + 1, b)) for a, b in spans]
    start = tuple(a for a, _ in spans)
    part = dataclasses.replace(whole, start=start, shape=tuple(b - a for a, b in spans))
    saved, streams.CELL = streams.CELL, data.draw(st.integers(1, 60))
    try:
        full, some = drawn(whole), drawn(part)
    finally:
        streams.CELL = saved
    np.testing.assert_array_equal(some, full[tuple(slice(a, b) for a, b in spans)])
    assert len(np.unique(full)) == full.size


def drawn(part):
    """Random numbers for each sample of a part."""
    out = np.empty(part.cube)

    def one(rng, share):
        numbers = rng.random((int(share.of_cell[-1]) + 1, part.width))
        out[share.here, share.rows] = numbers[share.of_cell, part.columns]

    streams.fill(part, 7, one)
    return out.reshape(part.shape)


# -- arrays of other kinds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", REAL, **names)
def test_lazily_with_chunks_of_leading_axes(model):
    S = stack(Blur(K, noise_model=model), Blur(K), Blur(K, "valid", noise_model=model))
    lazy = S(da.from_array(X, chunks=(2, -1, -1)), seed=1)
    for got, expected in zip(lazy, S(X, seed=1), strict=True):
        np.testing.assert_array_equal(got.compute(), expected)
    fresh = S(da.from_array(X, chunks=(2, -1, -1)))
    np.testing.assert_array_equal(fresh[0].compute(), fresh[0].compute())  # drawn when the graph is made
    assert not np.array_equal(fresh[0].compute(), lazy[0].compute())


@pytest.mark.parametrize("model", INDEPENDENT, **names)
def test_lazily_with_chunks_of_the_image(model, monkeypatch):
    monkeypatch.setattr(streams, "CELL", 120)
    A = Blur(K, noise_model=model)
    lazy = A(da.from_array(X, chunks=(2, 13, 20)), seed=1)
    np.testing.assert_allclose(lazy.compute(scheduler="sync"), A(X, seed=1), atol=1e-12)


@pytest.mark.parametrize("kind", [Coils, Pairs])
def test_lazily_along_a_sensor_axis(kind):
    A = kind(1 + np.arange(5 * 40 * 50.0).reshape(5, 40, 50), noise_model=PoissonNoise(0.1))
    lazy = A(da.from_array(X, chunks=(2, -1, -1)), seed=1)
    np.testing.assert_array_equal(lazy.compute(), A(X, seed=1))


def test_what_depends_on_the_measurement_needs_whole_axes():
    A = Blur(K, noise_model=PoissonNoise(0.1))
    with raises(ShapeError, repr(A), "PoissonNoise(0.1)", "expected one chunk along the last 2 axes", "13"):
        A(da.from_array(X, chunks=(2, 13, 20)))


def test_lazily_what_depends_on_the_measurement_of_a_sensor_axis():
    """Parts are chunks of the measurement, which the image's are not."""
    J = Pairs(np.random.default_rng(0).uniform(0.5, 1.5, (5, 40, 50)))
    A = (Identity(2.0) @ J).with_noise(PoissonNoise(0.1))
    np.testing.assert_array_equal(A(da.from_array(X, chunks=(1, 40, 50)), seed=1).compute(), A(X, seed=1))


def test_arrays_of_other_libraries():
    torch = pytest.importorskip("torch")
    for model in REAL:
        A = Blur(K, noise_model=model)
        expected = A(X, seed=2)
        got = A(array_api_strict.asarray(X), seed=2)
        assert type(got) is type(array_api_strict.asarray(X))
        np.testing.assert_array_equal(np.from_dlpack(got), expected)
        np.testing.assert_array_equal(A(torch.tensor(X), seed=2).numpy(), expected)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_noise_is_a_constant_for_autograd():
    torch = pytest.importorskip("torch")
    A, v = Blur(K, noise_model=PoissonNoise(0.1)), torch.tensor(X).flip(0)
    x = torch.tensor(X, requires_grad=True)
    (A(x, seed=0) * v).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), A.A_adjoint(v).numpy())
    tangent = torch.func.jvp(lambda t: A(t, seed=0), (x.detach(),), (v,))[1]
    np.testing.assert_array_equal(tangent.numpy(), A.A(v).numpy())


# -- the algebra --------------------------------------------------------------------------------------------------


def test_which_operators_have_the_noise():
    model = GaussianNoise(0.1)
    A, B = Blur(K, noise_model=model), Blur(K, "valid")
    assert (A @ B).noise_model is model
    assert (B @ A).noise_model is None
    assert all(made.noise_model is None for made in (2 * A, -A, A / 2, A + A, A - B, A.H, A.normal((9, 9))))
    assert A.H.H is A
    noisy = Identity(2.0, noise_model=model)
    assert (2 * noisy).noise_model is None
    assert (noisy + Identity()).noise_model is None
    S = stack(A, B)
    assert [s.noise_model for s in S] == [model, None]
    assert [s.noise_model for s in S @ A] == [model, None]
    assert [s.noise_model for s in 2 * S] == [None, None]
    assert [s.noise_model for s in S[::-1]] == [None, model]
    assert [s.noise_model for s in S.with_noise(model)] == [model, model]
    assert S.with_noise(None) == stack(Blur(K), B)
    back = S @ S.H
    y = S.A(X)
    np.testing.assert_array_equal(back(y, seed=1)[1], back.A(y)[1])
    assert not np.array_equal(back(y, seed=1)[0], back.A(y)[0])
    assert back.with_noise(None)(y) is not None


def test_an_adjoint_with_noise_is_another_than_the_operators_own():
    A = Blur(gaussian_blur(1.3))
    noisy = A.H.with_noise(GaussianNoise(1.0))
    assert noisy.H is A
    assert A.H.noise_model is None
    np.testing.assert_array_equal(A.H(X), A.A_adjoint(X))


def test_blocks_keep_their_noise_after_what_is_not_linear():
    B = block_diagonal(Identity(noise_model=GaussianNoise()), Identity())
    C = B @ stack(PhaseRetrieval(Identity()), PhaseRetrieval(Identity()))
    for made, expected in zip(C(X, seed=1), B(list(C.A(X)), seed=1), strict=True):
        np.testing.assert_array_equal(made, expected)
    with raises(ParameterError, "has no noise"):
        C.with_noise(None)(X, seed=1)


def test_noise_is_part_of_the_value():
    A, B = Blur(K), Blur(K, noise_model=GaussianNoise(0.1))
    assert A != B
    assert tokenize(A) != tokenize(B)
    assert pickle.loads(pickle.dumps(B)) == B
    assert A.with_noise(GaussianNoise(0.1)) == B
    assert A.with_noise(GaussianNoise(0.1)) != A.with_noise(GaussianNoise(0.1, seed=1))
    assert A.with_noise(None) is A
    assert repr(B.noise_model) == "GaussianNoise(0.1)"
    assert repr(PoissonNoise(0.5, normalize=False, seed=3)) == "PoissonNoise(0.5, normalize=False, seed=3)"
    assert repr(SaltPepperNoise(0.1)) == "SaltPepperNoise(0.1)"
    assert B.nbytes == A.nbytes


def test_an_author_writes_a_model():
    @value
    class Quantised(NoiseModel):
        step: float = 0.25
        depends = True

        def _sampled(self, rng, y):
            return self.step * np.round(y / self.step + rng.random(y.shape) - 0.5)

    y = Blur(K, noise_model=Quantised())(X, seed=0)
    assert np.all(y * 4 == np.round(y * 4))
    np.testing.assert_array_equal(y, Blur(K, noise_model=Quantised())(X, seed=0))


# -- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: GaussianNoise(-0.1), ("GaussianNoise", "sigma >= 0", "-0.1")),
        (lambda: GaussianNoise(np.nan), ("GaussianNoise", "finite", "nan")),
        (lambda: GaussianNoise(np.ones(3)), ("GaussianNoise", "number", "array of shape (3,)")),
        (lambda: GaussianNoise("big"), ("GaussianNoise", "number", "'big'")),
        (lambda: GaussianNoise(True), ("GaussianNoise", "number", "True")),
        (lambda: ComplexGaussianNoise(1j), ("ComplexGaussianNoise", "number", "1j")),
        (lambda: UniformNoise(np.inf), ("UniformNoise", "a >= 0", "inf")),
        (lambda: LaplaceNoise(-1), ("LaplaceNoise", "b >= 0", "-1")),
        (lambda: PoissonNoise(0), ("PoissonNoise", "gain > 0", "0")),
        (lambda: PoissonGaussianNoise(1, -1), ("PoissonGaussianNoise", "sigma >= 0", "-1")),
        (lambda: SaltPepperNoise(0.6, 0.6), ("SaltPepperNoise", "p + s <= 1", "0.6 + 0.6")),
        (lambda: PoissonNoise(1.0, normalize="no"), ("PoissonNoise", "normalize True or False", "'no'")),
        (lambda: PoissonGaussianNoise(clip_positive=1), ("PoissonGaussianNoise", "clip_positive", "got 1")),
        (lambda: GaussianNoise(0.1, seed=-1), ("GaussianNoise", "seed", "integer >= 0", "-1")),
        (lambda: GaussianNoise(0.1, seed=1.5), ("GaussianNoise", "seed", "1.5")),
        (lambda: Blur(K, noise_model=0.1), ("Blur", "GaussianNoise(0.1)", "got float")),
        (lambda: Blur(K).with_noise("loud"), ("Blur", "expected a noise model", "got str")),
        (lambda: Blur(K)(X, seed=1), ("Blur(9×9, circular)", "seed=1", "no noise", "with_noise")),
        (lambda: Blur(K, noise_model=GaussianNoise())(X, seed="a"), ("Blur(9×9", "seed", "'a'")),
    ],
)
def test_parameters_that_are_none(make, parts):
    with raises(ParameterError, *parts):
        make()


def test_unknown_keywords():
    with raises(UnknownKeywordError, "GaussianNoise()", "'sgma'", "did you mean 'sigma'?"):
        GaussianNoise(sgma=0.1)
    with raises(UnknownKeywordError, "'sed'", "did you mean 'seed'?"):
        Blur(K, noise_model=GaussianNoise())(X, sed=1)


@pytest.mark.parametrize("model", [PoissonNoise(0.1), PoissonGaussianNoise(0.1, 0.1)], **names)
def test_negative_rates(model):
    A = Identity(noise_model=model)
    with raises(ParameterError, repr(A), "measurements >= 0", "got -0.5", "clip_positive=True"):
        A(X - 0.5 - X.min())
    with raises(ParameterError, "sensor 1", repr(A), "got -1"):
        stack(Identity(), A)(np.full((2, 3), -1.0))
    with raises(ParameterError, repr(A), "got nan"):
        A(np.full((2, 3), np.nan))
    with raises(ParameterError, repr(A), "counts below", "raise the gain"):
        A(np.full((2, 3), 1e30))
    clipped = Identity(noise_model=type(model)(**{**model._fields(), "clip_positive": True}))
    y = clipped(-X, seed=0)
    np.testing.assert_array_equal(y, clipped(0 * X, seed=0))
    rounded = np.where(X > 0.5, X, -1e-15)
    np.testing.assert_array_equal(A(rounded, seed=0), A(np.maximum(rounded, 0), seed=0))


def test_real_and_complex_do_not_mix():
    with raises(
        DtypeError, "Blur(9×9", "GaussianNoise(0.1)", "expected real", "complex128", "ComplexGaussianNoise"
    ):
        Blur(K, noise_model=GaussianNoise(0.1))(X + 0j)
    with raises(
        DtypeError, "ComplexGaussianNoise(0.1)", "expected complex", "float64", "GaussianNoise(sigma)"
    ):
        Blur(K, noise_model=ComplexGaussianNoise(0.1))(da.from_array(X))


def test_a_stack_has_its_sensors_noise_alone():
    S = stack(Blur(K))
    with raises(ParameterError, "a stack", "each sensor", "with_noise"):
        type(S)(S.sensors, noise_model=GaussianNoise(0.1))


def test_an_error_of_a_model_names_the_sensor():
    @value
    class Broken(NoiseModel):
        def _drawn(self, rng, shape):
            raise RuntimeError("no light")

    with raises(SensorError, "sensor 0", "no light"):
        stack(Blur(K, noise_model=Broken()))(X)
