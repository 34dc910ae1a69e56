"""Drives procrastinate: `prepare N` fills its queue, `work K` empties it with K workers.

The benchmark says when to begin: `ready` is answered with a line, and `done` ends the time.
"""

import asyncio
import importlib.metadata
import logging
import os
import platform
import sys

import procrastinate

logging.getLogger("procrastinate").setLevel(logging.ERROR)
what, count = sys.argv[1], int(sys.argv[2])
connections = count if what == "work" else 2
# All connections are open before the time begins.
app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(
        conninfo=os.environ["DATABASE_URL"], min_size=connections, max_size=connections
    )
)
done = 0


@app.task(name="nothing")
async def nothing():
    global done
    done += 1


async def execute(statement):
    await app.connector.execute_query_async(statement)


async def prepare():
    async with app.open_async():
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        await execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
        await nothing.configure().batch_defer_async(*[{} for _ in range(count)])
        await execute("ANALYZE")
    version = importlib.metadata.version("procrastinate")
    print(f"procrastinate {version} (Python {platform.python_version()})")


async def work():
    async with app.open_async():
        print("ready", flush=True)
        sys.stdin.readline()
        await app.run_worker_async(
            concurrency=count, wait=False, listen_notify=False, install_signal_handlers=False
        )
        print(f"done {done}", flush=True)


asyncio.run(prepare() if what == "prepare" else work())
