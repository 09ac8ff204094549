// The store's /metrics page: well-formed, under etcd's names, and telling what has happened.
import { callUnary, connect } from "#net"
import { DeleteRangeRequest, PutRequest, RangeRequest } from "#storage"
import { it } from "@effect/vitest"
import { Effect } from "effect"
import { expect } from "vitest"
import { httpGet, startStore } from "./StoreProcess.ts"
import { lintPrometheus, parsePrometheus, total } from "./PrometheusText.ts"

const key = Buffer.from("k")

it.live("counts calls by code, keys and commits on a page that a scraper accepts", () =>
  Effect.gen(function* () {
    const store = yield* startStore([])
    const client = yield* connect({ host: "127.0.0.1", port: store.port })
    for (let n = 0; n < 3; n++) {
      yield* callUnary(client, "/etcdserverpb.KV/Put", PutRequest.encode({ key: Buffer.from(`k${n}`), value: key }))
    }
    yield* callUnary(client, "/etcdserverpb.KV/Range", RangeRequest.encode({ key }))
    yield* callUnary(client, "/etcdserverpb.KV/DeleteRange", DeleteRangeRequest.encode({ key: Buffer.from("k0") }))
    const refused = yield* Effect.exit(callUnary(client, "/etcdserverpb.KV/Range", RangeRequest.encode({})))
    expect(refused._tag).toBe("Failure")

    const { body: page } = yield* httpGet(store, "/metrics")
    expect(lintPrometheus(page)).toEqual([])
    const samples = parsePrometheus(page)
    const handled = (method: string, code: string) =>
      total(samples, "grpc_server_handled_total", { grpc_method: method, grpc_code: code })
    expect(handled("Put", "OK")).toBe(3)
    expect(handled("Range", "OK")).toBe(1)
    expect(handled("Range", "InvalidArgument")).toBe(1)
    expect(total(samples, "etcd_debugging_mvcc_keys_total")).toBe(2)
    expect(total(samples, "etcd_debugging_mvcc_current_revision")).toBe(5)
    expect(total(samples, "etcd_disk_wal_fsync_duration_seconds_count")).toBeGreaterThan(0)
    expect(total(samples, "etcd_disk_wal_fsync_duration_seconds_sum")).toBeGreaterThan(0)
    expect(total(samples, "etcd_server_has_leader")).toBe(1)
    expect(total(samples, "process_open_fds")).toBeGreaterThan(0)
    expect(total(samples, "process_resident_memory_bytes")).toBeGreaterThan(1e6)
  })
)
