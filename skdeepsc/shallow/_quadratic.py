r"""Many small problems :math:`\min_c \tfrac12 c H c^T - b c^T + \sum_j t_j |c_j|` at once, to full precision."""

import numpy as np

# Relative weight of the identity that keeps systems of dependent atoms solvable.
_JITTER = 1e-12
# Curvature along a direction of entries up to 1, below which it is a rounding error: dependent atoms.
_FLAT = 1e-14
# As a share of the largest entry of the diagonal, what is no rounding error below 0.
_BENT = 1e-5
# Rounds of coordinate descent, before coefficients leave 0 one by one.
_SWEEPS = 3
# Most steps: a few, and so many for each coefficient.
_STEPS, _STEPS_A_COEFFICIENT = 50, 4


class NotConvexError(ValueError):
    """A problem falls ever further along some direction."""


def solve_l1_quadratics(quadratic, linear, thresholds, start, tol):
    """Minimisers of all problems.

    Newton steps on the coefficients that are not 0, along which the cost is minimised exactly, kinks included, find the
    values. The first follow a round of coordinate descent, which finds most of the signs; when a Newton step leaves
    nothing to do, the coefficient that breaks its condition most leaves 0 (feature-sign search: Lee, Battle, Raina, Ng,
    NIPS 2006). No step raises the cost, and no support is the best one twice.

    Parameters
    ----------
    quadratic : ndarray of shape (n_problems, n, n)
        H, symmetric positive semi-definite with a positive diagonal, or 0 there.
    linear, thresholds, start : ndarray of shape (n_problems, n)
        b, t > 0, and coefficients to begin with.
    tol : float or ndarray of shape (n_problems,)
        Largest violation of the optimality conditions, as a share of the smallest threshold.

    Returns
    -------
    coef : ndarray of shape (n_problems, n)
    """
    coef, active = start.copy(), np.arange(len(start))
    gradient = np.einsum("nij,nj->ni", quadratic, coef) - linear
    goal = 0.1 * tol * thresholds.min(axis=1)
    c, H, t = coef, quadratic, thresholds
    for n_iter in range(_STEPS + _STEPS_A_COEFFICIENT * c.shape[1]):
        if n_iter < _SWEEPS:
            _descend(H, gradient, t, c)
        else:
            _activate(H, gradient, t, c, goal[active])
        _newton(H, gradient, t, c)
        goes_on = _violation(gradient, t, c) > goal[active]
        coef[active] = c
        if not goes_on.any():
            break
        active = active[goes_on]
        c, H, t, gradient = (part[goes_on] for part in (c, H, t, gradient))
    return coef


def _descend(H, gradient, t, c):
    """One round of coordinate descent, in place."""
    for j in range(c.shape[1]):
        curvature = np.maximum(H[:, j, j], np.finfo(float).tiny)
        free = c[:, j] * curvature - gradient[:, j]
        new = np.sign(free) * np.maximum(np.abs(free) - t[:, j], 0) / curvature
        change = new - c[:, j]
        if change.any():
            gradient += change[:, None] * H[:, j]
            c[:, j] = new


def _activate(H, gradient, t, c, goal):
    """Let the zero that breaks its condition most take its best value, where the others are at their best; in place."""
    settled = np.where(c != 0, np.abs(gradient + t * np.sign(c)), 0).max(axis=1) <= goal
    worst = np.where(c == 0, np.abs(gradient) - t, -np.inf).argmax(axis=1)
    problems = np.flatnonzero(settled)
    worst = worst[problems]
    slope, threshold = gradient[problems, worst], t[problems, worst]
    curvature = np.maximum(H[problems, worst, worst], np.finfo(float).tiny)
    value = -np.sign(slope) * np.maximum(np.abs(slope) - threshold, 0) / curvature
    value[c[problems, worst] != 0] = 0  # No zero is left.
    c[problems, worst] += value
    gradient[problems] += value[:, None] * H[problems, worst]


def _newton(H, gradient, t, c):
    """A Newton step on the support of each problem, with an exact line search, in place."""
    signs = np.sign(c)
    size = np.count_nonzero(signs, axis=1).max()
    support = np.argsort(signs == 0, axis=1, kind="stable")[:, :size]
    used = np.take_along_axis(signs, support, axis=1) != 0
    problems = np.arange(len(c))[:, None, None]
    system = H[problems, support[:, :, None], support[:, None, :]] * (used[:, :, None] & used[:, None, :])
    diagonal = np.arange(size)
    system[:, diagonal, diagonal] += np.where(used, _JITTER * np.maximum(system[:, diagonal, diagonal], 1e-300), 1)
    slopes = np.where(used, np.take_along_axis(gradient + t * signs, support, axis=1), 0)
    direction = np.zeros_like(c)
    np.put_along_axis(direction, support, -np.linalg.solve(system, slopes[:, :, None])[:, :, 0], axis=1)
    direction /= np.maximum(np.abs(direction).max(axis=1, keepdims=True), np.finfo(float).tiny)
    step = _line_search(H, gradient, t, c, direction)
    moved = c + step[:, None] * direction
    # The coefficient at whose kink the search ended is 0, not a rounding error.
    c[:] = np.where(np.abs(moved) <= 1e-14 * np.abs(c), 0, moved)
    gradient += np.einsum("nij,nj->ni", H, step[:, None] * direction)


def _line_search(H, gradient, t, c, direction):
    """The step that minimises the cost along a direction in which no coefficient leaves 0."""
    slope = (gradient * direction + t * np.sign(c) * direction).sum(axis=1)
    curvature = np.einsum("ni,ni->n", direction, np.einsum("nij,nj->ni", H, direction))
    largest = H.diagonal(axis1=1, axis2=2).max(axis=1)
    if (curvature < -_BENT * largest * np.square(direction).sum(axis=1)).any():
        raise NotConvexError
    curvature[curvature < _FLAT * largest] = 0
    kinks = np.divide(-c, direction, out=np.full_like(c, np.inf), where=direction != 0)
    kinks[kinks <= 0] = np.inf
    order = np.argsort(kinks, axis=1)
    kinks = np.take_along_axis(kinks, order, axis=1)
    jumps = np.cumsum(2 * np.take_along_axis(t * np.abs(direction), order, axis=1), axis=1)
    # The first kink after which the cost rises, or the place after the last one.
    falls = np.isfinite(kinks)
    falls[falls] = (slope[:, None] + np.where(falls, kinks, 0) * curvature[:, None] + jumps)[falls] < 0
    first = np.logical_and.accumulate(falls, axis=1).sum(axis=1)[:, None]
    jumps = np.concatenate([np.zeros_like(slope)[:, None], jumps], axis=1)
    kinks = np.concatenate([kinks, np.full_like(slope, np.inf)[:, None]], axis=1)
    crossed, kink = (np.take_along_axis(part, first, axis=1)[:, 0] for part in (jumps, kinks))
    inside = np.divide(-(slope + crossed), curvature, out=np.full_like(slope, np.inf), where=curvature > 0)
    step = np.minimum(inside, kink).clip(0)
    return np.where((slope < 0) & np.isfinite(step), step, 0)


def _violation(gradient, t, c):
    """Largest violation of the optimality conditions of each problem."""
    return np.where(c != 0, np.abs(gradient + t * np.sign(c)), np.abs(gradient) - t).max(axis=1)
