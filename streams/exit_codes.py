"""Why a worker ended."""

EXIT_HOLE = 70
"""The worker ends with this code when a message was not delivered; a restart reads it again."""
EXIT_PRODUCER = 71
"""The worker ends with this code when Kafka refused a write: an idempotent producer has lost its count by
then, and only a new one may go on. What Kafka can heal by itself aiokafka repeats until it succeeds."""
EXIT_RUNNER = 74
"""The worker ends with this code when the runner itself is at fault."""
EXIT_FENCED = 72
"""The worker ends with this code when another one has become the writer of its partition."""
EXIT_STATE = 73
"""The worker ends with this code when it cannot read a partition's state, or keep it: its disk is full."""
