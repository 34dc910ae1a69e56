// Drives graphile-worker: `prepare N` fills its queue, `work K` empties it with K workers.
// The benchmark says when to begin: `ready` is answered with a line, and `done` ends the time.
import { readFileSync } from "node:fs";
import readline from "node:readline/promises";
import { Logger, runMigrations, runOnce } from "graphile-worker";
import pg from "pg";

const [, , what, count] = process.argv;
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
const logger = new Logger(() => () => {});

/** As many connections as there are workers, open before the time begins. */
async function connected(connections) {
  const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: connections });
  const fail = (error) => { throw error; };
  pool.on("error", fail);
  pool.on("connect", (client) => client.on("error", fail));
  const clients = await Promise.all(Array.from({ length: connections }, () => pool.connect()));
  clients.forEach((client) => client.release());
  return pool;
}

if (what === "prepare") {
  const pgPool = await connected(2);
  await runMigrations({ pgPool, logger });
  await pgPool.query("truncate graphile_worker._private_jobs");
  const job = "graphile_worker.add_job('nothing', '{}'::json)";
  await pgPool.query(`select count(${job}) from generate_series(1, $1::int)`, [Number(count)]);
  await pgPool.query("analyze");
  await pgPool.end();
  console.log(`graphile-worker ${version("graphile-worker")} (Node ${process.versions.node})`);
} else {
  const concurrency = Number(count);
  const pgPool = await connected(concurrency);
  let done = 0;
  const taskList = { nothing: () => { done += 1; } };
  console.log("ready");
  const input = readline.createInterface({ input: process.stdin });
  await input[Symbol.asyncIterator]().next();
  await runOnce({ pgPool, concurrency, taskList, logger, noHandleSignals: true });
  console.log(`done ${done}`);
  input.close();
  await pgPool.end();
}
