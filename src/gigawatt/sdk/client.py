"""The client: one object that finds the API and holds a namespace for every kind of thing in it.

with gw.Client() as client:
job = client.submit("job.yaml").wait()
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.access import Keys, Projects, Tenants
from gigawatt.sdk.account_views import CallerView, ConsoleCodeView, InstanceView
from gigawatt.sdk.arrays import Arrays, JobArray
from gigawatt.sdk.artifacts import Artifacts, Progress
from gigawatt.sdk.audit import Audit
from gigawatt.sdk.cluster import Events, Fleet, Ledger, Nodes
from gigawatt.sdk.endpoints import Endpoints
from gigawatt.sdk.environments import Environments
from gigawatt.sdk.instance import ENV_PROJECT, discover
from gigawatt.sdk.jobhandle import Job
from gigawatt.sdk.jobs import Jobs
from gigawatt.sdk.models import Models
from gigawatt.sdk.money import Bills, Budgets, Prices
from gigawatt.sdk.notifications import Notifications
from gigawatt.sdk.people import Members, Users
from gigawatt.sdk.power import Power
from gigawatt.sdk.quotas import Quotas
from gigawatt.sdk.reservations import Reservations
from gigawatt.sdk.retention import Retention
from gigawatt.sdk.schedules import Schedules
from gigawatt.sdk.secrets import Secrets
from gigawatt.sdk.self_audit import SelfAuditView
from gigawatt.sdk.templates import Templates
from gigawatt.sdk.tracker import Tracker
from gigawatt.sdk.transport import Transport
from gigawatt.sdk.usage import Usage
from gigawatt.sdk.volumes import Volumes
from gigawatt.sdk.workspaces import Workspaces

if TYPE_CHECKING:
    from gigawatt.sdk.futures import Future
    from gigawatt.sdk.jobfile import Written
    from gigawatt.sdk.views import AskView


class Client:
    """The API of one instance. Threads may share it; close it, or use it in a `with`.

    Attributes:
        address: the API that was found, and where it was named.
        jobs: submit, find and list jobs; a `Job` is watched, waited for, read and cancelled.
        artifacts: store bytes, files, trees and bundles under their digest.
        environments: locked sets of packages: have them built, wait for them, list them.
        models: registered, versioned artifacts: push, register, alias.
        volumes: data by name: push, pull, compare, read in ranges.
        endpoints: named model services: serve, stop, read logs.
        workspaces: places to work on a node: make, open, suspend, start, extend, delete.
        nodes: what the cluster consists of; cordon and drain.
        events: what has happened, and as it happens.
        ledger: where the device time went.
        usage: tokens, by whom and of what, and what may be had.
        tenants: who pays and is isolated.
        prices: the price book, and what was agreed with tenants.
        bills: costs, invoices, adjustments and payments.
        budgets: what may be spent in a month.
        projects: holders of quota.
        power: the feeds of the power tree, their caps, and what gangs draw.
        reservations: nodes that are set aside for a time.
        quotas: what projects may use, and what they do use.
        audit: who did what.
        users: people and service accounts.
        members: who holds which role.
        keys: who may call.
        templates: job files with parameters: push, find, submit.
        schedules: jobs that are submitted again and again.
        notifications: webhooks that are told what happens.
        tracker: what settles the futures of functions that ran as jobs.
    """

    def __init__(
        self,
        api_url: str = "",
        token: str = "",
        *,
        data: "str | Path | None" = None,
        project: str = "",
        context: str = "",
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Find the API: `api_url` and `token`, the instance whose state is in `data`, or the `context` that `gw login`
        stored; else GIGAWATT_API with GIGAWATT_TOKEN or GIGAWATT_TOKEN_FILE, GIGAWATT_CONTEXT or GIGAWATT_DATA; else
        the context in use; else the instance in the user's data directory. `project`, else GIGAWATT_PROJECT, is where
        names are looked for, new objects are made and lists look.

        Raises UnreachableError where no instance is named and none runs here, RefusalError for an unknown context.
        """
        where = Path(data) if data else None
        self.address = discover(
            api_url=api_url, token=token, data=where, environ=environ, context=context
        )
        home = project or environ.get(ENV_PROJECT, "")
        transport = self._transport = Transport(self.address, project=home)
        self.jobs = Jobs(transport)
        self.arrays = Arrays(transport, self.jobs)
        self.artifacts = Artifacts(transport)
        self.environments = Environments(transport)
        self.secrets = Secrets(transport)
        self.models = Models(transport)
        self.volumes = Volumes(transport)
        self.endpoints = Endpoints(transport)
        self.workspaces = Workspaces(transport)
        self.nodes = Nodes(transport)
        self.fleet = Fleet(transport)
        self.events = Events(transport)
        self.ledger = Ledger(transport)
        self.usage = Usage(transport)
        self.templates = Templates(transport)
        self.schedules = Schedules(transport)
        self.notifications = Notifications(transport)
        self.tracker = Tracker(self.address)
        self.power = Power(transport)
        self.reservations = Reservations(transport)
        self._open_accounts(transport)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections. Futures that are not done fail; their jobs go on."""
        self.tracker.close()
        self._transport.close()

    def submit(
        self,
        job: "str | Path | Mapping[str, Any] | Written | None" = None,
        *,
        progress: Progress | None = None,
        **fields: Any,
    ) -> Job:
        """Submit a job: the path of a file, or the same fields as a mapping, or as keywords; keywords win.

        Raises:
            RefusalError: found wrong before anything was sent.
            ApiError: refused by the API; nothing has changed.
            UnreachableError.
        """
        return self.jobs.submit(job, progress=progress, **fields)

    def ask(self, *, priority: int = 0, timeout: str | int = 0, **gang: Any) -> "AskView":
        """What would become of a gang if it were submitted now, as `Jobs.ask`: client.ask(nodes=16, gpus=8).

        Raises ApiError, UnreachableError.
        """
        return self.jobs.ask(priority=priority, timeout=timeout, **gang)

    def job(self, ref: str) -> Job:
        """The job of this id, of this beginning of an id, or the newest of this name.

        Raises RefusalError, ApiError, UnreachableError.
        """
        return self.jobs.find(ref)

    def future(self, ref: str, *, unpickle: bool = False) -> "Future[Any]":
        """The future of a job that some function was submitted as, here or in another process.

        What the function returned as plain values is given as it is. A pickle runs code when it is loaded, and in
        another process than the one that submitted the job nothing proves where it comes from: `unpickle` says that
        you trust that job. Another tenant's is refused in any case.

        Raises:
            RefusalError: `unpickle` is asked for, and the job is another tenant's.
            ApiError: there is no such job.
            UnreachableError.
        """
        from gigawatt.sdk.futures import Future
        from gigawatt.sdk.results import Trust

        job = self.job(ref)
        if unpickle and job.view["tenant"] != self.whoami()["tenant"]:
            detail = f"{job.id} is a job of tenant {job.view['tenant']}: its pickles are not loaded"
            raise RefusalError(RefusalCode.FORBIDDEN, detail, field="unpickle")
        return self.tracker.follow(Future(job, Trust(anyway=unpickle)))

    def find(self, ref: str) -> JobArray | Job:
        """The job or the array of this id, or the newest of this name; `ARRAY[17]` is a task's job.

        Raises RefusalError, ApiError, UnreachableError.
        """
        return self.arrays.or_job(ref)

    def instance(self) -> InstanceView:
        """What answers here: version, epoch, store, engine. Raises ApiError, UnreachableError."""
        return cast("InstanceView", self._transport.read("/v1/instance"))

    def self_audit(self) -> SelfAuditView:
        """What the instance says of its own safety, with evidence. Raises ApiError, UnreachableError."""
        return cast("SelfAuditView", self._transport.read("/v1/audit/self"))

    def whoami(self) -> CallerView:
        """Who the key stands for, and with which role. Raises ApiError, UnreachableError."""
        return cast("CallerView", self._transport.read("/v1/whoami"))

    def console_code(self) -> ConsoleCodeView:
        """What signs one browser in to the console, within a minute. Raises ApiError, UnreachableError."""
        return cast("ConsoleCodeView", self._transport.write("POST", "/v1/session/code"))

    def _open_accounts(self, transport: Transport) -> None:
        """Who there is, what each may use and what each owes."""
        self.tenants = Tenants(transport)
        self.prices = Prices(transport)
        self.bills = Bills(transport)
        self.budgets = Budgets(transport)
        self.projects = Projects(transport)
        self.audit = Audit(transport)
        self.users = Users(transport)
        self.members = Members(transport)
        self.keys = Keys(transport)
        self.quotas = Quotas(transport)
        self.retention = Retention(transport)
