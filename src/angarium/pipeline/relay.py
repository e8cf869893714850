"""The relay publishes what a Dispatcher saved and did not live to publish."""

from __future__ import annotations

import asyncio

from angarium.database import outbox
from angarium.pipeline.insist import Insistence
from angarium.pipeline.publishing import Stores, publish

#: Seconds: a parcel this old has no publisher any more; and how often that is looked at.
OLD, LOOK = 5.0, 2.5


class Relay:
    """A Dispatcher that starts publishes everything: whoever saved it is gone. `run` takes what grows old."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self.insist = Insistence("relay")
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Return from `run` soon."""
        self._stopping.set()

    async def publish(self, age: float) -> int:
        """Publish and delete parcels older than `age` seconds; how many there were."""
        parcels = await self.insist(self._stores.database.read, outbox.older, self._stores.clock.now() - age)
        for parcel in parcels:
            await publish(self._stores, self.insist, parcel.records)
        if parcels:
            await self.insist(self._stores.database.write, outbox.delete, [parcel.key for parcel in parcels])
        return len(parcels)

    async def run(self) -> None:
        """Until `stop`."""
        while not self._stopping.is_set():
            await self.publish(OLD)
            try:
                async with asyncio.timeout(LOOK):
                    await self._stopping.wait()
            except TimeoutError:
                continue
