"""Prints the polynomials of this folder. Needs mpmath.

Each is the minimax fit of f on [low, high] of one degree, which makes the largest |f - p| * weight least,
found by Remez' exchange algorithm with 50 digits.
"""

from mpmath import atanh, cos, erfc, exp, expm1, log, lu_solve, matrix, mp, mpf, nstr, pi, sin, sqrt

mp.dps = 50
GRID = 1500


def minimax(f, weight, low, high, degree):
    """Return the coefficients, lowest power first, and the largest weighted error."""
    low, high = mpf(low), mpf(high)

    def spread(k, n):
        return (low + high) / 2 - (high - low) / 2 * cos(pi * k / n)

    grid = [spread(k, GRID) for k in range(GRID + 1)]
    targets = [(f(x), weight(x)) for x in grid]
    size = degree + 2
    points = [spread(mpf(2 * i + 1) / 2, size) for i in range(size)]
    for _ in range(10):
        # At the points, the error is the same but for its sign, which alternates.
        system, right = matrix(size, size), matrix(size, 1)
        for i, x in enumerate(points):
            for j in range(degree + 1):
                system[i, j] = x**j
            system[i, degree + 1] = (-1) ** i / weight(x)
            right[i] = f(x)
        coefficients = list(lu_solve(system, right))[:-1]
        errors = [
            (y - sum(c * x**j for j, c in enumerate(coefficients))) * w
            for x, (y, w) in zip(grid, targets, strict=True)
        ]
        # The next points: where the error is largest, between one change of its sign and the next.
        peaks = [0]
        for i in range(1, len(errors)):
            if (errors[i] > 0) != (errors[peaks[-1]] > 0):
                peaks.append(i)
            elif abs(errors[i]) > abs(errors[peaks[-1]]):
                peaks[-1] = i
        while len(peaks) > size:
            peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
        if len(peaks) < size:
            break
        points = [grid[i] for i in peaks]
    return coefficients, max(map(abs, errors))


def exp_rest(r):
    """Return q in e^r = 1 + r + r^2 q."""
    return (expm1(r) - r) / r**2 if abs(r) > 1e-15 else mpf(1) / 2


def atanh_rest(w):
    """Return (2 atanh(s) - 2 s) / s^3 for w = s^2."""
    return (2 * atanh(sqrt(w)) / sqrt(w) - 2) / w


def normal_tail(t):
    """Return (1 + a) e^(a^2 / 2) P(normal > a) for t = (a - 5) / (a + 5)."""
    a = 5 * (1 + t) / (1 - t)
    return (1 + a) * exp(a * a / 2) * erfc(a / sqrt(2)) / 2


def cos_of_turns(w):
    """Return cos(2 pi r) for w = r^2."""
    return cos(2 * pi * sqrt(w))


def sin_of_turns(w):
    """Return sin(2 pi r) / r for w = r^2."""
    return sin(2 * pi * sqrt(w)) / sqrt(w)


def main():
    """Print name, degree, error in bits, and the coefficients, highest power first."""
    ninth = mpf(1) / 9 + mpf(10) ** -6
    for name, f, weight, low, high, degree in [
        ("EXP", exp_rest, lambda r: abs(r) + 0.02, -0.34675, 0.34675, 5),
        ("EXP", exp_rest, lambda r: abs(r) + 0.02, -0.34675, 0.34675, 10),
        ("ATANH", atanh_rest, lambda w: w, 1e-12, ninth, 4),
        ("ATANH", atanh_rest, lambda w: w, 1e-12, ninth, 9),
        ("NORMAL", normal_tail, lambda t: 1 / normal_tail(t), -1, mpf(10) / 20, 10),
        ("NORMAL", normal_tail, lambda t: 1 / normal_tail(t), -1, mpf(34) / 44, 22),
        ("COS", cos_of_turns, lambda w: 1, 1e-12, 0.25, 6),
        ("COS", cos_of_turns, lambda w: 1, 1e-12, 0.25, 10),
        ("SIN", sin_of_turns, sqrt, 1e-12, 0.25, 6),
        ("SIN", sin_of_turns, sqrt, 1e-12, 0.25, 10),
    ]:
        coefficients, error = minimax(f, weight, low, high, degree)
        print(f"{name}, degree {degree}: {nstr(log(error, 2), 4)} bits")
        print("".join(f"    {float(c)!r},\n" for c in reversed(coefficients)))


if __name__ == "__main__":
    main()
