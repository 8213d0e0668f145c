"""The one partitioner: a key has the partition that Kafka's own clients give it."""

import random

import pytest
from aiokafka.partitioner import murmur2 as theirs

from schemas.topics import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        ("21", -973932308),
        ("abc", 479470107),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    ],
)
def test_keys_are_hashed_as_by_kafka(key: str, hashed: int) -> None:
    """The signed values of Kafka's own test of its Java clients (`UtilsTest.testMurmur2`)."""
    assert murmur2(key.encode()) == hashed % 2**32


def test_keys_of_every_length_are_hashed_as_by_another_client() -> None:
    """Of 0 to 70 bytes, any of them."""
    dice = random.Random(1)
    for length in range(71):
        key = dice.randbytes(length)
        assert murmur2(key) == theirs(key) % 2**32


def test_a_partition_is_the_positive_part_of_the_hash() -> None:
    """murmur2("foobar") is -790332482: without its sign bit 1357151166, which is 6 modulo 8."""
    assert partition_of("foobar", 8) == 6
