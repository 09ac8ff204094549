// The differential check as a property: sequences against an etcd and ours until they differ or the runs are done.
// Owns the pool of servers, which live on from one sequence to the next as long as they agree.
// As a program: `npm run truth -- --runs 5000 --seed 7` (and `--path 3:1:0` to replay what a failure printed). With `--backend tikv`
// ours is on a TiKV test bed, which is started for it, and with `--nodes 3` on so many nodes, each request on the next of them
// (`wharf assets build tikv`); `--pd HOST:PORT` names the placement driver of a cluster that is there already.
import { parseArgs } from "node:util"
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import * as fc from "fast-check"
import { findAsset, type ProgramName } from "#kind"
import { TestBed } from "../tikv/TestBed.ts"
import { sequence } from "./Generators.ts"
import { type Operation, show } from "./Operations.ts"
import { JudgeDied, type OnTikv, Trial } from "./Trial.ts"

export interface TruthOptions {
  readonly etcdPath: string
  readonly runs: number
  readonly seed: number
  readonly path?: string
  /** No new sequence starts after so many milliseconds. */
  readonly timeLimitMs?: number
  /** Then ours is on that TiKV cluster, and on no other engine. */
  readonly onTikv?: OnTikv
  readonly onSequence?: (done: number) => void
}

/** Fresh servers after so many sequences: some things happen only before the first compaction. */
const SEQUENCES_PER_TRIAL = 40

/** What came of it: how many sequences agreed, and the smallest that did not. */
export interface Verdict {
  readonly sequences: number
  readonly operations: number
  /** Sequences in which the real etcd ended; see Accepted.ts. */
  readonly deaths: number
  readonly failure: string | undefined
}

export const findDifference = async (options: TruthOptions): Promise<Verdict> => {
  let trial: Trial | undefined
  let used = 0
  let sequences = 0
  let operations = 0
  let deaths = 0
  const check = async (steps: ReadonlyArray<Operation>): Promise<void> => {
    if (trial !== undefined && used++ >= SEQUENCES_PER_TRIAL) {
      await trial.stop()
      trial = undefined
    }
    if (trial === undefined) {
      used = 0
      trial = await Trial.start(options.etcdPath, options.onTikv)
    }
    try {
      await trial.run(steps)
    } catch (error) {
      await trial.stop()
      trial = undefined
      if (!(error instanceof JudgeDied)) throw error
      deaths++
      return
    }
    sequences++
    operations += steps.length
    options.onSequence?.(sequences)
  }
  const details = await fc.check(fc.asyncProperty(sequence, check), {
    numRuns: options.runs,
    seed: options.seed,
    ...(options.path === undefined ? {} : { path: options.path }),
    ...(options.timeLimitMs === undefined ? {} : { interruptAfterTimeLimit: options.timeLimitMs }),
    endOnFailure: false
  })
  await trial?.stop()
  const counterexample = details.counterexample as readonly [ReadonlyArray<Operation>] | null
  const failure =
    counterexample === null
      ? undefined
      : [
          `seed ${details.seed}, path ${details.counterexamplePath}, ${details.numShrinks} shrinks`,
          ...counterexample[0].map((operation, index) => `  ${index}: ${show(operation)}`),
          details.errorInstance instanceof Error ? details.errorInstance.message : String(details.errorInstance)
        ].join("\n")
  return { sequences, operations, deaths, failure }
}

const pathOf = (name: ProgramName): Promise<string> =>
  findAsset(name).pipe(
    Effect.map(({ path }) => path),
    Effect.provide(NodeServices.layer),
    Effect.runPromise
  )

const startBed = async (): Promise<TestBed> =>
  await TestBed.start({ "tikv-testbed": await pathOf("tikv-testbed"), "pd-server": await pathOf("pd-server") }, 1)

const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      runs: { type: "string", default: "1000" },
      seed: { type: "string" },
      path: { type: "string" },
      backend: { type: "string", default: "embedded" },
      nodes: { type: "string", default: "1" },
      pd: { type: "string" },
      etcd: { type: "string" }
    }
  })
  if (!["embedded", "tikv"].includes(values.backend)) {
    process.stderr.write(`--backend ${values.backend}: it is embedded or tikv\n`)
    process.exit(2)
  }
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
  const started = performance.now()
  process.stdout.write(`seed ${seed}\n`)
  const bed = values.backend === "tikv" && values.pd === undefined ? await startBed() : undefined
  const placementDriver = values.pd ?? bed?.pd
  try {
    const verdict = await findDifference({
      etcdPath: values.etcd ?? process.env["ETCD"] ?? (await pathOf("etcd")),
      runs: Number(values.runs),
      seed,
      ...(values.path === undefined ? {} : { path: values.path }),
      ...(placementDriver === undefined ? {} : { onTikv: { placementDriver, nodes: Number(values.nodes) } }),
      onSequence: (done) => {
        if (done % 100 === 0) process.stdout.write(`${done} sequences agree\n`)
      }
    })
    const seconds = Math.round((performance.now() - started) / 1000)
    process.stdout.write(`${verdict.failure ?? "no difference"}\n`)
    process.stdout.write(
      `${verdict.sequences} sequences, ${verdict.operations} operations, etcd died ${verdict.deaths} times, ${seconds} s\n`
    )
    process.exitCode = verdict.failure === undefined ? 0 : 1
  } finally {
    await bed?.destroy()
  }
}

if (import.meta.main) await main()
