"""Every case by name, in the order in which they run: what must hold first comes first."""

from collections.abc import Awaitable, Callable

from gigawatt.engine.conformance import (
    checkpoints,
    checks,
    fencing,
    isolation,
    launches,
    lost,
    output,
    reports,
    restarts,
    stops,
    talks,
)
from gigawatt.engine.conformance.bench import Bench

CASES: dict[str, Callable[[Bench], Awaitable[str]]] = {
    "gang-starts-whole": launches.gang_starts_whole,
    "gang-is-atomic": launches.gang_is_atomic,
    "same-attempt-twice-starts-once": launches.same_attempt_twice_starts_once,
    "command-not-found-is-the-users": launches.command_not_found_is_the_users,
    "secrets-come-as-files": launches.secrets_come_as_files,
    "lower-epoch-is-refused": fencing.lower_epoch_is_refused,
    "unknown-node-is-refused": fencing.unknown_node_is_refused,
    "cordoned-node-starts-nothing": fencing.cordoned_node_starts_nothing,
    "stop-is-idempotent": stops.stop_is_idempotent,
    "stop-escalates-after-grace": stops.stop_escalates_after_grace,
    "nothing-outlives-its-gang": stops.nothing_outlives_its_gang,
    "nothing-outlives-a-stop": stops.nothing_outlives_a_stop,
    "exit-is-reported-once": reports.exit_is_reported_once,
    "exit-has-evidence": reports.exit_has_evidence,
    "progress-and-checkpoints-are-reported": reports.progress_and_checkpoints_are_reported,
    "broken-checkpoint-is-found-out": checkpoints.broken_checkpoint_is_found_out,
    "contents-are-read-in-the-background": checkpoints.contents_are_read_in_the_background,
    "checkpoints-are-removed-within-their-directory": (
        checkpoints.checkpoints_are_removed_within_their_directory
    ),
    "rank-is-told-where-to-resume": checkpoints.rank_is_told_where_to_resume,
    "log-is-kept-to-its-limit": output.log_is_kept_to_its_limit,
    "log-is-read-after-release": output.log_is_read_after_release,
    "command-is-talked-to": talks.command_is_talked_to,
    "command-has-a-terminal": talks.command_has_a_terminal,
    "nothing-outlives-a-command": talks.nothing_outlives_a_command,
    "command-ends-with-its-gang": talks.command_ends_with_its_gang,
    "port-is-reached": talks.port_is_reached,
    "rank-is-attached-to": talks.rank_is_attached_to,
    "terminal-of-a-rank-is-talked-to": talks.terminal_of_a_rank_is_talked_to,
    "checks-say-how-a-node-is": checks.checks_say_how_a_node_is,
    "checks-give-way-to-gangs": checks.checks_give_way_to_gangs,
    "adoption-keeps-processes": restarts.adoption_keeps_processes,
    "exit-while-nobody-leads-is-told": restarts.exit_while_nobody_leads_is_told,
    "released-attempts-are-not-told": restarts.released_attempts_are_not_told,
    "lost-node-is-noticed": lost.lost_node_is_noticed,
    "isolation-process": isolation.processes_are_apart,
    "isolation-user": isolation.users_differ,
    "isolation-node": isolation.nodes_are_apart,
}
