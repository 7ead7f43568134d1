"""The table of commands. Only click is loaded here, so that help and version are quick."""

import click

from gigawatt.cli.lazy import Entry, LazyGroup
from gigawatt.version import __version__

_COMMANDS = "gigawatt.cli.commands"


def _entry(module: str, attribute: str, about: str) -> Entry:
    return Entry(module=f"{_COMMANDS}.{module}", attribute=attribute, about=about)


SECTIONS = {
    "Run": {
        "run": _entry("run", "run", "Submit a job: a file, or a command after `--`."),
        "jobs": _entry("jobs", "jobs", "List jobs, or show one with its attempts."),
        "clone": _entry("clone", "clone", "Submit a job again, with changes."),
        "compare": _entry("compare", "compare", "Show in what two jobs differ."),
        "logs": _entry("logs", "logs", "Print what a job's ranks wrote."),
        "watch": _entry("watch", "watch", "Follow a job live: phase, step, loss, throughput."),
        "stack": _entry("stack", "stack", "Show where ranks are in their programs right now."),
        "exec": _entry("exec", "exec_", "Run a command beside a rank, also to talk to."),
        "attach": _entry("attach", "attach", "Follow a rank, and talk to it."),
        "cp": _entry("cp", "cp", "Copy files from and to a rank."),
        "port-forward": _entry(
            "port_forward", "port_forward", "Have ports here lead to ports of a rank's host."
        ),
        "ask": _entry("ask", "ask", "Ask what would happen; nothing is submitted."),
        "explain": _entry("explain", "explain", "Say why a job waits, or why it failed."),
        "checkpoints": _entry(
            "checkpoints", "checkpoints", "List and verify what a job has saved."
        ),
        "cancel": _entry("cancel", "cancel", "Stop jobs; ranks get their grace."),
        "retry": _entry("retry", "retry", "Put ended jobs back in the line."),
        "templates": _entry(
            "templates", "templates", "Push, list and show job files with parameters."
        ),
        "schedules": _entry("schedules", "schedules", "Have jobs submitted again and again."),
        "import": _entry("import_file", "import_file", "Turn another system's file into ours."),
    },
    "Build": {
        "dev": _entry("dev", "dev", "Work on a node: JupyterLab, VS Code or a shell."),
        "env": _entry("env", "env", "Build, list, compare and prune environments."),
        "models": _entry("models", "models", "List, show, pull, push and alias models."),
        "data": _entry("data", "data", "Push, pull, list and compare data sets."),
        "lineage": _entry(
            "lineage", "lineage", "Show what a model was made from, and what serves it."
        ),
    },
    "Serve": {
        "serve": _entry(
            "serve", "serve", "Serve a model: a file, MODEL by a runtime or a command."
        ),
        "endpoints": _entry("endpoints", "endpoints", "List, show and stop endpoints."),
        "bench": _entry("bench", "bench", "Play public traces against an endpoint."),
        "chat": _entry("chat", "chat", "Talk to an endpoint in the terminal."),
        "gateway": _entry("gateway", "gateway", "Run a gateway alone, before any OpenAI servers."),
    },
    "Account": {
        "usage": _entry("usage", "usage", "Show requests and tokens, by key and endpoint."),
        "bill": _entry("bill", "bill", "Show costs and invoices, and close months."),
        "budget": _entry("budget", "budget", "Show or set what may be spent in a month."),
        "prices": _entry("prices", "prices", "Show or set what things cost."),
        "goodput": _entry("goodput", "goodput", "Show where a job's device time went."),
        "ledger": _entry("ledger", "ledger", "Show where all installed device time went."),
    },
    "Operate": {
        "up": _entry("up", "up", "Start gigawatt on this machine."),
        "down": _entry("down", "down", "Stop the instance that `gw up` started."),
        "console": _entry("console", "console", "Print a URL that opens the console, signed in."),
        "node": _entry("node", "node", "Make this machine a node of a cluster."),
        "top": _entry("top", "top", "Watch the site live: goodput, GPUs, gangs, endpoints, nodes."),
        "nodes": _entry("nodes", "nodes", "List, show, cordon and drain nodes."),
        "reservations": _entry("reservations", "reservations", "Set nodes aside for a time."),
        "power": _entry("power", "power", "Show or set the power tree and its caps."),
        "events": _entry("events", "events", "Print what happened, and what happens."),
        "notifications": _entry("notifications", "notifications", "Tell webhooks what happens."),
        "logout": _entry("logout", "logout", "End a session, and forget its context."),
        "login": _entry("login", "login", "Store the address and key of an instance."),
        "context": _entry("context", "context", "List, choose, show and remove instances."),
        "tenants": _entry("tenants", "tenants", "List, show and create tenants."),
        "projects": _entry("projects", "projects", "List and create projects."),
        "quota": _entry(
            "quota", "quota", "Show or set what projects may use, and what they do use."
        ),
        "retention": _entry(
            "retention", "retention", "Show or set how long a project's things are kept."
        ),
        "prune": _entry("prune", "prune", "Remove what need not be kept any more."),
        "audit": _entry("audit", "audit", "List and verify who did what; check the instance."),
        "users": _entry("users", "users", "List, create and disable people."),
        "service-accounts": _entry(
            "users", "service_accounts", "List, create and disable accounts of programs."
        ),
        "members": _entry("members", "members", "Show and set who holds which role."),
        "keys": _entry("keys", "keys", "List, create, rotate and revoke API keys."),
        "secrets": _entry("secrets", "secrets", "List, set and remove a project's secrets."),
        "conformance": _entry("conformance", "conformance", "Try an engine against its contract."),
        "sim": _entry("sim", "sim", "Try policies in virtual time; replay recorded cycles."),
    },
    "This program": {
        "completion": _entry(
            "completion", "completion", "Print the completion script for a shell."
        ),
        "version": _entry("version", "version", "Print versions, the instance's too."),
    },
}


@click.group(
    "gw",
    cls=LazyGroup,
    sections=SECTIONS,
    epilog="`gw COMMAND --help` explains a command. `-o json` prints the API's JSON. "
    "GIGAWATT_API with GIGAWATT_TOKEN, GIGAWATT_CONTEXT or GIGAWATT_DATA say which instance is meant.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="COMMAND …",
)
@click.version_option(__version__, "-V", "--version", message="gigawatt %(version)s")
def app() -> None:
    """gigawatt: build, train and serve AI on shared accelerators.

    Start with `gw up --detach`, then `gw run -- python train.py`.
    """
