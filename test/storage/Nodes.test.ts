// Three nodes as real processes on TiKV's test bed, seen by etcdctl and by clients that go to another node when theirs is gone:
// a leader that is asked to go, and one that is killed, lose, double and reorder nothing.
import { execFile } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, it } from "vitest"
import type { GrpcClient } from "#net"
import { PutRequest, PutResponse, WatchRequest, WatchResponse } from "#storage"
import { describeWith } from "../Judges.ts"
import { FailoverLoad } from "./nodes/FailoverLoad.ts"
import { NodeCluster, open } from "./nodes/NodeCluster.ts"

const run = promisify(execFile)

interface EndpointStatus {
  readonly Endpoint: string
  readonly Status: {
    readonly header: { readonly member_id: number; readonly raft_term: number }
    readonly leader: number
  }
}

describeWith(
  "tikv-testbed",
  "pd-server",
  "etcdctl"
)("three nodes on one TiKV", (programs) => {
  let cluster: NodeCluster | undefined
  const nodes = (): NodeCluster => {
    assert(cluster !== undefined)
    return cluster
  }
  const etcdctl = async (...args: ReadonlyArray<string>): Promise<string> =>
    (await run(programs.etcdctl, ["--endpoints", nodes().endpoints.join(","), ...args])).stdout
  const statuses = async (): Promise<ReadonlyArray<EndpointStatus>> =>
    JSON.parse(await etcdctl("endpoint", "status", "-w", "json"))

  beforeAll(async () => {
    cluster = await NodeCluster.start(programs)
  })
  afterAll(() => cluster?.destroy())

  it("are shown to etcdctl, one of them as the leader", { timeout: 60_000 }, async () => {
    // A node hears of the others, and of who leads, with its first look.
    const missing = async (): Promise<ReadonlyArray<string>> => {
      const members = await etcdctl("member", "list")
      return nodes().nodes.flatMap(({ name }) => (members.includes(name) ? [] : [name]))
    }
    while ((await missing()).length > 0) await sleep(50)
    const leaders = async (): Promise<number> =>
      (await statuses()).filter(({ Status }) => Status.leader === Status.header.member_id).length
    while ((await leaders()) === 0) await sleep(50)
    assert.strictEqual(await leaders(), 1)
    await etcdctl("endpoint", "health")
  })

  it("hand leadership over when etcdctl asks", { timeout: 60_000 }, async () => {
    const leaderNow = async (): Promise<EndpointStatus> => {
      for (;;) {
        const leader = (await statuses()).find(({ Status }) => Status.leader === Status.header.member_id)
        if (leader !== undefined) return leader
        await sleep(50)
      }
    }
    const leader = await leaderNow()
    const members = await etcdctl("member", "list", "-w", "fields")
    const ids = [...members.matchAll(/"ID" : (\d+)/g)].map(([, id]) => BigInt(id))
    const heir = ids.find((id) => Number(id) !== leader.Status.leader)
    assert(heir !== undefined)
    await run(programs.etcdctl, ["--endpoints", leader.Endpoint, "move-leader", heir.toString(16)])
    // The others learn of it with their next look.
    while (!(await statuses()).every(({ Status }) => Status.leader === Number(heir))) await sleep(50)
  })

  it(
    "know a token that another of them gave, each when it is asked to defragment and how it is",
    { timeout: 60_000 },
    async () => {
      for (const asked of [
        ["role", "add", "root"],
        ["user", "add", "root:secret"],
        ["user", "grant-role", "root", "root"],
        ["auth", "enable"]
      ])
        await etcdctl(...asked)
      const root = ["--user", "root:secret", "--command-timeout", "20s"]
      try {
        const told = await etcdctl(...root, "defrag")
        for (const endpoint of nodes().endpoints) assert.include(told, endpoint)
        // Each says what it is itself, to who may ask.
        const seen: ReadonlyArray<EndpointStatus> = JSON.parse(
          await etcdctl(...root, "endpoint", "status", "-w", "json")
        )
        assert.strictEqual(new Set(seen.map(({ Status }) => Status.header.member_id)).size, 3)
        const wrong = etcdctl("--user", "root:wrong", "endpoint", "status").then(
          () => "answered",
          () => "refused"
        )
        assert.strictEqual(await wrong, "refused")
      } finally {
        await etcdctl(...root, "auth", "disable")
      }
    }
  )

  it("tell a watch from now on nothing of before, whichever of them it asks", { timeout: 60_000 }, async () => {
    const ways = await Promise.all(nodes().endpoints.map((endpoint) => open(endpoint)))
    const key = Buffer.from("/from-now-on")
    const nothing = { rangeEnd: Buffer.alloc(0), startRevision: 0, watchId: 0, filters: [] }
    const fromNowOn = { ...nothing, prevKv: false, progressNotify: false, fragment: false }
    const put = (client: GrpcClient): Promise<number> =>
      new Promise((resolve, reject) => {
        client.unary("/etcdserverpb.KV/Put", PutRequest.encode({ key }), (failure, bytes) =>
          failure === undefined
            ? resolve(Number(PutResponse.decode(Buffer.from(bytes ?? [])).header?.revision))
            : reject(failure)
        )
      })
    /** The revision of the first event that a new watch is told. */
    const watched = (client: GrpcClient, created: () => void): Promise<number> =>
      new Promise((resolve) => {
        const stream = client.stream("/etcdserverpb.Watch/Watch", {
          message: (bytes) => {
            const answer = WatchResponse.decode(Buffer.from(bytes))
            if (answer.created) created()
            const [first] = answer.events
            if (first === undefined) return
            stream.cancel()
            resolve(Number(first.kv?.modRevision))
          },
          end: () => undefined
        })
        stream.send(WatchRequest.encode({ createRequest: { ...fromNowOn, key } }))
      })
    try {
      for (let turn = 0; turn < 60; turn++) {
        const [asked, written] = [ways[turn % 3], ways[(turn >> 1) % 3]]
        assert(asked !== undefined && written !== undefined)
        const before = await put(written)
        let after: Promise<number> | undefined
        const first = await watched(asked, () => {
          after = put(written)
        })
        assert.isAbove(first, before, `turn ${turn}`)
        assert.equal(first, await after, `turn ${turn}`)
      }
    } finally {
      for (const way of ways) way.close()
    }
  })

  it("lose nothing when the leader goes, asked to or killed, and come back", { timeout: 120_000 }, async () => {
    const load = new FailoverLoad(nodes().endpoints, 2)
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      const leader = await nodes().leader()
      const before = load.acknowledged.length
      await nodes().end(leader, signal)
      // Writes go on without it.
      for (const end = Date.now() + 30_000; load.acknowledged.length < before + 50 && Date.now() < end;) await sleep(20)
      assert.isAtLeast(load.acknowledged.length, before + 50, signal)
      await nodes().startNode(leader)
    }
    await load.stop()
    assert.deepStrictEqual(await load.judge(), [])
  })
})
