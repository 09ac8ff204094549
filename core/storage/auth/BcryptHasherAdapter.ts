// bcrypt in a worker thread: one hash of cost 10 takes some 60 ms, which the loop that serves requests cannot spare.
// Owns the worker, started at first use and never keeping the process alive, and the queue before it.
// This file is both sides: the worker runs it with MARK as its data.
import { compareSync, hashSync } from "bcryptjs"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import type { PasswordHasher } from "./PasswordHasher.ts"

const MARK = "bcrypt"
/** Jobs that may wait for the worker; beyond, `undefined` is answered at once. */
const WAITING_MAX = 1024

type Job =
  | { readonly id: number; readonly password: string; readonly cost: number }
  | { readonly id: number; readonly password: string; readonly hash: string }

interface Done {
  readonly id: number
  readonly result: string | boolean | undefined
}

const run = (job: Job): string | boolean | undefined => {
  try {
    return "cost" in job ? hashSync(job.password, job.cost) : compareSync(job.password, job.hash)
  } catch {
    // Only a stored hash that is none gets here: no password has it.
    return "cost" in job ? undefined : false
  }
}

const serve = (): void => {
  parentPort?.on("message", (job: Job) => parentPort?.postMessage({ id: job.id, result: run(job) } satisfies Done, []))
}

if (!isMainThread && workerData === MARK) serve()

class BcryptWorker {
  private readonly waiting = new Map<number, (result: Done["result"]) => void>()
  private worker: Worker | undefined
  private nextId = 0

  submit(job: (id: number) => Job, done: (result: Done["result"]) => void): void {
    if (this.waiting.size >= WAITING_MAX) return done(undefined)
    const id = this.nextId++
    this.waiting.set(id, done)
    this.worker ??= this.start()
    this.worker.postMessage(job(id), [])
  }

  private start(): Worker {
    const worker = new Worker(new URL(import.meta.url), { workerData: MARK })
    worker.unref()
    worker.on("message", ({ id, result }: Done) => {
      const done = this.waiting.get(id)
      this.waiting.delete(id)
      done?.(result)
    })
    worker.on("error", () => this.restart(worker))
    return worker
  }

  /** A worker that died answers nobody; the next job starts another. */
  private restart(worker: Worker): void {
    if (this.worker === worker) this.worker = undefined
    const orphans = [...this.waiting.values()]
    this.waiting.clear()
    for (const done of orphans) done(undefined)
  }
}

const bcrypt = new BcryptWorker()

/** The process's hasher: one worker thread shared by all stores. */
export const bcryptHasher: PasswordHasher = {
  hash: (password, cost, done) =>
    bcrypt.submit(
      (id) => ({ id, password, cost }),
      (hash) => done(typeof hash === "string" ? Buffer.from(hash) : undefined)
    ),
  compare: (password, hash, done) =>
    bcrypt.submit(
      (id) => ({ id, password, hash: Buffer.from(hash).toString("latin1") }),
      (same) => done(typeof same === "boolean" ? same : undefined)
    )
}
