// Nodes on TiKV with TLS on every way: to the placement driver and the stores, between nodes, and to clients, whose certificates name
// users. Certificates are made on the spot; whoever has none, or another's, is let in nowhere.
import { it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { rmSync } from "node:fs"
import { afterAll, assert, beforeAll, describe } from "vitest"
import { callUnary, type ClientTls, connect } from "#net"
import { Empty } from "#storage"
import { etcdConfig } from "../../core/storage/server/EtcdConfig.ts"
import { BadFlag } from "../../core/storage/server/EtcdFlags.ts"
import { describeWith } from "../Judges.ts"
import { type Authority, makeAuthority } from "../net/Certificates.ts"
import { freePort } from "../FreePort.ts"
import { startStore } from "./StoreProcess.ts"
import { TestBed } from "./tikv/TestBed.ts"
import { openTlsRelay } from "./tikv/TlsRelay.ts"

interface Ran {
  readonly ok: boolean
  readonly output: string
}

interface Node {
  readonly clientPort: number
  readonly peerPort: number
}

describe("the flags of TLS between nodes", () => {
  for (const [flag, given] of [
    ["peer-cert-file", { "peer-urls": "https://127.0.0.1:2380" }],
    ["peer-cert-file", { "peer-key-file": "key.pem" }],
    ["peer-client-cert-file", { "peer-client-key-file": "key.pem" }],
    ["peer-trusted-ca-file", { "peer-client-cert-auth": "true" }],
    ["peer-trusted-ca-file", { "peer-cert-allowed-cn": "peer" }],
    ["peer-trusted-ca-file", { "peer-cert-allowed-hostname": "peer.internal" }],
    ["peer-cert-allowed-hostname", { "peer-cert-allowed-cn": "peer", "peer-cert-allowed-hostname": "peer.internal" }]
  ] as const) {
    it(`name ${flag} when only ${Object.keys(given).join()} is given`, () => {
      const config = etcdConfig(new Map(Object.entries(given)))
      assert(config instanceof BadFlag)
      assert.strictEqual(config.flag, flag)
    })
  }
})

describeWith(
  "tikv-testbed",
  "pd-server",
  "etcdctl"
)("nodes on TiKV behind TLS", (programs) => {
  let authority: Authority
  beforeAll(() => {
    authority = makeAuthority()
  })
  afterAll(() => rmSync(authority.folder, { recursive: true }))

  const shown = (name: string): ClientTls => ({ caFile: authority.caFile, ...authority.sign(name, name) })

  const startNode = (name: string, pd: string, allowed: Readonly<Record<string, string>>) =>
    Effect.gen(function* () {
      const [clientPort, peerPort] = [yield* Effect.promise(freePort), yield* Effect.promise(freePort)]
      const client = `https://127.0.0.1:${clientPort}`
      const [server, peer, tikv] = ["server", "peer", "tikv"].map((side) =>
        authority.sign(`${name}-${side}`, side, side === "peer" ? { names: ["peer.internal"] } : {})
      )
      const flags = {
        name,
        backend: "tikv",
        "pd-endpoints": `https://${pd}`,
        "tikv-ca-file": authority.caFile,
        "tikv-cert-file": tikv.certFile,
        "tikv-key-file": tikv.keyFile,
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "cert-file": server.certFile,
        "key-file": server.keyFile,
        "trusted-ca-file": authority.caFile,
        "peer-urls": `https://127.0.0.1:${peerPort}`,
        "peer-cert-file": peer.certFile,
        "peer-key-file": peer.keyFile,
        "peer-trusted-ca-file": authority.caFile,
        ...allowed,
        "initial-cluster": ""
      }
      yield* startStore([
        ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`),
        "--client-cert-auth",
        "--peer-client-cert-auth"
      ])
      return { clientPort, peerPort } satisfies Node
    })

  const etcdctl = (node: Node, user: string, ...args: ReadonlyArray<string>) =>
    Effect.callback<Ran>((resume) => {
      const { certFile, keyFile } = authority.sign(user, user)
      const tls = [`--cacert=${authority.caFile}`, `--cert=${certFile}`, `--key=${keyFile}`]
      const all = [`--endpoints=https://127.0.0.1:${node.clientPort}`, ...tls, ...args]
      execFile(programs.etcdctl, all, (error, stdout, stderr) =>
        resume(Effect.succeed({ ok: error === null, output: stdout + stderr }))
      )
    })

  /** What a call to a port comes to with these certificates. */
  const asked = (port: number, tls: ClientTls | undefined) =>
    connect({ host: "127.0.0.1", port, ...(tls === undefined ? {} : { tls }) }).pipe(
      Effect.flatMap((client) => callUnary(client, "/etcdserverpb.Maintenance/Status", Empty.encode({}))),
      Effect.as("answered"),
      Effect.catch(({ message }) => Effect.succeed(message)),
      Effect.scoped
    )

  it.live(
    "serve as without, know a client on every node by its certificate, and let nobody else in",
    () =>
      Effect.gen(function* () {
        const bed = yield* Effect.acquireRelease(
          Effect.promise(() => TestBed.start(programs, 1)),
          (started) => Effect.promise(() => started.destroy())
        )
        const relay = { ...authority.sign("relay", "relay"), caFile: authority.caFile, clientAuth: true }
        const pd = yield* openTlsRelay(bed, relay)
        const nodes = yield* Effect.all(
          [
            startNode("n1", pd, { "peer-cert-allowed-cn": "peer" }),
            startNode("n2", pd, { "peer-cert-allowed-hostname": "other.internal,peer.internal" })
          ],
          { concurrency: 2 }
        )
        const run = (at: number, user: string, ...args: ReadonlyArray<string>) => etcdctl(nodes[at], user, ...args)

        // One of the two forwards what it is asked to write.
        for (const at of [0, 1]) {
          assert.deepStrictEqual(yield* run(at, "root", "put", "open", `by ${at}`), { ok: true, output: "OK\n" })
          assert.strictEqual((yield* run(1 - at, "root", "get", "open", "--print-value-only")).output, `by ${at}\n`)
        }
        for (const words of [
          "user add root --no-password",
          "user add alice --no-password",
          "role add writer",
          "role grant-permission writer readwrite mine",
          "user grant-role alice writer",
          "user grant-role root root",
          "auth enable"
        ]) {
          const { ok, output } = yield* run(0, "root", ...words.split(" "))
          assert.isTrue(ok, `${words}: ${output}`)
        }
        for (const at of [0, 1]) {
          const mine = yield* run(at, "alice", "put", "mine", "v")
          assert.deepStrictEqual(mine, { ok: true, output: "OK\n" }, `node ${at}`)
          for (const [user, rule] of [
            ["alice", /permission denied/],
            ["peer", /user name not found|permission denied/]
          ] as const) {
            const { ok, output } = yield* run(at, user, "put", "open", "v")
            assert.isFalse(ok, `${user} on node ${at}`)
            assert.match(output, rule)
          }
        }

        const [{ peerPort }, byHostname] = nodes
        const stranger = makeAuthority()
        const strange = { caFile: authority.caFile, ...stranger.sign("peer", "peer") }
        // A member that asks for nobody is not taken for a user of its own name.
        assert.match(yield* asked(peerPort, shown("peer")), /user name is empty/)
        assert.match(yield* asked(peerPort, shown("alice")), /not one of --peer-cert-allowed-cn/)
        const internal = authority.sign("internal", "whoever", { names: ["peer.internal"] })
        assert.match(yield* asked(byHostname.peerPort, shown("peer")), /for none of --peer-cert-allowed-hostname/)
        assert.match(yield* asked(byHostname.peerPort, { caFile: authority.caFile, ...internal }), /user name is empty/)
        for (const port of [peerPort, Number(pd.split(":")[1])]) {
          for (const tls of [undefined, { caFile: authority.caFile }, strange]) {
            assert.notMatch(yield* asked(port, tls), /answered|allowed-cn|user name/)
          }
        }
        rmSync(stranger.folder, { recursive: true })
      }),
    120_000
  )
})
