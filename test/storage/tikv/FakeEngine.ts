// The engine on the model of a cluster, for the life of one virtual run.
// Owns the joining of the two; refuses to say what is run on them.
import { Effect, type Scope } from "effect"
import {
  type CommitOutcome,
  type Engine,
  type Need,
  type View,
  WriteBatch
} from "../../../core/storage/engine/Engine.ts"
import { openTikvClient, type TikvClient } from "../../../core/storage/tikv/TikvClient.ts"
import { makeTikvEngine } from "../../../core/storage/tikv/TikvEngine.ts"
import { TikvRows } from "../../../core/storage/tikv/TikvRows.ts"
import type { Transport } from "../../../core/storage/tikv/Transport.ts"
import type { CommitWays } from "../../../core/storage/tikv/TransactionCommit.ts"
import { FakeCluster } from "./FakeCluster.ts"
import { VirtualWorld } from "./VirtualWorld.ts"

export interface Bed {
  readonly world: VirtualWorld
  readonly cluster: FakeCluster
  readonly client: TikvClient
  readonly engine: Engine
  /** Another node's engine on the same cluster. */
  readonly another: Effect.Effect<Engine, never, Scope.Scope>
}

const rows = TikvRows.under("t/") as TikvRows

export interface BedOptions {
  readonly ways?: CommitWays
  /** Makes another way to the cluster of its own: for tests that plant mistakes in the client. */
  readonly wrap?: (transport: Transport) => Transport
}

/** Runs a program on an engine in virtual time. */
export const onFakeCluster = <A, E>(
  seed: number,
  use: (bed: Bed) => Effect.Effect<A, E, Scope.Scope>,
  { ways, wrap = (transport) => transport }: BedOptions = {}
): A => {
  const world = new VirtualWorld(seed)
  const cluster = new FakeCluster(world)
  const open = Effect.gen(function* () {
    const options = { endpoints: ["pd:2379"], serviceId: "test" }
    const client = yield* openTikvClient(wrap(cluster), ways === undefined ? options : { ...options, ways })
    const engine = yield* makeTikvEngine({
      client,
      rows,
      defer: (run) => world.defer(run),
      monotonic: () => world.now
    })
    const opened: { readonly client: TikvClient; readonly engine: Engine } = { client, engine }
    return opened
  }).pipe(Effect.orDie)
  return world.run(
    Effect.scoped(
      Effect.gen(function* () {
        const { client, engine } = yield* open
        const another = Effect.map(open, (opened) => opened.engine)
        return yield* use({ world, cluster, client, engine, another })
      })
    )
  )
}

/** Commits a batch and answers how it ended. */
export const commitOn = (engine: Engine, batch: WriteBatch): Effect.Effect<CommitOutcome> =>
  Effect.callback((resume) => engine.commit(batch, (outcome) => resume(Effect.succeed(outcome))))

/** Reads and answers what `use` made of the View; fails with what the engine says when it does not serve. */
export const readOn = <A>(
  engine: Engine,
  needs: ReadonlyArray<Need>,
  use: (view: View) => A
): Effect.Effect<A, string> =>
  Effect.callback((resume) =>
    engine.read(
      () => needs,
      (view) => resume(Effect.succeed(use(view))),
      (detail) => resume(Effect.fail(detail))
    )
  )

export const batchOf = (fill: (batch: WriteBatch) => void): WriteBatch => {
  const batch = new WriteBatch()
  fill(batch)
  return batch
}
