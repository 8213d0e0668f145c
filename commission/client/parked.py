"""What waits for terms: numbered slots of one partition, tried again in their order when terms arrive."""

from dataclasses import replace

from commission.client.state import Parked, Parking
from commission.draft import Draft


def park(draft: Draft, parked: Parked) -> int:
    """Keep something until new terms arrive."""
    parking: Parking = draft.get("P") or Parking()
    draft.put(f"p:{parking.next}", parked)
    draft.put("P", replace(parking, next=parking.next + 1))
    return parking.next
