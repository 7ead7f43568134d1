"""Whatever has gangs: what attempts, the ledger and the scheduler see of it is the same."""

from gigawatt.model.endpoint import Replica
from gigawatt.model.job import Job
from gigawatt.model.workspace import Workspace

Work = Job | Replica | Workspace
