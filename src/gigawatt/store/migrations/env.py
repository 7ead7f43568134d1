"""Alembic's entry: run in the transaction of whoever called `gigawatt.store.migrate`."""

from alembic import context

from gigawatt.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
