"""Every limit on what a person may write, by name. What is over a limit is refused with the limit in the message."""

NAME_CHARS_MAX = 63
ALIASES_MAX = 16
COMMAND_ARGS_MAX = 1_024
COMMAND_BYTES_MAX = 65_536
ENV_VARS_MAX = 256
ENV_BYTES_MAX = 65_536  # names and values together; the kernel's own limit is near 128 KiB a string
LABELS_MAX = 32
LABEL_CHARS_MAX = 255
METRICS_MAX = 256
APART_MAX = 16  # of one gang
AFTER_MAX = 64
VOLUMES_MAX = 64  # of one job
PATH_CHARS_MAX = 1_024
TEXT_CHARS_MAX = 1_024  # reasons, descriptions
CARD_CHARS_MAX = 65_536
CARD_METADATA_CHARS_MAX = 16_384

ARRAY_TASKS_MAX = 100_000
ARRAY_PARALLEL_MAX = 1_000  # tasks of one array that are live at once
ARRAY_TEXT_CHARS_MAX = 4_096
SWEEP_VARS_MAX = 16
SWEEP_VALUES_MAX = 10_000  # of one variable

NODES_MAX = 100_000
RANKS_PER_NODE_MAX = 256
RANKS_MAX = 100_000
MILLI_GPU_MAX = 256_000
MILLI_CPU_MAX = 4_096_000
MEMORY_BYTES_MAX = 1 << 50
GPU_KINDS_MAX = 16

PRIORITY_MAX = 1_000
DURATION_S_MAX = 366 * 86_400
GRACE_S_MAX = 3_600
HANG_STEPS_MAX = 1_000_000
RETRIES_MAX = 100
CHECKPOINTS_KEPT_MAX = 50  # by a policy; half of what a job has on record
METRIC_CHARS_MAX = 128

REQUIREMENTS_MAX = 1_000
REQUIREMENT_CHARS_MAX = 1_024
SYSTEM_MAX = 64
PACKAGES_MAX = 32
INDEXES_MAX = 8
SECRET_CHARS_MAX = 8_192
SECRET_CHARS_MIN = 6  # of one that ranks are given: a shorter one could not be masked in logs
ID_TOKEN_CHARS_MAX = 16_384
SECRETS_MAX = 16  # of a job
LOCK_BYTES_MAX = 524_288

REPLICAS_MAX = 1_000
CONCURRENCY_MAX = 10_000
FLOORS_MAX = 20  # of one endpoint
SCALING_WINDOW_S_MAX = 300
SCALING_HOLD_S_MAX = 86_400
CONTEXT_TOKENS_MAX = 1 << 24  # of one request
QUEUE_MAX = 100_000
NAMES_MAX = 256  # aliases of an endpoint, or adapters
ROLLOUT_STEPS_MAX = 20
ROLLOUT_REQUESTS_MAX = 1_000_000
WEIGHT_MAX = 1_000_000
READINESS_INTERVAL_MS_MIN = 50

YAML_BYTES_MAX = 1_048_576
YAML_DOCUMENTS_MAX = 100
YAML_NODES_MAX = 50_000  # counted as they are seen, so an alias counts each time it is used
YAML_DEPTH_MAX = 32
FAULTS_MAX = 50  # the first ones are told, the rest only counted
