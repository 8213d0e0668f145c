"""What waits for terms: numbered slots of one partition, tried again in their order when terms arrive."""

from msgspec.structs import replace

from commission.client import keys
from commission.client.state import Parked, Parking
from commission.draft import Draft


def park(draft: Draft, parked: Parked) -> int:
    """Keep something until new terms arrive."""
    parking: Parking = draft.get(keys.PARKING) or Parking()
    draft.put(keys.parked(parking.next), parked)
    draft.put(keys.PARKING, replace(parking, next=parking.next + 1))
    return parking.next
