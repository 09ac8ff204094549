// etcd's own suite and kube-apiserver's storage suites with our store on TiKV in etcd's place: on one node, and on three, where what
// the suite speaks to is a follower. Prints what passed, and what failed with its last words; ends with 1 if anything did.
//
//   node test/storage/tikv/Suites.ts --suite apiserver --nodes 1        (or 3)
//   node test/storage/tikv/Suites.ts --suite etcd --nodes 1 [--run TestKV]
//   node test/storage/tikv/Suites.ts --suite etcd --nodes 3             (clusters of three that the suite makes, with TLS)
//
// Needs `wharf assets build suites tikv`.
import { mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { etcdSuiteFolder, findAsset, type ProgramName } from "#kind"
import { type GoVerdicts, outputOf, runGoSuite } from "../GoSuite.ts"
import { EtcdOnTikv } from "./EtcdOnTikv.ts"

const SUITE_MS = 3_000_000

const pathOf = (name: ProgramName): Promise<string> =>
  findAsset(name).pipe(
    Effect.map(({ path }) => path),
    Effect.provide(NodeServices.layer),
    Effect.runPromise
  )

/** kube-apiserver's storage functions, those whose names fit. */
export const runApiserverSuite = (binary: string, store: string, pattern: string): Promise<GoVerdicts> =>
  runGoSuite({
    binary,
    args: ["-test.v", "-test.timeout", "50m", "-test.run", pattern],
    folder: tmpdir(),
    environment: { STORE_BINARY: store },
    withinMs: SUITE_MS
  })

const runEtcdSuite = async (store: string, pattern: string): Promise<GoVerdicts> => {
  const binaries = mkdtempSync(join(tmpdir(), "wharf-etcd-suite-"))
  try {
    symlinkSync(store, join(binaries, "etcd"))
    for (const name of ["etcdctl", "etcdutl"] as const) symlinkSync(await pathOf(name), join(binaries, name))
    return await runGoSuite({
      binary: await pathOf("etcd-common.test"),
      args: ["-bin-dir", binaries, "-test.v", "-test.run", pattern, "-test.timeout", "50m"],
      folder: await Effect.runPromise(etcdSuiteFolder.pipe(Effect.provide(NodeServices.layer))),
      withinMs: SUITE_MS
    })
  } finally {
    rmSync(binaries, { recursive: true, force: true })
  }
}

const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      suite: { type: "string", default: "apiserver" },
      nodes: { type: "string", default: "1" },
      run: { type: "string", default: "" }
    }
  })
  const nodes = Number(values.nodes)
  const isEtcd = values.suite === "etcd"
  const programs = { "tikv-testbed": await pathOf("tikv-testbed"), "pd-server": await pathOf("pd-server") }
  // The clusters of etcd's suite bring their other nodes themselves.
  const store = await EtcdOnTikv.start(programs, isEtcd ? 1 : nodes)
  try {
    const clusters = nodes > 1 ? "^Peer" : "^NoTLS"
    const verdicts = isEtcd
      ? await runEtcdSuite(store.binary, `${values.run === "" ? "^Test" : values.run}/${clusters}`)
      : await runApiserverSuite(await pathOf("apiserver-storage.test"), store.binary, values.run || "^Test")
    const { failed, passed, skipped } = verdicts
    for (const name of failed.filter((one) => !failed.some((other) => other.startsWith(`${one}/`)))) {
      process.stdout.write(`FAILED ${name}\n${outputOf(verdicts, name.split("/")[0])}\n`)
    }
    process.stdout.write(
      `${values.suite}, ${nodes} node(s): ${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped\n`
    )
    process.exitCode = failed.length > 0 || passed.length === 0 ? 1 : 0
  } finally {
    await store.destroy()
  }
}

if (import.meta.main) await main()
