"""States through the layers and, for the gradient, back again: memory does not grow with the number of layers.

In: a state and the layers' Factors.  Out: build_evolve().  Imports: jax.

Every layer is an orthogonal real matrix M, so that the backward pass need not have kept any state: from the last state
S and its cotangent G it computes S' = M^T S and G' = M^T G, layer by layer, and dL/dM = G S'^T on the way.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from student_jax.engines.fused_matrices import Factors

State = Float[Array, "rows batch"]

# A GPU would round the factors of a float32 product to ten bits. A CPU computes the same either way.
PRECISION = "highest"


def build_evolve(qubits: int, ring: bool) -> Callable[[State, tuple[Factors, ...]], State]:
    """The function (state, factors) -> state after all layers of `factors`, with its own reverse-mode derivative."""
    close = _build_ring(qubits) if ring else lambda state: state

    def step(state: State, layer: tuple[Factors, ...]) -> tuple[State, None]:
        phases, *others = layer
        state = close(_apply(_stack(*phases), state))
        for factors in others:
            state = _apply(_stack(*factors), state)
        return state, None

    @jax.custom_vjp
    def evolve(state: State, layers: tuple[Factors, ...]) -> State:
        return jax.lax.scan(step, state, layers)[0]

    def forward(state: State, layers: tuple[Factors, ...]) -> tuple[State, tuple[State, tuple[Factors, ...]]]:
        state = evolve(state, layers)
        return state, (state, layers)

    def step_back(
        carry: tuple[State, State], layer: tuple[Factors, ...]
    ) -> tuple[tuple[State, State], tuple[Factors, ...]]:
        state, cotangent = carry
        phases, *others = layer
        gradients = []
        for factors in reversed(others):
            state, cotangent, gradient = _undo(factors, state, cotangent)
            gradients.append(gradient)
        state, cotangent, gradient = _undo(phases, close(state), close(cotangent))
        return (state, cotangent), (gradient, *reversed(gradients))

    def backward(saved: tuple[State, tuple[Factors, ...]], cotangent: State) -> tuple[State, tuple[Factors, ...]]:
        state, layers = saved
        with jax.default_matmul_precision(PRECISION):  # traced outside of what called evolve()
            (_, cotangent), gradients = jax.lax.scan(step_back, (state, cotangent), layers, reverse=True)
        return cotangent, gradients

    evolve.defvjp(forward, backward)
    return evolve


def _stack(left: Float[Array, "rows keys"], right: Float[Array, "keys to from"]) -> Float[Array, "rows to from"]:
    return jnp.dot(left, right.reshape(len(right), -1)).reshape(len(left), *right.shape[1:])


def _apply(stack: Float[Array, "blocks to from"], state: State) -> State:
    blocks, size, _ = stack.shape
    return jnp.einsum("bij,bjm->bim", stack, state.reshape(blocks, size, -1)).reshape(state.shape)


def _undo(factors: Factors, state: State, cotangent: State) -> tuple[State, State, Factors]:
    """State and cotangent from after a stack to before it, and the gradient of its factors."""
    left, right = factors
    # The transposes are built as such: XLA multiplies by a matrix faster than by a matrix's transpose.
    transposes = _stack(left, right.swapaxes(1, 2))
    state = _apply(transposes, state)
    shape = (*transposes.shape[:2], -1)
    gradient = jnp.einsum("bim,bjm->bij", cotangent.reshape(shape), state.reshape(shape)).reshape(len(left), -1)
    flat = right.reshape(len(right), -1)
    factor_gradients = Factors(jnp.dot(gradient, flat.T), jnp.dot(left.T, gradient).reshape(right.shape))
    return state, _apply(transposes, cotangent), factor_gradients


def _build_ring(qubits: int) -> Callable[[State], State]:
    """The ring's last CNOT, from qubit n - 1 to qubit 0, moved before the chain, where it is its own inverse.

    After the chain the last bit is the parity of all bits x, and flips the first.  The chain maps x with x_0 and x_1
    both flipped to the same result as x with only the first bit of the result flipped; so: flip both if the parity is
    odd, which leaves the parity as it is.
    """
    odd = (np.bitwise_count(np.arange(2**qubits)) % 2 == 1).reshape(4, -1, 1)
    odd = np.repeat(odd, 2, axis=1)  # real and imaginary parts

    def close(state: State) -> State:
        quarters = state.reshape(4, -1, state.shape[-1])
        return jnp.where(odd, quarters[::-1], quarters).reshape(state.shape)

    return close
