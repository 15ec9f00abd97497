"""The schedules of a service: their clockwork, and where it is noted how far they are done."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack

from eventmap.clock import wall_time_s
from eventmap.delivery.schedule.clockwork import Clockwork
from eventmap.delivery.schedule.ports import Positions
from eventmap.delivery.schedule.timed import Timed, into_queue
from eventmap.schedule import Schedule
from eventmap.service.asynchronous import AsynchronousQueues, Here
from eventmap.service.declared import declared_function
from eventmap.service.settings import SCHEDULES_PATH
from eventmap.service.when_needed import PositionsWhenNeeded
from eventmap.state.positions_memory import MemoryPositions


async def open_clockwork(
    here: Here, schedules: Sequence[Schedule], queues: AsynchronousQueues, stack: AsyncExitStack
) -> Clockwork:
    """Each schedule of a function that is here; what else is timed may be added.

    Raises: ConfigurationError, for two of one name, or a function that is not here; SourceError; StateError.
    """
    timed = []
    for schedule in schedules:
        declared_function(here.functions, schedule.function_name, schedule.schedule_name)
        accept = queues.accepted_by(schedule.function_name)
        timed.append(Timed.of(schedule, into_queue(schedule, accept, region=here.region, account_id=here.account_id)))
    return Clockwork(timed, await _open_positions(here, stack), dice=random.Random())


async def _open_positions(here: Here, stack: AsyncExitStack) -> Positions:
    settings = here.settings
    if settings.schedule_positions is not None:
        return settings.schedule_positions
    if settings.schedule_table is not None:
        return await _open_fleet(here, settings.schedule_table, stack)
    if settings.schedules == "memory" or settings.is_forgetful:
        return MemoryPositions()
    return PositionsWhenNeeded(settings.schedules_file or SCHEDULES_PATH, stack)


async def _open_fleet(here: Here, table: str, stack: AsyncExitStack) -> Positions:
    """A table of its own: what else is in it would be taken for a schedule."""
    from eventmap.state.dynamodb import DynamoDbLeases
    from eventmap.state.positions_fleet import FleetPositions

    leases = DynamoDbLeases(await here.connections.for_leases(here.settings.aws.region), table)
    await leases.prepare()
    # Never used again: another run may have the process id, but not the time as well.
    started_at = f"{round(wall_time_s() * 1000):x}-{random.getrandbits(32):08x}"
    worker = f"{socket.gethostname()}-{os.getpid()}-{started_at}"
    positions = FleetPositions(leases, worker, dice=random.Random(), failover_s=here.settings.lease_settings.failover_s)
    stack.push_async_callback(positions.aclose)
    return positions
