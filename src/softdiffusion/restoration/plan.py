"""What is known of degraded images, and how each of them will be restored."""

from dataclasses import dataclass, replace
from typing import get_args

import torch
from torch import Tensor

from ..checks import check_range, shown
from ..denoisers import BaseDenoiser, GaussianDenoiser
from ..operators import LinearOperator
from ..process import SoftDiffusion
from .doubts import against_noise, against_restoring, against_topping_up, contradicts
from .level import level_noise, start_time
from .route import Route, is_dear, lacks_noise, topping_up_cost
from .severity import Estimate, SeverityEstimator
from .start import linear_model

__all__ = ["Plan", "make_plan"]

_START = torch.zeros((), dtype=torch.float64)


@dataclass(frozen=True)
class Plan:
    """How every image of a batch (B, C, ...) will be restored.

    Attributes:
        operator: A, one for all images or one for each.
        severity: The severity of each in the model's corruption, (B,); None for another operator.
        sigma_y: The noise of each, (B,), float64.
        sigma_t: The noise that each is restored from, (B,): on the level's route it is that of the
            level, else `sigma_y`.
        t: The time from which each is restored, (B,).
        by_operator: Whether each goes the whole way from x_1, (B,).
        estimate: The severities with their uncertainty, where they were not given.
        noise: The noise with its uncertainty, where it was not given.
        linear: Mean and spectrum of the data; None without data.
        warnings: What speaks against it.
    """

    operator: LinearOperator
    severity: Tensor | None
    sigma_y: Tensor
    sigma_t: Tensor
    t: Tensor
    by_operator: Tensor
    estimate: Estimate | None
    noise: Estimate | None
    linear: GaussianDenoiser | None
    warnings: tuple[str, ...]

    @property
    def route(self) -> list[str]:
        """The route of each image, "level" or "operator"."""
        return ["operator" if way else "level" for way in self.by_operator.tolist()]

    def part(self, process: SoftDiffusion, index: Tensor) -> "Plan":
        """The plan of some of the images.

        Arguments:
            process: The model's process.
            index: Their positions, int64.
        """
        severity = None if self.severity is None else self.severity[index]
        return replace(
            self,
            operator=self.operator if severity is None else process.corruption.at(severity),
            severity=severity,
            sigma_y=self.sigma_y[index],
            sigma_t=self.sigma_t[index],
            t=self.t[index],
            by_operator=self.by_operator[index],
            estimate=self.estimate and self.estimate.part(index),
            noise=self.noise and self.noise.part(index),
            warnings=(),
        )


def make_plan(
    denoiser: BaseDenoiser,
    y: Tensor,
    *,
    severity: float | Tensor | None = None,
    sigma_y: float | Tensor | None = None,
    operator: LinearOperator | None = None,
    data: Tensor | None = None,
    route: Route = "auto",
    dps_step: float | None = None,
) -> Plan:
    """Estimates what is not given, and chooses the route of every image.

    The arguments are those of `restore`, checked as far as images and data go.

    Raises:
        ValueError: As `restore` says.
    """
    if route not in get_args(Route):
        raise ValueError(f"route must be 'auto', 'level' or 'operator', but is {shown(route)}.")
    if operator is not None and severity is not None:
        raise ValueError(
            f"The severity {severity} belongs to the model's corruption; give it or an operator."
        )
    if operator is None and dps_step is not None and route != "operator":
        raise ValueError(
            "DPS is for measurements by an operator; give one, or route='operator', or leave out "
            "dps_step."
        )
    stated = None if sigma_y is None else _one_each("sigma_y", sigma_y, len(y))
    if operator is not None:
        return _measured(denoiser.process, y, operator, stated, data, route)
    return _corrupted(denoiser.process, y, severity, stated, data, route, dps_step)


def _measured(
    process: SoftDiffusion,
    y: Tensor,
    operator: LinearOperator,
    stated: Tensor | None,
    data: Tensor | None,
    route: Route,
) -> Plan:
    """The plan for measurements by an operator that is not of the model's corruption."""
    if route == "level":
        raise ValueError(
            "A measurement by an operator lies on no level of the model; give a severity instead "
            "of the operator, or leave out route='level'."
        )
    # The noise of any measurement can't be told from what it measures.
    sigma_y = torch.zeros(len(y), dtype=torch.float64) if stated is None else stated
    return Plan(
        operator=operator,
        severity=None,
        sigma_y=sigma_y,
        sigma_t=sigma_y,
        t=torch.ones(len(y), dtype=torch.float64),
        by_operator=torch.ones(len(y), dtype=torch.bool),
        estimate=None,
        noise=None,
        linear=linear_model(process, _needed(data)),
        warnings=(),
    )


def _corrupted(
    process: SoftDiffusion,
    y: Tensor,
    severity: float | Tensor | None,
    stated: Tensor | None,
    data: Tensor | None,
    route: Route,
    dps_step: float | None,
) -> Plan:
    """The plan for images that the model's own corruption has degraded."""
    linear = None if data is None else linear_model(process, data)
    closed = process.corruption.transform is not None  # so that the spectrum is of its own basis
    estimate = noise = None
    if severity is None:
        if not closed and data is not None:
            raise ValueError(
                f"The severity of {type(process.corruption).__name__}, which no transform makes "
                "diagonal, can't be estimated; give it."
            )
        estimate, noise = _estimated(process, _needed(data), y, stated, route)
        known = estimate.mean
    else:
        known = _one_each("severity", severity, len(y))
        if closed and data is not None:
            noise = _noise_at(process, data, y, known)
    warnings = [] if stated is None or noise is None else against_noise(stated, noise)
    if estimate is not None:
        warnings += against_restoring(estimate, float(process.schedule.severity(_START)))
    if stated is not None or process.sigma(1.0) == 0:  # without noise images are as they are
        noise = None
    if stated is not None:
        sigma_y = stated
    elif noise is not None:
        sigma_y = noise.mean
    else:  # with nothing to estimate it by, all of the level's noise is added
        sigma_y = torch.zeros(len(y), dtype=torch.float64)
    if route == "operator":
        _needed(data)
        by_operator = torch.ones(len(y), dtype=torch.bool)
    else:
        sigma_y, by_operator, found = _routes(
            process, linear if closed else None, known, sigma_y, noise, route
        )
        warnings += found
    if by_operator.any() and not closed and dps_step is None:
        raise ValueError(
            "The posterior by the data's spectrum needs a corruption that is diagonal in a "
            f"transform, which {type(process.corruption).__name__} is not; use DPSDenoiser, by "
            "dps_step=1."
        )
    t = torch.ones(len(y), dtype=torch.float64)
    level = ~by_operator
    if level.any():
        t[level] = start_time(process, known[level], sigma_y[level])
    return Plan(
        operator=process.corruption.at(known),
        severity=known,
        sigma_y=sigma_y,
        sigma_t=torch.where(level, process.sigma(t).double(), sigma_y),
        t=t,
        by_operator=by_operator,
        estimate=estimate,
        noise=noise,
        linear=linear,
        warnings=tuple(warnings),
    )


def _routes(
    process: SoftDiffusion,
    linear: GaussianDenoiser | None,
    severity: Tensor,
    sigma_y: Tensor,
    noise: Estimate | None,
    route: Route,
) -> tuple[Tensor, Tensor, list[str]]:
    """The noise of every image, whether it takes the operator's route, and what speaks against it.

    Arguments:
        process: The model's process.
        linear: Mean and spectrum of the data in its transform; None where they are unknown.
        severity: The severity of each, (B,).
        sigma_y: The noise of each, (B,).
        noise: Its uncertainty, where it was estimated.
        route: "auto" or "level".
    """
    least, most = level_noise(process, severity)
    beyond = torch.zeros(len(severity), dtype=torch.bool)
    if noise is not None:  # as much as the level has, if that is within the uncertainty
        sigma_y = torch.where(noise.low <= most, sigma_y.minimum(most), sigma_y)
        beyond = sigma_y > most
    sigma_t = torch.maximum(least, sigma_y)
    if linear is None:
        dear, cost = lacks_noise(sigma_y, sigma_t), None
        remedy = (
            "with data= the better route is taken by itself"
            if process.corruption.transform is not None
            else "with data=, dps_step=1 and route='operator' nothing is raised"
        )
    else:
        cost = topping_up_cost(linear, severity, sigma_y, sigma_t)
        dear = is_dear(cost, sigma_y, sigma_t)
        if route == "auto":
            return sigma_y, beyond | dear, []
        cost = cost[dear]
        remedy = "leave out route='level'"
    if not dear.any():
        return sigma_y, torch.zeros_like(beyond), []
    doubts = against_topping_up(sigma_y[dear], sigma_t[dear], cost, remedy)
    return sigma_y, torch.zeros_like(beyond), doubts


def _estimated(
    process: SoftDiffusion, data: Tensor, y: Tensor, stated: Tensor | None, route: Route
) -> tuple[Estimate, Estimate]:
    """Severity and noise; where images contradict the noise that was stated, by what they show.

    An estimate that relies on a wrong noise is sure of a wrong severity.
    """
    linear = GaussianDenoiser.fit(process, data)
    if stated is not None and (stated == 0).any():
        raise ValueError(
            "An estimate of the severity relies on the noise in the images, but sigma_y is 0; "
            "leave it out, and it is estimated, or give the severity."
        )
    joint = SeverityEstimator.fit(linear, data, None)
    severity, noise = joint.with_noise(y)
    if stated is None:
        return severity, noise
    # By its operator an image may have more noise than its level.
    levels = joint.severities if route == "operator" else None
    believed = ~contradicts(stated, noise)
    for value in stated[believed].unique():
        mine = (stated == value) & believed
        estimator = SeverityEstimator.fit(linear, data, float(value), severities=levels)
        severity = severity.replaced(mine, estimator(y[mine.to(y.device)]))
    return severity, noise


def _noise_at(process: SoftDiffusion, data: Tensor, y: Tensor, severity: Tensor) -> Estimate:
    """The noise of images whose severity is known."""
    linear = GaussianDenoiser.fit(process, data)
    values = severity.unique()
    temperature = SeverityEstimator.fit(linear, data, None, severities=values).temperature
    found = Estimate(*(torch.empty_like(severity) for _ in range(4)))
    for value in values:
        mine = severity == value
        estimator = SeverityEstimator(linear, None, temperature, value.reshape(1))
        found = found.replaced(mine, estimator.with_noise(y[mine.to(y.device)])[1])
    return found


def _needed(data: Tensor | None) -> Tensor:
    """The data, if there are any."""
    if data is None:
        raise ValueError(
            "Without a severity of the model's own corruption, or with route='operator', clean "
            "images like those of training are needed for their mean and spectrum; pass them as "
            "data."
        )
    return data


def _one_each(name: str, value: float | Tensor, images: int) -> Tensor:
    """The numbers as one for every image, float64 on the CPU."""
    shape = torch.as_tensor(value).shape if isinstance(value, Tensor | list | tuple) else ()
    if len(shape) > 1 or shape not in ((), (1,), (images,)):
        raise ValueError(
            f"{images} images need one {name}, or one each in the shape ({images},), but it "
            f"has the shape {tuple(shape)}."
        )
    return check_range(name, value, 0.0, torch.inf).cpu().double().expand(images)
