"""A model under training: its optimiser, the running mean of its weights, and both as named tensors."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from nvcodec.errors import InputError
from nvcodec.training.checkpoint import State, restore
from nvcodec.training.history import MAX_STAGES, Circumstances, Stage
from nvcodec.training.settings import TrainSettings

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


class Training:
    """Model, AdamW and mean weights. ``step`` and ``seconds`` say how far it is."""

    def __init__(self, model: nn.Module, settings: TrainSettings) -> None:
        self.model, self.settings = model, settings
        self.step, self.seconds = 0, 0.0
        self.earlier: tuple[Stage, ...] = ()  # what the weights learned before this stage
        self.where = Circumstances()
        self.grown: list[str] = []  # what the model has and the state that it was restored from had not
        words = tuple(word for word in settings.frozen.split(",") if word)
        self.trained: dict[str, nn.Parameter] = {}
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(not (words and name.startswith(words)))
            if parameter.requires_grad:
                self.trained[name] = parameter
        self.average = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        self._optimiser = torch.optim.AdamW(_groups(self.trained, settings), settings.lr, betas=(0.9, 0.98))
        self._peaks = [group["lr"] for group in self._optimiser.param_groups]

    def descend(self, loss: Tensor, factor: float) -> float:
        """One update at ``factor`` of the learning rate; returns the gradient's norm.

        A gradient that is not finite changes nothing.
        """
        for group, peak in zip(self._optimiser.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(self.trained.values(), self.settings.clip))
        if math.isfinite(norm):
            self._optimiser.step()
            self._follow()
        self.step += 1
        return norm

    @torch.no_grad()
    def _follow(self) -> None:
        """Running mean: short at first, so that the start is soon forgotten."""
        keep = min(self.settings.average, (1 + self.step) / (10 + self.step))
        for name, tensor in self.model.state_dict().items():
            mean = self.average[name]
            if tensor.is_floating_point():
                mean.lerp_(tensor, 1 - keep)
            else:
                mean.copy_(tensor)

    def state(self) -> State:
        """Everything that a resumed training needs."""
        tensors = {f"model/{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"average/{name}": tensor for name, tensor in self.average.items()}
        for name, parameter in self.trained.items():
            for key, value in self._optimiser.state.get(parameter, {}).items():
                tensors[f"adam/{name}/{key}"] = value
        return State(self.step, self.seconds, self.settings, tensors, self.earlier, self.where)

    def resume(self, state: State) -> None:
        """Go on from a state, bit for bit. Raises InputError if it is of another model."""
        self.grown = restore(self.model.state_dict(), state.tensors, "model/")
        restore(self.average, state.tensors, "average/")
        self._restore_moments(state)
        self.step, self.seconds = state.step, state.seconds
        self.earlier, self.where = state.earlier, state.where.joined(self.where)

    def start_from(self, state: State) -> None:
        """Take the mean weights of another training, e.g. of the stage before. Raises InputError."""
        self.grown = restore(self.model.state_dict(), state.tensors, "average/")
        restore(self.average, state.tensors, "average/")
        self.earlier = state.stages[-MAX_STAGES:]

    def began_with(self, model_id: str) -> None:
        """Note packed weights, by their id in hex, that this stage began with."""
        self.where = replace(self.where, began_with=(model_id,))

    def _restore_moments(self, state: State) -> None:
        """A parameter that no loss has touched yet has no moments."""
        found = {name for name in state.tensors if name.startswith("adam/")}
        for name, parameter in self.trained.items():
            keys = {key: f"adam/{name}/{key}" for key in _MOMENTS}
            if not found.issuperset(keys.values()):
                continue
            found -= set(keys.values())
            first, second, step = (state.tensors[key] for key in keys.values())
            if first.shape != parameter.shape or second.shape != parameter.shape or step.numel() != 1:
                raise InputError(f"the checkpoint is of another model: moments of {name}")
            placed = {"exp_avg": first.to(parameter.device), "exp_avg_sq": second.to(parameter.device)}
            self._optimiser.state[parameter] = placed | {"step": step.clone()}
        if found:
            raise InputError("the checkpoint was trained with other parameters frozen, or is of another model")


def _groups(parameters: dict[str, nn.Parameter], settings: TrainSettings) -> list[dict[str, Any]]:
    """Matrices decay, vectors do not; what is named in ``slow`` learns slower."""
    words = [word for word in settings.slow.split(",") if word]
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        key = any(word in name for word in words), parameter.ndim > 1
        groups.setdefault(key, []).append(parameter)
    rates = {False: settings.lr, True: settings.lr * settings.slow_rate}
    return [
        {"params": group, "lr": rates[slow], "weight_decay": settings.weight_decay if matrix else 0.0}
        for (slow, matrix), group in groups.items()
    ]
