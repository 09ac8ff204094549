// Compacts the store below a real control plane, as the simulator's fault does: to so many revisions before the newest.
// Owns those two calls of etcd's API; refuses to know whose store it is.
import { callUnary, connect, type ConnectFailed, type GrpcStatus } from "#net"
import { CompactionRequest, RangeRequest, RangeResponse } from "#storage"
import { Effect } from "effect"
import type { Endpoint } from "../backends/Backend.ts"

const ANY_KEY = new Uint8Array([0])

/** Keeps `keep` revisions before the newest one and forgets what was before them. */
export const compactStore = ({ host, port }: Endpoint, keep: number): Effect.Effect<void, ConnectFailed | GrpcStatus> =>
  Effect.scoped(
    Effect.gen(function* () {
      const client = yield* connect({ host, port })
      const asked = RangeRequest.encode({ key: ANY_KEY, rangeEnd: ANY_KEY, countOnly: true })
      const { header } = RangeResponse.decode(yield* callUnary(client, "/etcdserverpb.KV/Range", asked))
      const revision = Number(header?.revision ?? 0) - keep
      if (revision <= 0) return
      yield* callUnary(client, "/etcdserverpb.KV/Compact", CompactionRequest.encode({ revision, physical: false }))
    })
  )
