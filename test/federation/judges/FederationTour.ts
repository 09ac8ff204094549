// What a user does with a federation, by kubectl alone: joins, propagates, scales, overrides, moves, rolls out, loses a member and gets it
// back, deletes with and without orphans; after each step members are looked at by kubectl too.
// Owns the steps and what must be seen; refuses to start anything. Each call of kubectl or wharf is counted.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert } from "vitest"
import type { Plane, Rig } from "./Rig.ts"
import { until } from "./Rig.ts"

type Json = Record<string, unknown>

interface Listed {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

interface Federated {
  readonly spec: {
    readonly template: Listed
    readonly placements?: ReadonlyArray<{ readonly placement: ReadonlyArray<{ readonly cluster: string }> }>
  }
}

const deployment = (name: string, replicas: number, labels: Json, annotations: Json = {}): Json => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "shop", labels, annotations },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        containers: [{ name: "web", image: "nginx:1.25", envFrom: [{ configMapRef: { name: "settings" } }] }]
      }
    }
  }
})

const federation = (kind: string, name: string, spec: Json, namespace: string | undefined = "shop"): Json => ({
  apiVersion: "core.kubeadmiral.io/v1alpha1",
  kind,
  metadata: { name, ...(namespace === "" ? {} : { namespace }) },
  spec
})

const weights = (counts: Readonly<Record<string, number>>): Json => ({
  schedulingMode: "Divide",
  placement: Object.entries(counts).map(([cluster, weight]) => ({ cluster, preferences: { weight } })),
  reschedulePolicy: { replicaRescheduling: { avoidDisruption: false } },
  failover: { tolerationSeconds: 5, gracePeriodSeconds: 5 }
})

const spread = { "kubeadmiral.io/propagation-policy-name": "spread" }
const everywhere = { "kubeadmiral.io/cluster-propagation-policy-name": "everywhere" }

export class FederationTour {
  readonly rig: Rig
  commands = 0
  readonly #folder = mkdtempSync(join(tmpdir(), "tour-"))

  constructor(rig: Rig) {
    this.rig = rig
  }

  kubectl(plane: Plane, ...args: ReadonlyArray<string>): Promise<string> {
    this.commands++
    return plane.kubectl(...args)
  }

  host(...args: ReadonlyArray<string>): Promise<string> {
    return this.kubectl(this.rig.host, ...args)
  }

  async apply(...objects: ReadonlyArray<Json>): Promise<void> {
    const file = join(this.#folder, "objects.json")
    writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }))
    await this.host("apply", "-f", file)
  }

  /** A field of an object as one plane shows it; "absent" where there is none. */
  async field(plane: Plane, object: string, path: string): Promise<string> {
    try {
      return (await this.kubectl(plane, "-n", "shop", "get", object, "-o", `jsonpath={${path}}`)).trim()
    } catch (error) {
      if (String(error).includes("NotFound")) return "absent"
      throw error
    }
  }

  /** Waits until members show these values of a field, in their order. */
  async shows(object: string, path: string, values: ReadonlyArray<string>): Promise<void> {
    await until(`${object} ${path} = ${values.join(", ")}`, async () => {
      const seen = await Promise.all(this.rig.members.map((plane) => this.field(plane, object, path)))
      return seen.join() === values.join() || seen
    })
  }

  async hostShows(object: string, path: string, value: string): Promise<void> {
    await until(`${object} ${path} = ${value} on the host`, async () => {
      const seen = await this.field(this.rig.host, object, path)
      return seen === value || seen
    })
  }

  async join(): Promise<void> {
    const { host, members, wharf } = this.rig
    for (const [at, member] of members.entries()) {
      this.commands++
      await wharf(
        "federation",
        "join",
        member.name,
        "--kubeconfig",
        member.kubeconfig,
        "--host-kubeconfig",
        host.kubeconfig,
        "--labels",
        `zone=z${at}`,
        // The last one by an account of its own, which may do what is federated and nothing else.
        ...(at === members.length - 1 ? ["--use-service-account"] : [])
      )
    }
    await this.host("wait", "fcluster", "--all", "--for=condition=Joined", "--timeout=120s")
    await this.host("wait", "fcluster", "--all", "--for=condition=Ready", "--timeout=120s")
    const listed = await this.host("get", "fcluster")
    for (const { name } of members) assert.match(listed, new RegExp(`${name} +True +True`))
    const last = members[members.length - 1]
    assert.deepStrictEqual(
      [await this.#may(last, "delete", "deployments"), await this.#may(last, "delete", "nodes")],
      ["yes", "no"]
    )
  }

  /** What a member's account of ours may do, in kubectl's word. */
  async #may(member: Plane, verb: string, resource: string): Promise<string> {
    const as = "system:serviceaccount:kube-admiral-system:kubeadmiral-member"
    const asked = this.kubectl(member, "auth", "can-i", verb, resource, "--all-namespaces", `--as=${as}`)
    // A "no" is kubectl's exit code 1.
    const said = await asked.catch((error: unknown) => String((error as { readonly stdout?: unknown }).stdout))
    return said.trim().split("\n").at(-1) ?? ""
  }

  async propagate(): Promise<void> {
    const [a, b] = this.rig.members.map(({ name }) => name)
    await this.host("create", "namespace", "shop")
    for (const member of this.rig.members) {
      await until(`namespace in ${member.name}`, async () =>
        (await this.kubectl(member, "get", "ns", "-o", "name")).includes("namespace/shop")
      )
    }
    await this.apply(
      federation("PropagationPolicy", "spread", weights({ [a]: 1, [b]: 2 })),
      federation("ClusterPropagationPolicy", "everywhere", { schedulingMode: "Duplicate" }, ""),
      {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "settings", namespace: "shop" },
        data: { colour: "blue" }
      },
      deployment("web", 6, spread),
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "web", namespace: "shop", labels: everywhere },
        spec: { selector: { app: "web" }, ports: [{ port: 80 }] }
      }
    )
    await this.shows("deploy/web", ".spec.replicas", ["2", "4", "absent"].slice(0, this.rig.members.length))
    // What it needs goes with it.
    await this.shows("cm/settings", ".data.colour", ["blue", "blue", "absent"].slice(0, this.rig.members.length))
    await this.host("-n", "shop", "wait", "deploy/web", "--for=condition=Available", "--timeout=90s")
    await this.hostShows("deploy/web", ".status.readyReplicas", "6")
    assert.include(await this.host("-n", "shop", "get", "fo"), "web-deployments.apps")
    await this.host("-n", "shop", "get", "cst", "web-deployments.apps", "-o", "yaml")
  }

  async scaleAndOverride(): Promise<void> {
    const [, b] = this.rig.members.map(({ name }) => name)
    await this.host("-n", "shop", "scale", "deploy/web", "--replicas=9")
    await this.shows("deploy/web", ".spec.replicas", ["3", "6", "absent"].slice(0, this.rig.members.length))
    await this.hostShows("deploy/web", ".status.readyReplicas", "9")
    await this.apply(
      federation("OverridePolicy", "mirror", {
        overrideRules: [
          {
            targetClusters: { clusters: [b] },
            overriders: {
              image: [{ operations: [{ imageComponent: "Registry", value: "mirror.local" }] }],
              labels: [{ operator: "addIfAbsent", value: { mirrored: "yes" } }]
            }
          }
        ]
      })
    )
    await this.host("-n", "shop", "label", "deploy/web", "kubeadmiral.io/override-policy-name=mirror")
    await this.shows(
      "deploy/web",
      ".spec.template.spec.containers[0].image",
      ["nginx:1.25", "mirror.local/nginx:1.25", "absent"].slice(0, this.rig.members.length)
    )
    await this.host("-n", "shop", "label", "deploy/web", "kubeadmiral.io/override-policy-name-")
    await this.shows(
      "deploy/web",
      ".spec.template.spec.containers[0].image",
      ["nginx:1.25", "nginx:1.25", "absent"].slice(0, this.rig.members.length)
    )
    await this.host("-n", "shop", "annotate", "deploy/web", "team=blue")
    await this.shows(
      "deploy/web",
      ".metadata.annotations.team",
      ["blue", "blue", "absent"].slice(0, this.rig.members.length)
    )
  }

  async rollOut(): Promise<void> {
    await this.host("-n", "shop", "set", "image", "deploy/web", "web=nginx:1.26")
    await this.shows(
      "deploy/web",
      ".spec.template.spec.containers[0].image",
      ["nginx:1.26", "nginx:1.26", "absent"].slice(0, this.rig.members.length)
    )
    await this.host("-n", "shop", "rollout", "status", "deploy/web", "--timeout=90s")
    const [first] = this.rig.members
    // What somebody changes in a member is put back; what is the member's own stays.
    const address = await this.field(first, "svc/web", ".spec.clusterIP")
    await this.kubectl(first, "-n", "shop", "scale", "deploy/web", "--replicas=20")
    await this.shows("deploy/web", ".spec.replicas", ["3", "6", "absent"].slice(0, this.rig.members.length))
    await this.host(
      "-n",
      "shop",
      "patch",
      "svc/web",
      "--type=json",
      "-p",
      '[{"op":"add","path":"/spec/ports/0/name","value":"http"}]'
    )
    await this.shows(
      "svc/web",
      ".spec.ports[0].name",
      this.rig.members.map(() => "http")
    )
    assert.strictEqual(await this.field(first, "svc/web", ".spec.clusterIP"), address)
  }

  async move(): Promise<void> {
    const [a, b, c = b] = this.rig.members.map(({ name }) => name)
    const back = weights({ [a]: 1, [b]: 2 })
    await this.host(
      "-n",
      "shop",
      "patch",
      "pp",
      "spread",
      "--type=merge",
      "-p",
      JSON.stringify({ spec: weights({ [c]: 1 }) })
    )
    const moved = this.rig.members.length > 2 ? ["absent", "absent", "9"] : ["absent", "9"]
    await this.shows("deploy/web", ".spec.replicas", moved)
    await this.host("-n", "shop", "patch", "pp", "spread", "--type=merge", "-p", JSON.stringify({ spec: back }))
    await this.shows("deploy/web", ".spec.replicas", ["3", "6", "absent"].slice(0, this.rig.members.length))
    await this.hostShows("deploy/web", ".status.readyReplicas", "9")
  }

  async loseAndRecover(): Promise<void> {
    const [a, b] = this.rig.members
    await this.apply(
      federation("PropagationPolicy", "either", {
        ...weights({}),
        placement: [{ cluster: a.name }, { cluster: b.name }]
      }),
      deployment("api", 4, { "kubeadmiral.io/propagation-policy-name": "either" })
    )
    await this.hostShows("deploy/api", ".status.readyReplicas", "4")
    a.freeze()
    try {
      await this.host("wait", "fcluster", a.name, "--for=condition=Ready=Unknown", "--timeout=120s")
      // No count falls because nobody hears of the member.
      await until("all replicas elsewhere", async () => {
        const seen = await this.field(b, "deploy/api", ".spec.replicas")
        return seen === "4" || seen
      })
      await this.host("-n", "shop", "get", "deploy/api", "-o", "yaml")
    } finally {
      a.thaw()
    }
    await this.host("wait", "fcluster", a.name, "--for=condition=Ready", "--timeout=120s")
    await until("at most the wanted replicas", async () => {
      const counts = await Promise.all([a, b].map((plane) => this.field(plane, "deploy/api", ".spec.replicas")))
      const sum = counts.reduce((total, count) => total + (count === "absent" ? 0 : Number(count)), 0)
      return sum === 4 || counts
    })
  }

  async deleteAll(): Promise<void> {
    const [first] = this.rig.members
    await this.apply(deployment("kept", 2, spread, { "kubeadmiral.io/orphan": "all" }))
    await this.hostShows("deploy/kept", ".status.readyReplicas", "2")
    await this.host("-n", "shop", "delete", "deploy/kept", "--timeout=60s")
    assert.notStrictEqual(await this.field(first, "deploy/kept", ".spec.replicas"), "absent")
    assert.strictEqual(await this.field(first, "deploy/kept", ".metadata.labels.kubeadmiral\\.io/managed"), "")
    await this.host(
      "-n",
      "shop",
      "delete",
      "deploy/web",
      "deploy/api",
      "svc/web",
      "--ignore-not-found",
      "--timeout=90s"
    )
    await this.host("-n", "shop", "delete", "pp", "--all")
    for (const object of ["deploy/web", "deploy/api", "svc/web"]) {
      await this.shows(
        object,
        ".metadata.name",
        this.rig.members.map(() => "absent")
      )
    }
  }

  async leave(): Promise<void> {
    const { host, members, wharf } = this.rig
    const last = members[members.length - 1]
    this.commands++
    await wharf("federation", "leave", last.name, "--cascade", "--host-kubeconfig", host.kubeconfig)
    await this.host("wait", "fcluster", last.name, "--for=delete", "--timeout=120s")
    const left = await this.kubectl(
      last,
      "get",
      "deploy,svc,cm,ns",
      "-A",
      "-l",
      "kubeadmiral.io/managed=true",
      "-o",
      "name"
    )
    assert.strictEqual(left.trim(), "")
  }

  /** What members have is what the host says; nothing is left over. */
  async judge(): Promise<void> {
    const placed = JSON.parse(await this.host("get", "fo,cfo", "-A", "-o", "json")) as {
      readonly items: ReadonlyArray<Federated>
    }
    for (const member of this.rig.members) {
      const found = JSON.parse(
        await this.kubectl(
          member,
          "get",
          "deploy,svc,cm,sa,ns",
          "-A",
          "-l",
          "kubeadmiral.io/managed=true",
          "-o",
          "json"
        )
      ) as { readonly items: ReadonlyArray<Listed> }
      const wanted = placed.items
        .filter(({ spec }) =>
          (spec.placements ?? []).some(({ placement }) => placement.some(({ cluster }) => cluster === member.name))
        )
        .map(
          ({ spec }) => `${spec.template.kind}/${spec.template.metadata.namespace ?? ""}/${spec.template.metadata.name}`
        )
        .sort()
      const there = found.items
        .map(({ kind, metadata }) => `${kind}/${metadata.namespace ?? ""}/${metadata.name}`)
        .sort()
      assert.deepStrictEqual(there, wanted, `${member.name} differs from the placement`)
    }
  }

  end(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** The steps in their order. */
export const tourSteps = [
  "join",
  "propagate",
  "scaleAndOverride",
  "rollOut",
  "judge",
  "move",
  "loseAndRecover",
  "judge",
  "deleteAll",
  "leave"
] as const

/** Those that fit into a short run. */
export const shortSteps = ["join", "propagate", "scaleAndOverride", "judge", "deleteAll"] as const
