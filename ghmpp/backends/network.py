"""The emitted network: a torch module whose layers are the messages of a schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ghmpp.backends.chunk import Chunks, rows_per_chunk
from ghmpp.backends.container import Named
from ghmpp.backends.families.family import Exact, Family
from ghmpp.backends.families.message import refuse_soft
from ghmpp.backends.formulas import formula
from ghmpp.backends.kernels import Kernel, Linear, Log
from ghmpp.backends.members import gather, original_data, scatter
from ghmpp.backends.memory import keep_freed_memory
from ghmpp.backends.messages import MessageLayer
from ghmpp.backends.observe import blank_row, common_batch, read_inputs, to_tensor
from ghmpp.backends.origin import Origin
from ghmpp.backends.parameters import potential_parameters, symbol_parameters
from ghmpp.backends.partition import Partition
from ghmpp.backends.prepare import PRECISIONS, Frame, Setting, check_stack, prepare, refuse_too_big
from ghmpp.backends.results import Gathered, OutputKey, answers_of, empty, without_single
from ghmpp.backends.state import State, current
from ghmpp.errors import QueryError
from ghmpp.models.channels import Given
from ghmpp.models.forest import Forest, VariableClass
from ghmpp.models.observations import Observation
from ghmpp.schedule.build import LOG_EVIDENCE
from ghmpp.schedule.domain import choose_domain
from ghmpp.schedule.ir import Domain, Schedule

if TYPE_CHECKING:
    from ghmpp.backends.convolutions.network import ConvolutionalNetwork


class Network(nn.Module):
    """Belief propagation as a network: collect is the encoder, distribute the decoder.

    Parameters
    ----------
    schedule
        What to compute.
    dtype
        Precision of parameters and results; the run itself may need more (:attr:`domain`).
    device
        Where parameters live.
    chunk
        Rows of a batch that run together; None picks what fits the cache.
    given
        What the inputs of :meth:`forward` are, in order.
    answers
        Kind and class of what :meth:`forward` gives, in order; all that the schedule computes
        if empty.
    family
        What stands for the potentials; the exact messages by default. Others run in logarithms.

    Attributes
    ----------
    family, certificate
        Name of the family, and what is proved of its nets.
    origin
        What the network was made from, where it is known.
    potentials
        Potentials by key, linear, in the user's units and stack order; no gradient until asked.
        Those with entries that float32 cannot hold stay in float64. Change parameters under
        ``torch.no_grad()``: what is written through ``.data`` leaves no trace.
    symbols
        Free symbols of formulas, each one parameter, shape (); no gradient until asked.
    collect, distribute
        The message layers by class of the child: ``network.collect["pixel"]``.
    fields
        What instructions on fields need: linear maps, functions and products; None without.
    repeated_rows
        Rows of the last call that were run again in logarithms (see ``domain.guarded``).
    """

    # Tensors made in inference mode have no version, by which changed parameters are noticed.
    @torch.inference_mode(False)
    def __init__(
        self,
        schedule: Schedule,
        *,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
        chunk: int | None = None,
        given: tuple[Given, ...] = (),
        answers: tuple[OutputKey, ...] = (),
        family: Family | None = None,
    ) -> None:
        super().__init__()
        keep_freed_memory()
        refuse_too_big(schedule)
        if chunk is not None and chunk < 1:
            raise QueryError(f"network: at least 1 row must run at a time, got {chunk}.")
        self.given = given
        self.answers = answers or answers_of(schedule)
        self.schedule = schedule
        family = family or Exact()
        self.family, self.certificate = family.name, family.certificate
        self.origin: Origin | None = None
        self.chunk = chunk
        self.repeated_rows = 0
        self.like: Tensor
        self.register_buffer("like", torch.empty(0, dtype=dtype), persistent=False)
        self._frame = Frame.of(schedule, pieced=self.family == "exact")
        self._known = State(dtype, torch.device("cpu"), ())
        self._domain: tuple[State, Domain] | None = None
        self._partition = Partition(schedule.forest)
        self._cached: dict[bool, tuple[State, Setting]] = {}
        forest = schedule.forest
        self._formulas = {key: formula(entries) for key, entries in forest.formulas.items()}
        self.potentials = potential_parameters(forest, self._formulas, dtype)
        self.symbols = symbol_parameters(forest, self._formulas, dtype)
        self._keys = tuple(dict.fromkeys((*self.potentials, *self._formulas)))
        self.fields = family.fields(schedule, dtype)
        self.collect: Named[MessageLayer] = Named(family.layers(self._frame, "root", dtype))
        self.distribute: Named[MessageLayer] = Named(family.layers(self._frame, "leaves", dtype))
        self.to(device)
        if schedule.domain is not None and schedule.domain.dtype == PRECISIONS.get(dtype):
            self._domain = (self.state(), schedule.domain)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of parameters and results."""
        return self.like.dtype

    @property
    def variables(self) -> Mapping[str, VariableClass]:
        """The user's classes, by name."""
        grouping = self.schedule.forest.grouping
        return self.schedule.forest.variables if grouping is None else grouping.original.variables

    @property
    def forest(self) -> Forest:
        """The user's forest with the present values of all parameters, float64."""
        forest = self.current_forest()
        if forest.grouping is None:
            return forest
        data = original_data(forest.grouping, forest.data)
        return replace(forest.grouping.original, data=data)

    @property
    def domain(self) -> Domain:
        """How numbers are kept during a run, and why; chosen again when parameters change.

        Raises
        ------
        QueryError
            If the network was cast to another precision than float32 or float64.
        """
        if self.dtype not in PRECISIONS:
            raise QueryError(f"network: {self.dtype} is not supported; use float32 or float64.")
        if self.family != "exact":
            return Domain("log", PRECISIONS[self.dtype], False, 0.0, "its nets take logarithms")
        state = self.state()
        if self._domain is None or self._domain[0] != state:
            current = replace(self.schedule, forest=self.current_forest())
            domain = choose_domain(current, PRECISIONS[self.dtype]).domain
            assert domain is not None
            self._domain = (state, domain)
        return self._domain[1]

    def stack(self, key: str) -> Tensor:
        """The potential stack of a key, linear: a parameter, or a function of the symbols.

        The function is computed in float64, because its values may leave the range of float32.

        Raises
        ------
        ModelError
            If entries have become negative, not finite or all zero.
        """
        if key in self._formulas:
            values = {name: self.symbols[name] for name in self.symbols}
            found = self._formulas[key](values, self.like.double())
        else:
            found = self.potentials[key]
        check_stack(key, found, gaussian=key in self.schedule.forest.gaussian)
        return found

    def rows_per_chunk(self) -> int:
        """Rows of a batch that run together."""
        return rows_per_chunk(self._frame.plan) if self.chunk is None else self.chunk

    def forward(
        self, *inputs: Tensor, seed: int | None = None, **channel: float
    ) -> Tensor | tuple[Tensor, ...]:
        """The answers to the compiled queries, batch first.

        Parameters
        ----------
        inputs
            One tensor per given class, in order: states (batch, nodes) as integers with -1 for
            missing, continuous observations (batch, nodes) with NaN for missing, or likelihoods
            (batch, nodes, states); a class with one node may leave out its axis.
        seed
            Of what is drawn, for networks that draw noise.
        channel
            Channel parameters for this call, such as ``sigma=4.0``; the weights stay the same.

        Returns
        -------
        one tensor per query, the only one bare; the node axis of a class with one node is left
        out.

        Raises
        ------
        EvidenceError
            If the number, shapes or entries of the inputs do not fit, or a channel parameter
            belongs to none of them.
        QueryError
            If the network draws noise and gets no seed.
        """
        variables = self.variables
        seen = read_inputs(inputs, self.given, variables, channel)
        device = self.like.device
        generator = None if seed is None else torch.Generator(device).manual_seed(seed)
        results = self.evaluate(seen, generator=generator)
        answers = tuple(without_single(results[key], key[1], variables) for key in self.answers)
        return answers[0] if len(answers) == 1 else answers

    def evaluate(
        self,
        observations: Mapping[str, Observation],
        *,
        generator: torch.Generator | None = None,
        draws: int = 1,
    ) -> dict[OutputKey, Tensor]:
        """Run the schedule on a batch of evidence.

        Parameters
        ----------
        observations
            Evidence by class, all of one batch size, in the user's order of nodes.
        generator
            Randomness of sampled choices.
        draws
            Repetitions of the choices; above 1 they gain an axis (batch, draws, nodes).

        Returns
        -------
        dict from (kind, class) to tensors, batch first: posteriors (batch, nodes, states), means
        and choices (batch, nodes), edges (batch, children, parent states, child states),
        ("log_evidence", "") (batch,) with log Z() subtracted, counts by potential key like the
        stacks.
        """
        seen = {
            name: to_tensor(observation, self.variables[name], self.like.device)
            for name, observation in observations.items()
        }
        batch = common_batch(seen)
        if batch == 0:
            blank = {name: blank_row(o) for name, o in seen.items()}
            return empty(self.evaluate(blank, generator=generator, draws=draws))
        seen = gather(seen, self.schedule.forest)
        refuse_soft(seen, self.collect)
        tensors = (*self._tensors(), *(torch.as_tensor(o.array) for o in seen.values()))
        tracked = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
        with nullcontext() if tracked else torch.no_grad():
            setting = self.setting(tracked=tracked)
            again = partial(self.setting, tracked=tracked, logarithms=True)
            chunks = Chunks(setting, again, self.domain.tolerance, self.dtype, generator, draws)
            gathered = Gathered(self.schedule.forest, self.schedule.outputs, setting.inverse, batch)
            self.repeated_rows = chunks.run_all(seen, batch, self.rows_per_chunk(), gathered)
            results = gathered.batch_first()
            if LOG_EVIDENCE in results:
                results[LOG_EVIDENCE] = results[LOG_EVIDENCE] - self.log_partition()
            return scatter(results, self.schedule.forest, self.answers)

    def log_partition(self) -> Tensor:
        """Log of the total mass without evidence, shape (), float64; differentiable.

        Raises
        ------
        ModelError
            If no configuration has positive mass.
        """
        tracked = torch.is_grad_enabled() and any(p.requires_grad for p in self._tensors())
        return self._partition.log_mass(self, tracked=tracked)

    def current_forest(self) -> Forest:
        """The forest with the present values of all parameters, float64."""
        forest = self.schedule.forest
        found = {key: self.stack(key) for key in self._keys}
        if self.fields is not None:
            found |= {key: self.fields.couplings[key] for key in self.fields.couplings}
        data = {key: each.detach().double().cpu().numpy() for key, each in found.items()}
        return replace(forest, data={**forest.data, **data})

    def as_convolutions(self) -> ConvolutionalNetwork:
        """The same network as plain convolutions, see :mod:`ghmpp.backends.convolutions`."""
        from ghmpp.backends.convolutions.build import as_convolutions

        return as_convolutions(self)

    def extra_repr(self) -> str:
        """Family, precision and number of parameters."""
        count = sum(parameter.numel() for parameter in self.parameters())
        return f"{self.family}, {str(self.dtype).removeprefix('torch.')}, {count:,} parameters"

    def setting(self, *, tracked: bool, logarithms: bool = False) -> Setting:
        """Prepared potentials, cached until a parameter changes."""
        domain = self.domain
        linear = domain.kind == "linear" and not logarithms
        state = self.state()
        if not tracked and linear in self._cached and self._cached[linear][0] == state:
            return self._cached[linear][1]
        semiring = self.schedule.semiring
        kernel: Kernel = Linear(semiring) if linear else Log(semiring)
        single = domain.dtype == "float32" and (linear or self.family != "exact")
        like = self.like.to(torch.float32 if single else torch.float64)
        setting = prepare(
            self._frame,
            kernel,
            {name: self.stack(name) for name in self._keys},
            like=like,
            layers=(self.collect, self.distribute),
            tracked=tracked,
            guarded=linear and domain.guarded,
        )
        if self.fields is not None:
            setting = replace(setting, fields=self.fields.prepared(like))
        if not tracked:
            self._cached[linear] = (state, setting)
        return setting

    def state(self) -> State:
        """Changes whenever a parameter, the precision or the device does."""
        self._known = current(self._known, self.dtype, self.like.device, self._tensors())
        return self._known

    def _tensors(self) -> Iterator[nn.Parameter]:
        """All parameters, without the cost of walking through modules."""
        yield from self.potentials.parts()
        yield from self.symbols.parts()
        if self.fields is not None:
            yield from self.fields.parameters()
        if self.family != "exact":
            yield from self.collect.parameters()
            yield from self.distribute.parameters()
