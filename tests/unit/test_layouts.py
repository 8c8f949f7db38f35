from dataclasses import replace
from functools import partial

import pytest
import torch
from obvious import (
    ACTIVATIONS,
    LEAKY_SOFTPLUS,
    constant,
    forward,
    logistic_problem,
    loss_and_gradient,
    random_data,
    signed_head,
)

from largestep.engine.compiled_loop import Loop
from largestep.engine.compiled_perceptron import PerceptronLoop
from largestep.engine.first_layer import ByGram, ByWeights
from largestep.engine.gated import Gated
from largestep.engine.layouts import Separate, Stacked, arrange
from largestep.engine.networks import CompiledByGram, CompiledByWeights, Perceptron, TwoLayer
from largestep.engine.problem import SCALARS
from largestep.method.activations import GELU

TWO_LAYER = {
    "two layers by weights": partial(TwoLayer, form=ByWeights),
    "two layers by Gram": partial(TwoLayer, form=ByGram),
}
COMPILED = {
    "two layers by weights, compiled": CompiledByWeights,
    "two layers by Gram, compiled": CompiledByGram,
}
PERCEPTRON = {
    "perceptron by weights": partial(Perceptron, form=ByWeights),
    "perceptron by Gram": partial(Perceptron, form=ByGram),
}
GATED = {
    "gated by weights": partial(Gated, form=ByWeights),
    "gated by Gram": partial(Gated, form=ByGram),
}
STEPWISE = TWO_LAYER | COMPILED | PERCEPTRON | GATED
LOOPS = {"loop": Loop, "perceptron in a loop": PerceptronLoop}
LAYOUTS = LOOPS | STEPWISE


def batched(kind, problem, weights, descent):
    """All runs in one network, as on CUDA; or in one loop."""
    if kind in LOOPS.values():
        return kind(problem, weights, descent)
    return Stacked(kind, problem, weights, descent, size=len(descent))


#: Every one has compiled passes of its own, which take seconds to compile; two of them will do.
each_activation = pytest.mark.parametrize(
    "activation",
    [
        pytest.param(a, marks=() if a.name in ("leaky_softplus", "gelu") else pytest.mark.slow)
        for a in ACTIVATIONS
    ],
    ids=lambda a: a.name,
)


def parametrize(layouts):
    return pytest.mark.parametrize("kind", layouts.values(), ids=layouts)


def setting(kind, n=7, d=5, m=6, runs=3, activation=LEAKY_SOFTPLUS, dtype=torch.float64):
    """A problem with test data, weights (R, out, in) and stepsizes (R,)."""
    X, y = random_data(n + 4, d, dtype=dtype)
    deep = kind in (*PERCEPTRON.values(), Perceptron, PerceptronLoop)
    head = None if deep else signed_head(m, dtype)
    options = {}
    if kind in GATED.values() or kind is Gated:
        deep, head, options = True, None, {"gate_slope": 4.0}
    problem = logistic_problem(X[:n], y[:n], activation, head, (X[n:], y[n:]), **options)
    shapes = [(m, d), (m + 1, m), (1, m + 1)] if deep else [(m, d)]
    if options:
        shapes[2:] = [(m, 1), (m + 1, m), (1, m + 1)]
    generator = torch.Generator().manual_seed(1)
    weights = [
        (torch.randn(runs, *shape, generator=generator).double() / shape[1] ** 0.5).to(dtype)
        for shape in shapes
    ]
    largest = 1 if deep else 20
    return problem, weights, torch.linspace(largest / 20, largest, runs, dtype=torch.float64)


def advanced(layout, runs, steps):
    """The scalars (steps + 1, 5, R) of the start and of `steps` steps."""
    series = torch.full((steps + 1, len(SCALARS), runs), torch.nan, dtype=torch.float64)
    layout.measure(series[0])
    layout.advance(series)
    return series


@each_activation
@parametrize(LAYOUTS)
def test_a_point_is_measured_as_autograd_does(kind, activation):
    problem, weights, stepsizes = setting(kind, activation=activation)
    layout = batched(kind, problem, weights, constant(stepsizes))
    scalars = advanced(layout, 3, 0)[0]
    for r in range(3):
        f, loss, gradients = loss_and_gradient(problem, [w[r] for w in weights])
        expected = [
            loss,
            (problem.y * f).min(),
            sum(w[r].square().sum() for w in weights),
            sum(g.square().sum() for g in gradients),
            torch.sigmoid(-problem.y * f).mean(),
        ]
        expected = torch.tensor(expected, dtype=torch.float64)
        torch.testing.assert_close(scalars[:, r], expected, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(layout.outputs()[r], f, rtol=1e-12, atol=1e-13)
        for found, gradient in zip(layout.gradients(), gradients, strict=True):
            torch.testing.assert_close(found[r], gradient, rtol=1e-12, atol=1e-14)


@each_activation
@pytest.mark.parametrize("form", [ByWeights, ByGram])
def test_the_compiled_passes_do_what_tensors_do_on_cuda(form, activation):
    compiled_kind = {ByWeights: CompiledByWeights, ByGram: CompiledByGram}[form]
    problem, weights, stepsizes = setting(compiled_kind, activation=activation)
    kinds = (compiled_kind, partial(TwoLayer, form=form))
    compiled, tensors = (batched(kind, problem, weights, constant(stepsizes)) for kind in kinds)
    expected = advanced(tensors, 3, 10)
    found = advanced(compiled, 3, 10)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(compiled.outputs(), tensors.outputs(), rtol=1e-11, atol=1e-13)
    gradients = (layout.gradients()[0] for layout in (compiled, tensors))
    torch.testing.assert_close(*gradients, rtol=1e-11, atol=1e-13)
    assert torch.equal(compiled.moving(found[-1]), tensors.moving(expected[-1]))


def test_a_step_by_the_gram_matrix_rounds_float32_once():
    problem, weights, stepsizes = setting(CompiledByGram, dtype=torch.float32)
    layout = batched(CompiledByGram, problem, weights, constant(stepsizes))
    advanced(layout, 3, 4)
    (network,) = layout.parts
    first = network.first
    pairs = ((first.Z.clone(), first.change.clone()), (first.C.clone(), -first.D.clone()))
    expected = [
        (here.double() - stepsizes.float().double()[:, None, None] * way).float()
        for here, way in pairs
    ]
    moving = layout.moving(torch.zeros(5, 3))
    assert torch.equal(moving, (expected[0] != pairs[0][0]).double().mean((1, 2)))
    advanced(layout, 3, 1)
    assert torch.equal(first.Z, expected[0]) and torch.equal(first.C, expected[1])


@pytest.mark.parametrize("kind", [PerceptronLoop, CompiledByGram, CompiledByWeights])
def test_float32_stays_within_its_rounding(kind):
    problem, weights, stepsizes = setting(kind, activation=GELU(), dtype=torch.float32)
    found = advanced(batched(kind, problem, weights, constant(stepsizes)), 3, 5)
    wide = replace(problem.double(), test=None)
    exact = batched(kind, wide, [w.double() for w in weights], constant(stepsizes))
    torch.testing.assert_close(found, advanced(exact, 3, 5), rtol=2e-5, atol=2e-6)


@parametrize(LAYOUTS)
def test_steps_and_test_outputs_follow_the_weights(kind):
    problem, weights, stepsizes = setting(kind)
    layout = batched(kind, problem, weights, constant(stepsizes))
    advanced(layout, 3, 30)
    on_test = replace(problem, X=problem.test[0], y=problem.test[1])
    for r in range(3):
        layers = [w[r] for w in weights]
        for _ in range(30):
            _, _, gradients = loss_and_gradient(problem, layers)
            layers = [w - stepsizes[r] * g for w, g in zip(layers, gradients, strict=True)]
        for found, layer in zip(layout.layers(), layers, strict=True):
            torch.testing.assert_close(found[r], layer, rtol=1e-10, atol=1e-11)
        expected = forward(on_test, layers)
        torch.testing.assert_close(layout.test_outputs()[r], expected, rtol=1e-9, atol=1e-10)


def test_the_loop_rounds_float32_weights_once_a_step():
    problem, weights, stepsizes = setting(Loop, dtype=torch.float32)
    layout = Loop(problem, weights, constant(stepsizes))
    series = advanced(layout, 3, 30)
    wide = problem.double()
    for r in range(3):
        layers = [w[r] for w in weights]
        for t in range(31):
            _, loss, gradients = loss_and_gradient(wide, [w.double() for w in layers])
            assert series[t, 0, r].item() == pytest.approx(loss, rel=1e-6)
            if t < 30:
                steps = zip(layers, gradients, strict=True)
                layers = [(w - stepsizes[r] * g).float() for w, g in steps]
        torch.testing.assert_close(layout.layers()[0][r], layers[0], rtol=1e-5, atol=1e-6)
    assert layout.layers()[0].dtype == layout.gradients()[0].dtype == torch.float32


SHAPES = [
    (4, 2, 20),
    (5, 3, 2),
    (7, 5, 6),
    (23, 9, 11),
    (50, 10, 10),
    (60, 70, 12),
    (300, 7, 40),
    (900, 30, 20),
    (150, 100, 40),
    (152, 100, 37),
    (151, 100, 37),
    (1001, 600, 17),
    (500, 300, 14),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", [TwoLayer, Perceptron, Gated])
def test_a_run_is_bitwise_the_same_in_every_grid(shape, dtype, kind):
    n, d, m = shape
    problem, weights, stepsizes = setting(kind, n, d, m, 37, dtype=dtype)
    grid = arrange(problem, weights, constant(stepsizes))
    series = advanced(grid, 37, 20)
    for chosen in ([0], [36], [5, 1], [8, 9, 10], range(3, 20)):
        chosen = list(chosen)
        layout = arrange(problem, [w[chosen].clone() for w in weights], constant(stepsizes[chosen]))
        assert torch.equal(advanced(layout, len(chosen), 20), series[..., chosen])
        for found, layer in zip(layout.layers(), grid.layers(), strict=True):
            assert torch.equal(found, layer[chosen])
        assert torch.equal(layout.test_outputs(), grid.test_outputs()[chosen])


@parametrize(LAYOUTS)
def test_a_state_continues_exactly(kind):
    problem, weights, stepsizes = setting(kind)
    whole, begun, continued = (
        batched(kind, problem, weights, constant(stepsizes)) for _ in range(3)
    )
    series = advanced(whole, 3, 20)
    advanced(begun, 3, 8)
    continued.load(begun.state())
    assert torch.equal(advanced(continued, 3, 12), series[8:])


def test_the_shape_alone_chooses_the_layout():
    def chosen(kind, n, d, runs=2, **options):
        problem, weights, stepsizes = setting(kind, n, d, runs=runs, **options)
        layout = arrange(problem, weights, constant(stepsizes))
        if isinstance(layout, PerceptronLoop):
            return PerceptronLoop
        part = layout.parts[0]
        return Loop if isinstance(part, Loop) else (type(part), type(part.first))

    for runs in (1, 50):
        assert chosen(TwoLayer, 4, 2, runs) is Loop
        assert chosen(TwoLayer, 4, 2, runs, dtype=torch.float32) is Loop
        assert chosen(TwoLayer, 3000, 30, runs) == (CompiledByWeights, ByWeights)
        assert chosen(TwoLayer, 400, 300, runs) == (CompiledByGram, ByGram)
        assert chosen(Perceptron, 4, 2, runs) is PerceptronLoop
        assert chosen(Perceptron, 20_000, 90, runs) == (Perceptron, ByWeights)
        assert chosen(Perceptron, 600, 700, runs) == (Perceptron, ByGram)
        assert chosen(Gated, 4, 2, runs) == (Gated, ByWeights)
        assert chosen(Gated, 3, 2, runs) == (Gated, ByGram)


@parametrize(LAYOUTS)
def test_a_diverging_run_leaves_the_others_alone(kind):
    problem, weights, stepsizes = setting(kind)
    several = Separate if kind in LOOPS.values() else Stacked
    alone = several(kind, problem, weights, constant(stepsizes))
    series = advanced(alone, 3, 40)
    weights[0][1] = torch.inf
    grid = several(kind, problem, weights, constant(stepsizes))
    disturbed = advanced(grid, 3, 40)
    assert torch.equal(disturbed[..., [0, 2]], series[..., [0, 2]])
    assert not disturbed[1:, :, 1].isfinite().any()


@parametrize(STEPWISE)
def test_what_a_step_leaves_behind_stays_in_place(kind):
    """A CUDA graph replays on the same memory."""
    problem, weights, stepsizes = setting(kind)
    layout = batched(kind, problem, weights, constant(stepsizes))
    advanced(layout, 3, 1)
    (network,) = layout.parts

    def addresses():
        tensors = []
        for value in [*vars(network).values(), *vars(network.first).values()]:
            tensors += value if isinstance(value, list) else [value]
        return [t.data_ptr() for t in tensors if isinstance(t, torch.Tensor)]

    before = addresses()
    advanced(layout, 3, 3)
    assert addresses() == before
