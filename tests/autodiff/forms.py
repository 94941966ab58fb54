"""What random programs are made of: functions with arguments that are safe. ``{0}`` and ``{1}`` are the arguments."""

from __future__ import annotations

#: Functions of numbers.
NUMBERS = (
    "math.sin({0})", "math.cos({0})", "math.tanh({0})", "math.exp(math.sin({0}))", "math.exp(-({0}) ** 2)",
    "math.log(1.5 + ({0}) ** 2)", "math.sqrt(1.0 + ({0}) ** 2)", "math.atan({0})", "math.log1p(({0}) ** 2)",
    "math.expm1(math.cos({0}))", "math.lgamma(1.5 + math.sin({0}))", "math.erf({0})", "math.asin(0.9 * math.sin({0}))",
    "math.hypot({0}, 1.0 + math.tanh({1}) ** 2)", "math.atan2({0}, 1.5 + math.cos({1}))", "max({0}, {1})",
    "min({0}, 0.3)", "abs({0})", "(-{0})", "({0}) / (2.0 + math.cos({1}))", "({0} / 3)",
    "(1.5 + math.sin({0})) ** math.cos({1})", "math.sin({0}) ** 3", "(1.2 + math.cos({0})) ** 0.5",
    "(1.2 + math.cos({0})) ** -1.5", "expit({0})", "log1pexp({0})", "math.tan(math.tanh({0}))",
    "math.sinh(math.sin({0}))", "digamma(1.5 + math.cos({0}))", "(2.0 - {0})", "min(max({0}, -0.8), {1})",
    "math.log(abs({0}) + 0.4)", "1.0 / (1.0 + ({0}) ** 2)", "math.acos(0.8 * math.cos({0}))", "max({0}, 0.1, {1})",
    "custom({0}, {1})", "math.fabs({0})", "float({0})", "math.cosh(math.sin({0}))", "({0}) ** 2.0", "({0}) ** 3",
    "0.7 ** math.sin({0})", "(1.4 + math.cos({0})) ** -1", "(1.4 + math.cos({0})) ** -2", "({0}) ** 1",
    "math.copysign({0}, {1})", "math.erfc({0})", "math.log2(1.5 + ({0}) ** 2)", "math.log10(1.5 + ({0}) ** 2)",
    "math.log(1.5 + ({0}) ** 2, 2.0)", "math.pow(1.5 + math.sin({0}), {1})", "np.square({0})", "np.exp(np.sin({0}))",
    "np.where({0} > {1}, {0}, {1})", "np.where({0} < 0.2, np.cos({1}), {0})", "np.full((), {0})",
    "np.logaddexp({0}, {1})", "np.clip({0}, -0.5, 0.6)", "np.maximum({0}, {1})", "logsumexp(np.array(({0}, {1})))",
    "sum(({0}, {1}, 0.5))",
    "math.prod(({0}, {1}))", "max(({0}, {1}))", "(+{0})", "normal.logpdf({0}, {1}, 1.5)", "bool({0} > 0.1) * {1}",
    "uniform.logpdf(math.sin({0}), -1.5, 1.5 + ({1}) ** 2)", "half_cauchy.logpdf(({0}) ** 2, 1.5 + math.sin({1}))",
    "exponential.logpdf(0.1 + abs({0}), 1.5 + math.sin({1}))", "half_normal.logpdf(abs({0}), 1.5 + math.cos({1}))",
    # derivatives that vanish or jump
    "(({0} > 0.2) * {1})", "(math.floor({0}) * {1})", "(({0}) % 1.3)", "(int(3.0 * {0}) * {1})", "(({0}) // 0.7 * {1})",
    "(round(1.0 * {0}) * {1})", "np.sign({0}) * {1}", "(math.ceil({0}) * {1})", "(math.trunc(3.0 * {0}) * {1})",
    "(0.5 if math.isnan({0}) or math.isinf({1}) else np.float64({1}))",
    "np.heaviside({0}, 0.5) * {1}", "np.absolute({0})", "np.remainder({0}, 1.3)", "logit(0.5 + 0.4 * math.sin({0}))",
    "ndtr({0})", "log_ndtr({0})", "ndtri(expit({0}))", "log_expit({0})", "log1mexp(-0.2 - abs({0}))",
    "xlogy({0}, 1.5 + math.sin({1}))", "xlog1py({0}, math.sin({1}) ** 2)",
    "lbeta(1.5 + math.sin({0}), 1.5 + math.cos({1}))", "trigamma(1.5 + math.sin({0}))",
    "log_binomial(4.5 + math.sin({0}), 1.5 + math.cos({1}))", "log_i0e({0})", "i1_over_i0(0.5 + abs({0}))",
    "log_erfcx({0})", "pick(np.array(({0}, 0.5, {1})), 2)", "sorted(({0}, {1}, 0.5))[1]", "tuple([{0}, {1}])[-1]",
    "list(({0}, {1}))[0]", "min([{0}, {1}])", "sum(map(math.sin, ({0}, {1})))", "sum(v * v for v in ({0}, {1}, 0.5))",
    "max(v * v for v in ({0}, {1}))", "{{'a': {0}, 'b': {1}}}['b']", "CONFIG.scale * {0}", "({0}) * CONFIG.knots[1]",
    "(lambda v, c=0.5: v * c)({0})", "truncated(normal).logpdf(math.tanh({0}), {1}, 1.5, -2.0, 3.0)",
    "censored(exponential).logpdf(abs({0}), 1.5, 0.0, 9.0)",
    "mixture(normal).logpdf({0}, MIXED, np.array(({1}, 0.5)), 1.5)", "(({0}, {1}) + (0.5,))[1]", "[{0}, {1}][-2]",
    "poisson.logpmf(2, 1.5 + math.sin({0}))", "gammainc(1.5 + math.sin({0}), 1.5 + math.cos({1}))",
    "np.max(np.array([{0}, {1}]))", "betainc(1.5 + math.sin({0}), 1.5, 0.5 + 0.3 * math.sin({1}))",
    "betaincc(1.5 + math.sin({0}), 2.5, 0.5 + 0.3 * math.cos({1}))", "gammaincc(1.5 + math.sin({0}), 2.5)",
    "log_gammainc(2.5, 1.5 + math.sin({0}))", "log_gammaincc(1.5 + math.cos({0}), 1.5 + math.sin({1}))",
    "log_betainc(1.5 + math.sin({0}), 2.5, 0.4)", "log_betaincc(2.5, 1.5 + math.sin({0}), 0.5 + 0.3 * math.cos({1}))",
    "binomial.logpmf(2, 5, expit({0}))", "negative_binomial.logpmf(3, 1.5 + math.sin({0}), 1.5 + math.cos({1}))",
)  # fmt: skip

#: The same of arrays, element by element.
ARRAYS = (
    "np.sin({0})", "np.tanh({0})", "np.exp(-({0}) ** 2)", "np.log(1.5 + ({0}) ** 2)", "np.sqrt(1.0 + ({0}) * ({0}))",
    "np.where({0} > {1}, {0}, {1})", "np.where({0} > 0.1, {0}, 0.5)", "np.where({0} < 0.0, np.cos({1}), {0})",
    "np.maximum({0}, {1})", "np.minimum({0}, 0.4)", "np.clip({0}, -0.5, 0.6)", "np.abs({0})", "(-{0})", "expit({0})",
    "log1pexp({0})", "(({0}) / (2.0 + np.cos({1})))", "np.exp(np.sin({0}))", "np.square({0})",
    "np.log1p(np.square({0}))", "np.arctan({0})", "((1.5 + np.sin({0})) ** 1.5)", "({0}).copy()", "np.cos({0})",
    "(1.0 - {0})", "({0} / 2.0)", "custom({0}, {1})", "np.arctan2({0}, 1.5 + np.cos({1}))", "np.expm1(np.cos({0}))",
    "np.hypot({0}, 1.5)", "np.logaddexp({0}, {1})", "np.fmax({0}, {1})", "np.fmin({0}, 0.3)",
    "np.power(1.5 + np.sin({0}), {1})", "np.exp2(np.sin({0}))", "np.multiply({0}, {1})", "np.add({0}, {1})",
    "np.subtract({0}, 0.3)", "np.divide({0}, 1.5 + np.square({1}))", "np.negative({0})", "np.tan(np.tanh({0}))",
    "np.arcsin(0.9 * np.sin({0}))", "np.arccos(0.8 * np.cos({0}))", "np.sinh(np.sin({0}))", "np.cosh(np.sin({0}))",
    "np.log2(1.5 + np.square({0}))", "np.log10(1.5 + np.square({0}))", "np.copysign({0}, {1})", "np.fabs({0})",
    "np.clip({0}, -0.5, 0.5 + np.abs({1}))", "np.where(({0} > 0.1) & ({1} < 0.3), {0}, {1})", "(+{0})",
    "np.where(~({0} > 0.1) | ({1} < 0.0), {0}, 1.0)", "np.where(np.isfinite({0}), {0}, {1})", "({0}).astype(float)",
    "np.asarray({0})", "abs({0})", "normal.logpdf({0}, {1}, 1.5)", "half_cauchy.logpdf(0.1 + np.square({0}), 1.5)",
    "exponential.logpdf(0.1 + np.square({0}), 1.5 + np.sin({1}))", "np.float_power(1.5 + np.sin({0}), {1})",
    "np.where(np.logical_and({0} > 0.1, {1} < 0.3), {0}, {1})", "np.where(np.isnan({0}), 0.0, {1})",
    "np.where(np.logical_or(np.less({0}, 0.1), np.greater_equal({1}, 0.3)), {0}, {1})", "np.ascontiguousarray({0})",
    "np.where(np.logical_not(np.greater({0}, {1})), {0}, {1})",
    "np.where(np.logical_xor({0} > 0.1, np.less_equal({1}, 0.3)), {0}, 0.3)",
    "np.where(np.bitwise_and({0} > 0.1, {1} < 0.3), {0}, {1})", "np.where(np.equal({0}, {1}), 0.5, {0})",
    "np.array({0})", "np.nan_to_num({0})", "np.select([{0} > 0.1, {1} < 0.3], [{0}, {1}], 0.5)", "np.flip({0})",
    "np.roll({0}, 1)", "({0}).clip(-0.5, 0.6)", "np.reshape({0}, np.shape({1}))", "np.broadcast_to({0}, np.shape({1}))",
    "({0}).reshape(-1).reshape(np.shape({1}))", "np.expand_dims({0}, 0)[0]", "np.stack(({0}, {1}))[1]",
    "np.stack([{0}, {1}], axis=-1)[..., 0]", "np.concatenate(({0}, {1}))[len({0}):]", "np.cumsum({0}, axis=-1)",
    "np.cumprod(np.cos({0}), axis=0)", "np.mean(np.array([{0}, {1}]), axis=0)", "np.roll({0}, -2, axis=0)",
    "({0} - np.mean({0}, axis=0, keepdims=True))", "(np.array([{0}, {1}]) ** 2).sum(axis=0)", "np.squeeze({0})",
    "np.repeat({0}, 2, axis=0)[1::2]", "np.append({0}, {1}, axis=0)[:len({0})]",
    # derivatives that vanish or jump
    "(np.sign({0}) * {1})", "(np.floor({0}) * {1})", "np.mod({0}, 1.3)", "(({0} > 0.2) * {1})", "(np.round({0}) * {1})",
    "(({0}) // 0.7 * {1})", "(np.ceil({0}) * {1})", "(np.rint({0}) * {1})", "(np.trunc(3.0 * {0}) * {1})",
    "(np.fix(2.0 * {0}) * {1})", "(np.floor_divide({0}, 0.7) * {1})",
    "(np.heaviside({0}, 0.5) * {1})", "np.absolute({0})", "np.remainder({0}, 1.3)",
    "np.where(np.not_equal({0}, {1}), {0}, 0.5)", "np.where(np.bitwise_or({0} > 0.1, {1} < 0.3), {0}, {1})",
    "np.where(({0} > 0.1) ^ ({1} < 0.3), {0}, 0.3)", "np.moveaxis(np.array([{0}, {1}]), 0, -1)[..., 1]",
    "np.flipud({0})", "np.asanyarray({0})", "np.add.accumulate({0})", "np.multiply.accumulate(np.cos({0}))",
    "ndtr({0})", "log_ndtr({0})", "xlogy({0}, 1.5 + np.sin({1}))", "log_expit({0})",
    "lbeta(1.5 + np.sin({0}), 1.5 + np.cos({1}))", "np.nan_to_num({0}, nan=0.3)",
    "np.swapaxes(np.stack(({0}, {1})), 0, 1)[:, 1]",
    "np.where([v[0] if np.ndim(v) else v for v in {0}][0] > 0.1, {0}, {1})", "select({0} > 0.1, {0}, {1})",
)  # fmt: skip

#: Functions of arrays of one axis.
ALONG = (
    "np.cumsum({0})", "np.cumprod(np.cos({0}))", "np.ravel({0})", "({0}).flatten()", "({0}).cumsum()", "np.sort({0})",
    "({0})[np.argsort({1})]", "np.append({0}[1:], {1}[:1])", "np.diff(np.append(0.3, {0}))", "np.roll({0}, -2)",
    "np.repeat({0}, 2)[::2]", "np.tile({0}, 2)[len({0}):]", "np.hstack(({0}[:2], 0.3, {1}[2:]))[:len({0})]",
    "np.column_stack(({0}, {1}))[:, 1]",
    "(np.column_stack([{0}, np.ones(len({0})), {1}]) @ np.array([0.5, 1.0, -0.3]))",
    "np.vstack([{0}, {1}]).T[:, 0]", "np.concatenate(([{0}[0]], np.diff({0})))", "np.take({0}, np.argsort({1}))",
    "np.where({0} > 0.1, np.concatenate(({0}[:1], {1}[1:])), {1})", "np.atleast_1d({0})",
    "np.repeat({0}, np.arange(len({0})))[:len({0})]",
    "np.array(list(map(math.sin, {0})))", "np.array([math.sin(v) * w for v, w in zip({0}, {1})])",
    "np.subtract.outer({0}, {1})[1]", "np.maximum.outer({0}, {1})[:, -1]", "np.tensordot(np.diag({0}), {1}, 1)",
    "np.array([v if v > 0.1 else w for v, w in zip({0}, {1})])", "np.array(sorted({0}))",
    "np.array([max(v, w) for (v, w) in zip({0}, reversed({1}))])", "np.take({0}, np.digitize({1}, [0.0, 0.5]))",
    "({0}).repeat(2)[1::2]", "({0}).cumprod()", "({0}).take(np.arange(len({1})))", "row_sum(np.outer({0}, {1}))",
    "row_logsumexp(np.outer({0}, {1}))", "pick(np.outer({0}, {1}), 1)", "({0}).squeeze()",
    "np.matmul(np.outer({0}, {1}), {1})",
)  # fmt: skip

#: Numbers made of arrays of one axis.
REDUCTIONS = (
    "np.sum({})", "np.sum({})", "np.mean({})", "{}.sum()", "np.prod({})", "np.max({})", "np.min({})", "logsumexp({})",
    "np.var({})", "np.sum({}[1:])", "{}.mean()", "np.sum({}[::2])", "np.linalg.norm(1.5 + np.square({}))", "sum({})",
    "max({})", "min({})", "{}.max()", "np.sum({}, axis=0)", "np.prod({}[:2])", "np.sum({}[2:0:-1])", "{}.prod()",
    "math.fsum({})", "np.sum({}[-2:])", "np.size({}) * 0.3", "len({}) * 0.3", "np.vdot({0}, {0})", "np.amax({})",
    "np.amin({})", "{}[1:2].item()", "np.std(np.arange(len({0})) + 0.3 * np.tanh({0}))", "np.ndim({}) * 0.3",
    "np.sum({0}[{0} > 0.1])", "np.prod({0}[{0} < 0.3])", "np.sum(np.sin({0})[np.flatnonzero({0} > 0.0)] ** 2)",
    "np.sum(np.outer({0}, {0})[{0} > 0.1])", "np.sum(np.column_stack(({0}, {0} ** 2)) * 0.5)", "np.ptp({})",
    "np.average({0}, weights=0.5 + np.square({0}))", "np.var({}, ddof=1)", "np.max(np.concatenate(({0}, [0.2])))",
    "np.einsum('i,i->', {0}, {0})", "np.sum(np.vstack(({0}, {0}[::-1]))[:, 1:])", "np.add.reduce({})",
    "np.maximum.reduce({})", "np.kron({0}, {0})[3]", "np.count_nonzero({} > 0.1) * 0.3", "{0}[np.argmax({0})]",
    "np.inner({0}, {0})", "np.sum(np.meshgrid({0}, {0})[0][1:])", "np.sum(np.linspace({0}[0], {0}[1], 4) ** 2)",
    "np.sum({0}, keepdims=True)[0]", "np.sum({0}[[0, 2, 2]])", "np.sum({0}[np.array([[0, 1], [2, 0]])] ** 2)",
    "{0}[np.searchsorted(np.array([-1.0, 0.5]), 0.2)]", "np.sum({0}[{0} > 0.1] * {0}[{0} > 0.1])",
    "np.sum({0}[None, :, None] ** 2)", "np.sum({0}[..., None] * {0})", "np.sum(np.diff({}, n=2) ** 2)",
    "np.sum(np.linspace(0.0, 1.0, 3) * {0}[:3])", "np.sum(np.array([[1.0, 2.0], [0.5, 1.5]]) @ {0}[:2])",
    "np.sum(np.array([[{0}[0], 0.5], [{0}[1], {0}[2]]]) ** 2)", "np.sum(np.arange(0, 6, 2) * {0}[:3])",
    "np.sum(np.diag({0})[1])", "np.sum(np.full((2, 3), {0}[:3])[0])", "np.argmin({}) * 0.3", "np.nansum({})",
    "np.sum(np.extract({0} < 0.1, {0}))", "np.sum(np.bincount([2, 0, 1]) * {0}[:3])",
    "np.sum(np.subtract.outer({0}, {0}) ** 2)", "np.sum(np.multiply.outer({0}, {0})[1])",
    "np.sum(np.divide.outer({0}, 1.5 + np.square({0})))", "np.logaddexp.reduce({})", "np.minimum.reduce({})",
    "np.multiply.reduce({})", "np.sum(np.power.outer(1.5 + np.sin({0}), {0})[0])",
    "np.sum(np.logaddexp.outer({0}, {0})[:, 1])", "np.sum({0}[np.nonzero({0} > 0.1)] ** 2)",
    "{0}[np.digitize(0.2, np.array([-1.0, 0.5]))]", "sorted({})[1]", "sum(map(math.tanh, {}))",
    "math.prod(v + 1.0 for v in {})", "max(abs(v) for v in {})", "math.fsum(v for v in {} if v > 0.1)",
    "sum(v * other for i, v in enumerate({0}) for other in {0}[i:] if v > other)", "(any(v > 0.9 for v in {0}) * 0.3)",
    "(all(v < 0.9 for v in {0}) * 0.3)", "len([v for v in {} if v > 0.1]) * 0.3", "sum([v for v in {} if v > 0.1])",
    "np.sum(np.cross({0}[:3], {0}[2::-1] ** 2))", "pick({}, 1)", "np.sum({0}.take([0, 2]) * {0}[:2])",
    "({0} > 0.1).any() * 0.3", "{}.argmin() * 0.3", "np.sum(np.linspace(0.0, {0}[0], 4, endpoint=False))",
    "np.sum(np.triu(np.outer({0}, {0}), k=1))", "np.linalg.det(np.outer({0}, {0}) + np.eye(len({0})))",
    "np.tensordot({0}, {0}, 1)", "np.einsum('i,j,i->', {0}, {0}, {0})",
    "np.sum(np.outer({0}, {0})[np.triu_indices(3)])", "np.logaddexp.reduce(np.array([v * v for v in {}]))",
    "np.sum(np.atleast_2d({0}) * {0})", "min((v, w)[0] for v, w in zip({0}, {0}[::-1]))",
)  # fmt: skip

#: Numbers made of matrices.
MATRIX_REDUCTIONS = (
    "np.sum({})", "np.sum(np.sin({}))", "np.mean({})", "{}.sum()", "np.max({})", "np.trace({})", "np.prod(np.cos({}))",
    "np.linalg.norm({} + 3.0)", "np.sum({}, axis=(0, 1))", "np.sum(np.diag({}))", "np.sum({}[1:, ::2])",
    "np.sum({}[::-1][0])", "np.shape({})[1] * 0.3",
    "np.einsum('ij->', {})", "np.sum({0}[{0} > 0.1])", "np.sum({}.ravel()[1:7])",
    "np.sum({0}.reshape(-1, np.shape({0})[0])[1] ** 2)",
    "np.sum(np.tril({0}) * {0})", "np.sum(np.triu({}, 1)[0])", "np.sum(np.linalg.norm({} + 3.0, axis=0))",
    "np.sum({}.flatten()[::2])", "np.sum(np.repeat({}, 2, axis=1)[:, 1])", "np.sum(np.tile({}, (2, 1))[3:5])",
    "np.sum(np.roll({0}, 1, axis=0) * {0})", "np.einsum('ij,ij->', {0}, {0})", "np.sum(np.swapaxes({}, 0, 1)[0])",
    "np.sum({}[:, [0, 2]])", "np.sum({}[[0, 1], [2, 0]])", "np.sum({}[np.tril_indices(3)])",
    "np.sum(np.diff({}, axis=0) ** 2)", "np.sum(np.hstack(({0}, {0}[:, :1]))[1])", "np.var({}, axis=0)[1]",
    "np.sum({0} / (3.0 + {0}.sum(axis=1, keepdims=True) ** 2))", "np.sum({0}[{0}[:, 0] > 0.1, 1])",
    "np.sum({0}[:, {0}[0] < 0.3])", "np.sum({0}[[0, 2]][:, None] * {0})", "np.sum({}[[0, 1], None])",
    "np.sum(np.concatenate(({0}, {0}), axis=1)[:, 2])", "np.sum(np.kron({}, np.array([1.0, 0.5]))[0])",
    "np.sum(np.inner({0}, {0}))", "np.sum({}.transpose(1, 0)[0])", "np.sum(np.cumsum({}))", "np.max(np.ravel({}))",
    "np.sum(np.stack(({0}, {0} ** 2), axis=1)[:, 1])", "np.sum(np.einsum('ij,kj->ik', {0}, {0}))",
    "np.sum(np.moveaxis({}, 0, 1)[0])", "np.sum(np.fliplr({})[:, 0])", "np.sum(np.atleast_2d({0}[0]) * {0})",
    "np.sum({}[np.triu_indices(3)])", "np.tensordot({0}, {0}, 2)", "np.sum(np.tensordot({0}, {0}[0], 1) ** 2)",
    "np.sum(row_logsumexp({}))", "np.sum(row_sum({}) ** 2)", "np.linalg.det({}[:3, :3])",
    "np.einsum('i,ij,j->', {0}[:, 0], {0}, {0}[0])", "sum(np.sum(v * v) for v in {})",
    "sum(v[0] * v[-1] for v in {} if v[1] > 0.1)", "np.cross({0}[0, :3], {0}[1, :3])[1]", "np.sum(pick({}, 1))",
    "np.sum(np.transpose({}, axes=(1, 0))[0])", "np.sum(np.stack(({0}, {0} ** 2)).sum(axis=(0, 2)))",
    "np.sum(np.logaddexp.reduce({}, axis=1))", "np.std({} + 1.0, axis=(0, 1))",
    "np.sum(np.row_stack(({0}, {0}[:1]))[:, 1])", "np.sum([v[1] * v for v in {}])", "np.sum(np.triu({}, k=-1)[1])",
    "np.sum(np.maximum.reduce({}))", "np.max({}, axis=(0, 1))", "sum(v * v for w in {} for v in w if v > 0.1)",
    "np.sum({}[np.array([0, 1])[:, None], np.array([1, 2])])", "np.sum({0}[1, {0}[0] > 0.1])",
    "np.linalg.slogdet({0}[:3, :3] * 0.2 + np.eye(3))[1]",
)  # fmt: skip

#: Numbers made of positive definite matrices.
DEFINITE_REDUCTIONS = (
    "np.linalg.slogdet({})[1]", "np.sum(np.log(np.diag(np.linalg.cholesky({}))))", "np.log(np.trace({}))",
    "np.prod(np.diag({}))",
    "np.log(np.linalg.det({}))", "np.linalg.det({}) * 0.1", "np.linalg.slogdet({})[0] * 0.3",
    "np.sum(np.linalg.inv({})[0])",
)  # fmt: skip

#: Vectors made of matrices, along axis {1}.
ALONG_AXIS = (
    "np.sum({0}, axis={1})", "{0}.sum(axis={1})", "np.mean({0}, {1})", "np.max({0}, axis={1})", "{0}.min(axis={1})",
    "np.prod(np.cos({0}), axis={1})", "{0}.mean(axis={1})", "np.var({0}, axis={1})", "np.std({0}, {1}, ddof=1)",
    "np.ptp({0}, axis={1})", "np.sum(np.cumsum({0}, axis={1}), {1})", "np.sum({0}, axis={1}, keepdims=True).ravel()",
    "np.average({0}, axis={1})", "np.linalg.norm({0} + 3.0, axis={1})",
    "np.squeeze({0}.max(axis={1}, keepdims=True), {1})", "np.logaddexp.reduce({0}, axis={1})",
    "np.min({0}, axis={1}, keepdims=True).reshape(-1)", "np.multiply.reduce(np.cos({0}), axis={1})",
    "np.diff({0}, axis={1}).sum({1})", "np.cumprod(np.cos({0}), axis={1}).sum(axis={1})", "np.take({0}, 1, axis={1})",
    "(np.count_nonzero({0} > 0.1, axis={1}) * 0.3)",
)  # fmt: skip

#: Solutions of linear systems with a positive definite matrix.
SOLVERS = (
    "np.linalg.solve({0}, {1})", "np.linalg.solve({0}, {1})", "solve_lower(np.linalg.cholesky({0}), {1})",
    "solve_upper(np.linalg.cholesky({0}).T, {1})",
)  # fmt: skip

#: Conditions on integers.
OF_INTEGERS = (
    "{0} % 2 == 0", "{0} > {1}", "{0} == 1", "{0} != 2", "{0} <= {1}", "{0} in (0, 2)", "{0} not in [1, {1}]",
    "{0} in {{1, 2}}", "{0} not in {{0: 'none', 3: 'all'}}", "{0} ^ {1} > 1", "{0} << 1 > {1}", "{0} >> 1 == 0",
    "{0} in (1, {1} + 1) and {1} in (1, 2)", "{0} is not None", "{0} & 1", "({0} | {1}) in (1, 3)", "{0} // 2 == {1}",
)  # fmt: skip
