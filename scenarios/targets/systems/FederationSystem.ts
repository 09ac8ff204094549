// Our federation over real control planes: users of the run make Deployments at a host of the federation's own, which a policy divides
// over the members; nodes, pods and the observer of the run are the first member's.
// Owns the host's command line, the joining, the policy, and the sum over all members at the end; members are opened by the target.
import { answersOk, freePort, ServerFailed } from "#kind"
import { type EffectClient, effectClient, gvr, httpClient, isJsonObject, type KubeObject, loadAccess } from "#kube"
import { Clock, Effect, type Scope } from "effect"
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { credentialsIn } from "../../front/backends/Tenancy.ts"
import { packageRoot } from "../../PackageRoot.ts"
import { type Finish, type OpenedSystem, openOwn } from "./System.ts"

const GROUP = "core.kubeadmiral.io"
const clusters = { resource: gvr(GROUP, "v1alpha1", "federatedclusters"), namespace: "" }
const policies = { resource: gvr(GROUP, "v1alpha1", "clusterpropagationpolicies"), namespace: "" }
const deployments = { resource: gvr("apps", "v1", "deployments"), namespace: "" }

/**
 * Every Deployment that no label gives to another policy, divided evenly over all members; what room they have is known too late, since
 * the first one's machines come with the run.
 */
const spreadOver = (members: ReadonlyArray<Member>): KubeObject => ({
  apiVersion: `${GROUP}/v1alpha1`,
  kind: "ClusterPropagationPolicy",
  metadata: { name: "spread" },
  spec: {
    schedulingMode: "Divide",
    resourceSelectors: [{ apiVersion: "apps/v1", kind: "Deployment" }],
    placement: members.map(({ name }) => ({ cluster: name, preferences: { weight: 1 } }))
  }
})

const LOOK_MS = 500
const JOINED_WITHIN_MS = 120_000
const SETTLED_WITHIN_MS = 90_000

const failed = (reason: string) => new ServerFailed({ backend: "federation", reason, log: "" })

/** A member of the federation. */
export interface Member {
  readonly name: string
  readonly kubeconfig: string
}

const clientOf = (kubeconfig: string): Effect.Effect<EffectClient, ServerFailed, Scope.Scope> =>
  loadAccess({ kubeconfig }).pipe(
    Effect.mapError(({ message }) => failed(message)),
    Effect.flatMap((access) => httpClient({ access, userAgent: "wharf/run" })),
    Effect.map(effectClient)
  )

const joined = (member: Member, host: string): Effect.Effect<void, ServerFailed> =>
  Effect.callback((resume) => {
    const words = ["federation", "join", member.name, "--kubeconfig", member.kubeconfig, "--host-kubeconfig", host]
    execFile(join(packageRoot, "bin", "wharf"), words, (cause, _output, told) =>
      resume(cause === null ? Effect.void : failed(`${member.name} did not join: ${told.trim()}`))
    )
  })

const isTrue = ({ status }: KubeObject, type: string): boolean => {
  if (!isJsonObject(status) || !Array.isArray(status["conditions"])) return false
  return status["conditions"].some((one) => isJsonObject(one) && one["type"] === type && one["status"] === "True")
}

/** Looks again and again until it holds; false when it does not come in time. */
const comes = (withinMs: number, look: Effect.Effect<boolean>): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const untilMs = (yield* Clock.currentTimeMillis) + withinMs
    while (!(yield* look)) {
      if ((yield* Clock.currentTimeMillis) > untilMs) return false
      yield* Effect.sleep(LOOK_MS)
    }
    return true
  })

const fieldOf = (object: KubeObject, part: "spec" | "status", field: string): number => {
  const found = object[part]
  const value = isJsonObject(found) ? found[field] : undefined
  return typeof value === "number" ? value : 0
}

/** Replicas of each Deployment, by namespace and name. */
const replicasAt = (client: EffectClient, part: "spec" | "status", field: string) =>
  client.list(deployments).pipe(
    Effect.map(({ items }) =>
      items.map((one) => [`${one.metadata.namespace}/${one.metadata.name}`, fieldOf(one, part, field)] as const)
    ),
    Effect.orElseSucceed((): ReadonlyArray<readonly [string, number]> => [])
  )

const summed = (parts: ReadonlyArray<ReadonlyArray<readonly [string, number]>>): ReadonlyMap<string, number> => {
  const sums = new Map<string, number>()
  for (const [name, count] of parts.flat()) sums.set(name, (sums.get(name) ?? 0) + count)
  return sums
}

/** Members together have the replicas that the host was asked for, all of them ready, and the host says so. */
const sumsHold = (host: EffectClient, members: ReadonlyArray<EffectClient>): Effect.Effect<Finish> =>
  Effect.gen(function* () {
    let [wanted, placed, ready]: ReadonlyArray<ReadonlyMap<string, number>> = [new Map(), new Map(), new Map()]
    let told = new Map<string, number>()
    const look = Effect.gen(function* () {
      wanted = new Map(yield* replicasAt(host, "spec", "replicas"))
      told = new Map(yield* replicasAt(host, "status", "readyReplicas"))
      placed = summed(yield* Effect.forEach(members, (member) => replicasAt(member, "spec", "replicas")))
      ready = summed(yield* Effect.forEach(members, (member) => replicasAt(member, "status", "readyReplicas")))
      return (
        wanted.size > 0 &&
        [...wanted].every(([name, count]) => [placed, ready, told].every((sums) => sums.get(name) === count))
      )
    })
    const holds = yield* comes(SETTLED_WITHIN_MS, look)
    const total = (sums: ReadonlyMap<string, number>) => [...sums.values()].reduce((sum, count) => sum + count, 0)
    const text = [...wanted]
      .map(([name, count]) => `${name}: ${count} wanted, ${placed.get(name)} placed, ${ready.get(name)} ready`)
      .join("; ")
    return {
      violations: holds ? [] : [{ rule: "replicas over all members sum to the host's", text }],
      facts: {
        "federation: members": members.length,
        "federation: Deployments": wanted.size,
        "federation: replicas asked for": total(wanted),
        "federation: replicas ready over members": total(ready)
      }
    }
  })

const openHost = (folder: string) =>
  Effect.gen(function* () {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const [port, kubeconfig] = [yield* freePort, join(folder, "host.conf")]
    const process = yield* openOwn(
      "federation",
      [
        ["serve", "federation", "--listen", `127.0.0.1:${port}`, "--data-dir", join(folder, "host")],
        ["--kubeconfig", kubeconfig, "--cluster-health-check-period", "2s"]
      ].flat(),
      folder,
      Effect.suspend(() => {
        const known = existsSync(kubeconfig) ? credentialsIn(readFileSync(kubeconfig, "utf8")) : undefined
        return known === undefined ? Effect.succeed(false) : answersOk({ port, ...known, path: "/readyz" })
      })
    )
    return { process, kubeconfig }
  })

/** Starts the federation and joins the members; it lives as long as the scope. */
export const openFederation = (folder: string, members: ReadonlyArray<Member>) =>
  Effect.gen(function* () {
    const { kubeconfig, process } = yield* openHost(folder)
    const host = yield* clientOf(kubeconfig)
    yield* Effect.forEach(members, (member) => joined(member, kubeconfig))
    const ready = host.list(clusters).pipe(
      Effect.map(({ items }) => items.length === members.length && items.every((one) => isTrue(one, "Ready"))),
      Effect.orElseSucceed(() => false)
    )
    if (!(yield* comes(JOINED_WITHIN_MS, ready))) return yield* failed("its members were not ready in time")
    yield* host.create(policies, spreadOver(members)).pipe(Effect.mapError(({ message }) => failed(message)))
    const below = yield* Effect.forEach(members, (member) => clientOf(member.kubeconfig))
    const opened: OpenedSystem = {
      processes: [process],
      front: { kubeconfig, clients: "users" },
      finish: sumsHold(host, below)
    }
    return opened
  })
