// The store's process: where it listens, how it says that it is well, and how it ends.
import { it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { describe, expect } from "vitest"
import { callUnary, connect, field, message, type GrpcClient } from "#net"
import { PutRequest, RangeRequest, RangeResponse } from "#storage"
import { freePort } from "../FreePort.ts"
import { startServer } from "./ServerProcess.ts"
import { httpGet, startStore } from "./StoreProcess.ts"

const HealthCheckRequest = message({ service: field(1, "string") })
const HealthCheckResponse = message({ status: field(1, "int32") })
const SERVING = 1
const NOT_SERVING = 2

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "wharf-life-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
)

/** Opens a health watch; statuses come into the array. */
const watchHealth = (client: GrpcClient): Array<number> => {
  const statuses: Array<number> = []
  const stream = client.stream("/grpc.health.v1.Health/Watch", {
    message: (bytes) => void statuses.push(HealthCheckResponse.decode(bytes).status),
    end: () => undefined
  })
  stream.send(HealthCheckRequest.encode({ service: "" }))
  return statuses
}

/** The names of all keys. */
const keysOf = (client: GrpcClient) =>
  callUnary(
    client,
    "/etcdserverpb.KV/Range",
    RangeRequest.encode({ key: Buffer.alloc(1), rangeEnd: Buffer.alloc(1), keysOnly: true })
  ).pipe(Effect.map((answer) => RangeResponse.decode(answer).kvs.map(({ key }) => Buffer.from(key).toString())))

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await sleep(10)
}

describe("the store's process", () => {
  it.live("serves gRPC's health service and says so when it is asked to stop", () =>
    Effect.gen(function* () {
      const store = yield* startStore([])
      const client = yield* connect({ host: "127.0.0.1", port: store.port })
      const check = (service: string) =>
        callUnary(client, "/grpc.health.v1.Health/Check", HealthCheckRequest.encode({ service }))
      expect(HealthCheckResponse.decode(yield* check("")).status).toBe(SERVING)
      const unknown = yield* Effect.flip(check("other"))
      expect(unknown.code).toBe(5)
      const statuses = watchHealth(client)
      yield* Effect.promise(() => until(() => statuses.length === 1))
      store.process.kill("SIGTERM")
      expect(yield* Effect.promise(() => store.ended)).toBe(0)
      expect(statuses).toEqual([SERVING, NOT_SERVING])
    })
  )

  it.live("keeps every write that it acknowledged before SIGTERM, and ends with 0", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const first = yield* startStore([], { directory })
      const client = yield* connect({ host: "127.0.0.1", port: first.port })
      const acknowledged: Array<string> = []
      const write = async (worker: number): Promise<void> => {
        for (let n = 0; ; n++) {
          const name = `w${worker}-${n}`
          const put = PutRequest.encode({ key: Buffer.from(name), value: Buffer.from(name) })
          const done = await Effect.runPromiseExit(callUnary(client, "/etcdserverpb.KV/Put", put))
          if (done._tag === "Failure") return
          acknowledged.push(name)
        }
      }
      const writers = Array.from({ length: 20 }, (_, worker) => write(worker))
      yield* Effect.promise(() => until(() => acknowledged.length > 500))
      first.process.kill("SIGTERM")
      expect(yield* Effect.promise(() => first.ended)).toBe(0)
      yield* Effect.promise(() => Promise.all(writers))

      const second = yield* startStore([], { directory })
      const reader = yield* connect({ host: "127.0.0.1", port: second.port })
      const found = new Set(yield* keysOf(reader))
      expect(acknowledged.filter((name) => !found.has(name))).toEqual([])
    })
  )

  it.live("drains at the first SIGINT and ends at once at the second", () =>
    Effect.gen(function* () {
      const store = yield* startStore([])
      const client = yield* connect({ host: "127.0.0.1", port: store.port })
      const statuses = watchHealth(client)
      yield* Effect.promise(() => until(() => statuses.length === 1))
      store.process.kill("SIGINT")
      yield* Effect.promise(() => until(() => statuses.length === 2))
      store.process.kill("SIGINT")
      expect(yield* Effect.promise(() => store.ended)).toBe(130)
    })
  )

  it.live("listens on a unix socket, also where a killed process left one", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const socket = join(directory, "etcd.sock")
      const flags = [`--listen-client-urls=unix://${socket}`]
      const killed = yield* startStore(flags, { directory })
      yield* Effect.promise(() => killed.destroy())
      yield* startStore(flags, { directory })
      const client = yield* connect({ host: "localhost", port: 0, unixPath: socket })
      const put = PutRequest.encode({ key: Buffer.from("k"), value: Buffer.from("v") })
      yield* callUnary(client, "/etcdserverpb.KV/Put", put)
      expect(yield* keysOf(client)).toEqual(["k"])
      expect((yield* httpGet({ socketPath: socket }, "/health")).status).toBe(200)
    })
  )

  it.live("serves its pages, and nothing else, on metrics URLs", () =>
    Effect.gen(function* () {
      const port = yield* Effect.promise(freePort)
      yield* startStore([`--listen-metrics-urls=http://127.0.0.1:${port}`])
      expect((yield* httpGet({ port }, "/metrics")).body).toContain("etcd_server_has_leader 1")
      expect((yield* httpGet({ port }, "/health")).body).toBe('{"health":"true","reason":""}')
      const client = yield* connect({ host: "127.0.0.1", port })
      const refused = yield* Effect.flip(keysOf(client))
      expect(refused.code).toBe(12)
    })
  )

  it.live("lets members in front of it forward every call, and finds them again after a restart", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const [peer, otherPeer] = yield* Effect.promise(() => Promise.all([freePort(), freePort()]))
      const cluster = `--initial-cluster=a=http://127.0.0.1:${peer},b=http://127.0.0.1:${otherPeer}`
      const flagsOf = (name: string, port: number) => {
        const url = `http://127.0.0.1:${port}`
        return [`--name=${name}`, cluster, `--listen-peer-urls=${url}`, `--initial-advertise-peer-urls=${url}`]
      }
      const [front, holder] = yield* Effect.all(
        [
          startStore(flagsOf("b", otherPeer)),
          Effect.promise(() => startServer({ program: "lmdb", directory, flags: flagsOf("a", peer) }))
        ],
        { concurrency: "unbounded" }
      )
      const client = yield* connect({ host: "127.0.0.1", port: front.port })
      const put = (name: string) =>
        callUnary(
          client,
          "/etcdserverpb.KV/Put",
          PutRequest.encode({ key: Buffer.from(name), value: Buffer.from("v") })
        )
      yield* put("before")
      yield* Effect.promise(() => holder.destroy())
      const lost = yield* Effect.flip(put("meanwhile"))
      expect(lost.code).toBe(14)
      yield* startStore(flagsOf("a", peer), { directory })
      yield* put("after").pipe(Effect.retry(Schedule.spaced("50 millis")))
      expect(yield* keysOf(client)).toEqual(["after", "before"])
      expect((yield* httpGet(front, "/health")).status).toBe(200)
    })
  )
})
