// One run of the three observers while a ledger writes and somebody disturbs the way between them and the cluster.
// Owns the run and the waiting for its end; what disturbs is the caller's.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { until } from "../apiserver/kubectl/Rig.ts"
import { type Access, kubeconfigOf } from "./Access.ts"
import { exactly, faithfully, type Ledger, startLedger, type Verdict } from "./Ledger.ts"
import { bareWatch, goInformer, nodeInformer } from "./Observers.ts"
import type { Upstream } from "./Upstream.ts"

export interface WatchedRun {
  readonly deeds: number
  /** Times that the bare watch and client-node connected anew. */
  readonly again: readonly [bare: number, node: number]
  readonly bare: Verdict
  readonly node: Verdict
  readonly go: Verdict
}

export interface Watching {
  readonly upstream: Upstream
  /** Where the ledger's objects are, as upstream names the namespace. */
  readonly namespace: string
  /** The same namespace as the observers name it. */
  readonly seenAs?: string
  readonly access: Access
  readonly goProgram: string
  /** Disturbs until it has done enough. */
  readonly disturb: (ledger: Ledger) => Promise<void>
}

const makeNamespace = async ({ upstream, namespace }: Watching): Promise<void> => {
  const body = JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } })
  const { code } = await upstream.call("POST", "/api/v1/namespaces", {
    body,
    headers: { "content-type": "application/json" }
  })
  if (code !== 201 && code !== 409) throw new Error(`namespace ${namespace}: ${code}`)
}

/** Plays it; the verdicts are complete when every observer has seen the end, or had a minute for it. */
export const watched = async (watching: Watching): Promise<WatchedRun> => {
  const { access, disturb, goProgram, namespace, seenAs = namespace, upstream } = watching
  await makeNamespace(watching)
  const config = join(upstream.folder, "observer.conf")
  writeFileSync(config, kubeconfigOf(access))
  const list = await upstream.call("GET", `/api/v1/namespaces/${namespace}/configmaps`)
  const { metadata } = JSON.parse(list.body) as { readonly metadata: { readonly resourceVersion: string } }
  const bare = bareWatch(access, seenAs, metadata.resourceVersion)
  const node = await nodeInformer(access, seenAs)
  const go = await goInformer(goProgram, config, seenAs)
  const observers = [bare, node, go]
  try {
    const ledger = startLedger(upstream.call, namespace)
    await disturb(ledger)
    await ledger.stop()
    const settled = async (): Promise<boolean> => {
      const holds = await Promise.all([node.holds?.(), go.holds?.()])
      const same = holds.every((one) => [...ledger.held].every(([name, version]) => one?.get(name) === version))
      return same && bare.seen.length >= ledger.deeds.length
    }
    await until("the observers' end", settled).catch(() => undefined)
    const holding = async ({ holds }: typeof node): Promise<ReadonlyMap<string, string>> =>
      (await holds?.()) ?? new Map()
    return {
      deeds: ledger.deeds.length,
      again: [bare.again(), node.again()],
      bare: exactly(ledger.deeds, bare.seen),
      node: faithfully(ledger, node.seen, await holding(node)),
      go: faithfully(ledger, go.seen, await holding(go))
    }
  } finally {
    await Promise.all(observers.map((one) => one.stop()))
  }
}
