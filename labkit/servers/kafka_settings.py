"""The settings of the Kafka broker that are the same in every stack; compose/compose.yaml repeats them, and a test compares the two."""

SETTINGS: dict[str, int | str] = {
    # Topics: four partitions, and only `labkit reset` deletes records. The evidence relies on that.
    "auto.create.topics.enable": "true",
    "num.partitions": 4,
    "log.cleanup.policy": "delete",
    "log.retention.ms": -1,
    "log.retention.bytes": -1,
    # Kafka checkpoints the start of each partition. If the broker is killed before that, deleted records reappear. The defaults are one
    # checkpoint per minute, and none in the first 30 s.
    "log.flush.start.offset.checkpoint.interval.ms": 250,
    "log.initial.task.delay.ms": 250,
    "offsets.retention.minutes": 525600,
    # A single node: one replica of everything.
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    # Groups form at once, and labs may use short sessions.
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    # After kill -9, the controller readmits the broker only when its session has expired. The default of 9 s would make it unusable for
    # that long.
    "broker.heartbeat.interval.ms": 300,
    "broker.session.timeout.ms": 1500,
    # A single controller need not write a no-op record twice a second.
    "metadata.max.idle.interval.ms": 0,
    # Save memory: few threads, no JMX beans, a small buffer for the log cleaner.
    "num.network.threads": 2,
    "num.io.threads": 3,
    "background.threads": 2,
    "num.recovery.threads.per.data.dir": 1,
    "num.replica.alter.log.dirs.threads": 1,
    "group.coordinator.threads": 1,
    "log.cleaner.threads": 1,
    "log.cleaner.dedupe.buffer.size": 4194304,
    "metric.reporters": "",
}
